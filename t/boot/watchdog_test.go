package boot

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"namecast/t/tools"
)

// TestWatchdog has daemons tell their supervisor that they work, for as long as they
// do. The watchers of routes are seen to do so where nodes are booted.
func TestWatchdog(t *testing.T) {
	bin := build(t)
	port, err := tools.Ports(3)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
	}{
		{"nc-serve", []string{"-domain", "namecast.example", "-ns", "ns1.namecast.example=192.0.2.53", "-dns", "127.0.0.1:0", "-nup", "127.0.0.1:0"}},
		{"nc-chain", []string{"-name", "a", "-listen", fmt.Sprintf("127.0.0.1:%d", port)}},
	} {
		t.Run(c.name, func(t *testing.T) { beats(t, filepath.Join(bin, c.name), c.args) })
	}
}

// limit is how long a daemon may take to say something; it is asked for a beat in each
// watch.
const (
	limit = 60 * time.Second
	watch = 400 * time.Millisecond
)

// beats starts a daemon with a watchdog, sees it beat, stops it, and sees that it does
// not.
func beats(t *testing.T, program string, args []string) {
	dir := t.TempDir()
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "n"), Net: "unixgram"})
	if err != nil {
		t.Skipf("no unix sockets here: %v", err)
	}
	defer l.Close()
	cmd := exec.CommandContext(t.Context(), program, append(args, "-db", filepath.Join(dir, "db"))...)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+l.LocalAddr().String(), fmt.Sprintf("WATCHDOG_USEC=%d", watch.Microseconds()))
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	for range 3 {
		if !heard(l, limit) {
			t.Fatal("there is no beat")
		}
	}
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// What was sent before the stop is heard first.
	silent := false
	for i := 0; i < 20 && !silent; i++ {
		silent = !heard(l, 2*watch)
	}
	if !silent {
		t.Error("a daemon that stands still beats")
	}
}

// heard tells whether there is a beat within that time.
func heard(l *net.UnixConn, within time.Duration) bool {
	buf := make([]byte, 500)
	l.SetReadDeadline(time.Now().Add(within))
	for {
		n, err := l.Read(buf)
		if err != nil || string(buf[:n]) == "WATCHDOG=1" {
			return err == nil
		}
	}
}
