package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// A cell is one thing measured: what was done, by which server, which figure.
type cell struct {
	work, server, metric string
}

// units of all metrics.
var units = map[string]string{
	"rate":      "1/s",
	"cpu":       "us",      // processor time for each operation
	"updates":   "1/s",     // that run beside the answers
	"p50":       "us",      // from sending to the reply
	"p99":       "us",      // likewise
	"lost":      "packets", // packets without a reply for a second
	"wrong":     "replies", // replies that are not right
	"reply":     "octets",  // mean
	"start":     "ms",      // from the program's start to the first right answer
	"memory":    "MiB",     // resident, with what processes share counted once (PSS)
	"perrecord": "octets",  // memory over records
}

// A table has the values of each cell, one of each round, in the order in
// which the cells were first filled.
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

// ratio is a cell's median over another's.
func (t *table) ratio(a, b cell) (r float64, ok bool) {
	_, x, _, okA := t.spread(a)
	_, y, _, okB := t.spread(b)
	if !okA || !okB || y == 0 {
		return 0, false
	}
	return x / y, true
}

// paired is the median of two cells' ratios in each round, in which both were
// measured one soon after the other: what slows the machine down for a while
// slows both.
func (t *table) paired(a, b cell) (r float64, ok bool) {
	x, y := t.values[a], t.values[b]
	if len(x) == 0 || len(x) != len(y) {
		return t.ratio(a, b)
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

const columns = "work\tserver\tmetric\tunit\tmin\tmedian\tmax\tvalues"

// writeTSV writes the table for programs: a line for each cell, after lines
// that tell about all of it and begin with "#".
func (t *table) writeTSV(w io.Writer) error {
	b := bufio.NewWriter(w)
	for _, a := range t.about {
		fmt.Fprintf(b, "# %s\t%s\n", a[0], a[1])
	}
	fmt.Fprintln(b, columns)
	for _, c := range t.cells {
		low, mid, high, _ := t.spread(c)
		fmt.Fprintf(b, "%s\t%s\t%s\t%s\t%.6g\t%.6g\t%.6g\t%s\n", c.work, c.server, c.metric, units[c.metric], low, mid, high, joined(t.values[c]))
	}
	return b.Flush()
}

func joined(v []float64) string {
	words := make([]string, len(v))
	for i, x := range v {
		words[i] = strconv.FormatFloat(x, 'g', 6, 64)
	}
	return strings.Join(words, " ")
}

// maxValue is more than any figure here can be.
const maxValue = 1e15

// errTable says that a file is no table that writeTSV wrote.
var errTable = errors.New("no table of this benchmark")

// readTSV reads what writeTSV wrote.
func readTSV(r io.Reader) (*table, error) {
	t := newTable()
	s := bufio.NewScanner(r)
	for s.Scan() {
		line := s.Text()
		if about, ok := strings.CutPrefix(line, "# "); ok {
			key, value, _ := strings.Cut(about, "\t")
			t.about = append(t.about, [2]string{key, value})
			continue
		}
		f := strings.Split(line, "\t")
		if line == columns {
			continue
		}
		if len(f) != strings.Count(columns, "\t")+1 {
			return nil, fmt.Errorf("%w: line %q", errTable, line)
		}
		for word := range strings.FieldsSeq(f[7]) {
			v, err := strconv.ParseFloat(word, 64)
			if err != nil || !(v >= 0 && v <= maxValue) {
				return nil, fmt.Errorf("%w: line %q", errTable, line)
			}
			t.add(cell{f[0], f[1], f[2]}, v)
		}
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	if len(t.cells) == 0 {
		return nil, fmt.Errorf("%w: it is empty", errTable)
	}
	return t, nil
}
