package iterate

import (
	"context"
	"crypto"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"namecast/lib/rr"
	"namecast/t/peers"
)

// A tree is a small Internet of real servers: NSD has the root, BIND test, Knot
// example.test and NSD other.test; the last two are signed, with NSEC.
type tree struct {
	hints   netip.AddrPort
	unbound *peers.Server
	names   []string
}

const exampleText = `www A 198.51.100.1
www AAAA 2001:db8::1
www TXT "a" "b"
alias CNAME www
away CNAME x.w.other.test.
twice CNAME away
lost CNAME nothing
*.wild A 198.51.100.7
*.alias CNAME www
_sip._tcp SRV 0 0 5060 www
a.b.c.d.e.f.g.h.i.j.k A 198.51.100.2
moved DNAME other.test.
mail MX 10 www
plain NS ns.plain
ns.plain A ` + peers.AtOther + `
UP.Case A 198.51.100.3
`

const otherText = `@ A 198.51.100.20
x.w A 198.51.100.21
*.w TXT "any"
back CNAME www.example.test.
deep.www A 198.51.100.22
`

func newTree(t *testing.T) *tree {
	port, relays := peers.Relays(t, peers.AtRoot, peers.AtTest, peers.AtOne, peers.AtOther)
	at := func(host string) []string { return []string{net.JoinHostPort(host, fmt.Sprint(port))} }
	example := sign(t, peers.ZoneText("example.test", peers.AtOne, exampleText))
	other := sign(t, peers.ZoneText("other.test", peers.AtOther, otherText))
	plain := peers.ZoneText("plain.example.test", peers.AtOther, "www A 198.51.100.30\nalias CNAME www.example.test.")
	for i, s := range []*peers.Server{
		peers.NSD(t, map[string]string{".": peers.ZoneText(".", peers.AtRoot, peers.Delegate("test", peers.AtTest))}),
		peers.BIND(t, map[string]string{"test": peers.ZoneText("test", peers.AtTest, peers.Delegate("example.test", peers.AtOne)+
			"other.test. NS ns.plain.example.test.\nother.test. NS nowhere.example.test.\n")}),
		peers.Knot(t, map[string]string{"example.test": example}),
		peers.NSD(t, map[string]string{"other.test": other, "plain.example.test": plain}),
	} {
		relays[i].Point(s.Addr)
	}
	return &tree{
		hints: netip.MustParseAddrPort(at(peers.AtRoot)[0]),
		unbound: peers.Unbound(t, peers.Resolver{
			Stubs: map[string][]string{".": at(peers.AtRoot), "test": at(peers.AtTest), "example.test": at(peers.AtOne),
				"other.test": at(peers.AtOther), "plain.example.test": at(peers.AtOther)},
			Server: []string{`local-zone: "test." nodefault`, "trust-anchor-signaling: no", `module-config: "iterator"`},
			Ready:  "test",
		}),
		names: owners(exampleText, "example.test", otherText, "other.test"),
	}
}

