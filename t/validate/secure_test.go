package validate

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"namecast/t/peers"
)

// records are those of the account that has one.test and two.test.
var records = `add @ 300 A 192.0.2.1
add @ 300 AAAA 2001:db8::1
add @ 300 MX 10 mail
add @ 300 TXT "apex"
add @ 300 CAA 0 issue "ca.example"
add www 300 A 192.0.2.2
add www 300 A 192.0.2.3
add Mixed 300 A 192.0.2.5
add mail 300 A 192.0.2.4
add mail 300 AAAA 2001:db8::4
add *.wild 300 A 192.0.2.6
add *.wild 300 TXT "wild"
add real.wild 300 A 192.0.2.7
add *.wcname 300 CNAME www.two.test.
add a.b.ent 300 A 192.0.2.8
add alias 300 CNAME www.one.test.
add chain 300 CNAME alias.two.test.
add dangling 300 CNAME nowhere.one.test.
add towild 300 CNAME x.wild.two.test.
add toplain 300 CNAME www.plain.test.
add old 300 DNAME new.two.test.
add host.new 300 A 192.0.2.9
add instead 300 ALIAS chain.two.test.
add plain 300 NS ns.plain.one.test.
add ns.plain 300 A 127.0.53.4
add safe 300 NS ns.safe.one.test.
add safe 300 DS 12345 13 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF
add ns.safe 300 A 127.0.53.4
add srv 300 SRV 1 2 3 Mail.One.TEST.
add naptr 300 NAPTR 100 50 "S" "SIP+D2U" "" _SIP._UDP.One.TEST.
add rp 300 RP A.One.TEST. B.One.TEST.
add https 300 HTTPS 1 . alpn=h2
add unknown 300 TYPE65280 \# 3 414243
add deep.under.many.labels.of.its.own 300 A 192.0.2.10
add ` + strings.Repeat(strings.Repeat("l", 60)+".", 3) + `long 300 A 192.0.2.11
add big 300 TXT ` + strings.Repeat(`"`+strings.Repeat("t", 200)+`" `, 20) + "\n"

// An expectation is how validators judge the answer to one question.
type expectation struct {
	name, kind string
	rcode      int
	insecure   bool // below an unsigned delegation
}

var expectations = []expectation{
	{name: "one.test", kind: "A"}, {name: "one.test", kind: "AAAA"}, {name: "one.test", kind: "MX"},
	{name: "one.test", kind: "TXT"}, {name: "one.test", kind: "SOA"}, {name: "one.test", kind: "NS"},
	{name: "one.test", kind: "DNSKEY"}, {name: "one.test", kind: "CDS"}, {name: "one.test", kind: "CDNSKEY"},
	{name: "one.test", kind: "CAA"}, {name: "one.test", kind: "DS"}, {name: "one.test", kind: "SRV"},
	{name: "two.test", kind: "A"}, {name: "two.test", kind: "DS"}, {name: "two.test", kind: "DNSKEY"},
	{name: base, kind: "SOA"}, {name: base, kind: "NS"}, {name: base, kind: "DNSKEY"}, {name: base, kind: "A"},
	{name: "ns1." + base, kind: "A"}, {name: "ns1." + base, kind: "AAAA"}, {name: "nobody." + base, kind: "A"},
	{name: "sub.one.test", kind: "DS"}, {name: "www.sub.one.test", kind: "A"}, {name: "no.sub.one.test", kind: "A"},
	{name: "www.one.test", kind: "A"}, {name: "WWW.One.Test", kind: "AAAA"}, {name: "mixed.one.test", kind: "A"},
	{name: "www.one.test", kind: "NSEC"}, {name: "no.one.test", kind: "NSEC"}, {name: "www.one.test", kind: "ANY"},
	{name: "x.wild.one.test", kind: "A"}, {name: "x.wild.one.test", kind: "TXT"}, {name: "x.wild.one.test", kind: "MX"},
	{name: "x.y.z.wild.one.test", kind: "A"}, {name: "*.wild.one.test", kind: "A"}, {name: "*.wild.one.test", kind: "MX"},
	{name: "real.wild.one.test", kind: "A"}, {name: "real.wild.one.test", kind: "TXT"}, {name: "x.real.wild.one.test", kind: "A"},
	{name: "x.wcname.one.test", kind: "A"}, {name: "x.wcname.one.test", kind: "MX"}, {name: "x.wcname.one.test", kind: "CNAME"},
	{name: "ent.one.test", kind: "A"}, {name: "b.ent.one.test", kind: "TXT"}, {name: "x.ent.one.test", kind: "A"},
	{name: "no.one.test", kind: "A"}, {name: "no.one.test", kind: "DS"}, {name: "a.b.c.no.one.test", kind: "MX"},
	{name: "no.one.test", kind: "ANY"}, {name: "ent.one.test", kind: "ANY"},
	{name: "alias.one.test", kind: "A"}, {name: "alias.one.test", kind: "MX"}, {name: "chain.one.test", kind: "A"},
	{name: "chain.one.test", kind: "CNAME"}, {name: "dangling.one.test", kind: "A"}, {name: "towild.one.test", kind: "A"},
	{name: "toplain.one.test", kind: "A", insecure: true},
	{name: "old.one.test", kind: "DNAME"}, {name: "host.old.one.test", kind: "A"}, {name: "no.old.one.test", kind: "A"},
	{name: "host.old.one.test", kind: "CNAME"}, {name: "old.one.test", kind: "A"},
	{name: "instead.one.test", kind: "A"}, {name: "instead.one.test", kind: "AAAA"}, {name: "instead.one.test", kind: "TXT"},
	{name: "plain.one.test", kind: "DS"}, {name: "www.plain.one.test", kind: "A", insecure: true},
	{name: "safe.one.test", kind: "DS"}, {name: "www.safe.one.test", kind: "A", rcode: dns.RcodeServerFailure},
	{name: "srv.one.test", kind: "SRV"}, {name: "naptr.one.test", kind: "NAPTR"}, {name: "rp.one.test", kind: "RP"},
	{name: "https.one.test", kind: "HTTPS"}, {name: "unknown.one.test", kind: "TYPE65280"},
	{name: "deep.under.many.labels.of.its.own.one.test", kind: "A"}, {name: "labels.of.its.own.one.test", kind: "A"},
	{name: strings.Repeat(strings.Repeat("l", 60)+".", 3) + "long.one.test", kind: "A"},
	{name: strings.Repeat("n", 50) + "." + strings.Repeat(strings.Repeat("l", 60)+".", 3) + "long.one.test", kind: "A"},
	{name: `\000\001.one.test`, kind: "A"}, {name: `a\.b.one.test`, kind: "A"}, {name: `*.one.test`, kind: "A"},
	{name: "big.one.test", kind: "TXT"}, {name: "big.one.test", kind: "A"},
	{name: "www.plain.test", kind: "A", insecure: true}, {name: "test", kind: "SOA"},
}

