package lab

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// inventory is what this process's labs have on the computer, and all links.
func inventory(t *testing.T, pid int) string {
	t.Helper()
	links, err := run("", "ip", "-o", "-br", "link")
	if err != nil {
		t.Fatal(err)
	}
	list := []string{links}
	for _, dir := range []string{netnsDir, homesDir, etcDir} {
		names, _ := filepath.Glob(filepath.Join(dir, fmt.Sprintf("nclab-%d-*", pid)))
		list = append(list, names...)
	}
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, fmt.Sprintf("/nclab-%d-", pid)) {
			list = append(list, line)
		}
	}
	return strings.Join(list, "\n")
}

// furnish makes one of everything, and returns the numbers of a program that was
// started, and of one that has left its parents.
func furnish(l *Lab) (child, stray int) {
	a, b := l.Machine("a"), l.Machine("b")
	for _, n := range []*Net{l.LAN("fast"), l.SlowLAN("slow", Path{}).Net} {
		n.Join(a, "10.0.0.1/24")
		n.Join(b, "10.0.0.2/24")
		n.Cut(a, b)
	}
	a.Etc("resolv.conf", "")
	a.Watch()
	d := l.Disk(1 << 20)
	p := a.StartCommand(Command{Path: "sh", Args: []string{"-c", leaver}, Dir: d.Dir()})
	still := b.Start("sleep", "1000")
	still.Pause()
	if _, err := fmt.Sscanf(p.WaitFor(soon, "^pid "), "pid %d", &stray); err != nil {
		l.t.Fatal(err)
	}
	return still.Pid(), stray
}

// TestEnd looks for what a lab leaves.
func TestEnd(t *testing.T) {
	before := inventory(t, os.Getpid())
	pid := 0
	t.Run("lab", func(t *testing.T) {
		l := New(t)
		_, pid = furnish(l)
		if inventory(t, os.Getpid()) == before {
			t.Error("there is nothing to be seen of the lab")
		}
	})
	if pid == 0 {
		t.Skip("there was no lab")
	}
	if after := inventory(t, os.Getpid()); after != before {
		t.Errorf("left:\n%s\nbefore:\n%s", after, before)
	}
	if err := gone(pid); err != nil {
		t.Error(err)
	}
}

// TestChild is the part of a process of its own that comes to grief.
func TestChild(t *testing.T) {
	how := os.Getenv("NCLAB_CHILD")
	if how == "" {
		t.Skip("for other tests only")
	}
	l := New(t)
	child, stray := furnish(l)
	fmt.Println("\npids", child, stray)
	if how == "panic" {
		panic("as it was told")
	}
	select {}
}

// runChild starts TestChild, and returns when it is ready, or has ended.
func runChild(t *testing.T, how string, attr *syscall.SysProcAttr) (*exec.Cmd, []string) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), "NCLAB_CHILD="+how)
	cmd.SysProcAttr = attr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var lines []string
	for s := bufio.NewScanner(out); s.Scan(); {
		lines = append(lines, s.Text())
		if how == "block" && strings.HasPrefix(s.Text(), "pids ") {
			break
		}
	}
	return cmd, lines
}

// readPids finds what TestChild has said of its programs.
func readPids(t *testing.T, lines []string) (child, stray int) {
	for _, line := range lines {
		if _, err := fmt.Sscanf(line, "pids %d %d", &child, &stray); err == nil {
			return child, stray
		}
	}
	t.Fatalf("the child does not say the numbers:\n%s", strings.Join(lines, "\n"))
	return 0, 0
}

// TestKilled kills a test, and looks what the next lab finds.
func TestKilled(t *testing.T) {
	if reason := missing(); reason != "" {
		t.Skip(reason)
	}
	t.Parallel()
	cmd, lines := runChild(t, "block", nil)
	child, stray := readPids(t, lines)
	pid := cmd.Process.Pid
	if gone(stray) == nil || !strings.Contains(inventory(t, pid), etcDir) {
		t.Fatalf("the child has no lab:\n%s", inventory(t, pid))
	}
	t.Run("lives", func(t *testing.T) { New(t) })
	if gone(stray) == nil || !strings.Contains(inventory(t, pid), etcDir) {
		t.Error("a lab that lives is taken away by another")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err := until(soon, func() error { return gone(child) }); err != nil {
		t.Errorf("a program outlives the test that has started it: %v", err)
	}
	// The locks end with the process's files, a moment after it.
	err := until(soon, func() error {
		if err := alone(sweep); err != nil {
			return err
		}
		if left := inventory(t, pid); strings.Contains(left, "nclab") {
			return fmt.Errorf("left:\n%s", left)
		}
		return gone(stray)
	})
	if err != nil {
		t.Error(err)
	}
}

// TestPanic has a test end by a panic.
func TestPanic(t *testing.T) {
	if reason := missing(); reason != "" {
		t.Skip(reason)
	}
	t.Parallel()
	cmd, lines := runChild(t, "panic", nil)
	child, stray := readPids(t, lines)
	if err := cmd.Wait(); err == nil {
		t.Error("the child has not failed")
	}
	if left := inventory(t, cmd.Process.Pid); strings.Contains(left, "nclab") {
		t.Errorf("left:\n%s", left)
	}
	for _, pid := range []int{child, stray} {
		if err := gone(pid); err != nil {
			t.Error(err)
		}
	}
}

// TestSkip runs a test as nobody.
func TestSkip(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("it is being skipped")
	}
	t.Parallel()
	cmd, lines := runChild(t, "skip", &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER})
	out := strings.Join(lines, "\n")
	if err := cmd.Wait(); err != nil || !strings.Contains(out, "for root only") {
		t.Errorf("a test without root: %v\n%s", err, out)
	}
}

// TestExpect gives up in time, with the last reason.
func TestExpect(t *testing.T) {
	t.Parallel()
	n := 0
	if err := until(soon, func() error {
		if n++; n < 3 {
			return fmt.Errorf("only %d", n)
		}
		return nil
	}); err != nil || n != 3 {
		t.Errorf("%d times: %v", n, err)
	}
	began := time.Now()
	err := until(20*time.Millisecond, func() error { return fmt.Errorf("never") })
	if took := time.Since(began); err == nil || err.Error() != "never" || took < 20*time.Millisecond {
		t.Errorf("after %v: %v", took, err)
	}
}
