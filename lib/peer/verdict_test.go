package peer

import (
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
)

// signedUntil is a verdict with bounds.
func signedUntil(until time.Duration, ttl uint32) Verdict {
	return Verdict{Verdict: keep.Verdict{State: packet.Secure, Until: until, MaxTTL: ttl}}
}

// withSignature adds a signature to a response; what stands in it does not matter here.
func withSignature(t testing.TB, q Question, msg []byte) []byte {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(msg); err != nil {
		t.Fatal(err)
	}
	sig := &dns.RRSIG{
		Hdr:         dns.RR_Header{Name: q.Name.FQDN(), Rrtype: dns.TypeRRSIG, Class: dns.ClassINET, Ttl: 3600},
		TypeCovered: q.Type, Algorithm: dns.ED25519, Labels: uint8(q.Name.Count()), SignerName: "example.", Signature: "AAAA",
	}
	if len(m.Answer) > 0 {
		m.Answer = append(m.Answer, sig)
	} else {
		sig.TypeCovered = dns.TypeNSEC
		m.Ns = append(m.Ns, &dns.NSEC{
			Hdr: dns.RR_Header{Name: q.Name.FQDN(), Rrtype: dns.TypeNSEC, Class: dns.ClassINET, Ttl: 3600}, NextDomain: "z.example.", TypeBitMap: []uint16{dns.TypeNS},
		}, sig)
		m.Rcode = dns.RcodeSuccess
	}
	return pack(m)
}

// signedKeys answers a question for keys; they are of no use.
func signedKeys(t testing.TB, q Question) []byte {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(response(q, 60)); err != nil {
		t.Fatal(err)
	}
	m.Rcode, m.Ns = dns.RcodeSuccess, nil
	m.Answer = []dns.RR{&dns.DNSKEY{
		Hdr:   dns.RR_Header{Name: q.Name.FQDN(), Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 60},
		Flags: dns.ZONE, Protocol: 3, Algorithm: dns.ED25519, PublicKey: "AAAA",
	}}
	return withSignature(t, q, pack(m))
}

// TestNoMoreThanTheSignedTTL: an answer lasts no longer than the TTL that was signed, which
// the one in the message may exceed.
func TestNoMoreThanTheSignedTTL(t *testing.T) {
	g := newRig(t, Options{Validate: true})
	q := a("www.example")
	g.ask(q)
	f := g.fetch()
	g.step(Fetched{Req: f.Req, Msg: response(f.Question, 3600, "192.0.2.1"), Verdict: signedUntil(g.now+time.Hour, 20)})
	if r := g.reply(); !r.Secure || r.MaxTTL != 20 {
		t.Fatalf("first reply %+v", r)
	}
	g.wait(15 * time.Second)
	g.ask(q)
	if r := g.reply(); !r.Secure || r.By != ByCache || r.MaxTTL != 5 {
		t.Fatalf("reply of the cache %+v", r)
	}
	g.wait(5 * time.Second)
	g.ask(q)
	g.fetch() // it is not fresh any more
}

// TestSecureEndsWithItsSignature: what is kept is not called secure any more when its
// signature has ended, neither to clients nor to members; but it is given still.
func TestSecureEndsWithItsSignature(t *testing.T) {
	ring := ringOf(0, 2)
	g := newRig(t, Options{Ring: ring, Validate: true})
	q := a("www.example")
	g.ask(q)
	f := g.fetch()
	end := g.now + 10*time.Minute
	g.step(Fetched{Req: f.Req, Msg: response(f.Question, 300, "192.0.2.1"), Verdict: signedUntil(end, 3600)})
	g.reply()
	told := func() packet.State {
		t.Helper()
		g.sends = nil
		g.step(Received{From: id(1), ID: 9, Body: &packet.Ask{Name: q.Name, Type: q.Type, DO: true, Net: 7}})
		for _, s := range g.sends {
			if a, ok := s.Body.(*packet.Answer); ok && a.Record != nil {
				return a.Record.State
			}
		}
		t.Fatalf("told nothing: %+v", g.sends)
		return 0
	}
	g.down()
	g.now = end - 10*time.Second
	g.ask(q)
	if r := g.reply(); r.By != ByStale || !r.Secure || r.MaxTTL > staleTTL {
		t.Errorf("stale, its signature holds: %+v", r)
	}
	if s := told(); s != packet.Secure {
		t.Errorf("told as %v", s)
	}
	g.now = end
	g.n.pulsed = g.now
	g.ask(q)
	g.wait(20 * time.Millisecond)
	if r := g.reply(); r.By != ByStale || r.Secure || address(t, r) != "192.0.2.1" {
		t.Errorf("its signature has ended: %+v", r)
	}
	if s := told(); s != packet.Unknown {
		t.Errorf("told as %v", s)
	}
}

