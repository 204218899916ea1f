// Package wire asks nc-serve with the clients that people use, and beside the
// servers that people trust: cookies, the limit of responses, EDNS options and
// DNS over TLS.
package wire

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
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
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		n.t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		n.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		n.t.Fatal(err)
	}
	write(n.t, n.cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(n.t, n.key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

// write writes a file with mode 0600.
func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// metric reads one number from the status page.
func (n *node) metric(name string) int {
	n.t.Helper()
	r, err := http.Get("http://" + n.Words["http"] + "/metrics")
	if err != nil {
		n.t.Fatal(err)
	}
	defer r.Body.Close()
	page, err := io.ReadAll(r.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "namecast_"+name+" "); ok {
			f, err := strconv.ParseFloat(value, 64)
			if err != nil {
				n.t.Fatal(err)
			}
			return int(f)
		}
	}
	n.t.Fatalf("no metric %s", name)
	return 0
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
