package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestSpread(t *testing.T) {
	tab := newTable()
	c := cell{"row", "who", "rate"}
	for _, v := range []float64{3, 1, 4, 2} {
		tab.add(c, v)
	}
	low, mid, high, ok := tab.spread(c)
	if low != 1 || mid != 2.5 || high != 4 || !ok {
		t.Errorf("want 1, 2.5, 4, true; got %v, %v, %v, %v", low, mid, high, ok)
	}
	if _, _, _, ok := tab.spread(cell{"row", "nobody", "rate"}); ok {
		t.Error("a cell without values has a spread")
	}
}

func TestPaired(t *testing.T) {
	tab := newTable()
	over, under, one, none := cell{"r", "a", "rate"}, cell{"r", "b", "rate"}, cell{"r", "c", "rate"}, cell{"r", "d", "rate"}
	for i := range 3 {
		tab.add(over, []float64{10, 100, 1000}[i])
		tab.add(under, []float64{5, 100, 250}[i])
	}
	tab.add(one, 50)
	tab.add(none, 0)
	for _, c := range []struct {
		name        string
		over, under cell
		want        float64
		ok          bool
	}{
		{"each round by itself", over, under, 2, true},
		{"medians, where rounds differ", over, one, 2, true},
		{"nothing over nothing", over, cell{"r", "e", "rate"}, 0, false},
		{"by zero", one, none, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, ok := tab.paired(c.over, c.under); got != c.want || ok != c.ok {
				t.Errorf("want %v, %v; got %v, %v", c.want, c.ok, got, ok)
			}
		})
	}
}

func TestQuantile(t *testing.T) {
	tab := newTable()
	c := cell{"r", "a", "gap"}
	for v := range 100 {
		tab.add(c, float64(v))
	}
	for q, want := range map[float64]float64{0: 0, 0.5: 49.5, 0.99: 99} {
		if got, ok := tab.quantile(c, q); got != want || !ok {
			t.Errorf("quantile %v: want %v, got %v, %v", q, want, got, ok)
		}
	}
	if _, ok := tab.quantile(cell{"r", "b", "gap"}, 0.5); ok {
		t.Error("a cell without values has a quantile")
	}
}

func TestManyValuesAreThinned(t *testing.T) {
	var v []float64
	for i := range 1001 {
		v = append(v, float64(i))
	}
	words := strings.Fields(joined(v))
	if len(words) != maxValues || words[0] != "0" || words[maxValues-1] != "1000" {
		t.Errorf("want %d values from 0 to 1000, got %d from %s to %s", maxValues, len(words), words[0], words[len(words)-1])
	}
}

// TestGoals: every goal is of cells that some row fills, told once and in order.
func TestGoals(t *testing.T) {
	last := 0
	for _, g := range goals() {
		if g.number < last {
			t.Errorf("row %d stands behind row %d", g.number, last)
		}
		last = g.number
		if units[g.over.metric] == "" || g.under != (cell{}) && units[g.under.metric] == "" {
			t.Errorf("row %d, %s: a metric without a unit", g.number, g.what)
		}
		if !strings.Contains(g.over.row, ":") {
			t.Errorf("row %d, %s: no section %q", g.number, g.what, g.over.row)
		}
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		name string
		g    goal
		v    float64
		want string
	}{
		{"at least, and it is", goal{limit: 2}, 2, "reached"},
		{"at least, and it is not", goal{limit: 2}, 1.9, "not reached"},
		{"at most, and it is", goal{limit: 2, most: true}, 1.9, "reached"},
		{"at most, and it is not", goal{limit: 2, most: true}, 2.1, "not reached"},
		{"only told", goal{}, 5, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.g.verdict(c.v); got != c.want {
				t.Errorf("want %q, got %q", c.want, got)
			}
		})
	}
}

func TestMarkdown(t *testing.T) {
	tab := newTable()
	tab.note("commit", "with\ta tab")
	tab.add(cell{rowCond, writesPlain, "rate"}, 100)
	tab.add(cell{rowCond, writesCond, "rate"}, 95)
	tab.add(cell{rowCond, writesCond, "p50"}, 7)
	var b bytes.Buffer
	if err := tab.writeMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"- commit: with a tab\n",
		"| 5 | conditional writes / plain writes | 0.950 | at least 0.900 | reached |\n",
		"| | rate, 1/s | p50, us |\n",
		"| plain | 100 |  |\n",
		"| conditional | 95.0 | 7.00 |\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("want %q in\n%s", want, b.String())
		}
	}
}