// TestFreshnessEndsWithTheSignature: an answer is not fresh for longer than its signature.
func TestFreshnessEndsWithTheSignature(t *testing.T) {
	g := newRig(t, Options{Validate: true})
	q := a("www.example")
	g.ask(q)
	f := g.fetch()
	g.step(Fetched{Req: f.Req, Msg: response(f.Question, 3600, "192.0.2.1"), Verdict: signedUntil(g.now+time.Minute, 3600)})
	if r := g.reply(); r.MaxTTL != 60 {
		t.Fatalf("reply %+v", r)
	}
	g.wait(time.Minute)
	g.ask(q)
	g.fetch()
}

// TestLackOfKeysIsNoLie: a member whose answers cannot be judged here, since keys are not to
// be had in an outage or signatures have ended meanwhile, is not believed, and stays
// trusted.
func TestLackOfKeysIsNoLie(t *testing.T) {
	for _, c := range []struct {
		name    string
		verdict Verdict
		least   float64
		most    float64
	}{
		{"not to be judged", Verdict{Bogus: true, Doubt: true, Text: "no keys"}, 1, 1},
		{"forged", Verdict{Bogus: true}, 0, 0.6},
	} {
		ring := ringOf(0, 2)
		g := newRig(t, Options{Ring: ring, Validate: true})
		g.down()
		for i := range 6 {
			q := a("n" + string(rune('a'+i)) + ".example")
			g.n.pulsed = g.now
			g.ask(q)
			for _, s := range g.asks() {
				q.DO = true
				g.have(s, id(1), id(1), 0, withSignature(t, q, response(q, 60, "192.0.2.1")))
			}
			for _, ch := range g.checks {
				g.step(Validated{Req: ch.Req, Verdict: c.verdict})
			}
			g.checks = nil
			g.wait(3 * time.Second)
			if r := g.reply(); r.Msg != nil {
				t.Fatalf("%s: reply %+v", c.name, r)
			}
		}
		if s := g.n.Trust(id(1)); s < c.least || s > c.most {
			t.Errorf("%s: trust %.2f", c.name, s)
		}
	}
}

// TestRefusedByOneServer: an answer that the own validation refuses is not the end while
// there is another server; if they all give such, the client learns why.
func TestRefusedByOneServer(t *testing.T) {
	for _, both := range []bool{false, true} {
		g := newRig(t, Options{Validate: true})
		g.step(Network{Net: 7, Servers: 2})
		q := a("www.example")
		g.ask(q)
		f := g.fetch()
		bad := Verdict{Bogus: true, EDE: int(dns.ExtendedErrorCodeRRSIGsMissing), Text: "not signed"}
		g.step(Fetched{Req: f.Req, Msg: response(f.Question, 60, "198.51.100.66"), Verdict: bad})
		g.silent()
		second := g.fetch()
		if second.Server == f.Server {
			t.Fatalf("the same server is asked again: %+v", second)
		}
		v := stated(packet.Secure)
		if both {
			v = bad
		}
		g.step(Fetched{Req: second.Req, Msg: response(f.Question, 60, "192.0.2.1"), Verdict: v})
		r := g.reply()
		if both && (r.Msg != nil || r.EDE != bad.EDE || r.Rcode != dns.RcodeServerFailure) {
			t.Errorf("both refused: %+v", r)
		}
		if !both && (address(t, r) != "192.0.2.1" || !r.Secure) {
			t.Errorf("one refused: %+v", r)
		}
	}
}

