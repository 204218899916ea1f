package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// gone says whether a process has ended; a zombie has.
func gone(pid int) error {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil || strings.Contains(string(stat), ") Z ") {
		return nil
	}
	return fmt.Errorf("process %d is there: %s", pid, stat)
}

// TestProcess follows a program from its start to its end.
func TestProcess(t *testing.T) {
	t.Parallel()
	l := New(t)
	m := l.Machine("a")
	p := m.StartCommand(Command{
		Path: "sh", Args: []string{"-c", `echo "begin $WHAT"; read line; echo "got $line" >&2; exit 3`},
		Env: []string{"WHAT=here"}, Name: "reader", Pipe: true,
	})
	if got := p.WaitFor(soon, "^begin"); got != "begin here" {
		t.Errorf("the line is %q", got)
	}
	if p.Ended() || p.Code() != -1 {
		t.Error("it has ended")
	}
	if _, err := fmt.Fprintln(p.Input, "words"); err != nil {
		t.Fatal(err)
	}
	p.WaitFor(soon, "^got words$")
	if err := p.Wait(soon); err == nil || p.Code() != 3 {
		t.Errorf("it ended with %d: %v", p.Code(), err)
	}
	if got, want := p.Log(), "begin here\ngot words\n"; got != want {
		t.Errorf("the log is %q, want %q", got, want)
	}
	p.Kill() // of one that has ended
	if names, _ := filepath.Glob(filepath.Join(l.Logs(), "*-a-reader.log")); len(names) != 1 {
		t.Errorf("logs: %v", names)
	}
}

// TestPause stops a program and lets it go on.
func TestPause(t *testing.T) {
	t.Parallel()
	l := New(t)
	m := l.Machine("a")
	const writer = "while :; do echo line; sleep 0.01; done"
	p := m.Start("sh", "-c", writer)
	p.WaitFor(soon, "line")
	m.Pause()
	before := p.Log()
	other := l.Machine("b").Start("sh", "-c", writer)
	for range 6 {
		other.WaitFor(soon, "line")
	}
	if after := p.Log(); after != before {
		t.Errorf("it writes %d octets while it is paused", len(after)-len(before))
	}
	m.Resume()
	l.Expect(soon, func() error {
		if p.Log() == before {
			return errors.New("it does not go on")
		}
		return nil
	})
	if err := p.Stop(); err == nil || !strings.Contains(err.Error(), "terminated") {
		t.Errorf("it ended with %v", err)
	}
}

// leaver is a shell command that starts a program in a session of its own.
const leaver = "setsid sh -c 'echo pid $$; sleep 1000' & sleep 1000"

// TestGroup ends what a program has started with it: in its group when the
// program ends, and in a group of its own when the machine is killed.
func TestGroup(t *testing.T) {
	t.Parallel()
	l := New(t)
	m := l.Machine("a")
	child := func(p *Process) int {
		pid, err := strconv.Atoi(strings.TrimPrefix(p.WaitFor(soon, "^pid "), "pid "))
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	p := m.Start("sh", "-c", "sleep 1000 & echo pid $!; read line < /dev/null; exit 0")
	pid := child(p)
	if err := p.Wait(soon); err != nil {
		t.Fatal(err)
	}
	l.Expect(soon, func() error { return gone(pid) })

	p = m.Start("sh", "-c", leaver)
	pid = child(p)
	if gone(pid) == nil {
		t.Fatal("the program in a session of its own is gone")
	}
	m.Kill()
	l.Expect(soon, func() error { return gone(pid) })
}

// TestSignal sends one that a program handles: not SIGHUP, which a shell cannot handle if
// the test itself was started to ignore it, as by nohup.
func TestSignal(t *testing.T) {
	t.Parallel()
	l := New(t)
	p := l.Machine("a").Start("sh", "-c", "trap 'echo asked; exit 0' USR1; echo ready; while :; do sleep 0.01; done")
	p.WaitFor(soon, "ready")
	p.Signal(syscall.SIGUSR1)
	p.WaitFor(soon, "asked")
	if err := p.Wait(soon); err != nil {
		t.Error(err)
	}
}

// TestInside runs programs that see the machine and no other.
func TestInside(t *testing.T) {
	t.Parallel()
	l := New(t)
	a, b := l.Machine("a"), l.Machine("b")
	a.Etc("resolv.conf", "nameserver 192.0.2.53\n")
	if got := a.Run("cat", "/etc/resolv.conf"); got != "nameserver 192.0.2.53\n" {
		t.Errorf("a has the resolver %q", got)
	}
	if got := b.Run("cat", "/etc/resolv.conf"); strings.Contains(got, "192.0.2.53") {
		t.Errorf("b has the resolver %q", got)
	}
	a.Sysctl("net.ipv4.ip_forward", "1")
	if got := a.Run("cat", "/proc/sys/net/ipv4/ip_forward"); got != "1\n" {
		t.Errorf("a forwards: %q", got)
	}
	if got := b.Run("cat", "/proc/sys/net/ipv4/ip_forward"); got != "0\n" {
		t.Errorf("b forwards: %q", got)
	}
	out, err := a.Try("sh", "-c", "echo words; exit 7")
	if err == nil || !strings.Contains(err.Error(), "words") || out != "words\n" {
		t.Errorf("a program that fails: %q, %v", out, err)
	}
	if _, err := a.Try("no-such-program"); err == nil {
		t.Error("a program that does not exist runs")
	}
}

// TestAhead starts a program with another boot clock.
func TestAhead(t *testing.T) {
	t.Parallel()
	l := New(t)
	m := l.Machine("a")
	const ahead = 1_000_000
	uptime := func(ahead time.Duration) float64 {
		p := m.StartCommand(Command{Path: "cat", Args: []string{"/proc/uptime"}, Ahead: ahead})
		s, err := strconv.ParseFloat(strings.Fields(p.WaitFor(soon, " "))[0], 64)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if d := uptime(ahead*time.Second) - uptime(0); d < ahead-60 || d > ahead {
		t.Errorf("the clock is ahead by %f s, want %d", d, ahead)
	}
}

// TestDisk fills a disk and frees it.
func TestDisk(t *testing.T) {
	t.Parallel()
	l := New(t)
	m := l.Machine("a")
	d := l.Disk(1 << 20)
	file := filepath.Join(d.Dir(), "file")
	m.Run("sh", "-c", "echo words > "+file)
	d.Fill()
	if err := os.WriteFile(file+"2", []byte("words"), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("write on a full disk: %v", err)
	}
	if out, err := m.Try("sh", "-c", "cat /proc/mounts > "+file+"3"); err == nil {
		t.Errorf("a program writes on a full disk: %s", out)
	}
	d.Free()
	d.Free() // of one that is not full
	if got := m.Run("cat", file); got != "words\n" {
		t.Errorf("the file has %q", got)
	}
	m.Run("sh", "-c", "cat /proc/mounts > "+file+"3")
}
