package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPairedIsTheMedianOfTheRounds(t *testing.T) {
	a, b := cell{"w", "a", "cpu"}, cell{"w", "b", "cpu"}
	tab := newTable()
	for _, v := range [][2]float64{{4, 2}, {40, 20}, {9, 3}} { // the machine was slow in the second
		tab.add(a, v[0])
		tab.add(b, v[1])
	}
	if r, ok := tab.paired(a, b); !ok || r != 2 {
		t.Errorf("want 2, got %v, %v", r, ok)
	}
	tab.add(a, 6) // a round without b: the medians are compared
	if r, ok := tab.paired(a, b); !ok || r != 7.5/3 {
		t.Errorf("want 2.5, got %v, %v", r, ok)
	}
	if _, ok := tab.paired(a, cell{"w", "none", "cpu"}); ok {
		t.Error("a ratio to a cell that is not there")
	}
}

func TestCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "short.tsv")
	var b bytes.Buffer
	if err := sample(4).writeTSV(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		now   *table
		warns bool
		fails bool
	}{
		{"the same", sample(4), false, false},
		{"faster", sample(2), false, false},
		{"a little slower", sample(4.4), false, false},
		{"slower", sample(5), true, false},
		{"much slower", sample(7), false, true},
		{"without NSD", newTable(), false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			recorded, err := loadTable(path)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			err = report(&out, compareTables(recorded, c.now))
			if (err != nil) != c.fails || strings.Contains(out.String(), "warning") != c.warns {
				t.Errorf("want warning %v, failure %v; got %v and\n%s", c.warns, c.fails, err, out.String())
			}
		})
	}
	if _, err := loadTable(path + ".none"); err == nil {
		t.Error("want an error for a file that is not there")
	}
}

func TestCheckTakesTheBetterOfTwo(t *testing.T) {
	recorded, slow := sample(4), sample(7)
	first := compareTables(recorded, slow)
	if got := slowWorks(first, checkWarn); got != "mixed" {
		t.Fatalf("want mixed to be measured once more, got %q", got)
	}
	for _, c := range []struct {
		name  string
		again *table
		want  string
	}{
		{"fast again", sample(4), ""},
		{"slow again", sample(8), "mixed"},
		{"not measured", newTable(), "mixed"},
	} {
		if got := slowWorks(better(first, compareTables(recorded, c.again)), checkFail); got != c.want {
			t.Errorf("%s: want %q too slow, got %q", c.name, c.want, got)
		}
	}
	if got := slowWorks(first, checkFail); got != "mixed" {
		t.Errorf("the first comparison changed: %q", got)
	}
}

func TestNothingToCheck(t *testing.T) {
	b := &bench{options: &options{check: filepath.Join(t.TempDir(), "none.tsv")}}
	if why := b.cannotCheck(); !strings.Contains(why, "none.tsv") {
		t.Errorf("want the missing file to be named, got %q", why)
	}
}
