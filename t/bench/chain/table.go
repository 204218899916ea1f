package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// A cell is one thing measured: in which row, of whom, which figure.
type cell struct {
	row, who, metric string
}

// units of all metrics.
var units = map[string]string{
	"rate":   "1/s",
	"cpu":    "us",    // processor time of all nodes for each operation
	"used":   "%",     // of a processor, by all nodes
	"p50":    "us",    // from sending to the answer
	"p99":    "us",    // likewise
	"gap":    "ms",    // longest time without an answer
	"time":   "s",     // until the copy was whole
	"speed":  "MiB/s", // of the copy
	"size":   "MiB",
	"bad":    "answers", // that are not right
	"record": "octets",  // of memory for each RRset
	"pause":  "us",      // longest of the garbage collector
}

// A table has the values of each cell, one of each round, in the order in which the
// cells were first filled.
type table struct {
	about  [][2]string // what was measured where, in order
	cells  []cell
	values map[cell][]float64
}

func newTable() *table { return &table{values: map[cell][]float64{}} }

// note puts a line above the table.
func (t *table) note(key, format string, args ...any) {
	clean := strings.NewReplacer("\t", " ", "\n", " ")
	t.about = append(t.about, [2]string{key, clean.Replace(fmt.Sprintf(format, args...))})
}

func (t *table) add(c cell, v float64) {
	if _, ok := t.values[c]; !ok {
		t.cells = append(t.cells, c)
	}
	t.values[c] = append(t.values[c], v)
}

// spread is the least, the middle and the greatest value of a cell.
func (t *table) spread(c cell) (low, median, high float64, ok bool) {
	v := slices.Sorted(slices.Values(t.values[c]))
	if len(v) == 0 {
		return 0, 0, 0, false
	}
	return v[0], middle(v), v[len(v)-1], true
}

// middle is the median of sorted values.
func middle(v []float64) float64 {
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// paired is the median of two cells' ratios in each round, in which both were
// measured one soon after the other: what slows the machine down for a while slows
// both. Where they have not as many values, it is the ratio of the medians.
func (t *table) paired(over, under cell) (r float64, ok bool) {
	x, y := t.values[over], t.values[under]
	if len(x) == 0 || len(y) == 0 {
		return 0, false
	}
	if len(x) != len(y) {
		_, a, _, _ := t.spread(over)
		_, b, _, _ := t.spread(under)
		return a / b, b != 0
	}
	ratios := make([]float64, len(x))
	for i := range x {
		if y[i] == 0 {
			return 0, false
		}
		ratios[i] = x[i] / y[i]
	}
	slices.Sort(ratios)
	return middle(ratios), true
}

const columns = "row\twho\tmetric\tunit\tmin\tmedian\tmax\tvalues"

// maxValues is how many values of a cell are written; of more, some at equal
// distances in their order.
const maxValues = 100

// writeTSV writes the table for programs: a line for each cell, after lines that
// tell about all of it and begin with "#".
func (t *table) writeTSV(w io.Writer) error {
	b := bufio.NewWriter(w)
	for _, a := range t.about {
		fmt.Fprintf(b, "# %s\t%s\n", a[0], a[1])
	}
	fmt.Fprintln(b, columns)
	for _, c := range t.cells {
		low, mid, high, _ := t.spread(c)
		fmt.Fprintf(b, "%s\t%s\t%s\t%s\t%.6g\t%.6g\t%.6g\t%s\n", c.row, c.who, c.metric, units[c.metric], low, mid, high, joined(t.values[c]))
	}
	return b.Flush()
}

func joined(v []float64) string {
	if n := len(v); n > maxValues {
		v = slices.Sorted(slices.Values(v))
		for i := range maxValues {
			v[i] = v[i*(n-1)/(maxValues-1)]
		}
		v = v[:maxValues]
	}
	words := make([]string, len(v))
	for i, x := range v {
		words[i] = strconv.FormatFloat(x, 'g', 6, 64)
	}
	return strings.Join(words, " ")
}

// figure prints a value with three or more digits that mean something.
func figure(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 1:
		return fmt.Sprintf("%.3f", v)
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// quantile is that of a cell's values.
func (t *table) quantile(c cell, q float64) (float64, bool) {
	v := slices.Sorted(slices.Values(t.values[c]))
	switch {
	case len(v) == 0:
		return 0, false
	case q == 0.5:
		return middle(v), true
	}
	return v[min(int(q*float64(len(v))), len(v)-1)], true
}
