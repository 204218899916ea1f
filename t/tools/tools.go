// Package tools builds the tools and runs nc-serve for the tests in t, which
// know the tools only as programs.
package tools

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// daemonFlags are added to those of "go build" for the daemons; under the race
// detector they are built with it as well, and the small tools are not: they
// would start ten times slower for nothing.
var daemonFlags []string

// Build compiles the tools that most tests need, and others by name, into a new
// folder, puts the scripts beside them as "make install" does, and returns the
// folder.
func Build(t testing.TB, others ...string) string {
	t.Helper()
	root, err := noteSources()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	packages := []string{"./t/ask"}
	for _, name := range append([]string{"nc-keygen", "nc-sign", "nc-send", "nc-serve"}, others...) {
		packages = append(packages, "./cmd/"+name)
	}
	compile(t, root, bin, packages...)
	if len(daemonFlags) > 0 {
		compile(t, root, bin, append(daemonFlags, "./cmd/nc-serve")...)
	}
	script, err := os.ReadFile(filepath.Join(root, "cmd", "nc-send", "dynip.sh"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "nc-dynip"), script, 0o755); err != nil {
		t.Fatal(err)
	}
	return bin
}

// compile runs "go build" in the module's folder.
func compile(t testing.TB, root, bin string, args ...string) {
	t.Helper()
	flags := []string{"build", "-o", bin}
	if os.Getenv("GOCOVERDIR") != "" {
		flags = append(flags, "-cover", "-coverpkg=./...")
	}
	cmd := exec.Command("go", append(flags, args...)...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
}

// noteSources finds the module's folder and opens every source in it, so that
// "go test" knows that the test depends on them and does not answer from its
// cache after an edit.
func noteSources() (root string, err error) {
	root = "."
	for range 4 {
		if _, err = os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		root = filepath.Join(root, "..")
	}
	if err != nil {
		return "", err
	}
	return root, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(".go.sh.java.mod", filepath.Ext(path)) || filepath.Ext(path) == "" {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return f.Close()
	})
}

// A Daemon is a running tool that has said that it is ready.
type Daemon struct {
	Process *os.Process
	Words   map[string]string // of its STATUS line: dns, nup, ... and their addresses
	done    chan error
}

// patience is how long a daemon may take to start and to end.
const patience = 20 * time.Second

// Start runs a program and waits until it says READY=1 on $NOTIFY_SOCKET, as a
// supervisor would. cmd's Env is completed; its Stderr should be set. The
// program dies with the test's process.
func Start(cmd *exec.Cmd) (*Daemon, error) {
	dir, err := os.MkdirTemp("", "nc") // short: a socket's path has 108 octets at most
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	sock, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "n"), Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	defer sock.Close()
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+sock.LocalAddr().String())
	d := &Daemon{Words: map[string]string{}, done: make(chan error, 1)}
	if err := d.spawn(cmd, sock); err != nil {
		return nil, err
	}
	if err := d.ready(sock); err != nil {
		d.Kill()
		return nil, fmt.Errorf("%s is not ready: %w", filepath.Base(cmd.Path), err)
	}
	return d, nil
}

// spawn starts the program. The kernel ends it if the test's process dies
// first; that signal is tied to the thread that started the program, so the
// goroutine that waits for it keeps its thread.
func (d *Daemon) spawn(cmd *exec.Cmd, sock io.Closer) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			d.done <- cmd.Wait()
			sock.Close() // one that ended need not be waited for
		}
	}()
	err := <-started
	d.Process = cmd.Process
	return err
}

// ready waits for READY=1 and keeps the words that came with it.
func (d *Daemon) ready(sock *net.UnixConn) error {
	sock.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 4096)
	for {
		n, err := sock.Read(buf)
		if err != nil {
			return err
		}
		status, ok := strings.CutPrefix(string(buf[:n]), "READY=1\nSTATUS=")
		if !ok {
			continue
		}
		for word := range strings.FieldsSeq(status) {
			if name, value, ok := strings.Cut(word, "="); ok {
				d.Words[name] = value
			}
		}
		return nil
	}
}

// End sends a signal and waits until the daemon is gone; the error is how it
// ended, nil for exit status 0. A daemon that does not end is killed.
func (d *Daemon) End(sig os.Signal) error {
	_ = d.Process.Signal(sig) // one that is gone has its status waiting
	select {
	case err := <-d.done:
		d.done <- err
		return err
	case <-time.After(patience):
		d.Kill()
		return errors.New("it does not end")
	}
}

// Stop ends the daemon with SIGTERM.
func (d *Daemon) Stop() error { return d.End(syscall.SIGTERM) }

// Kill ends the daemon at once.
func (d *Daemon) Kill() {
	d.Process.Kill()
	err := <-d.done
	d.done <- err
}

// Serve starts nc-serve for a test, with the arguments that every node needs
// and those given, and ends it with the test: it must end with 0. Its log is in
// the file dir/log.
func Serve(t testing.TB, bin, dir string, args ...string) *Daemon {
	t.Helper()
	path := filepath.Join(dir, "log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(bin, "nc-serve"), append([]string{
		"-domain", "namecast.example", "-dns", "127.0.0.1:0", "-nup", "127.0.0.1:0", "-db", filepath.Join(dir, "db"),
		"-rrl", "none", // tests ask faster than resolvers
	}, args...)...)
	cmd.Stderr = log
	d, err := Start(cmd)
	if err != nil {
		text, _ := os.ReadFile(path)
		t.Fatalf("%v\n%s", err, text)
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			text, _ := os.ReadFile(path)
			t.Errorf("nc-serve: %v\n%s", err, text)
		}
	})
	return d
}
