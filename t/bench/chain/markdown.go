package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
)

// metrics are the columns, in their order; a section has those that it needs.
var metrics = []string{"rate", "cpu", "used", "p50", "p99", "gap", "size", "time", "speed", "record", "pause", "bad"}

// writeMarkdown writes the table for people: medians, with the least and greatest
// of the rounds.
func (t *table) writeMarkdown(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "# nc-chain beside etcd and beside itself\n\nMade by `make bench-chain`. Compare ratios, not machines: all figures are of one run.\n"+
		"Each is the median of the rounds, with the least and the greatest.\n\n")
	for _, a := range t.about {
		fmt.Fprintf(b, "- %s: %s\n", a[0], a[1])
	}
	t.writeGoals(b)
	var rows []string
	for _, c := range t.cells {
		if !slices.Contains(rows, c.row) {
			rows = append(rows, c.row)
		}
	}
	for _, row := range rows {
		t.writeSection(b, row)
	}
	return b.Flush()
}

func (t *table) writeGoals(b *bufio.Writer) {
	fmt.Fprint(b, "\n## Ratios\n\n| row | what | here | wanted | |\n|---|---|---|---|---|\n")
	for _, g := range goals() {
		if v, ok := g.value(t); ok {
			fmt.Fprintf(b, "| %d | %s | %s | %s | %s |\n", g.number, g.what, figure(v), g.wanted(), g.verdict(v))
		}
	}
}

func (t *table) writeSection(b *bufio.Writer, row string) {
	var who, with []string
	for _, m := range metrics {
		for _, c := range t.cells {
			if c.row == row && c.metric == m && !slices.Contains(with, m) {
				with = append(with, m)
			}
		}
	}
	fmt.Fprintf(b, "\n## %s\n\n| |", row)
	for _, m := range with {
		fmt.Fprintf(b, " %s, %s |", m, units[m])
	}
	fmt.Fprint(b, "\n|---|")
	for range with {
		fmt.Fprint(b, "---|")
	}
	for _, c := range t.cells {
		if c.row != row || slices.Contains(who, c.who) {
			continue
		}
		who = append(who, c.who)
		fmt.Fprintf(b, "\n| %s |", c.who)
		for _, m := range with {
			fmt.Fprintf(b, " %s |", t.show(cell{row, c.who, m}))
		}
	}
	fmt.Fprintln(b)
}

// show prints a cell: the median, and the range if there is one.
func (t *table) show(c cell) string {
	low, mid, high, ok := t.spread(c)
	switch {
	case !ok:
		return ""
	case figure(low) == figure(high):
		return figure(mid)
	}
	return fmt.Sprintf("%s (%s to %s)", figure(mid), figure(low), figure(high))
}
