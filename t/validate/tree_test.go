// Package validate has validators judge what nc-serve signs: unbound and delv
// over a private tree whose root and top-level domain are signed by BIND's
// tools, and dnsviz. Good answers must be secure, tampered ones bogus.
package validate

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/t/peers"
	"namecast/t/tools"
)

// base is the service's domain, and owned are zones of an account of it.
const base = "nc.test"

var owned = []string{"one.test", "two.test", "sub.one.test"}

// elsewhere are zones without signatures, which nsd serves.
var elsewhere = []string{"plain.test", "plain.one.test", "safe.one.test"}

// A tree is a private DNS: root and test with nsd, the rest with nc-serve.
type tree struct {
	*peers.World
	t         *testing.T
	bin, dir  string
	keys      string // folder of the keys of root and test
	secret    string // file of nc-serve's secret
	node      *tools.Daemon
	log       string
	accounts  map[string]string // zone to account
	delegated string            // DS lines in the zone test
}

// plant starts everything but the validators, nc-serve with further arguments.
func plant(t *testing.T, args ...string) *tree {
	t.Helper()
	for _, program := range []string{"dnssec-keygen", "dnssec-signzone"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: validation skipped", program)
		}
	}
	w := &tree{World: peers.NewWorld(t), t: t, bin: tools.Build(t), dir: t.TempDir(), keys: t.TempDir()}
	w.log = filepath.Join(w.dir, "log")
	w.secret = filepath.Join(w.dir, "secret")
	w.run("", "nc-keygen", "-dnssec", "-o", w.secret)
	w.accounts = map[string]string{}
	var grants strings.Builder
	for i, zone := range owned {
		file := filepath.Join(w.dir, fmt.Sprintf("%d.key", i/2)) // one.test and two.test are the same account's
		if i%2 == 0 {
			w.run("", "nc-keygen", "-o", file)
		}
		key, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		w.accounts[zone] = strings.TrimSpace(w.run(string(key), "nc-keygen", "-hash"))
		fmt.Fprintf(&grants, "domain=%s account=%s\n", zone, w.accounts[zone])
	}
	granted := filepath.Join(w.dir, "grants")
	w.write(granted, grants.String())
	w.node = tools.Serve(t, w.bin, w.dir, append([]string{"-domain", base, "-grant", granted, "-dnssec", w.secret,
		"-rrl", "none", "-ns", "ns1." + base + "=" + peers.AtOne}, args...)...)
	w.Relays[peers.AtOne].Point(w.node.Words["dns"])
	w.update(0, records, "one.test", "two.test")
	w.update(1, "add www 300 A 192.0.2.99\n", "sub.one.test")
	w.plantTest()
	w.plantRoot()
	return w
}

// plantTest signs and serves the zone test, with what nc-keygen says the DS
// records are.
func (w *tree) plantTest() {
	secret, err := os.ReadFile(w.secret)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.delegated == "" {
		w.delegated = w.run(string(secret), "nc-keygen", "-ds", base, "one.test", "two.test")
	}
	text := peers.ZoneText("test", peers.AtTest, w.delegated,
		"nc NS ns1.nc\nns1.nc A "+peers.AtOne, "one NS ns1.nc", "two NS ns1.nc",
		"plain NS ns.plain\nns.plain A "+peers.AtOther)
	w.Serve(peers.AtTest, peers.NSD, map[string]string{"test": w.sign("test", text)})
}

func (w *tree) plantRoot() {
	ds, err := os.ReadFile(filepath.Join(w.keys, "dsset-test."))
	if err != nil {
		w.t.Fatal(err)
	}
	text := peers.ZoneText(".", peers.AtRoot, string(ds), "test. NS ns.test.\nns.test. A "+peers.AtTest)
	w.Serve(peers.AtRoot, peers.NSD, map[string]string{".": w.sign(".", text)})
	unsigned := map[string]string{}
	for _, zone := range elsewhere {
		unsigned[zone] = peers.ZoneText(zone, peers.AtOther, "www A 192.0.2.77")
	}
	w.Serve(peers.AtOther, peers.NSD, unsigned)
}

