package peer

import (
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// honest answers the canaries that were sent last as a name server does that leads to the
// Internet.
func (g *rig) honest() {
	g.t.Helper()
	ps := g.probes[len(g.probes)-2:]
	g.probes = nil
	for _, p := range ps {
		if p.Type != typeNS {
			g.step(Fetched{Req: p.Req, Msg: response(p.Question, 60)})
			continue
		}
		ns := new(dns.Msg).SetQuestion(".", dns.TypeNS)
		ns.Response = true
		ns.Answer = []dns.RR{&dns.NS{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeNS, Class: 1, Ttl: 60}, Ns: "a.root-servers.net."}}
		g.step(Fetched{Req: p.Req, Msg: pack(ns)})
	}
}

// TestDeadIsNoPortal: in a network just joined the name servers are dead. What its members
// have is used, since they were not deceived; and when a server comes back, it is looked at
// once whether it is a portal.
func TestDeadIsNoPortal(t *testing.T) {
	g := newRig(t, Options{Ring: ringOf(0, 2)})
	g.probes = nil
	g.step(Network{Net: 7, Servers: 1, New: true})
	g.down()
	q := a("www.example")
	g.ask(q)
	asks := g.asks()
	if len(asks) != 1 || asks[0].To != id(1) {
		t.Fatalf("asks %+v", asks)
	}
	g.have(asks[0], id(1), id(1), time.Minute, response(q, 600, "192.0.2.1"))
	if r := g.reply(); r.By != ByOwner || address(t, r) != "192.0.2.1" {
		t.Fatalf("reply %+v", r)
	}
	for range 20 { // it is back
		ps := g.probes
		g.probes = nil
		for _, p := range ps {
			g.step(Fetched{Req: p.Req, Msg: response(p.Question, 60, "198.51.100.1")})
		}
		if len(g.probes) > 0 {
			break
		}
		g.wait(100 * time.Millisecond)
		if len(g.probes) == 0 {
			g.wait(probeIdle)
		}
	}
	if s, _ := g.n.Upstream(); s != packet.Captive || len(g.probes) < 2 {
		t.Fatalf("the server is %s, canaries %+v", s, g.probes)
	}
	g.honest()
	if s, _ := g.n.Upstream(); s != packet.Healthy || g.n.Captive() {
		t.Fatalf("the server is %s", s)
	}
}

// TestPortalsLastWord: what was asked while a portal might answer is not kept, though it is
// answered when none does any more.
func TestPortalsLastWord(t *testing.T) {
	g := newRig(t, Options{Ring: ringOf(0, 5)})
	g.probes = nil
	g.step(Network{Net: 9, Servers: 1, New: true})
	q := a("www.example")
	g.ask(q)
	f := g.fetch()
	g.honest()
	g.ask(q)
	g.step(Fetched{Req: f.Req, Msg: response(q, 60, "198.51.100.1")})
	g.wait(100 * time.Millisecond)
	if len(g.replies) != 2 || g.n.Kept().Entries != 0 || len(g.sends) != 0 {
		t.Fatalf("replies %+v, kept %+v, sends %+v", g.replies, g.n.Kept(), g.sends)
	}
	g.replies = nil
	g.learn(q, 60, "192.0.2.1")
	if g.n.Kept().Entries != 1 {
		t.Errorf("kept %+v", g.n.Kept())
	}
}

// TestSplitDomainsStaySecret: names of a domain that has, or had, servers of its own are not
// told, not those either that were learned before.
func TestSplitDomainsStaySecret(t *testing.T) {
	g := newRig(t, Options{Ring: ringOf(0, 5)})
	before, q := a("old.corp.example"), a("www.corp.example")
	g.learn(before, 600, "192.0.2.1")
	g.wait(time.Second)
	g.sends = nil
	g.step(Network{Net: 7, Servers: 1, Secret: []rr.Name{rr.MustName("corp.example")}})
	g.step(Network{Net: 7, Servers: 1})
	g.learn(q, 600, "192.0.2.2")
	g.step(Received{From: id(3), ID: 9, Body: &packet.Ask{Name: before.Name, Type: typeA, Net: 7}})
	g.wait(time.Second)
	for _, s := range g.sends {
		if x, ok := s.Body.(*packet.Answer); !ok || x.Outcome != packet.Wont {
			t.Errorf("sent %+v", s.Body)
		}
	}
	if len(g.sends) != 1 {
		t.Errorf("%d messages, want 1", len(g.sends))
	}
}

// TestSharedReverseIsSecret: of the addresses that a provider gives to many, all of the
// range, and not what is beside it.
func TestSharedReverseIsSecret(t *testing.T) {
	g := newRig(t, Options{Ring: ringOf(0, 5)})
	for name, secret := range map[string]bool{
		"1.0.64.100.in-addr.arpa": true, "1.0.99.100.in-addr.arpa": true, "1.0.127.100.in-addr.arpa": true,
		"1.0.63.100.in-addr.arpa": false, "1.0.128.100.in-addr.arpa": false,
		"www.test": true, "x.invalid": true, "x.alt": true, "www.example": false,
	} {
		if got := g.n.tellable(a(name)); got == secret {
			t.Errorf("%s may be told: %v", name, got)
		}
	}
}

// TestUnknownNetworkIsForgotten: what was learned while the network was not known is not
// given when it is not known again, which may be elsewhere.
func TestUnknownNetworkIsForgotten(t *testing.T) {
	g := newRig(t, Options{})
	q := a("www.example")
	g.learn(q, 600, "192.0.2.1")
	g.step(Network{Net: 0, Servers: 1})
	g.learn(q, 600, "192.0.2.2")
	g.step(Network{Net: 7, Servers: 1})
	g.ask(q)
	if r := g.reply(); address(t, r) != "192.0.2.1" {
		t.Errorf("reply %+v", r)
	}
	g.step(Network{Net: 0, Servers: 1})
	g.ask(q)
	g.fetch()
	if g.n.Kept().Entries != 1 {
		t.Errorf("kept %+v", g.n.Kept())
	}
}