// keysOf is the question for the keys of a zone, as the own validation asks.
func keysOf(zone string) Question {
	q := a(zone)
	q.Type, q.DO, q.CD = typeDNSKEY, true, true
	return q
}

// TestBlindServer: a server that gives no signatures is as good as down for who validates:
// another is asked in its place, also for what it has answered already. When it gives
// them it is used again.
func TestBlindServer(t *testing.T) {
	g := newRig(t, Options{Validate: true})
	g.step(Network{Net: 7, Servers: 2})
	q := a("www.example")
	g.ask(q)
	f := g.fetch()
	keys := keysOf("example")
	keyID := g.ask(keys) // while the answer of before is judged
	k := g.fetch()
	if k.Server != f.Server {
		t.Fatalf("servers %d and %d", f.Server, k.Server)
	}
	g.step(Fetched{Req: k.Req, Msg: response(keys, 60), Unsigned: true})
	if s := g.n.Servers()[k.Server]; s.State != packet.Down || !s.Blind {
		t.Fatalf("server %+v", s)
	}
	other := g.fetch()
	if other.Server == k.Server || other.Type != typeDNSKEY {
		t.Fatalf("fetch %+v", other)
	}
	g.step(Fetched{Req: other.Req, Msg: signedKeys(t, keys)})
	if r := g.reply(); r.ID != keyID || r.Msg == nil {
		t.Fatalf("reply %+v", r)
	}
	g.step(Fetched{Req: f.Req, Msg: response(f.Question, 60, "192.0.2.1"), Verdict: Verdict{Bogus: true}})
	second := g.fetch()
	if second.Server == f.Server {
		t.Fatalf("fetch %+v", second)
	}
	g.step(Fetched{Req: second.Req, Msg: response(f.Question, 60, "192.0.2.1"), Verdict: stated(packet.Secure)})
	if r := g.reply(); !r.Secure {
		t.Fatalf("reply %+v", r)
	}
	g.probes = nil
	signs := false
	for k := 0; g.n.Servers()[f.Server].State != packet.Healthy; k++ {
		if k > 400 {
			t.Fatalf("server %+v", g.n.Servers()[f.Server])
		}
		g.wait(50 * time.Millisecond)
		probes := g.probes
		g.probes = nil
		for _, p := range probes {
			switch {
			case !signs && p.Question != keys:
				t.Fatalf("probed with %+v", p)
			case !signs:
				g.step(Fetched{Req: p.Req, Msg: response(keys, 60), Unsigned: true})
			case p.Type == typeDNSKEY:
				g.step(Fetched{Req: p.Req, Msg: signedKeys(t, keys)})
			default:
				g.step(Fetched{Req: p.Req, Msg: response(p.Question, 60)})
			}
			if s := g.n.Servers()[f.Server]; !signs && (s.State != packet.Down || !s.Blind) {
				t.Fatalf("it gives none still: %+v", s)
			}
			signs = true
		}
	}
}

// TestOnlyBlindServers: if no server gives signatures, questions go on up the ladder to
// members, as without servers.
func TestOnlyBlindServers(t *testing.T) {
	ring := ringOf(0, 5)
	g := newRig(t, Options{Ring: ring, Validate: true})
	q := strange(t, ring)
	g.ask(q)
	f := g.fetch()
	keys := keysOf("example")
	g.ask(keys)
	k := g.fetch()
	g.sends = nil
	g.step(Fetched{Req: k.Req, Msg: response(keys, 60), Unsigned: true})
	g.step(Fetched{Req: f.Req, Msg: response(f.Question, 60, "192.0.2.1"), Verdict: Verdict{Bogus: true}})
	g.silent()
	some := 0
	for _, s := range g.asks() {
		if b, ok := s.Body.(*packet.Ask); ok && b.Name == q.Name {
			some++
		}
	}
	if some == 0 {
		t.Fatal("no member was asked")
	}
}

