package zone

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"namecast/lib/dnssec"
	"namecast/lib/limit"
	"namecast/lib/store"
)

// today is when the tests of signatures take place.
var today = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// signedService is testService with keys.
func signedService(t testing.TB, o dnssec.Options) *Service {
	t.Helper()
	secret, err := dnssec.NewSecret(bytes.NewReader(bytes.Repeat([]byte{7}, dnssec.SecretSize)), today)
	if err != nil {
		t.Fatal(err)
	}
	o.Now = func() time.Time { return today }
	s := testService()
	s.Signer = dnssec.NewSigner(secret, o)
	return s
}

// query is one question; flags are of "do", "co", "tcp".
func query(t testing.TB, s *Service, v store.View, name string, kind uint16, flags string) *dns.Msg {
	t.Helper()
	q := new(dns.Msg)
	q.SetQuestion(name, kind)
	if strings.Contains(flags, "do") {
		q.SetEdns0(1232, true)
		q.IsEdns0().SetCo(strings.Contains(flags, "co"))
	}
	m, err := answer(s, v, q, !strings.Contains(flags, "tcp"))
	if err != nil {
		t.Fatal(err)
	}
	wire, err := m.Pack()
	if err != nil {
		t.Fatalf("pack %v: %v", m, err)
	}
	back := new(dns.Msg)
	if err := back.Unpack(wire); err != nil {
		t.Fatal(err)
	}
	return back
}

// TestSignedAnswers validates the answers to thousands of questions, and holds
// that they say what the unsigned ones do.
func TestSignedAnswers(t *testing.T) {
	s, v := signedService(t, dnssec.Options{}), testView(t, world)
	names, kinds := questionsFor(3000)
	c := checker{t, s, v, map[string][]dns.RR{}}
	for i, name := range names {
		plain := query(t, s, v, name, kinds[i], "tcp")
		signed := query(t, s, v, name, kinds[i], "tcp do")
		compact := query(t, s, v, name, kinds[i], "tcp do co")
		if plain.Rcode == dns.RcodeRefused {
			continue
		}
		if kinds[i] != dns.TypeRRSIG {
			c.check(name, kinds[i], signed)
		}
		missing := plain.Rcode == dns.RcodeNameError && !slices.Contains([]uint16{dns.TypeNSEC, dns.TypeRRSIG}, kinds[i])
		want := plain.Rcode
		if plain.Rcode == dns.RcodeNameError {
			want = dns.RcodeSuccess
		}
		if signed.Rcode != want || missing && compact.Rcode != dns.RcodeNameError || !compact.IsEdns0().Co() || signed.IsEdns0().Co() {
			t.Errorf("%s: codes %d %d %d", name, plain.Rcode, signed.Rcode, compact.Rcode)
		}
		if missing != strings.Contains(fmt.Sprint(signed.Ns), "NXNAME") {
			t.Errorf("%s %s: want NXNAME: %t\n%v", name, dns.Type(kinds[i]), missing, signed)
		}
		if kinds[i] != dns.TypeNSEC && kinds[i] != dns.TypeRRSIG {
			if diff := cmp.Diff(bare(plain.Answer), bare(signed.Answer)); diff != "" {
				t.Errorf("%s %s: answers (-plain +signed):\n%s", name, dns.Type(kinds[i]), diff)
			}
		}
		if t.Failed() {
			t.Fatalf("%s %s:\n%v", name, dns.Type(kinds[i]), signed)
		}
	}
}

// bare is the text of records that are no signatures.
func bare(section []dns.RR) (out []string) {
	for _, r := range section {
		if r.Header().Rrtype != dns.TypeRRSIG {
			out = append(out, r.String())
		}
	}
	return out
}

