package main

import (
	"fmt"
	"io"
	"os"
)

// What the recorded ratio may become: below the first it is a warning, below
// the second a failure.
const (
	checkWarn = 0.9
	checkFail = 0.6
)

// check prints how nc-serve's processor time for an answer stands to NSD's in
// this table beside a recorded one. The error says that it became much worse.
func check(w io.Writer, t *table, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	defer f.Close()
	recorded, err := readTSV(f)
	if err != nil {
		return fmt.Errorf("check %s: %w", path, err)
	}
	g := perCPU("mixed", "nsd", 1)
	was, okWas := recorded.ratio(g.over, g.under)
	now, okNow := t.ratio(g.over, g.under)
	if !okWas || !okNow {
		fmt.Fprintln(w, "check: not both tables have nc-serve and NSD: nothing compared")
		return nil
	}
	fmt.Fprintf(w, "check: %s: %.2f, recorded %.2f\n", g.what, now, was)
	switch {
	case now < checkFail*was:
		return fmt.Errorf("check: below %.1f of the recorded ratio", checkFail)
	case now < checkWarn*was:
		fmt.Fprintf(w, "check: warning: below %.1f of the recorded ratio\n", checkWarn)
	}
	return nil
}
