package compare

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"namecast/t/tools"
)

// startNode starts nc-serve of the tools in bin and has every account send its
// records to it. It names the accounts and returns where the node answers.
// More arguments are nc-serve's.
func startNode(t *testing.T, bin string, all []*account, args ...string) (dnsAddr string) {
	t.Helper()
	dir := t.TempDir()
	var grants strings.Builder
	for _, a := range all {
		a.file = filepath.Join(dir, a.key+".key")
		run(t, secret(t, a.key), bin+"/nc-keygen", "-import", "-o", a.file)
		a.name = strings.TrimSpace(run(t, read(t, a.file), bin+"/nc-keygen", "-hash"))
		for _, d := range a.domains {
			fmt.Fprintf(&grants, "domain=%s account=%s\n", d, a.name)
		}
	}
	granted := filepath.Join(dir, "grants")
	if err := os.WriteFile(granted, []byte(grants.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	words := tools.Serve(t, bin, dir, append([]string{"-grant", granted, "-dnssec", "none", "-id", "node-1", "-ns", nameServers}, args...)...).Words
	for _, a := range all {
		a.server = base + "@" + words["nup"]
		a.send(t, bin, a.update())
	}
	return words["dns"]
}

// send has the account send update text.
func (a *account) send(t *testing.T, bin, text string) {
	t.Helper()
	packets := run(t, text, bin+"/nc-sign", "-k", a.file, "-s", a.server)
	run(t, packets, bin+"/nc-send", "-s", a.server)
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
