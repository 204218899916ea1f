package peer

import (
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer/packet"
)

// Alone it is a forwarder with a cache: asked once, then answered from memory, TTLs
// running, and asked again when they have run out (I12).
func TestAloneItIsACachingForwarder(t *testing.T) {
	g := newRig(t, Options{})
	q := a("www.example")
	g.ask(q)
	f := g.fetch()
	if f.Question != q || f.Server != 0 || f.Probe {
		t.Fatalf("fetch %+v", f)
	}
	msg := response(q, 60, "192.0.2.1")
	g.step(Fetched{Req: f.Req, Msg: msg})
	if r := g.reply(); string(r.Msg) != string(msg) || r.By != ByUpstream || r.EDE != edeNone || r.Age != 0 || r.MaxTTL != 0 {
		t.Fatalf("reply %+v", r)
	}
	g.wait(59 * time.Second)
	g.ask(q)
	if r := g.reply(); string(r.Msg) != string(msg) || r.By != ByCache || r.EDE != edeNone || r.Age != 59*time.Second {
		t.Fatalf("reply %+v", r)
	}
	g.wait(time.Second)
	g.ask(q)
	g.silent()
	g.fetch()
	if len(g.sends) != 0 {
		t.Fatalf("there is nobody to send to: %+v", g.sends)
	}
}

// All who ask the same wait for one question to the server.
func TestSingleFlight(t *testing.T) {
	g := newRig(t, Options{})
	for range 5 {
		g.ask(a("www.example"))
	}
	f := g.fetch()
	g.step(Fetched{Req: f.Req, Msg: response(f.Question, 60, "192.0.2.1")})
	if len(g.replies) != 5 {
		t.Fatalf("%d replies, want 5", len(g.replies))
	}
}

// A server that falls silent is found out by a question it has the answer to at hand:
// the first known name is answered stale within 100 ms, and an unknown one fails within
// half a second.
func TestSilentDeath(t *testing.T) {
	g := newRig(t, Options{})
	for range 5 {
		g.learn(a("warm.example"), 0, "192.0.2.9")
	}
	q := a("www.example")
	g.learn(q, 10, "192.0.2.1")
	g.wait(20 * time.Second)
	g.ask(q)
	g.wait(95 * time.Millisecond)
	r := g.reply()
	if r.By != ByStale || r.EDE != edeStale || r.MaxTTL != suspectTTL || address(t, r) != "192.0.2.1" || !strings.Contains(r.Text, "own copy, age 20s") {
		t.Fatalf("reply %+v", r)
	}
	g.ask(a("new.example"))
	g.wait(400 * time.Millisecond)
	if r := g.reply(); r.Rcode != dns.RcodeServerFailure || r.EDE != edeUnreachable || r.By != ByNobody {
		t.Fatalf("reply %+v", r)
	}
	if s, _ := g.n.Upstream(); s != packet.Down {
		t.Fatalf("the server is %s", s)
	}
	// From now on there is no waiting.
	g.ask(q)
	if r := g.reply(); r.By != ByStale || r.MaxTTL != staleTTL {
		t.Fatalf("reply %+v", r)
	}
	g.ask(a("new.example"))
	if r := g.reply(); r.Rcode != dns.RcodeServerFailure {
		t.Fatalf("reply %+v", r)
	}
}

// Stale answers have bounds while the servers are down: 7 days for what there is, one hour
// for what there is not.
func TestStaleBounds(t *testing.T) {
	g := newRig(t, Options{})
	q, none := a("www.example"), a("none.example")
	g.learn(q, 60, "192.0.2.1")
	g.learn(none, 60)
	g.wait(30 * time.Minute)
	g.down()
	g.ask(none)
	if r := g.reply(); r.By != ByStale || r.EDE != edeStaleName {
		t.Fatalf("reply %+v", r)
	}
	g.wait(time.Hour)
	g.ask(none)
	g.wait(time.Second)
	if r := g.reply(); r.Rcode != dns.RcodeServerFailure {
		t.Fatalf("reply %+v", r)
	}
	g.wait(166 * time.Hour)
	g.ask(q)
	if r := g.reply(); r.By != ByStale {
		t.Fatalf("reply %+v", r)
	}
	g.wait(time.Hour)
	g.ask(q)
	g.wait(time.Second)
	if r := g.reply(); r.Rcode != dns.RcodeServerFailure {
		t.Fatalf("older than 7 days: %+v", r)
	}
}

// While a server lives, a day past its time is too old; what is older is kept for when
// none does.
func TestStaleBoundBesideLivingServers(t *testing.T) {
	g := newRig(t, Options{})
	q := a("www.example")
	g.learn(q, 60, "192.0.2.1")
	g.wait(time.Minute + staleLiving)
	if g.n.own(q) == nil {
		t.Fatal("a day past its time it is too old")
	}
	g.wait(time.Second)
	if o := g.n.own(q); o != nil {
		t.Fatalf("more than a day past its time: %+v", o)
	}
	g.down()
	g.ask(q)
	if r := g.reply(); r.By != ByStale || address(t, r) != "192.0.2.1" {
		t.Fatalf("reply %+v", r)
	}
}

