package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		name           string
		values         []float64
		low, mid, high float64
	}{
		{"one", []float64{3}, 3, 3, 3},
		{"odd", []float64{9, 1, 5}, 1, 5, 9},
		{"even", []float64{4, 1, 2, 9}, 1, 3, 9},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab := newTable()
			for _, v := range c.values {
				tab.add(cell{"w", "s", "m"}, v)
			}
			low, mid, high, ok := tab.spread(cell{"w", "s", "m"})
			if !ok || low != c.low || mid != c.mid || high != c.high {
				t.Errorf("want %v %v %v, got %v %v %v", c.low, c.mid, c.high, low, mid, high)
			}
		})
	}
	if _, _, _, ok := newTable().spread(cell{}); ok {
		t.Error("a cell without values has a spread")
	}
}

// sample is a table in which nc-serve needs ncCPU microseconds and NSD 5.
func sample(ncCPU float64) *table {
	t := newTable()
	t.note("machine", "a\tmachine\nof two lines")
	for _, v := range []float64{ncCPU + 1, ncCPU - 1, ncCPU} {
		t.add(cell{"mixed", ncServe, "cpu"}, v)
		t.add(cell{"mixed", ncServe, "rate"}, 1e6/v)
	}
	t.add(cell{"mixed", "nsd", "cpu"}, 5)
	return t
}

func TestTSV(t *testing.T) {
	var b bytes.Buffer
	was := sample(4)
	if err := was.writeTSV(&b); err != nil {
		t.Fatal(err)
	}
	want := "# machine\ta machine of two lines\n" + columns + "\n" +
		"mixed\tnc-serve\tcpu\tus\t3\t4\t5\t5 3 4\n" +
		"mixed\tnc-serve\trate\t1/s\t200000\t250000\t333333\t200000 333333 250000\n" +
		"mixed\tnsd\tcpu\tus\t5\t5\t5\t5\n"
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("table (-want +got):\n%s", d)
	}
	got, err := readTSV(&b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(was.about, got.about); d != "" {
		t.Errorf("notes (-want +got):\n%s", d)
	}
	if d := cmp.Diff(was.cells, got.cells, cmp.AllowUnexported(cell{})); d != "" {
		t.Errorf("cells (-want +got):\n%s", d)
	}
}

func TestReadTSVRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "no lines": columns + "\n", "few columns": "a\tb\n",
		"no number": "a\tb\tc\td\t1\t1\t1\tmany\n", "not finite": "a\tb\tc\td\t1\t1\t1\tNaN\n",
		"below 0": "a\tb\tc\td\t1\t1\t1\t-1\n", "too much": "a\tb\tc\td\t1\t1\t1\t1e300\n",
	} {
		if _, err := readTSV(strings.NewReader(text)); !errors.Is(err, errTable) {
			t.Errorf("%s: want %v, got %v", name, errTable, err)
		}
	}
}

func FuzzReadTSV(f *testing.F) {
	f.Add("# a\tb\n" + columns + "\nw\ts\tm\tu\t1\t1\t1\t1 2\n")
	f.Fuzz(func(t *testing.T, text string) {
		tab, err := readTSV(strings.NewReader(text))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := errors.Join(tab.writeTSV(&b), tab.writeMarkdown(&b)); err != nil {
			t.Error(err)
		}
	})
}

func TestMarkdown(t *testing.T) {
	var b bytes.Buffer
	if err := sample(4).writeMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"- machine: a machine of two lines\n",
		"| mixed: answers per CPU second, nc-serve / nsd | 1.25 | at least 1.10 | reached |\n",
		"## Answers, mixed: ",
		"| server | rate, 1/s | cpu, us | p50, us |",
		"| nc-serve | 250000 (200000 to 333333) | 4 (3 to 5) |  |",
		"| nsd |  | 5 |  |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in:\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "Updates") {
		t.Errorf("a section without values:\n%s", b.String())
	}
}

func TestFigure(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 3: "3", 0.123: "0.12", 4.567: "4.57", 45.67: "45.7", 45678.9: "45679"} {
		if got := figure(v); got != want {
			t.Errorf("%v: want %s, got %s", v, want, got)
		}
	}
}

func TestGoals(t *testing.T) {
	least, most := goal{limit: 1}, goal{limit: 1, most: true}
	if least.reached(0.9) || !least.reached(1.1) || most.reached(1.1) || !most.reached(0.9) {
		t.Error("goals are reached the wrong way round")
	}
	for _, g := range goals {
		for _, c := range []cell{g.over, g.under} {
			if _, ok := units[c.metric]; !ok {
				t.Errorf("%s: no metric %q", g.what, c.metric)
			}
		}
	}
}
