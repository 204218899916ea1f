// Package wire asks nc-serve with the clients that people use, and beside the
// servers that people trust: cookies, the limit of responses, EDNS options and
// DNS over TLS.
package wire

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"namecast/t/tools"
)

const (
	base   = "namecast.example"
	host   = "ns1." + base
	secret = "e5e973e5a6b2a43f48e7dc849e37bfcf" // of RFC 9018 appendix A
)

// limit is how long anything may take that is waited for.
const limit = 20 * time.Second

// TestWire builds the tools once for all.
func TestWire(t *testing.T) {
	bin := tools.Build(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, string)
	}{
		{"dig", testDig}, {"kdig", testKdig}, {"dnsperf", testDNSPerf},
		{"cookies of peers", testCookiesOfPeers}, {"limit beside peers", testLimitBesidePeers}, {"way out of the limit", testWayOut},
		{"reload", testReload}, {"resume", testResume}, {"refused files", testRefusedFiles},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, bin) })
	}
}

// A node is a running nc-serve with everything that is tested here.
type node struct {
	*tools.Daemon
	t         *testing.T
	dir       string
	cert, key string // files
}

func start(t *testing.T, bin string, args ...string) *node {
	t.Helper()
	n := &node{t: t, dir: t.TempDir()}
	n.cert, n.key = filepath.Join(n.dir, "cert.pem"), filepath.Join(n.dir, "key.pem")
	n.certify(1)
	cookies := write(t, filepath.Join(n.dir, "cookies"), secret+"\n")
	n.Daemon = tools.Serve(t, bin, n.dir, append([]string{"-ns", host + "=127.0.0.1", "-id", "node-1", "-http", "127.0.0.1:0",
		"-dot", "127.0.0.1:0", "-tls-cert", n.cert, "-tls-key", n.key, "-cookie", cookies}, args...)...)
	return n
}

// certify makes a certificate with a serial number, and its key.
func (n *node) certify(serial int64) {
	n.t.Helper()
	certificate, private := tools.Certificate(n.t, host, serial)
	write(n.t, n.cert, certificate)
	write(n.t, n.key, private)
}

// write writes a file with mode 0600.
func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ask runs a client at an address that the node has told, "dns" or "dot", and
// returns what it printed.
func (n *node) ask(where, program string, args ...string) string {
	n.t.Helper()
	addr, port, err := net.SplitHostPort(n.Words[where])
	if err != nil {
		n.t.Fatal(err)
	}
	return run(n.t, program, append([]string{"@" + addr, "-p", port}, args...)...)
}

// run runs a program that may not be installed, whatever its exit status.
func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed", program)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "LC_ALL=C")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	_ = cmd.Run() // what it prints is judged
	return out.String()
}

// A saying is a question put by a client, and patterns that its output has, or
// has not where they begin with "!".
type saying struct {
	name, where string
	args        string
	want        []string
}

func (n *node) check(program string, list []saying) {
	n.t.Helper()
	for _, s := range list {
		out := n.ask(s.where, program, strings.Fields(s.args)...)
		for _, want := range s.want {
			pattern, not := strings.CutPrefix(want, "!")
			if regexp.MustCompile(pattern).MatchString(out) == not {
				n.t.Errorf("%s: %q in\n%s", s.name, want, out)
			}
		}
	}
}
