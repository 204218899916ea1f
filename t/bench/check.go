package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// What the recorded ratio may become: below the first it is a warning, below
// the second a failure.
const (
	checkWarn = 0.9
	checkFail = 0.6
)

// checks are the ratios that are compared. All are of processor time: another
// process on the machine makes a rate smaller, and both times alike longer.
var checks = []goal{
	perCPU("mixed", "nsd", 1),
	perCPU("resolver", "nsd", 1),
	{"updates: updates per CPU second, nc-serve / knot", cell{workUpdates, "knot", "cpu"}, cell{workUpdates, ncServe, "cpu"}, 1, false},
}

// A comparison is a ratio beside the recorded one.
type comparison struct {
	goal
	now, was float64
}

func (c comparison) share() float64 { return c.now / c.was }

// compareTables compares the ratios that both tables have.
func compareTables(recorded, now *table) (list []comparison) {
	for _, g := range checks {
		was, okWas := recorded.paired(g.over, g.under)
		is, okIs := now.paired(g.over, g.under)
		if okWas && okIs && was > 0 {
			list = append(list, comparison{g, is, was})
		}
	}
	return list
}

// slowWorks are the works with a ratio below a share of the recorded one, with
// commas.
func slowWorks(list []comparison, share float64) string {
	var works []string
	for _, c := range list {
		if c.share() < share {
			works = append(works, c.under.work)
		}
	}
	return strings.Join(works, ",")
}

// better takes the better of two comparisons of the same ratio.
func better(list, again []comparison) []comparison {
	best := append([]comparison(nil), list...)
	for i := range best {
		for _, c := range again {
			if c.what == best[i].what && c.now > best[i].now {
				best[i] = c
			}
		}
	}
	return best
}

// cannotCheck tells what is missing for a comparison; "" is nothing.
func (b *bench) cannotCheck() string {
	if _, err := os.Stat(b.check); errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("there is no %s", b.check)
	}
	if _, err := b.kindNamed("nsd").lookup(); err != nil {
		return err.Error()
	}
	return ""
}

// compare compares what was measured with the recorded table, and measures once
// more what seems to have become slower: on a machine that others use as well,
// only what is seen twice counts.
func (b *bench) compare() error {
	recorded, err := loadTable(b.check)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	list := compareTables(recorded, b.table)
	if slow := slowWorks(list, checkWarn); slow != "" {
		b.say("below %.1f of the recorded ratio, measured once more: %s", checkWarn, slow)
		b.works, b.table = slow, newTable()
		if err := b.suites(); err != nil {
			return err
		}
		list = better(list, compareTables(recorded, b.table))
	}
	return report(os.Stdout, list)
}

// loadTable reads a table's file.
func loadTable(path string) (*table, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := readTSV(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// report prints the comparisons. The error says that a ratio became much worse.
func report(w io.Writer, list []comparison) error {
	if len(list) == 0 {
		fmt.Fprintln(w, "check: no ratio is in both tables: nothing compared")
	}
	for _, c := range list {
		fmt.Fprintf(w, "check: %s: %.2f, recorded %.2f\n", c.what, c.now, c.was)
		if c.share() < checkWarn && c.share() >= checkFail {
			fmt.Fprintf(w, "check: warning: below %.1f of the recorded ratio\n", checkWarn)
		}
	}
	if slow := slowWorks(list, checkFail); slow != "" {
		return fmt.Errorf("check: below %.1f of the recorded ratio: %s", checkFail, slow)
	}
	return nil
}