// TestProofOfNoKeysLasts: that a zone has no keys, which is what lets its names be judged,
// is given in an outage for as long as keys are, to the own validation and to members.
func TestProofOfNoKeysLasts(t *testing.T) {
	ring := ringOf(0, 2)
	g := newRig(t, Options{Ring: ring, Validate: true})
	q := a("plain.example")
	q.Type, q.DO, q.CD = typeDS, true, true
	g.ask(q)
	g.step(Fetched{Req: g.fetch().Req, Msg: withSignature(t, q, response(q, 60))})
	g.reply()
	other := a("gone.example")
	g.ask(other)
	f := g.fetch()
	g.step(Fetched{Req: f.Req, Msg: response(f.Question, 60), Verdict: stated(packet.Insecure)})
	g.reply()
	g.wait(time.Minute)
	g.down()
	g.wait(10 * time.Hour)
	g.n.pulsed = g.now
	g.replies, g.sends, g.fetches = nil, nil, nil
	g.ask(q)
	g.wait(time.Second)
	if r := g.reply(); r.Msg == nil || r.By != ByStale {
		t.Errorf("the own validation gets %+v", r)
	}
	g.sends = nil
	g.step(Received{From: id(1), ID: 9, Body: &packet.Ask{Name: q.Name, Type: q.Type, DO: true, Net: 7}})
	if len(g.sends) != 1 || g.sends[0].Body.(*packet.Answer).Record == nil {
		t.Errorf("members get %+v", g.sends)
	}
	g.n.pulsed = g.now
	g.fetches = nil
	g.ask(other)
	g.wait(3 * time.Second)
	if r := g.reply(); r.Msg != nil {
		t.Errorf("that a name is not there was true hours ago: %+v", r)
	}
}

// TestKeysComeFromMembers: in an outage the own validation gets keys that only members
// have, and they are believed as far as they are right, which it sees for itself.
func TestKeysComeFromMembers(t *testing.T) {
	ring := ringOf(0, 5)
	g := newRig(t, Options{Ring: ring, Validate: true})
	g.down()
	keys := keysOf("example")
	g.ask(keys)
	asks := g.asks()
	if len(asks) == 0 {
		t.Fatal("nobody is asked")
	}
	g.have(asks[0], asks[0].To, asks[0].To, time.Hour, signedKeys(t, keys))
	g.wait(time.Second)
	if r := g.reply(); r.Msg == nil || len(g.checks) != 0 {
		t.Fatalf("reply %+v, checks %+v", r, g.checks)
	}
}

// TestKeysDespiteErrors: while a server answers questions for keys with errors, those that
// are kept are taken, or what else it says could not be judged.
func TestKeysDespiteErrors(t *testing.T) {
	g := newRig(t, Options{Validate: true})
	keys := keysOf("example")
	g.ask(keys)
	g.step(Fetched{Req: g.fetch().Req, Msg: signedKeys(t, keys)})
	g.reply()
	g.wait(time.Hour)
	g.fetches, g.probes = nil, nil
	g.ask(keys)
	g.step(Fetched{Req: g.fetch().Req, Msg: failed(keys, dns.RcodeServerFailure)})
	g.wait(20 * time.Millisecond)
	if r := g.reply(); r.Msg == nil || r.By != ByStale {
		t.Fatalf("reply %+v", r)
	}
	g.ask(keys)
	if r := g.reply(); r.Msg == nil || r.By != ByStale {
		t.Fatalf("second reply %+v", r)
	}
}

// TestJudgingIsNotTheServersTime: what the own validation takes is not held against a server.
func TestJudgingIsNotTheServersTime(t *testing.T) {
	g := newRig(t, Options{Validate: true})
	g.ask(a("www.example"))
	f := g.fetch()
	g.now += 100 * time.Millisecond
	g.step(Fetched{Req: f.Req, Msg: response(f.Question, 60, "192.0.2.1"), Judging: 90 * time.Millisecond})
	if m := g.n.Servers()[0].Median; m != 10*time.Millisecond {
		t.Errorf("%v", m)
	}
}
