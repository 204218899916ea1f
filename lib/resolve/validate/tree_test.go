package validate

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
	"namecast/t/peers"
)

// content is what each of the zones has whose answers are judged; @@ is the zone.
const content = `www A 192.0.2.2
www A 192.0.2.3
Mixed A 192.0.2.5
mail AAAA 2001:db8::4
@ MX 10 mail
@ TXT "apex"
*.wild A 192.0.2.6
*.wild TXT "wild"
real.wild A 192.0.2.7
*.wcname CNAME www
*.far.deep A 192.0.2.8
x.y.far.deep A 192.0.2.8
a.b.ent A 192.0.2.8
a.*.went A 192.0.2.8
alias CNAME www
chain CNAME alias
dangling CNAME nowhere
towild CNAME x.wild
tosec CNAME www.sec
toins CNAME www.ins
tonone CNAME none.nsec.test.
fromins CNAME back.ins
old DNAME new
host.new A 192.0.2.9
out DNAME ins
srv SRV 1 2 3 Mail
sec NS ns
ins NS ns
u.ent2 NS ns
ns A 127.0.0.1
`

// A sort says how a zone of the tree is signed.
type sort struct {
	algorithm string   // "": not at all
	sign      []string // further arguments of dnssec-signzone
	ds        func(ds string) string
}

func nsec3With(salt string, iterations int, more ...string) []string {
	return append([]string{"-3", salt, "-H", fmt.Sprint(iterations)}, more...)
}

// full are the zones that have the content; each has a signed child sec, and unsigned ones,
// ins and u.ent2.
var full = map[string]sort{
	"nsec.test":  {algorithm: "ECDSAP256SHA256"},
	"ten.test":   {algorithm: "RSASHA512", sign: nsec3With("-", 50)},
	"three.test": {algorithm: "RSASHA256", sign: nsec3With("-", 0)},
	"salt.test":  {algorithm: "ECDSAP384SHA384", sign: nsec3With("aabbccdd", 10)},
	"out.test":   {algorithm: "ED25519", sign: nsec3With("-", 0, "-A")},
}

// odd are zones with something wrong, or nothing that could be judged.
var odd = map[string]sort{
	"expired.test": {algorithm: "ECDSAP256SHA256", sign: []string{"-s", "20200101000000", "-e", "20200201000000"}},
	"future.test":  {algorithm: "ECDSAP256SHA256", sign: []string{"-s", "20600101000000", "-e", "20600201000000"}},
	"late.test":    {algorithm: "ECDSAP256SHA256", sign: []string{"-s", "now-864000", "-e", "now-600"}},
	"wrong.test": {algorithm: "ECDSAP256SHA256", ds: func(ds string) string {
		before, _, _ := strings.Cut(ds, " 13 2 ")
		return before + " 13 2 " + strings.Repeat("AB", 32) + "\n"
	}},
	"bare.test":    {ds: func(string) string { return "bare.test. DS 12345 13 2 " + strings.Repeat("AB", 32) + "\n" }},
	"island.test":  {algorithm: "ECDSAP256SHA256", ds: func(string) string { return "" }},
	"plain.test":   {},
	"strange.test": {algorithm: "ECDSAP256SHA256", ds: func(ds string) string { return strings.Replace(ds, " 13 2 ", " 200 2 ", 1) }},
	"digest.test":  {algorithm: "ECDSAP256SHA256", ds: func(ds string) string { return strings.Replace(ds, " 13 2 ", " 13 200 ", 1) }},
	"many.test":    {algorithm: "ECDSAP256SHA256", sign: nsec3With("-", 51)},
}

// A tree is a private DNS, signed from the root, with resolvers on it.
type tree struct {
	t     *testing.T
	dir   string
	texts map[string]string // of zones as they are served
	relay *peers.Relay
	port  int
	plain *peers.Server // a resolver that validates nothing, behind the relay
	judge *peers.Server // one that validates what it gets from the relay
}

// plant signs the tree.
func plant(t *testing.T) *tree {
	t.Helper()
	for _, program := range []string{"dnssec-keygen", "dnssec-signzone", "unbound"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: validation beside unbound skipped", program)
		}
	}
	w := &tree{t: t, dir: t.TempDir(), texts: map[string]string{}}
	delegated := ""
	for zone, s := range full {
		lines := content + w.sign("sec."+zone, sort{algorithm: "ECDSAP256SHA256"}, "www A 192.0.2.10")
		w.sign("ins."+zone, sort{}, "www A 192.0.2.11\nback CNAME www."+zone+".")
		w.sign("u.ent2."+zone, sort{}, "www A 192.0.2.12")
		delegated += zone + ". NS ns.test.\n" + w.sign(zone, s, lines)
	}
	for zone, s := range odd {
		delegated += zone + ". NS ns.test.\n" + w.sign(zone, s, "www A 192.0.2.20\n*.wild A 192.0.2.21")
	}
	ds := w.sign("test", sort{algorithm: "ECDSAP256SHA256"}, delegated+"ns A 127.0.0.1")
	w.sign(".", sort{algorithm: "RSASHA256"}, "test. NS ns.test.\n"+ds)
	return w
}

