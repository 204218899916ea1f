package trial

import (
	"flag"
	"testing"
)

var replay = flag.String("replay", "", "check the history in a `file` that a failed trial has left")

// TestReplay checks a history again.
func TestReplay(t *testing.T) {
	if *replay == "" {
		t.Skip("no history: see -replay")
	}
	ops, err := readHistory(*replay)
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range check(ops).findings {
		t.Error(finding)
	}
}
