package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWrite: a figure is a picture with its words in it, the same each time, and a table.
func TestWrite(t *testing.T) {
	f := figure{name: "F0", title: "Title", x: "across", y: "up", log: true}
	lines := []line{{"one", []float64{1, 10, 100}, []float64{5, 50, 20}}, {"two", []float64{1, 100}, []float64{0, 0}}}
	a, err := f.draw(lines)
	if err != nil {
		t.Fatal(err)
	}
	b, err := f.draw(lines)
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("another picture: %v", err)
	}
	for _, word := range []string{"Title", "across", "up", "one", "two", "</svg>"} {
		if !strings.Contains(string(a), word) {
			t.Errorf("%q is not in the picture", word)
		}
	}
	name := filepath.Join(t.TempDir(), f.name)
	if err := f.write(name, lines); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(name + ".tsv"); !strings.Contains(string(got), "one\t10\t50\n") {
		t.Errorf("the table is\n%s", got)
	}
}

// TestDistribution: what is read off it.
func TestDistribution(t *testing.T) {
	x, y := distribution([]float32{5000, 1, 2, 3})
	l := line{x: x, y: y}
	if m := median(l); m < 2 || m > 2.2 {
		t.Errorf("median %v", m)
	}
	if o := over(l, 1000); o != 25 {
		t.Errorf("%v %% over a second", o)
	}
}