// owners are the names in zones, and what could be near them.
func owners(texts ...string) []string {
	names := []string{".", "test", "no", "no.test", "example.test", "other.test", "plain.example.test", "www.plain.example.test", "alias.plain.example.test", "no.plain.example.test"}
	for i := 0; i < len(texts); i += 2 {
		for line := range strings.Lines(texts[i]) {
			name := strings.Fields(line)[0]
			if name == "@" {
				continue
			}
			name = strings.ReplaceAll(name, "*", "any") + "." + texts[i+1]
			for rest := name; strings.Count(rest, ".") > 1; _, rest, _ = strings.Cut(rest, ".") {
				names = append(names, rest, "a."+rest, "z.y."+rest)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Unbound gives the same answers, with and without signatures.
func TestSameAsUnbound(t *testing.T) {
	w := newTree(t)
	r := New(Options{Hints: []netip.AddrPort{w.hints}, Port: w.hints.Port(), Usable: func(netip.Addr) bool { return true }})
	types := []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeTXT, dns.TypeMX, dns.TypeCNAME, dns.TypeSRV, dns.TypeNS, dns.TypeSOA, dns.TypeDS, dns.TypeDNSKEY}
	var all []Question
	for _, name := range w.names {
		for _, typ := range types {
			all = append(all, Question{rr.MustName(name), typ, rand.IntN(2) == 0})
		}
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	counts := map[string]int{}
	for _, q := range all[:500] {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		b, err := r.Resolve(ctx, q)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		want, got := w.ask(t, q), new(dns.Msg)
		if err := got.Unpack(b); err != nil {
			t.Fatal(err)
		}
		counts[dns.RcodeToString[got.Rcode]]++
		if diff := cmp.Diff(summary(want), summary(got)); diff != "" {
			t.Errorf("%s %s DO %v (-unbound +got)\n%s", q.Name, rr.Type(q.Type), q.DO, diff)
		}
	}
	t.Logf("500 questions of %d, %d queries: %v", len(all), r.Sent(), counts)
}

func (w *tree) ask(t *testing.T, q Question) *dns.Msg {
	t.Helper()
	m := new(dns.Msg).SetQuestion(q.Name.FQDN(), q.Type)
	m.SetEdns0(4096, q.DO)
	a, _, err := (&dns.Client{Timeout: 10 * time.Second, UDPSize: 4096}).Exchange(m, w.unbound.Addr)
	if err != nil {
		t.Fatalf("ask unbound for %s: %v\n%s", q.Name, err, w.unbound.Log())
	}
	return a
}

// summary is what of an answer two resolvers must agree on: times have passed, and the
// servers of a zone need not be told.
func summary(m *dns.Msg) []string {
	s := []string{dns.RcodeToString[m.Rcode]}
	for i, section := range [][]dns.RR{m.Answer, m.Ns} {
		var lines []string
		for _, x := range section {
			x = dns.Copy(x)
			x.Header().Ttl = 0
			x.Header().Name = strings.ToLower(x.Header().Name)
			sig, _ := x.(*dns.RRSIG)
			if i == 1 && (x.Header().Rrtype == dns.TypeNS || sig != nil && sig.TypeCovered == dns.TypeNS) {
				continue
			}
			lines = append(lines, fmt.Sprint(i, " ", x))
		}
		slices.Sort(lines)
		s = append(s, lines...)
	}
	return s
}

// sign makes a signed zone of a zone: with NSEC, and one key for all.
func sign(t *testing.T, text string) string {
	t.Helper()
	sets := map[string]map[uint16][]dns.RR{} // by owner
	z := dns.NewZoneParser(strings.NewReader(text), "", "")
	var apex string
	add := func(x dns.RR) {
		owner := dns.CanonicalName(x.Header().Name)
		if sets[owner] == nil {
			sets[owner] = map[uint16][]dns.RR{}
		}
		sets[owner][x.Header().Rrtype] = append(sets[owner][x.Header().Rrtype], x)
	}
	for x, ok := z.Next(); ok; x, ok = z.Next() {
		if x.Header().Rrtype == dns.TypeSOA {
			apex = x.Header().Name
		}
		add(x)
	}
	if z.Err() != nil {
		t.Fatal(z.Err())
	}
	key := &dns.DNSKEY{Hdr: header(apex, dns.TypeDNSKEY), Flags: 257, Protocol: 3, Algorithm: dns.ED25519}
	private, err := key.Generate(256)
	if err != nil {
		t.Fatal(err)
	}
	add(key)
	var b strings.Builder
	names := secure(sets, apex)
	for i, name := range names {
		add(denial(name, names[(i+1)%len(names)], sets[name]))
	}
	for owner, types := range sets {
		for typ, set := range types {
			for _, x := range set {
				fmt.Fprintln(&b, x)
			}
			if slices.Contains(names, owner) && !(typ == dns.TypeNS && owner != apex) {
				fmt.Fprintln(&b, signature(t, key, private.(crypto.Signer), set))
			}
		}
	}
	return b.String()
}

func header(name string, typ uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: typ, Class: dns.ClassINET, Ttl: 300}
}

// secure are the names with data of the zone, in the order of the chain.
func secure(sets map[string]map[uint16][]dns.RR, apex string) []string {
	var names []string
	for owner := range sets {
		hidden := false
		for cut, types := range sets {
			hidden = hidden || cut != apex && len(types[dns.TypeNS]) > 0 && cut != owner && dns.IsSubDomain(cut, owner)
		}
		if !hidden {
			names = append(names, owner)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		x, y := dns.SplitDomainName(a), dns.SplitDomainName(b)
		slices.Reverse(x)
		slices.Reverse(y)
		return slices.Compare(x, y)
	})
	return names
}

func denial(name, next string, types map[uint16][]dns.RR) dns.RR {
	bits := []uint16{dns.TypeNSEC, dns.TypeRRSIG}
	for typ := range types {
		bits = append(bits, typ)
	}
	slices.Sort(bits)
	return &dns.NSEC{Hdr: header(name, dns.TypeNSEC), NextDomain: next, TypeBitMap: bits}
}

func signature(t *testing.T, key *dns.DNSKEY, private crypto.Signer, set []dns.RR) dns.RR {
	t.Helper()
	now := time.Now()
	s := &dns.RRSIG{Algorithm: key.Algorithm, KeyTag: key.KeyTag(), SignerName: key.Hdr.Name,
		Inception: uint32(now.Add(-time.Hour).Unix()), Expiration: uint32(now.Add(24 * time.Hour).Unix())}
	if err := s.Sign(private, set); err != nil {
		t.Fatal(err)
	}
	return s
}
