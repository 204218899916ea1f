package peer

import (
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer/packet"
)

// An error of the server is passed on as it is, and for a second it is not asked again.
func TestServerErrorIsPassedOn(t *testing.T) {
	g := newRig(t, Options{})
	q := a("broken.example")
	for _, wait := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		g.ask(q)
		msg := failed(q, dns.RcodeServerFailure)
		g.step(Fetched{Req: g.fetch().Req, Msg: msg})
		if r := g.reply(); string(r.Msg) != string(msg) || r.EDE != edeNone {
			t.Fatalf("reply %+v", r)
		}
		g.wait(wait - 10*time.Millisecond)
		g.ask(q)
		if r := g.reply(); string(r.Msg) != string(msg) || r.EDE != edeCached {
			t.Fatalf("reply %+v", r)
		}
		g.wait(20 * time.Millisecond)
	}
}

// An error that says that who knows cannot be reached is worse than something stale
// (RFC 8767); one that says that the answer is bogus is not.
func TestUnreachableAuthority(t *testing.T) {
	g := newRig(t, Options{})
	q := a("www.example")
	say := func(code uint16) []byte {
		m := new(dns.Msg)
		m.SetQuestion(q.Name.FQDN(), q.Type)
		m.Response, m.Rcode = true, dns.RcodeServerFailure
		m.SetEdns0(1232, false)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: code}}
		return pack(m)
	}
	g.ask(q)
	g.step(Fetched{Req: g.fetch().Req, Msg: say(22)})
	if r := g.reply(); r.By != ByUpstream || r.Rcode != dns.RcodeServerFailure {
		t.Fatalf("reply %+v", r)
	}
	g.wait(2 * time.Second)
	g.learn(q, 10, "192.0.2.1")
	g.wait(time.Minute)
	for range 2 {
		g.ask(q)
		for _, f := range g.fetches {
			g.step(Fetched{Req: f.Req, Msg: say(22)})
		}
		g.fetches = nil
		if r := g.reply(); r.By != ByStale || r.MaxTTL != suspectTTL {
			t.Fatalf("reply %+v", r)
		}
	}
	g.wait(2 * time.Second)
	g.ask(q)
	g.step(Fetched{Req: g.fetch().Req, Msg: say(6)})
	if r := g.reply(); r.By != ByUpstream || r.Rcode != dns.RcodeServerFailure {
		t.Fatalf("reply %+v", r)
	}
}

// A name of which a living server says nothing at all fails after five seconds, and is
// not asked again at once (RFC 9520); if there is something stale, that is given then
// without waiting again.
func TestNameWithoutAnswer(t *testing.T) {
	g := newRig(t, Options{})
	q, old := a("dead.example"), a("old.example")
	g.learn(old, 10, "192.0.2.1")
	g.wait(time.Minute)
	g.ask(q)
	g.ask(old)
	for range 510 {
		g.wait(10 * time.Millisecond)
		for _, p := range g.probes {
			g.step(Fetched{Req: p.Req, Msg: response(p.Question, 60)})
		}
		g.probes = nil
	}
	if len(g.replies) != 2 || g.replies[0].By != ByStale || g.replies[1].By != ByNobody {
		t.Fatalf("replies %+v", g.replies)
	}
	g.replies, g.fetches = nil, nil
	g.ask(old)
	if r := g.reply(); r.By != ByStale || len(g.fetches) > 0 {
		t.Fatalf("reply %+v", r)
	}
	g.wait(time.Second)
	g.ask(old)
	g.silent()
	g.fetch()
}

// With two servers, the second is asked when the first says an error, or nothing.
func TestNextServer(t *testing.T) {
	g := newRig(t, Options{})
	g.step(Network{Net: 7, Servers: 2})
	q := a("www.example")
	g.ask(q)
	f := g.fetch()
	g.step(Fetched{Req: f.Req, Msg: failed(q, dns.RcodeRefused)})
	second := g.fetch()
	if second.Server == f.Server {
		t.Fatalf("the same server is asked again")
	}
	g.step(Fetched{Req: second.Req, Msg: response(q, 60, "192.0.2.1")})
	g.reply()

	g.ask(a("two.example"))
	g.fetch()
	g.wait(450 * time.Millisecond)
	if f := g.fetch(); f.Server != 1 {
		t.Fatalf("server %d is asked, want the other", f.Server)
	}
}

// A member that finds its servers down makes this node look at its own, and no more.
func TestHint(t *testing.T) {
	g := newRig(t, Options{Ring: ringOf(0, 3)})
	g.step(Hint{})
	g.step(Hint{})
	if len(g.probes) != 1 {
		t.Fatalf("probes %+v", g.probes)
	}
	g.step(Fetched{Req: g.probes[0].Req, Msg: response(g.probes[0].Question, 60)})
	g.wait(time.Second)
	if s, _ := g.n.Upstream(); s != packet.Healthy {
		t.Fatalf("the server is %s", s)
	}
	g.step(Hint{})
	g.wait(time.Second)
	if s, _ := g.n.Upstream(); s != packet.Down {
		t.Fatalf("the server is %s", s)
	}
}

// A server that is slow but answers what it has at hand is healthy, and nothing stale is
// given before S.
func TestSlowIsNotDead(t *testing.T) {
	g := newRig(t, Options{})
	q := a("www.example")
	g.learn(q, 10, "192.0.2.1")
	g.wait(20 * time.Second)
	g.ask(q)
	f := g.fetch()
	for range 48 {
		g.wait(10 * time.Millisecond)
		for _, p := range g.probes {
			g.step(Fetched{Req: p.Req, Msg: response(p.Question, 60, "192.0.2.7")})
		}
		g.probes = nil
	}
	g.silent()
	g.step(Fetched{Req: f.Req, Msg: response(q, 10, "192.0.2.2")})
	if r := g.reply(); r.By != ByUpstream || address(t, r) != "192.0.2.2" {
		t.Fatalf("reply %+v", r)
	}
	if s, _ := g.n.Upstream(); s != packet.Healthy {
		t.Fatalf("the server is %s", s)
	}
}

