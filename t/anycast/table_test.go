package anycast

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// A measure is one figure of a row: a time, or a number.
type measure struct {
	what  string
	bound time.Duration // its p99 has to be no more, when it is judged; zero for a number
	most  int           // a number has to be no more
}

// A table has the figures of all rows, in the order of the rows.
type table struct {
	mu    sync.Mutex
	lines []*line
}

// A line is the figures of one measure of a row.
type line struct {
	row     string
	measure measure
	figures []float64 // seconds, or numbers
}

// add adds a figure.
func (t *table) add(row string, m measure, figure float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.lines, func(l *line) bool { return l.row == row && l.measure.what == m.what })
	if i < 0 {
		i = len(t.lines)
		t.lines = append(t.lines, &line{row: row, measure: m})
	}
	t.lines[i].figures = append(t.lines[i].figures, figure)
}

// percentile is the smallest figure that so many percent are not above; list is
// sorted and has one at least.
func percentile(list []float64, percent int) float64 {
	return list[max(0, (len(list)*percent+99)/100-1)]
}

// figure is one as it is printed.
func (l *line) figure(f float64) string {
	if l.measure.bound == 0 {
		return fmt.Sprint(int(f))
	}
	d := time.Duration(f * float64(time.Second))
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// bound is the greatest figure that is right.
func (l *line) bound() float64 {
	if l.measure.bound == 0 {
		return float64(l.measure.most)
	}
	return l.measure.bound.Seconds()
}

// sorted sorts the lines by the order of rows and gives copies with sorted figures.
func (t *table) sorted(order []string) []line {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []line
	for _, name := range order {
		for _, l := range t.lines {
			if l.row == name {
				list = append(list, line{row: l.row, measure: l.measure, figures: slices.Sorted(slices.Values(l.figures))})
			}
		}
	}
	return list
}

// misses are what is above its bound.
func misses(list []line) (errs []string) {
	for _, l := range list {
		if got := percentile(l.figures, 99); got > l.bound() {
			errs = append(errs, fmt.Sprintf("%s: %s: p99 of %d is %s, more than %s",
				l.row, l.measure.what, len(l.figures), l.figure(got), l.figure(l.bound())))
		}
	}
	return errs
}

// markdown is the table for people.
func markdown(list []line) string {
	var b strings.Builder
	b.WriteString("| failure | measured | n | p50 | p99 | most | bound |\n|---|---|---|---|---|---|---|\n")
	last := ""
	for _, l := range list {
		name := l.row
		if name == last {
			name = ""
		}
		last = l.row
		fmt.Fprintf(&b, "| %s | %s | %d | %s | %s | %s | %s |\n", name, l.measure.what, len(l.figures),
			l.figure(percentile(l.figures, 50)), l.figure(percentile(l.figures, 99)), l.figure(l.figures[len(l.figures)-1]), l.figure(l.bound()))
	}
	return b.String()
}

// write writes the table to a file, with where it is from.
func write(name string, list []line) error {
	head := "# How fast a node that fails is left\n\n" +
		"Three nodes, one upstream router (BIRD but where FRR is named), a client 50 ms away that asks every 5 ms; see\n" +
		"doc.go. Written by `go test ./t/anycast -write`.\n\n" + machineNote() + "\n\n"
	return os.WriteFile(name, []byte(head+markdown(list)), 0o644)
}
