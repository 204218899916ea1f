package java

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"namecast/t/tools"
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
	p := &place{t: t, bin: tools.Build(t), java: t.TempDir(), work: t.TempDir()}
	p.must(nil, "javac", "-Xlint:all", "-Werror", "-d", p.java, "Namecast.java")
	d := tools.Serve(t, p.bin, p.work, "-ns", "ns1.namecast.example=127.0.0.1")
	p.dns, p.nup = d.Words["dns"], d.Words["nup"]
	return p
}

// with is the same place in a subtest.
func (p *place) with(t *testing.T) *place {
	q := *p
	q.t = t
	return &q
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
