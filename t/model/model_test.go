package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

var large = flag.Bool("large", false, "also explore bounds that take minutes and up to 2 GB (with -timeout 0)")

// command runs the model in this process and gives what it prints.
func command(args string) (stdout string, code int) {
	var out, trouble strings.Builder
	code = run(strings.Fields(args), &out, &trouble)
	return out.String() + trouble.String(), code
}

const (
	small = "-nodes 2 -writes 1 -epochs 4 -crashes 0"
	dead  = "-nodes 1 -writes 1 -epochs 4 -crashes 2 -outage"
)

// needed says for each safeguard in which bounds it is needed, and what is
// broken without it: first of all, and for clients.
var needed = [guardCount]struct{ bounds, broken, clients string }{
	guardLease:       {small + " -reads lease", "stale read", "stale read"},
	guardWait:        {small, "I7", "stale read"},
	guardFence:       {small, "I7", "stale read"},
	guardConfirm:     {"-writes 1 -reads confirm", "stale read", "stale read"},
	guardJoint:       {"-nodes 1 -writes 1 -epochs 4 -reads confirm", "stale read", "stale read"},
	guardVersion:     {small, "stale read", "stale read"},
	guardEpoch:       {"-writes 1", "I3", "I5"},
	guardOnce:        {small, "I9", "I9"},
	guardPersist:     {dead, "I4", "stale read"},
	guardWhole:       {small, "stale read", "stale read"},
	guardHello:       {small, "I7", "stale read"},
	guardReady:       {small, "I5", "stale read"},
	guardGate:        {small, "I8", "stale read"},
	guardFresh:       {small, "I3", "stale read"},
	guardKeep:        {dead, "I5", "stale read"},
	guardIncarnation: {"-nodes 2 -writes 1 -epochs 4", "I8", "stale read"},
	guardLastSet:     {dead, "I5", "stale read"},
	guardTxn:         {small, "I5", "stale read"},
}

// TestSafeguards checks that no safeguard is there for nothing: without it, there
// is a counter-example, both to an invariant and to what clients may expect.
func TestSafeguards(t *testing.T) {
	for at, g := range guards {
		c := needed[at]
		t.Run(g.name, func(t *testing.T) {
			counterexample(t, c.bounds+" -without "+g.name, c.broken)
			counterexample(t, c.bounds+" -clients -without "+g.name, c.clients)
		})
	}
}

func counterexample(t *testing.T, args, broken string) {
	out, code := command(args)
	trace, rest, found := strings.Cut(out, "broken: ")
	if code != 1 || !found || !strings.HasPrefix(rest, broken+":") {
		t.Errorf("%s: exit %d, want 1 and %q broken:\n%s", args, code, broken, out)
		return
	}
	if !strings.HasPrefix(trace, "  1. ") {
		t.Errorf("%s: no steps lead there:\n%s", args, out)
	}
	_, states, _ := strings.Cut(rest, "\n")
	t.Logf("%s: %s in %d steps; %s", args, broken, strings.Count(trace, "\n"), strings.TrimSpace(states))
}

// tool builds the model without the race detector, which would make it ten times
// slower: a search has but one goroutine.
func tool(t *testing.T) string {
	bin := filepath.Join(t.TempDir(), "model")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// TestComplete checks that with all safeguards on nothing is broken, in all
// states within bounds, and that this takes less than 1 GiB.
func TestComplete(t *testing.T) {
	bin := tool(t)
	for _, args := range []string{
		"-epochs 3 -writes 2 -crashes 2 -outage",
		"-epochs 4 -writes 1 -crashes 1 -outage",
		"-nodes 2 -epochs 5 -writes 1 -crashes 2 -outage",
		"-nodes 2 -spares 2 -epochs 5 -writes 1 -crashes 1",
		"-nodes 1 -spares 2 -epochs 6 -writes 1 -crashes 1 -outage",
		"-nodes 4 -epochs 3 -writes 1 -crashes 1 -outage",
		"-nodes 3 -spares 2 -epochs 9 -writes 4 -crashes 3 -outage -walks 20000 -steps 300",
	} {
		t.Run(args, func(t *testing.T) { explore(t, bin, args, 1<<20) })
	}
}

// TestLarge is TestComplete with bounds for which one waits.
func TestLarge(t *testing.T) {
	if !*large {
		t.Skip("without -large")
	}
	bin := tool(t)
	for _, args := range []string{
		"-epochs 3 -writes 3 -crashes 2 -outage",
		"-epochs 4 -writes 2 -crashes 1 -outage",
		"-epochs 5 -writes 1 -crashes 1 -outage",
		"-nodes 4 -epochs 4 -writes 1 -crashes 1 -outage",
		"-nodes 2 -epochs 6 -writes 2 -crashes 1 -outage",
		"-nodes 3 -spares 2 -epochs 9 -writes 4 -crashes 3 -outage -walks 1000000 -steps 300",
		"-nodes 4 -spares 1 -epochs 9 -writes 4 -crashes 4 -outage -walks 1000000 -steps 300",
	} {
		t.Run(args, func(t *testing.T) { explore(t, bin, args, 2<<20) })
	}
}

// explore runs the tool, which may use so many KiB, on one processor.
func explore(t *testing.T, bin, args string, most int64) {
	cmd := exec.CommandContext(t.Context(), bin, strings.Fields(args)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, io.Discard
	if testing.Verbose() {
		cmd.Stderr = os.Stderr
	}
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	used := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	if used > most {
		t.Errorf("it took %d KiB of memory, more than %d", used, most)
	}
	t.Logf("%s; processor %v, %d MiB", strings.TrimSpace(out.String()), cmd.ProcessState.UserTime(), used>>10)
}

// TestManners checks the tool's exit numbers and manual.
func TestManners(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"-h", 0, "Safeguards:\n  lease "},
		{"-epochs 1 -writes 1", 0, "nothing is broken: "},
		{"-limit 100", 111, "nothing is broken so far: 1"},
		{"-walks 3 -seed 9", 0, "3 walks from seed 9"},
		{"-without hello -walks 1000", 1, "broken: "},
		{"-without nothing", 2, `no safeguard "nothing"`},
		{"-nodes 9", 2, "1 to 6 nodes"},
		{"-reads well", 2, `not "well"`},
		{"-steps 0", 2, "out of range"},
		{"more", 2, `unexpected argument "more"`},
	} {
		if out, code := command(c.args); code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit %d, want %d and %q:\n%s", c.args, code, c.code, c.want, out)
		}
	}
}
