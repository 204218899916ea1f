package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// A section is one Markdown table: servers down, metrics across.
type section struct {
	works   []string
	title   string
	metrics []string
}

// sections are those that there may be, in the order of the page.
func sections() []section {
	answers := []string{"rate", "cpu", "p50", "p99", "reply", "lost", "wrong"}
	list := []section{}
	for _, m := range mixes {
		list = append(list, section{[]string{m.name}, "Answers, " + m.name + ": " + m.about, answers})
	}
	return append(list,
		section{[]string{workUpdates}, "Updates, durable, each one RRset replaced", []string{"rate", "cpu", "p50", "p99", "lost", "wrong"}},
		section{[]string{workQuiet, workBusy}, "Answers at a fixed rate, without updates and while updates run at half their most", append([]string{"updates"}, answers...)},
		section{[]string{workPlain}, "Start and memory (PSS, of all processes): the data of the unsigned zone", []string{"start", "memory", "perrecord"}},
		section{[]string{workSigned}, "Start and memory (PSS, of all processes): the signed zone", []string{"start", "memory"}},
		section{[]string{workDNSPerf}, "The same questions as mixed, sent by dnsperf", []string{"rate", "cpu", "lost"}},
		section{[]string{workFloor}, "What one processor here does at most", []string{"rate"}},
	)
}

// writeMarkdown writes the table for people: medians, with the least and
// greatest of the rounds.
func (t *table) writeMarkdown(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "# Namecast beside other name servers\n\nMade by `make bench`. Compare servers, not machines: all figures are of one run.\n"+
		"Each is the median of the rounds, with the least and the greatest.\n\n")
	for _, a := range t.about {
		fmt.Fprintf(b, "- %s: %s\n", a[0], a[1])
	}
	t.writeGoals(b)
	for _, s := range sections() {
		t.writeSection(b, s)
	}
	return b.Flush()
}

func (t *table) writeGoals(b *bufio.Writer) {
	fmt.Fprint(b, "\n## Ratios\n\n| what | here | wanted | |\n|---|---|---|---|\n")
	for _, g := range goals {
		r, ok := t.ratio(g.over, g.under)
		if !ok {
			continue
		}
		verdict := "not reached"
		if g.reached(r) {
			verdict = "reached"
		}
		fmt.Fprintf(b, "| %s | %.2f | %s | %s |\n", g.what, r, g.wanted(), verdict)
	}
}

func (t *table) writeSection(b *bufio.Writer, s section) {
	var lines [][2]string // work and server
	for _, c := range t.cells {
		if l := [2]string{c.work, c.server}; slices.Contains(s.works, c.work) && !slices.Contains(lines, l) {
			lines = append(lines, l)
		}
	}
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n| server |", s.title)
	for _, m := range s.metrics {
		fmt.Fprintf(b, " %s, %s |", m, units[m])
	}
	fmt.Fprint(b, "\n|---|")
	for range s.metrics {
		fmt.Fprint(b, "---|")
	}
	for _, l := range lines {
		name := l[1]
		if len(s.works) > 1 {
			name += ", " + l[0]
		}
		fmt.Fprintf(b, "\n| %s |", name)
		for _, m := range s.metrics {
			fmt.Fprintf(b, " %s |", t.show(cell{l[0], l[1], m}))
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

// figure prints three or more digits, as many as mean something.
func figure(v float64) string {
	switch {
	case v >= 100 || v == float64(int(v)):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}
