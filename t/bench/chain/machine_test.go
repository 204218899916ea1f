package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func writeSecret(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }

// TestGroups: a group takes a process, limits it, and goes away.
func TestGroups(t *testing.T) {
	g, err := newGroups()
	if err != nil {
		t.Skip(err)
	}
	defer g.close()
	dir, err := g.make("test", 20)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	if err := g.put(dir, cmd.Process.Pid); err != nil {
		t.Error(err)
	}
	if in, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs")); !strings.Contains(string(in), "\n") {
		t.Errorf("the group has no process: %q", in)
	}
	cmd.Process.Kill()
	cmd.Wait()
	g.close()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the group is left: %v", err)
	}
}

func TestFreePorts(t *testing.T) {
	a, err := freePorts(2)
	if err != nil {
		t.Fatal(err)
	}
	b, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	if a[1] < a[0]+4 || b[0] < a[1]+4 {
		t.Errorf("ports %v and %v overlap", a, b)
	}
}

func TestWatcher(t *testing.T) {
	w := &watcher{}
	w.reset()
	if w.since(time.Now()) || w.gap() > time.Minute {
		t.Errorf("a new watcher had success, or a gap of %s", w.gap())
	}
	w.longest = time.Hour
	if w.gap() != time.Hour {
		t.Errorf("want the longest gap, got %s", w.gap())
	}
}

func TestOptions(t *testing.T) {
	good := options{percent: 10, sets: 1}
	for _, c := range []struct {
		name    string
		change  func(*options)
		args    []string
		problem string
	}{
		{"as usual", func(*options) {}, nil, ""},
		{"short", func(o *options) { o.short = true }, nil, ""},
		{"an argument", func(*options) {}, []string{"x"}, `unexpected argument "x"`},
		{"no such row", func(o *options) { o.rows = "1,15" }, nil, `no row "15"`},
		{"too small a share", func(o *options) { o.percent = 1 }, nil, "-percent 1: not within 5 to 100"},
		{"no rounds", func(o *options) { o.rounds = -1 }, nil, "a number is out of range"},
		{"an echo of nobody", func(o *options) { o.echo = "127.0.0.1:1" }, nil, "-echo needs -identity"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := good
			c.change(&o)
			if got := o.complete(c.args); got != c.problem {
				t.Errorf("want %q, got %q", c.problem, got)
			}
		})
	}
}