func typeOf(t testing.TB, kind string) uint16 {
	t.Helper()
	if kind == "TYPE65280" {
		return 65280
	}
	v, ok := dns.StringToType[kind]
	if !ok {
		t.Fatalf("no type %s", kind)
	}
	return v
}

func TestValidators(t *testing.T) {
	w := plant(t, "-rate-sign", "none")
	w.validate()
	t.Run("unbound", w.askUnbound)
	t.Run("delv", w.askDelv)
	t.Run("generated", w.generated)
	t.Run("tampered", w.tampered)
}

func (w *tree) askUnbound(t *testing.T) {
	for _, e := range expectations {
		if underDNAME(e.name, typeOf(t, e.kind)) {
			continue
		}
		a := w.Ask(e.name, typeOf(t, e.kind))
		secure := !e.insecure && e.rcode == dns.RcodeSuccess
		if a.Rcode != e.rcode || a.AuthenticatedData != secure {
			t.Errorf("%s %s: want %s, secure %t; got\n%v", e.name, e.kind, dns.RcodeToString[e.rcode], secure, a)
		}
	}
	if t.Failed() {
		t.Log(w.Resolver.Log())
	}
}

// underDNAME tells the questions that unbound 1.17 has wrong, whatever server
// answers: it wants a signature of the CNAME that a DNAME makes if the question
// is for either.
func underDNAME(name string, kind uint16) bool {
	return (kind == dns.TypeCNAME || kind == dns.TypeDNAME) && strings.Contains(name, ".old.")
}

// askDelv has delv validate, and an unbound without keys fetch what that needs.
func (w *tree) askDelv(t *testing.T) {
	program, err := exec.LookPath("delv")
	if err != nil {
		t.Skip("delv is not installed: validation with it skipped")
	}
	f := strings.Fields(w.anchor())
	anchors := filepath.Join(w.dir, "anchors")
	w.write(anchors, fmt.Sprintf("trust-anchors { . static-key %s %s %s %q; };\n", f[3], f[4], f[5], strings.Join(f[6:], "")))
	host, port, _ := strings.Cut(w.unbound().Addr, ":")
	for _, e := range expectations {
		if e.kind == "ANY" || e.rcode != dns.RcodeSuccess {
			continue // it does not take ANY for validation
		}
		out, _ := exec.Command(program, "@"+host, "-p", port, "-a", anchors, "+root=.", e.name, e.kind).CombinedOutput()
		want := "fully validated"
		if e.insecure {
			want = "unsigned answer"
		}
		if !strings.Contains(string(out), want) {
			t.Errorf("%s %s: want %q:\n%s", e.name, e.kind, want, out)
		}
	}
}