// sign makes a zone of lines, and gives the DS records for its parent.
func (w *tree) sign(zone string, s sort, lines string) (ds string) {
	w.t.Helper()
	text := fmt.Sprintf("$ORIGIN %[1]s\n$TTL 300\n@ SOA ns.test. hostmaster.test. 1 3600 600 86400 60\n@ NS ns.test.\n%[2]s\n", dns.Fqdn(zone), lines)
	if s.algorithm != "" {
		in, out := filepath.Join(w.dir, "in"), filepath.Join(w.dir, "out")
		if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
		w.run("dnssec-keygen", "-q", "-K", w.dir, "-a", s.algorithm, "-f", "KSK", dns.Fqdn(zone))
		args := append([]string{"-q", "-S", "-z", "-P", "-K", w.dir, "-d", w.dir, "-o", dns.Fqdn(zone), "-f", out}, s.sign...)
		w.run("dnssec-signzone", append(args, in)...)
		text, ds = w.read(out), w.read(filepath.Join(w.dir, "dsset-"+dns.Fqdn(zone)))
	}
	if s.ds != nil {
		ds = s.ds(ds)
	}
	w.texts[zone] = text
	return ds
}

func (w *tree) read(path string) string {
	w.t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

func (w *tree) run(program string, args ...string) {
	w.t.Helper()
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
}

// anchors are the root's, as the signer wrote them.
func (w *tree) anchors() []Anchor {
	w.t.Helper()
	a, err := ParseAnchors([]byte(w.read(filepath.Join(w.dir, "dsset-."))))
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// serve starts a server of all zones, and the resolvers over it, for a test.
func (w *tree) serve(t *testing.T, start func(testing.TB, map[string]string) *peers.Server) {
	t.Helper()
	server := start(t, w.texts).Addr
	stubs := map[string][]string{}
	for zone := range w.texts {
		stubs[zone] = []string{server}
	}
	common := []string{`local-zone: "test." nodefault`, "trust-anchor-signaling: no", "root-key-sentinel: no"}
	w.plain = peers.Unbound(t, peers.Resolver{Stubs: stubs, Ready: "test", Server: append(common, "minimal-responses: no")})
	port, relays := peers.Relays(t, "127.0.53.9")
	w.port, w.relay = port, relays[0]
	w.relay.Point(w.plain.Addr)
	w.judge = peers.Unbound(t, peers.Resolver{
		Ready: "test",
		Server: append(common, fmt.Sprintf("trust-anchor: %q", strings.Join(strings.Fields(w.anchors()[0].String()), " ")), "val-log-level: 2", "minimal-responses: no", "aggressive-nsec: no",
			`val-nsec3-keysize-iterations: "1024 50 2048 50 4096 50"`),
		Clauses: fmt.Sprintf("forward-zone:\n\tname: \".\"\n\tforward-addr: 127.0.53.9@%d\n\tforward-no-cache: yes\n", w.port),
	})
}

// ask puts a question to a server, with DO set, and again by TCP if the answer is cut off.
func ask(ctx context.Context, server string, q Question, checked bool) (*dns.Msg, error) {
	m := new(dns.Msg)
	m.SetQuestion(q.Name.FQDN(), q.Type)
	m.SetEdns0(dns.MaxMsgSize, true) // the relay cuts nothing off
	m.CheckingDisabled = !checked
	c := &dns.Client{Timeout: 5 * time.Second}
	a, _, err := c.ExchangeContext(ctx, m, server)
	if err != nil {
		a, _, err = c.ExchangeContext(ctx, m, server) // the machine may be busy
	}
	if err == nil && a.Truncated {
		a, _, err = (&dns.Client{Net: "tcp", Timeout: 5 * time.Second}).ExchangeContext(ctx, m, server)
	}
	return a, err
}

// upstream gets what the relay says.
func (w *tree) upstream(ctx context.Context, name rr.Name, typ uint16) ([]byte, error) {
	a, err := ask(ctx, fmt.Sprintf("127.0.53.9:%d", w.port), Question{name, typ}, false)
	if err != nil {
		return nil, err
	}
	return a.Pack()
}

func (w *tree) validator() *Validator {
	return New(Options{Anchors: w.anchors(), Fetch: w.upstream})
}

// oracle is what unbound says of a question.
func (w *tree) oracle(q Question) (State, *dns.Msg, error) {
	a, err := ask(context.Background(), w.judge.Addr, q, true)
	switch {
	case err != nil:
		return Indeterminate, nil, err
	case a.Rcode == dns.RcodeServerFailure:
		return Bogus, a, nil
	case a.AuthenticatedData:
		return Secure, a, nil
	}
	return Insecure, a, nil
}