func TestSignedShapes(t *testing.T) {
	s, v := signedService(t, dnssec.Options{}), testView(t, world)
	for _, c := range []struct {
		name, question string
		kind           uint16
		flags          string
		want           string // code, then types of answer / authority / additional with who signs them
	}{
		{"data", "www.example.com.", dns.TypeA, "do", "NOERROR A RRSIG / /"},
		{"nobody wants signatures", "www.example.com.", dns.TypeA, "", "NOERROR A / /"},
		{"no such name", "no.example.com.", dns.TypeA, "do", "NOERROR / SOA RRSIG NSEC RRSIG /"},
		{"no such name, compact", "no.example.com.", dns.TypeA, "do co", "NXDOMAIN / SOA RRSIG NSEC RRSIG /"},
		{"no such name, plain", "no.example.com.", dns.TypeA, "", "NXDOMAIN / SOA /"},
		{"empty non-terminal", "ent.example.com.", dns.TypeA, "do", "NOERROR / SOA RRSIG NSEC RRSIG /"},
		{"wildcard", "x.wild.example.com.", dns.TypeA, "do", "NOERROR A RRSIG / /"},
		{"additional data", "x.wild.example.com.", dns.TypeMX, "do", "NOERROR MX RRSIG / / A RRSIG AAAA RRSIG"},
		{"chain", "chain.example.com.", dns.TypeA, "do", "NOERROR CNAME RRSIG CNAME RRSIG A RRSIG / /"},
		{"chain to another zone", "away.example.com.", dns.TypeA, "do", "NOERROR CNAME RRSIG A RRSIG / /"},
		{"chain to nothing", "dangling.example.com.", dns.TypeA, "do", "NOERROR CNAME RRSIG / SOA RRSIG NSEC RRSIG /"},
		{"dname", "a.dn.example.com.", dns.TypeA, "do", "NOERROR DNAME RRSIG CNAME A RRSIG / /"},
		{"secure delegation", "x.sub.example.com.", dns.TypeA, "do", "NOERROR / NS NS DS RRSIG / A A RRSIG AAAA RRSIG"},
		{"insecure delegation", "x.orphan.example.com.", dns.TypeA, "do", "NOERROR / NS NSEC RRSIG /"},
		{"ds at the parent", "sub.example.com.", dns.TypeDS, "do", "NOERROR DS RRSIG / /"},
		{"no ds at the parent", "orphan.example.com.", dns.TypeDS, "do", "NOERROR / SOA RRSIG NSEC RRSIG /"},
		{"ds of a zone held beside its parent", "child.example.com.", dns.TypeDS, "do", "NOERROR DS RRSIG / /"},
		{"ds of such a zone that the parent does not know", "grandchild.example.com.", dns.TypeDS, "do", "NOERROR DS RRSIG / /"},
		{"ds of an apex without its parent", "example.com.", dns.TypeDS, "do", "NOERROR / SOA RRSIG NSEC RRSIG /"},
		{"keys", "example.com.", dns.TypeDNSKEY, "do", "NOERROR DNSKEY RRSIG / /"},
		{"keys, plain", "namecast.example.", dns.TypeDNSKEY, "", "NOERROR DNSKEY / /"},
		{"cds", "example.com.", dns.TypeCDS, "do", "NOERROR CDS RRSIG / /"},
		{"nsec", "www.example.com.", dns.TypeNSEC, "do", "NOERROR NSEC RRSIG / /"},
		{"nsec of no such name", "no.example.com.", dns.TypeNSEC, "do", "NOERROR NSEC RRSIG / /"},
		{"nsec of no such name, plain", "no.example.com.", dns.TypeNSEC, "", "NXDOMAIN / SOA /"},
		{"rrsig", "alias.example.com.", dns.TypeRRSIG, "", "NOERROR RRSIG / /"},
		{"nxname", "www.example.com.", 128, "do", "FORMERR / /"},
		{"any", "mail.example.com.", dns.TypeANY, "do", "NOERROR A RRSIG / /"},
		{"referral's zone above stays silent of types", "sub.example.com.", dns.TypeNSEC, "do", "NOERROR / NS NS DS RRSIG / A A RRSIG AAAA RRSIG"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := world + "account eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\ndomain grandchild.example.com admin.example.net 3600\n"
			text = strings.Replace(text, "sub 300 DS", "orphan 300 NS ns.outside.test.\nsub 300 DS", 1)
			view := v
			if strings.Contains(c.question, "orphan") || strings.Contains(c.question, "grandchild") {
				view = testView(t, text)
			}
			got := shape(query(t, s, view, c.question, c.kind, c.flags))
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// shape is a message's code and the types in it, in order.
func shape(m *dns.Msg) string {
	out := dns.RcodeToString[m.Rcode]
	for i, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		if i > 0 {
			out += " /"
		}
		for _, r := range section {
			if k := r.Header().Rrtype; k != dns.TypeOPT {
				out += " " + dns.Type(k).String()
			}
		}
	}
	return out
}

func TestOwnersKeys(t *testing.T) {
	const extra = "@ 60 DNSKEY 257 3 13 AQIDBAUGBwg=\n"
	const ds = "12345 13 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"
	s := signedService(t, dnssec.Options{})
	account := "account " + alice + "\ndomain example.com admin.example.com 3600\n@ 300 A 192.0.2.1\n"
	for _, c := range []struct {
		name, records string
		kind          uint16
		want          []string // in the data, after the service's own
		own           bool     // the service's own is there
	}{
		{"alone", "", dns.TypeDNSKEY, nil, true},
		{"dnskey of another signer", extra, dns.TypeDNSKEY, []string{"257 3 13 AQIDBAUGBwg="}, true},
		{"cds of another signer", "@ 60 CDS " + ds + "\n", dns.TypeCDS, []string{ds}, true},
		{"the end, cds", "@ 60 CDS 0 0 0 00\n", dns.TypeCDS, []string{"0 0 0 00"}, false},
		{"the end, cdnskey of cds", "@ 60 CDS 0 0 0 00\n", dns.TypeCDNSKEY, []string{"0 3 0 AA=="}, false},
		{"the end, cds of cdnskey", "@ 60 CDNSKEY 0 3 0 AA==\n", dns.TypeCDS, []string{"0 0 0 00"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := testView(t, account+c.records)
			m := query(t, s, v, "example.com.", c.kind, "do")
			checker{t, s, v, map[string][]dns.RR{}}.check("example.com.", c.kind, m)
			var got []string
			for _, r := range m.Answer {
				if r.Header().Rrtype == c.kind {
					if r.Header().Ttl != dnssec.KeyTTL {
						t.Errorf("TTL of %v", r)
					}
					got = append(got, strings.TrimPrefix(r.String(), r.Header().String()))
				}
			}
			if c.own {
				got = got[1:]
			}
			if diff := cmp.Diff(c.want, got, cmp.Transformer("none", func(s []string) []string { return append([]string{}, s...) })); diff != "" && len(c.want)+len(got) > 0 {
				t.Errorf("(-want +got):\n%s", diff)
			}
			hidden := query(t, s, v, alice+".namecast.example.", c.kind, "do")
			if len(hidden.Answer) != 0 || strings.Contains(fmt.Sprint(hidden.Ns), dns.Type(c.kind).String()+" ") {
				t.Errorf("shows under the account's own name: %v", hidden)
			}
		})
	}
}

func TestNoSigner(t *testing.T) {
	s, v := testService(), testView(t, world)
	for _, q := range []struct {
		name string
		kind uint16
		want string
	}{
		{"no.example.com.", dns.TypeA, "NXDOMAIN / SOA /"},
		{"example.com.", dns.TypeDNSKEY, "NOERROR / SOA /"},
		{"example.com.", dns.TypeNSEC, "NOERROR / SOA /"},
		{"x.sub.example.com.", dns.TypeA, "NOERROR / NS NS / A A AAAA"},
		{"child.example.com.", dns.TypeDS, "NOERROR / SOA /"},
	} {
		m := query(t, s, v, q.name, q.kind, "do co")
		if got := shape(m); got != q.want || m.IsEdns0().Co() {
			t.Errorf("%s %s: got %s, want %s", q.name, dns.Type(q.kind), got, q.want)
		}
	}
}

// TestFloodOfDenials holds that made-up names use up only their own budget.
func TestFloodOfDenials(t *testing.T) {
	s, v := signedService(t, dnssec.Options{Rate: limit.Rate{N: 160, Per: time.Second}}), testView(t, world)
	var cut, failed int
	for i := range 300 {
		if m := query(t, s, v, fmt.Sprintf("n%d.example.com.", i), dns.TypeA, "do"); m.Truncated {
			cut++
			if len(m.Answer)+len(m.Ns) > 0 || m.Rcode != dns.RcodeSuccess {
				t.Fatalf("not empty: %v", m)
			}
		}
		if m := query(t, s, v, fmt.Sprintf("n%d.example.com.", i), dns.TypeA, "do tcp"); m.Rcode == dns.RcodeServerFailure {
			failed++
		}
	}
	if cut < 200 || failed < 200 {
		t.Errorf("%d answers cut, %d failed", cut, failed)
	}
	for _, q := range []struct {
		name string
		kind uint16
	}{{"www.example.com.", dns.TypeA}, {"example.com.", dns.TypeDNSKEY}, {"example.com.", dns.TypeSOA}, {"www.example.com.", dns.TypeTXT}, {"www.example.net.", dns.TypeA}} {
		m := query(t, s, v, q.name, q.kind, "do")
		if m.Truncated || m.Rcode != dns.RcodeSuccess {
			t.Errorf("%s %s starves: %v", q.name, dns.Type(q.kind), m)
		}
	}
	if m := query(t, s, v, "n299.example.com.", dns.TypeA, ""); m.Rcode != dns.RcodeNameError {
		t.Errorf("an unsigned answer costs nothing: %v", m)
	}
}

// TestFloodOfOneAccount holds that the accounts below the base domain do not pay
// for each other.
func TestFloodOfOneAccount(t *testing.T) {
	s, v := signedService(t, dnssec.Options{Rate: limit.Rate{N: 160, Per: time.Second}}), testView(t, world)
	for i := range 100 {
		query(t, s, v, fmt.Sprintf("n%d.%s.namecast.example.", i, alice), dns.TypeA, "do")
	}
	if m := query(t, s, v, fmt.Sprintf("last.%s.namecast.example.", alice), dns.TypeA, "do"); !m.Truncated {
		t.Errorf("the account has a budget without end: %v", m)
	}
	if m := query(t, s, v, fmt.Sprintf("first.%s.namecast.example.", bob), dns.TypeA, "do"); m.Truncated {
		t.Errorf("another account starves: %v", m)
	}
}

// TestSignedSizes holds the limit for each size, and that no RRset loses its
// signatures.
func TestSignedSizes(t *testing.T) {
	s, v := signedService(t, dnssec.Options{}), testView(t, world)
	names, kinds := questionsFor(300)
	c := checker{t, s, v, map[string][]dns.RR{}}
	for i, name := range names {
		for _, size := range []uint16{512, 600, 700, 1232} {
			q := new(dns.Msg)
			q.SetQuestion(name, kinds[i])
			q.SetEdns0(size, true)
			m, err := answer(s, v, q, true)
			if err != nil {
				t.Fatal(err)
			}
			wire, err := m.Pack()
			if err != nil || len(wire) > int(size) {
				t.Fatalf("%s %s: %d octets of %d, %v", name, dns.Type(kinds[i]), len(wire), size, err)
			}
			if kinds[i] != dns.TypeRRSIG && !m.Truncated && m.Rcode != dns.RcodeRefused {
				c.check(name, kinds[i], m)
			}
		}
	}
}

func BenchmarkSigned(b *testing.B) {
	v := testView(b, world)
	for _, c := range []struct {
		name, question string
		do             bool
	}{
		{"data plain", "www.example.com.", false}, {"data cached", "www.example.com.", true},
		{"denial plain", "no.example.com.", false}, {"denial cached", "no.example.com.", true}, {"denial new", "", true},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := signedService(b, dnssec.Options{})
			q := new(dns.Msg)
			q.SetQuestion(c.question, dns.TypeA)
			if c.do {
				q.SetEdns0(1232, true)
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if n++; c.question == "" {
					q.Question[0].Name = fmt.Sprintf("n%d.example.com.", n)
				}
				m, err := answer(s, v, q, true)
				if err != nil || m.Truncated {
					b.Fatal(err, m)
				}
			}
		})
	}
}