// generated asks for thousands of names near those there are.
func (w *tree) generated(t *testing.T) {
	const questions, askers = 4000, 8
	labels := []string{"www", "wild", "x.wild", "ent", "b.ent", "a.b.ent", "no", "alias", "chain", "dangling", "towild", "old",
		"host.old", "mail", "big", "srv", "wcname", "q.wcname", "@", "real.wild", "labels.of.its.own"}
	kinds := []uint16{dns.TypeA, dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeTXT, dns.TypeDS, dns.TypeSOA, dns.TypeCNAME, dns.TypeHTTPS, dns.TypeNS, dns.TypeDNSKEY}
	var all sync.WaitGroup
	for asker := range askers {
		all.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(asker)))
			for range questions / askers {
				name := labels[r.IntN(len(labels))] + "." + append(owned, base)[r.IntN(len(owned)+1)]
				name = strings.TrimPrefix(name, "@.")
				switch r.IntN(4) {
				case 0:
					name = fmt.Sprintf("n%d.%s", r.IntN(100000), name)
				case 1:
					name = fmt.Sprintf("*.%s", name)
				}
				kind := kinds[r.IntN(len(kinds))]
				if underDNAME(name, kind) {
					kind = dns.TypeA
				}
				m := new(dns.Msg)
				m.SetQuestion(dns.Fqdn(name), kind)
				m.SetEdns0(1232, true)
				a, _, err := (&dns.Client{Timeout: limit}).Exchange(m, w.Resolver.Addr)
				if err != nil || a.Rcode != dns.RcodeSuccess || !a.AuthenticatedData {
					t.Errorf("%s %s: %v\n%v", name, dns.Type(kind), err, a)
					return
				}
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.Log(w.Resolver.Log())
	}
}

// tampered changes answers on their way to unbound, for names that it has not
// asked for before.
func (w *tree) tampered(t *testing.T) {
	relay := w.Relays[peers.AtOne]
	defer relay.Rewrite(nil)
	for _, c := range []struct {
		what string
		ask  string
		do   func(a *dns.Msg)
	}{
		{"an address", "t1.wild.one.test", each(dns.TypeA, func(r dns.RR) { r.(*dns.A).A[15%len(r.(*dns.A).A)] ^= 1 })},
		{"a signature", "t2.wild.one.test", each(dns.TypeRRSIG, func(r dns.RR) { s := r.(*dns.RRSIG); s.Signature = "A" + s.Signature[1:] + "" })},
		{"the time of a signature", "t3.wild.one.test", each(dns.TypeRRSIG, func(r dns.RR) { r.(*dns.RRSIG).Expiration++ })},
		{"no signature", "t4.wild.one.test", func(a *dns.Msg) { a.Answer = without(a.Answer, dns.TypeRRSIG) }},
		{"another name's denial", "t5.one.test", func(a *dns.Msg) { rename(a.Ns, "t6.one.test.") }},
		{"a type in a denial", "t7.one.test", each(dns.TypeNSEC, func(r dns.RR) { n := r.(*dns.NSEC); n.TypeBitMap = append([]uint16{dns.TypeSRV}, n.TypeBitMap...) })},
		{"no denial", "t8.one.test", func(a *dns.Msg) { a.Ns = nil }},
		{"a denial of what is there", "t9.wild.one.test", func(a *dns.Msg) { a.Answer, a.Ns = nil, nil }},
		{"a made-up answer", "t10.one.test", func(a *dns.Msg) {
			a.Ns, a.Answer = nil, []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "t10.one.test.", Rrtype: dns.TypeA, Class: 1, Ttl: 60}, A: []byte{192, 0, 2, 200}}}
		}},
		{"an nxdomain for all", "t11.wild.one.test", func(a *dns.Msg) { a.Rcode, a.Answer = dns.RcodeNameError, nil }},
	} {
		relay.Rewrite(func(q, a *dns.Msg) {
			if strings.EqualFold(q.Question[0].Name, dns.Fqdn(c.ask)) {
				c.do(a)
			}
		})
		if a := w.Ask(c.ask, dns.TypeA); a.Rcode != dns.RcodeServerFailure {
			t.Errorf("%s: want SERVFAIL, got\n%v", c.what, a)
		}
	}
}

// each makes a change of all records of a type.
func each(kind uint16, change func(dns.RR)) func(*dns.Msg) {
	return func(a *dns.Msg) {
		for _, r := range append(append([]dns.RR(nil), a.Answer...), a.Ns...) {
			if r.Header().Rrtype == kind {
				change(r)
			}
		}
	}
}

func without(section []dns.RR, kind uint16) (out []dns.RR) {
	for _, r := range section {
		if r.Header().Rrtype != kind {
			out = append(out, r)
		}
	}
	return out
}

// rename gives the NSEC of a section, and its signature, another owner.
func rename(section []dns.RR, owner string) {
	for _, r := range section {
		if sig, is := r.(*dns.RRSIG); r.Header().Rrtype == dns.TypeNSEC || is && sig.TypeCovered == dns.TypeNSEC {
			r.Header().Name = owner
		}
	}
}
