package compare

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
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
)

// startNode builds the tools, starts nc-serve and has every account send its
// records to it. It names the accounts and returns where the node answers.
func startNode(t *testing.T, all []*account) (dnsAddr string) {
	t.Helper()
	noteSources(t)
	tools := filepath.Join(t.TempDir(), "bin")
	run(t, "", "go", "build", "-o", tools+"/", "../../cmd/...")
	dir := t.TempDir()
	var grants strings.Builder
	for _, a := range all {
		a.file = filepath.Join(dir, a.key+".key")
		run(t, secret(t, a.key), tools+"/nc-keygen", "-import", "-o", a.file)
		a.name = strings.TrimSpace(run(t, read(t, a.file), tools+"/nc-keygen", "-hash"))
		for _, d := range a.domains {
			fmt.Fprintf(&grants, "domain=%s account=%s\n", d, a.name)
		}
	}
	granted := filepath.Join(dir, "grants")
	if err := os.WriteFile(granted, []byte(grants.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	words := serve(t, tools+"/nc-serve", "-domain", base, "-grant", granted, "-db", filepath.Join(dir, "db"),
		"-dns", "127.0.0.1:0", "-nup", "127.0.0.1:0", "-id", "node-1", "-ns", nameServers)
	for _, a := range all {
		server := base + "@" + words["nup"]
		packets := run(t, a.update(), tools+"/nc-sign", "-k", a.file, "-s", server)
		run(t, packets, tools+"/nc-send", "-s", server)
	}
	return words["dns"]
}

// secret is an Ed25519 key in PEM, always the same for the same name: so the
// accounts' names, and with them the questions, are those of the last run.
func secret(t *testing.T, name string) string {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// nameServers are the service's, as the tool wants them.
const nameServers = "ns1." + base + "=192.0.2.53,ns1." + base + "=2001:db8::53,ns2." + base + "=192.0.2.54"

// update is the text that makes an account what the test wants it to be.
func (a *account) update() string {
	var b strings.Builder
	for _, d := range a.domains {
		fmt.Fprintf(&b, "validate %s %s %d\n", d, contact, domainTTL)
	}
	for i, r := range a.lines() {
		if i%100 == 99 { // a request is one datagram
			b.WriteString("send\n")
		}
		fmt.Fprintln(&b, "add", r.owner, r.ttl, r.kind, r.data)
	}
	if a.deleted {
		b.WriteString("send\n")
		for _, r := range a.lines() {
			fmt.Fprintln(&b, "delete", r.owner)
		}
	}
	return b.String()
}

// run runs a program with text on its standard input and returns its standard
// output; it must end with 0.
func run(t *testing.T, input, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stdin = strings.NewReader(input)
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %v: %v\n%s%s", filepath.Base(program), args, err, out.String(), talk.String())
	}
	return out.String()
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// serve starts a daemon, waits until it says READY=1 as to a supervisor, and
// returns the words name=value of its STATUS line. At the test's end the daemon
// must end with 0.
func serve(t *testing.T, program string, args ...string) map[string]string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nc") // short: a socket's path has 108 octets at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	sock, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+sock.LocalAddr().String())
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := end(cmd); err != nil {
			t.Errorf("%s: %v\n%s", filepath.Base(program), err, log.String())
		}
	})
	message := make([]byte, 4096)
	sock.SetReadDeadline(time.Now().Add(20 * time.Second))
	n, err := sock.Read(message)
	status, ready := strings.CutPrefix(string(message[:n]), "READY=1\nSTATUS=")
	if err != nil || !ready {
		_ = end(cmd) // its log says more than how it ended
		t.Fatalf("%s is not ready: %v %q\n%s", filepath.Base(program), err, message[:n], log.String())
	}
	words := map[string]string{}
	for _, w := range strings.Fields(status) {
		name, value, _ := strings.Cut(w, "=")
		words[name] = value
	}
	return words
}

// end ends a daemon with SIGTERM, and waits until it is gone.
func end(cmd *exec.Cmd) error {
	if cmd.ProcessState != nil {
		return nil
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
	defer late.Stop()
	return cmd.Wait()
}

// noteSources opens every source of the tools, so that "go test" does not
// answer from its cache after an edit.
func noteSources(t *testing.T) {
	t.Helper()
	for _, root := range []string{"../../cmd", "../../lib"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
				return err
			}
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			return f.Close()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