// The bound holds from the very second on, whether the cache was swept or not.
func TestStaleBoundIsExact(t *testing.T) {
	for _, c := range []struct {
		after time.Duration
		given bool
	}{{7*24*time.Hour + time.Minute, true}, {7*24*time.Hour + time.Minute + time.Second, false}} {
		g := newRig(t, Options{})
		q := a("www.example")
		g.learn(q, 60, "192.0.2.1")
		g.down()
		g.now = time.Hour + c.after
		if own := g.n.own(q); own == nil {
			t.Fatal("not kept")
		}
		g.ask(q)
		if r := g.reply(); (r.Msg != nil) != c.given {
			t.Errorf("after %s: %+v", c.after, r)
		}
	}
}

// Before a portal everything is passed through and nothing kept, given or shared.
func TestCaptive(t *testing.T) {
	g := newRig(t, Options{Ring: ringOf(0, 5)})
	g.step(Network{Net: 9, Servers: 1, New: true})
	portal := func(ps []Fetch) {
		for _, p := range ps {
			g.step(Fetched{Req: p.Req, Msg: response(p.Question, 60, "198.51.100.1")})
		}
	}
	ps := g.probes
	g.probes = nil
	portal(ps)
	q := a("www.example")
	for range 2 {
		g.ask(q)
		g.step(Fetched{Req: g.fetch().Req, Msg: response(q, 60, "198.51.100.1")})
		if r := g.reply(); r.By != ByUpstream {
			t.Fatalf("reply %+v", r)
		}
	}
	g.wait(time.Second)
	if s, _ := g.n.Upstream(); s != packet.Captive || len(g.sends) != 0 || g.n.Kept().Entries != 0 {
		t.Fatalf("%s, sends %+v, kept %+v", s, g.sends, g.n.Kept())
	}
	// The user has signed in.
	g.probes = nil
	g.wait(10 * time.Second)
	ps = g.probes[len(g.probes)-2:]
	g.probes = nil
	ns := new(dns.Msg)
	ns.SetQuestion(".", dns.TypeNS)
	ns.Response = true
	ns.Answer = []dns.RR{&dns.NS{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeNS, Class: 1, Ttl: 60}, Ns: "a.root-servers.net."}}
	g.step(Fetched{Req: ps[0].Req, Msg: pack(ns)})
	g.step(Fetched{Req: ps[1].Req, Msg: response(ps[1].Question, 60)})
	if s, _ := g.n.Upstream(); s != packet.Healthy {
		t.Fatalf("the server is %s", s)
	}
}

// What was learned in one network is not known in another (I9), and is again when the
// machine comes back.
func TestNetworksAreApart(t *testing.T) {
	g := newRig(t, Options{})
	q := a("www.example")
	g.learn(q, 3600, "192.0.2.1")
	g.step(Network{Net: 8, Servers: 1})
	g.ask(q)
	g.silent()
	// The network changes back before the answer comes: the question is put again.
	old := g.fetch()
	g.step(Network{Net: 7, Servers: 1})
	if r := g.reply(); r.By != ByCache || address(t, r) != "192.0.2.1" {
		t.Fatalf("reply %+v", r)
	}
	g.fetches = nil
	g.wait(2 * time.Second)
	if len(g.fetches) > 0 {
		t.Fatalf("what was begun in another network goes on: %+v", g.fetches)
	}
	g.step(Fetched{Req: old.Req, Msg: response(q, 3600, "192.0.2.66")})
	g.ask(q)
	if r := g.reply(); address(t, r) != "192.0.2.1" {
		t.Fatalf("reply %+v", r)
	}
}

// What the own validation refuses is not given, not kept and not told (I7); a client that
// validates itself gets it.
func TestBogus(t *testing.T) {
	g := newRig(t, Options{Validate: true, Ring: ringOf(0, 5)})
	q := a("www.example")
	g.ask(q)
	f := g.fetch()
	if !f.DO {
		t.Fatalf("fetch without DO: %+v", f)
	}
	g.step(Fetched{Req: f.Req, Msg: response(f.Question, 60, "192.0.2.1"), Verdict: Verdict{Bogus: true}})
	if r := g.reply(); r.Rcode != dns.RcodeServerFailure || r.Msg != nil || r.EDE != edeBogus {
		t.Fatalf("reply %+v", r)
	}
	q.CD = true
	g.ask(q)
	f = g.fetch()
	g.step(Fetched{Req: f.Req, Msg: response(f.Question, 60, "192.0.2.1")})
	if r := g.reply(); address(t, r) != "192.0.2.1" || r.Secure {
		t.Fatalf("reply %+v", r)
	}
	q.CD = false
	g.ask(q) // soon after, nobody is asked again (RFC 9520)
	if r := g.reply(); r.Msg != nil || r.EDE != edeBogus || len(g.fetches) != 0 {
		t.Fatalf("reply %+v, fetches %+v", r, g.fetches)
	}
	g.wait(time.Second)
	g.ask(q)
	g.silent()
	g.wait(time.Second)
	for _, s := range g.sends {
		if _, ok := s.Body.(*packet.Put); ok {
			t.Fatalf("it was given to owners: %+v", s)
		}
	}
}