// Two refusals are enough, and no time passes.
func TestRefusedDeath(t *testing.T) {
	g := newRig(t, Options{})
	q := a("www.example")
	g.learn(q, 10, "192.0.2.1")
	g.wait(20 * time.Second)
	g.ask(q)
	g.step(Fetched{Req: g.fetches[0].Req, Failure: Unreachable})
	g.step(Fetched{Req: g.fetches[1].Req, Failure: Unreachable})
	if r := g.reply(); r.By != ByStale {
		t.Fatalf("reply %+v", r)
	}
	if s, _ := g.n.Upstream(); s != packet.Down {
		t.Fatalf("the server is %s", s)
	}
}

// Two questions lost in one silence are one silence: the second must begin after the
// first was noticed.
func TestOneSilenceCountsOnce(t *testing.T) {
	g := newRig(t, Options{NoProbes: true})
	g.ask(a("one.example"))
	g.wait(100 * time.Millisecond)
	g.ask(a("two.example"))
	g.wait(450 * time.Millisecond)
	if s, _ := g.n.Upstream(); s != packet.Suspect {
		t.Fatalf("the server is %s", s)
	}
	g.wait(300 * time.Millisecond)
	if s, _ := g.n.Upstream(); s != packet.Down {
		t.Fatalf("the server is %s", s)
	}
}

// A server that answers everything with an error is down, until questions of clients, or
// those it failed, are answered again.
func TestLameServer(t *testing.T) {
	g := newRig(t, Options{})
	q := a("www.known.example")
	g.learn(q, 10, "192.0.2.1")
	g.wait(time.Minute)
	for _, zone := range []string{"a", "b", "c", "d", "e"} {
		q := a("www." + zone + ".test")
		g.ask(q)
		g.step(Fetched{Req: g.fetch().Req, Msg: failed(q, dns.RcodeServerFailure)})
		g.replies = nil
	}
	if s, _ := g.n.Upstream(); s != packet.Down {
		t.Fatalf("the server is %s", s)
	}
	g.ask(q)
	if r := g.reply(); r.By != ByStale {
		t.Fatalf("reply %+v", r)
	}
	g.fetches, g.probes = nil, nil
	g.wait(2 * time.Second)
	if len(g.probes) == 0 || g.probes[0].Question.Type != typeA {
		t.Fatalf("probes %+v, want questions that failed", g.probes)
	}
	for range 3 {
		p := g.probes[len(g.probes)-1]
		g.step(Fetched{Req: p.Req, Msg: response(p.Question, 60, "192.0.2.5")})
		g.wait(150 * time.Millisecond)
	}
	if s, _ := g.n.Upstream(); s != packet.Healthy {
		t.Fatalf("the server is %s", s)
	}
}

// A server that is back is noticed within two seconds, and what was used meanwhile is
// fetched again without anybody asking.
func TestRecovery(t *testing.T) {
	g := newRig(t, Options{})
	q := a("www.example")
	g.learn(q, 10, "192.0.2.1")
	g.wait(20 * time.Second)
	g.down()
	g.ask(q)
	g.replies = nil
	g.wait(30 * time.Second)
	g.ask(q) // clients ask: the server is probed each second
	g.replies, g.fetches = nil, nil
	back := g.now
	for g.now < back+2*time.Second {
		g.wait(10 * time.Millisecond)
		for _, p := range append(g.probes, g.fetches...) {
			g.step(Fetched{Req: p.Req, Msg: response(p.Question, 60, "192.0.2.2")})
		}
		g.probes, g.fetches = nil, nil
	}
	if s, _ := g.n.Upstream(); s != packet.Healthy {
		t.Fatalf("the server is %s two seconds after it is back", s)
	}
	g.ask(q)
	if r := g.reply(); r.By != ByCache || address(t, r) != "192.0.2.2" {
		t.Fatalf("reply %+v", r)
	}
}

// A node that was itself stopped holds no silence against its servers.
func TestOwnPauseIsNoSilence(t *testing.T) {
	g := newRig(t, Options{})
	g.learn(a("warm.example"), 0, "192.0.2.9")
	g.ask(a("www.example"))
	f := g.fetch()
	g.now += 10 * time.Minute
	g.step(Fetched{Req: f.Req, Msg: response(f.Question, 60, "192.0.2.1")})
	if r := g.reply(); r.By != ByUpstream {
		t.Fatalf("reply %+v", r)
	}
	g.ask(a("two.example"))
	g.now += time.Minute
	g.step(Tick{})
	if s, _ := g.n.Upstream(); s != packet.Healthy {
		t.Fatalf("the server is %s", s)
	}
}

// TestHedgeAfterOutage: replies that come when a server is back from the dead do not make
// it a slow one, beside which members are asked late.
func TestHedgeAfterOutage(t *testing.T) {
	g := newRig(t, Options{})
	s := g.n.servers[0]
	for range 64 {
		s.took(time.Millisecond)
	}
	before := g.n.hedgeAfter()
	for range 5 {
		s.state, s.good = packet.Down, 0
		for range goodProbes + 2 { // the last come when it is healthy again
			g.n.answered(0, &fetch{sent: g.n.now - 3*time.Second}, false)
		}
		if s.state != packet.Healthy {
			t.Fatalf("the server is %v", s.state)
		}
	}
	if after := g.n.hedgeAfter(); after != before || before != minHedge {
		t.Errorf("members are asked after %v, before the outage after %v", after, before)
	}
}
