// Package t tests the built tools as black boxes: scripts in testdata, and the
// rules that the tree keeps.
package t

import (
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

// TestTools runs the scripts of testdata over the built tools.
func TestTools(t *testing.T) {
	if err := noteSources(".."); err != nil {
		t.Fatal(err)
	}
	bin := build(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("GOCOVERDIR", os.Getenv("GOCOVERDIR"))
			e.Values[daemonsKey{}] = map[string]*daemon{}
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Getuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": start, "term": term, "crash": crash,
		},
	})
}

// buildFlags are added to those of "go build"; under the race detector the
// tools are built with it as well.
var buildFlags []string

// build compiles every tool into a new folder, puts the scripts beside them as
// "make install" does, and returns the folder.
func build(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	args := append([]string{"build", "-o", bin}, buildFlags...)
	if os.Getenv("GOCOVERDIR") != "" {
		args = append(args, "-cover", "-coverpkg=./...")
	}
	cmd := exec.Command("go", append(args, "./cmd/...", "./t/ask")...)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	script, err := os.ReadFile("../cmd/nc-send/dynip.sh")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "nc-dynip"), script, 0o755); err != nil {
		t.Fatal(err)
	}
	return bin
}

// noteSources opens every source of the tools, so that "go test" knows that
// this test depends on them and does not answer from its cache after an edit.
func noteSources(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" && filepath.Ext(path) != ".sh" {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return f.Close()
	})
}

type daemonsKey struct{}

type daemon struct {
	cmd  *exec.Cmd
	done chan error
}

// start runs a daemon and waits until it says READY=1 on $NOTIFY_SOCKET, as a
// supervisor would. Each word what=address of its STATUS line becomes the
// variable $name_what; standard error goes to the file name.err.
//
//	start name program [args...]
func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start name program [args...]")
	}
	name := args[0]
	dir, err := os.MkdirTemp("", "nc") // short: a socket's path has 108 octets at most
	ts.Check(err)
	ts.Defer(func() { os.RemoveAll(dir) })
	sock, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "n"), Net: "unixgram"})
	ts.Check(err)
	defer sock.Close()

	bin, _, _ := strings.Cut(ts.Getenv("PATH"), string(filepath.ListSeparator))
	cmd := exec.Command(filepath.Join(bin, args[1]), args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME"),
		"NOTIFY_SOCKET=" + sock.LocalAddr().String(), "GOCOVERDIR=" + ts.Getenv("GOCOVERDIR")}
	stderr, err := os.OpenFile(ts.MkAbs(name+".err"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	ts.Check(err)
	defer stderr.Close()
	cmd.Stderr = stderr
	ts.Check(cmd.Start())
	d := &daemon{cmd, make(chan error, 1)}
	go func() { d.done <- cmd.Wait(); sock.Close() }()
	ts.Defer(func() { cmd.Process.Kill() })
	for word := range strings.FieldsSeq(ready(ts, sock, name)) {
		if what, addr, ok := strings.Cut(word, "="); ok {
			ts.Setenv(name+"_"+what, addr)
		}
	}
	ts.Value(daemonsKey{}).(map[string]*daemon)[name] = d
}

// ready waits for READY=1 and returns the STATUS line that came with it.
func ready(ts *testscript.TestScript, sock *net.UnixConn, name string) (status string) {
	sock.SetReadDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, 4096)
	for {
		n, err := sock.Read(buf)
		if err != nil {
			ts.Fatalf("%s: not ready: %v\n%s", name, err, ts.ReadFile(name+".err"))
		}
		lines := strings.Split(string(buf[:n]), "\n")
		for _, line := range lines {
			if s, ok := strings.CutPrefix(line, "STATUS="); ok {
				status = s
			}
		}
		if lines[0] == "READY=1" {
			return status
		}
	}
}

// term sends SIGTERM to a started daemon and waits for it to end with 0.
//
//	[!] term name
func term(ts *testscript.TestScript, neg bool, args []string) {
	if err := end(ts, args, syscall.SIGTERM); (err != nil) != neg {
		ts.Fatalf("%s: exit: %v", args[0], err)
	}
}

// crash kills a started daemon with SIGKILL and waits for it to be gone.
//
//	crash name
func crash(ts *testscript.TestScript, neg bool, args []string) {
	end(ts, args, syscall.SIGKILL)
}

func end(ts *testscript.TestScript, args []string, sig os.Signal) error {
	if len(args) != 1 {
		ts.Fatalf("usage: term name")
	}
	d := ts.Value(daemonsKey{}).(map[string]*daemon)[args[0]]
	if d == nil {
		ts.Fatalf("%s was not started", args[0])
	}
	d.cmd.Process.Signal(sig)
	select {
	case err := <-d.done:
		return err
	case <-time.After(10 * time.Second):
		ts.Fatalf("%s did not end in 10s", args[0])
		return nil
	}
}
