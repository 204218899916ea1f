package cli

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// supervisor listens where sd_notify(3) tells, and returns what comes next.
func supervisor(t *testing.T) func() string {
	t.Helper()
	addr := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "n"), Net: "unixgram"}
	l, err := net.ListenUnixgram("unixgram", addr)
	if err != nil {
		t.Skipf("no unix sockets here: %v", err)
	}
	t.Cleanup(func() { l.Close() })
	t.Setenv("NOTIFY_SOCKET", addr.Name)
	return func() string {
		t.Helper()
		buf := make([]byte, 500)
		l.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, err := l.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
}

func TestNotify(t *testing.T) {
	heard := supervisor(t)
	for _, c := range []struct {
		name, want string
		tell       func() error
	}{
		{"ready", "READY=1\nSTATUS=dns=127.0.0.1:53 nup=127.0.0.1:8153", func() error { return Ready("dns=127.0.0.1:53", "nup=127.0.0.1:8153") }},
		{"status", "STATUS=announced", func() error { return Status("announced") }},
		{"status of two lines", "STATUS=well MAINPID=1", func() error { return Status("well\nMAINPID=1") }},
		{"stopping", "STOPPING=1", Stopping},
	} {
		if err := c.tell(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := heard(); got != c.want {
			t.Errorf("%s: the supervisor heard %q, want %q", c.name, got, c.want)
		}
	}
}

func TestNotifyNobody(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := Ready(); err != nil {
		t.Errorf("without a supervisor: %v", err)
	}
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "gone"))
	if err := Ready(); err == nil {
		t.Error("a supervisor that is not there was told")
	}
}

// TestNotifyFull tells a supervisor that does not read, and is not held up by it.
func TestNotifyFull(t *testing.T) {
	supervisor(t)
	began, err := time.Now(), error(nil)
	for i := 0; err == nil && i < 1e5; i++ {
		err = Status("again")
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) > 20*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

func TestWatchdog(t *testing.T) {
	own, other := strconv.Itoa(os.Getpid()), strconv.Itoa(os.Getpid()+1)
	for _, c := range []struct {
		name, usec, pid string
		want            time.Duration
	}{
		{"asked of this process", "2000000", own, time.Second},
		{"asked of whom it concerns", "3000", "", 1500 * time.Microsecond},
		{"asked of another", "2000000", other, 0},
		{"not asked", "", "", 0},
		{"pid alone", "", own, 0},
		{"zero", "0", own, 0},
		{"one", "1", own, 0},
		{"negative", "-2000000", own, 0},
		{"no number", "2s", own, 0},
		{"more than a year", "31536000000001", own, 0},
		{"no int64", "99999999999999999999", own, 0},
		{"pid is no number", "2000000", "self", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			heard := supervisor(t)
			t.Setenv("WATCHDOG_USEC", c.usec)
			t.Setenv("WATCHDOG_PID", c.pid)
			interval, beat := Watchdog()
			if interval != c.want {
				t.Errorf("the interval is %v, want %v", interval, c.want)
			}
			beat()
			Stopping()
			want := "WATCHDOG=1"
			if c.want == 0 {
				want = "STOPPING=1"
			}
			if got := heard(); got != want {
				t.Errorf("the supervisor heard %q, want %q", got, want)
			}
		})
	}
}
