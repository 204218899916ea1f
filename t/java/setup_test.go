package java

import (
	"bytes"
	"context"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A place holds the tools, the Java client and a node that runs.
type place struct {
	t    *testing.T
	bin  string // the tools
	java string // the Java class
	work string // keys
	dns  string // the node's addresses
	nup  string
}

// setup builds the tools and the Java client and starts a node.
func setup(t *testing.T) *place {
	t.Helper()
	if _, err := exec.LookPath("javac"); err != nil {
		t.Skip("javac is not installed (Debian: default-jdk-headless)")
	}
	if err := noteSources("../.."); err != nil {
		t.Fatal(err)
	}
	p := &place{t: t, bin: t.TempDir(), java: t.TempDir(), work: t.TempDir()}
	p.must(nil, "go", "build", "-o", p.bin, "../../cmd/nc-keygen", "../../cmd/nc-sign", "../../cmd/nc-send", "../../cmd/nc-serve")
	p.must(nil, "javac", "-Xlint:all", "-Werror", "-d", p.java, "Namecast.java")
	p.serve()
	return p
}

// with is the same place in a subtest.
func (p *place) with(t *testing.T) *place {
	q := *p
	q.t = t
	return &q
}

// noteSources opens every source of the tools, so that "go test" knows that
// this test depends on them.
func noteSources(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" && filepath.Ext(path) != ".java" {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return f.Close()
	})
}

// serve starts the node on free ports and ends it with the test.
func (p *place) serve() {
	p.t.Helper()
	dir, err := os.MkdirTemp("", "nc") // short: a socket's path has 108 octets at most
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { os.RemoveAll(dir) })
	sock, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "n"), Net: "unixgram"})
	if err != nil {
		p.t.Fatal(err)
	}
	defer sock.Close()
	var log bytes.Buffer
	cmd := exec.Command(filepath.Join(p.bin, "nc-serve"), "-domain", "namecast.example", "-dns", "127.0.0.1:0",
		"-nup", "127.0.0.1:0", "-ns", "ns1.namecast.example=127.0.0.1", "-db", filepath.Join(p.work, "db"))
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+sock.LocalAddr().String())
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			p.t.Errorf("nc-serve: %v\n%s", err, &log)
		}
	})
	sock.SetReadDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, 4096)
	n, err := sock.Read(buf)
	if err != nil {
		p.t.Fatalf("nc-serve is not ready: %v", err)
	}
	for word := range strings.FieldsSeq(strings.ReplaceAll(string(buf[:n]), "STATUS=", "")) {
		what, addr, _ := strings.Cut(word, "=")
		switch what {
		case "dns":
			p.dns = addr
		case "nup":
			p.nup = addr
		}
	}
	if p.dns == "" || p.nup == "" {
		p.t.Fatalf("nc-serve says %q", buf[:n])
	}
}

// run runs a program with the test's environment and returns what it prints.
func (p *place) run(stdin []byte, name string, args ...string) (stdout, stderr string, err error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	env := os.Environ()
	if strings.HasPrefix(name, "nc-") {
		name = filepath.Join(p.bin, name)
		env = append(env, "HOME="+p.work, "NAMECAST_KEY=", "NAMECAST_SERVER=namecast.example@"+p.nup)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = env
	cmd.Stdin = bytes.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// must is run for what has to succeed.
func (p *place) must(stdin []byte, name string, args ...string) string {
	p.t.Helper()
	out, errs, err := p.run(stdin, name, args...)
	if err != nil {
		p.t.Fatalf("%s %q: %v\n%s%s", name, args, err, out, errs)
	}
	return out
}

// client runs the Java client, which has to succeed.
func (p *place) client(stdin []byte, args ...string) string {
	p.t.Helper()
	return p.must(stdin, "java", append([]string{"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", p.java, "Namecast"}, args...)...)
}

// file writes a file of a key.
func (p *place) file(name, content string) string {
	p.t.Helper()
	path := filepath.Join(p.work, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}