// sign signs a zone's text, with keys that are made the first time.
func (w *tree) sign(zone, text string) string {
	w.t.Helper()
	if found, _ := filepath.Glob(filepath.Join(w.keys, "K"+dns.Fqdn(zone)+"+*")); len(found) == 0 {
		w.run("", "dnssec-keygen", "-q", "-K", w.keys, "-a", "ECDSAP256SHA256", "-f", "KSK", dns.Fqdn(zone))
		w.run("", "dnssec-keygen", "-q", "-K", w.keys, "-a", "ECDSAP256SHA256", dns.Fqdn(zone))
	}
	in, out := filepath.Join(w.keys, "in"), filepath.Join(w.keys, "out")
	w.write(in, text)
	w.run("", "dnssec-signzone", "-q", "-S", "-K", w.keys, "-d", w.keys, "-o", dns.Fqdn(zone), "-f", out, in)
	signed, err := os.ReadFile(out)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(signed)
}

// anchor is the root's key as a DNSKEY line.
func (w *tree) anchor() string {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.keys, "K.+*.key"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			w.t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, "DNSKEY 257") {
				return strings.Join(strings.Fields(line), " ")
			}
		}
	}
	w.t.Fatal("the root has no key")
	return ""
}

// validate starts unbound with the root's key and further lines of its
// configuration.
func (w *tree) validate(lines ...string) {
	w.t.Helper()
	w.Resolver = w.unbound(append(lines, "val-log-level: 2", fmt.Sprintf("trust-anchor: %q", w.anchor()))...)
}

// unbound starts an unbound, which validates if the lines have a trust anchor.
func (w *tree) unbound(lines ...string) *peers.Server {
	w.t.Helper()
	at := func(host string) []string { return []string{fmt.Sprintf("%s:%d", host, w.Port)} }
	stubs := map[string][]string{".": at(peers.AtRoot), "test": at(peers.AtTest)}
	for _, zone := range append(owned, base) {
		stubs[zone] = at(peers.AtOne)
	}
	for _, zone := range elsewhere {
		stubs[zone] = at(peers.AtOther)
	}
	return peers.Unbound(w.t, peers.Resolver{
		Stubs: stubs, Ready: "test",
		Server: append(lines, `local-zone: "test." nodefault`, "trust-anchor-signaling: no", "root-key-sentinel: no"),
	})
}

// update sends an account's records, after it has claimed its domains.
func (w *tree) update(account int, records string, domains ...string) {
	w.t.Helper()
	var b strings.Builder
	for _, d := range domains {
		fmt.Fprintf(&b, "validate %s hostmaster@example.com 3600\n", d)
	}
	server := base + "@" + w.node.Words["nup"]
	packets := w.run(b.String()+records, "nc-sign", "-k", filepath.Join(w.dir, fmt.Sprintf("%d.key", account)), "-s", server)
	w.run(packets, "nc-send", "-s", server)
}

// setSecret puts another text in the secret's file and makes the node read it.
func (w *tree) setSecret(text string) {
	w.t.Helper()
	w.write(w.secret, text)
	count := func() int {
		b, _ := os.ReadFile(w.log)
		return strings.Count(string(b), "msg=reloaded")
	}
	before := count()
	w.node.Process.Signal(syscall.SIGHUP)
	for limit := time.Now().Add(10 * time.Second); count() == before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			b, _ := os.ReadFile(w.log)
			w.t.Fatalf("the node does not reload\n%s", b)
		}
	}
}

func (w *tree) write(path, text string) {
	w.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// run runs a program, ours before those of the system, with text on its
// standard input; it must end with 0.
func (w *tree) run(input, program string, args ...string) string {
	w.t.Helper()
	if strings.HasPrefix(program, "nc-") {
		program = filepath.Join(w.bin, program)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdin = strings.NewReader(input)
	var talk strings.Builder
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("%s %v: %v\n%s%s", filepath.Base(program), args, err, out, talk.String())
	}
	return string(out)
}
