package wire

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serial connects and tells the serial number of the certificate that is shown.
func (n *node) serial() int64 {
	n.t.Helper()
	c, err := tls.Dial("tcp", n.Words["dot"], &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		n.t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// wait polls until something is so.
func (n *node) wait(what string, is func() bool) {
	n.t.Helper()
	for end := time.Now().Add(limit); !is(); {
		if time.Now().After(end) {
			n.t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

func (n *node) hup() {
	n.t.Helper()
	if err := n.Process.Signal(syscall.SIGHUP); err != nil {
		n.t.Fatal(err)
	}
}

// logged waits for words in the log.
func (n *node) logged(words string) {
	n.t.Helper()
	n.wait(words, func() bool {
		b, err := os.ReadFile(filepath.Join(n.dir, "log"))
		return err == nil && strings.Contains(string(b), words)
	})
}

// testReload changes the certificate and the secret of cookies with SIGHUP, and
// goes on with the old ones when a file is damaged.
func testReload(t *testing.T, bin string) {
	n := start(t, bin)
	cookies := filepath.Join(n.dir, "cookies")
	c := dial(t, n.Words["dns"])
	old := c.cookieOf(base)
	if status := n.statusOf(c, old); status != "good" {
		t.Fatalf("a cookie just made is %s", status)
	}
	n.certify(2)
	write(t, cookies, "00112233445566778899aabbccddeeff\n"+secret+"\n")
	n.hup()
	n.wait("the new certificate", func() bool { return n.serial() == 2 })
	n.wait("the new secret", func() bool { return c.ask(base, old).cookie != old })
	if status := n.statusOf(c, old); status != "good" {
		t.Errorf("a cookie of the second secret is %s", status)
	}
	kept := c.cookieOf(base)

	if err := os.Chmod(cookies, 0o644); err != nil {
		t.Fatal(err)
	}
	n.hup()
	n.logged("run chmod 600")
	if err := os.Chmod(cookies, 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, n.key, "no key\n")
	n.hup()
	n.logged("find any PEM data")
	if serial, status := n.serial(), n.statusOf(c, kept); serial != 2 || status != "good" {
		t.Errorf("after damage: certificate %d, cookie %s", serial, status)
	}

	n.certify(3)
	write(t, cookies, "00112233445566778899aabbccddeeff\n")
	n.hup()
	n.wait("the third certificate", func() bool { return n.serial() == 3 })
	if status := n.statusOf(c, old); status != "bad" {
		t.Errorf("a cookie of a secret that is gone is %s", status)
	}
}

// testResume has OpenSSL come back with a session ticket, also after the
// certificate has changed.
func testResume(t *testing.T, bin string) {
	n := start(t, bin)
	ticket := filepath.Join(n.dir, "ticket")
	client := func(args ...string) string {
		return run(t, "openssl", append([]string{"s_client", "-connect", n.Words["dot"], "-alpn", "dot", "-tls1_2"}, args...)...)
	}
	if out := client("-sess_out", ticket); !strings.Contains(out, "New, TLSv1.2") || !strings.Contains(out, "ALPN protocol: dot") {
		t.Fatalf("the first session:\n%s", out)
	}
	if out := client("-sess_in", ticket); !strings.Contains(out, "Reused, TLSv1.2") {
		t.Errorf("the second session:\n%s", out)
	}
	if n.Metric(n.t, `namecast_dns_tls_handshakes_total{result="resumed"}`) != 1 {
		t.Error("the session that was resumed is not counted")
	}
	if out := client("-alpn", "h2"); !strings.Contains(out, "no application protocol") {
		t.Errorf("another protocol:\n%s", out)
	}
}

// testRefusedFiles starts nothing with a secret that others can read, or with
// half of what TLS needs.
func testRefusedFiles(t *testing.T, bin string) {
	n := &node{t: t, dir: t.TempDir()}
	n.cert, n.key = filepath.Join(n.dir, "cert.pem"), filepath.Join(n.dir, "key.pem")
	n.certify(1)
	open := write(t, filepath.Join(n.dir, "open"), secret)
	if err := os.Chmod(open, 0o640); err != nil {
		t.Fatal(err)
	}
	short := write(t, filepath.Join(n.dir, "short"), secret[2:])
	for _, c := range []struct{ name, args, want string }{
		{"cookie secret that others read", "-cookie " + open, "mode 0640"},
		{"cookie secret that is short", "-cookie " + short, "line 1: bad cookie secret"},
		{"key that others read", "-dot 127.0.0.1:0 -tls-cert " + n.cert + " -tls-key " + open, "mode 0640"},
		{"no key", "-dot 127.0.0.1:0 -tls-cert " + n.cert, "go together"},
		{"no address", "-tls-cert " + n.cert + " -tls-key " + n.key, "go together"},
		{"certificate for a key", "-dot 127.0.0.1:0 -tls-cert " + n.cert + " -tls-key " + n.cert, "key"},
		{"negative slip", "-rrl-slip -1", "-rrl-slip"},
		{"no rate", "-rrl often", `"often"`},
	} {
		args := append([]string{"-c", `"$0" "$@"; echo exit $?`, filepath.Join(bin, "nc-serve"), "-domain", base, "-ns", host + "=127.0.0.1",
			"-db", filepath.Join(n.dir, "db"), "-dns", "127.0.0.1:0", "-nup", "127.0.0.1:0"}, strings.Fields(c.args)...)
		out := run(t, "sh", args...)
		if !strings.Contains(out, "exit 2") || !strings.Contains(out, c.want) || strings.Contains(out, secret[2:10]) {
			t.Errorf("%s: no %q in\n%s", c.name, c.want, out)
		}
	}
}
