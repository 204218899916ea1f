package peer

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer/packet"
)

// strange is a name of which node 0 of the ring is no owner, own one of which it is the
// first.
func strange(t *testing.T, r *fakeRing) Question { return pickName(t, r, -1) }
func owned(t *testing.T, r *fakeRing) Question   { return pickName(t, r, 0) }

func pickName(t *testing.T, r *fakeRing, rank int) Question {
	for k := range 1000 {
		q := a("n" + string(rune('a'+k%26)) + string(rune('a'+k/26)) + ".example")
		if slices.Index(r.Owners(q.Name, 2, nil), r.self) == rank {
			return q
		}
	}
	t.Fatal("no such name")
	return Question{}
}

// Names of the site, questions without checking, and data that points inside never leave
// (I10).
func TestSecretsStay(t *testing.T) {
	g := newRig(t, Options{Ring: ringOf(0, 5), Secret: names("corp.example")})
	for _, name := range []string{"printer.local", "nas", "x.home.arpa", "4.3.2.10.in-addr.arpa", "www.corp.example", "corp.example", "host.lan"} {
		g.learn(a(name), 1, "192.0.2.1")
	}
	q := a("www.example")
	g.learn(q, 1, "10.0.0.1")
	g.ask(a("alias.example"))
	g.step(Fetched{Req: g.fetch().Req, Msg: alias(a("alias.example"), 1, "www.corp.example.", "192.0.2.1")})
	g.reply()
	q.CD = true
	g.learn(q, 1, "192.0.2.1")
	g.wait(time.Minute)
	for _, name := range []string{"printer.local", "www.corp.example", "other.corp.example"} {
		g.ask(a(name))
	}
	g.down()
	g.ask(a("third.corp.example"))
	g.wait(10 * time.Second)
	if len(g.sends) != 0 {
		t.Fatalf("sent: %+v", g.sends)
	}
}

// While the servers are slow the owners are asked for something fresh, at H; what is
// past its time is not taken then.
func TestHedge(t *testing.T) {
	ring := ringOf(0, 5)
	g := newRig(t, Options{Ring: ring, Hedge: 50 * time.Millisecond})
	q := strange(t, ring)
	g.ask(q)
	g.wait(49 * time.Millisecond)
	if len(g.sends) != 0 {
		t.Fatalf("sent before H: %+v", g.sends)
	}
	g.wait(time.Millisecond)
	asks := g.asks()
	if len(asks) != 2 || !asks[0].Body.(*packet.Ask).FreshOnly || asks[0].Body.(*packet.Ask).Resolve {
		t.Fatalf("asks %+v", asks)
	}
	g.have(asks[0], asks[0].To, id(4), 2*time.Minute, response(q, 60, "192.0.2.1"))
	g.silent()
	g.have(asks[1], asks[1].To, id(4), 20*time.Second, response(q, 60, "192.0.2.2"))
	r := g.reply()
	if r.By != ByOwner || address(t, r) != "192.0.2.2" || r.MaxTTL != peerTTL || r.EDE != edeOther || r.Age != 20*time.Second {
		t.Fatalf("reply %+v", r)
	}
	// The server's word still comes, and counts for more.
	g.step(Fetched{Req: g.fetches[0].Req, Msg: response(q, 60, "192.0.2.3")})
	g.ask(q)
	if r := g.reply(); address(t, r) != "192.0.2.3" || r.EDE != edeNone {
		t.Fatalf("reply %+v", r)
	}
}

// When the servers are down, the least old of the own copy and the owners' is given.
func TestLeastOld(t *testing.T) {
	ring := ringOf(0, 5)
	g := newRig(t, Options{Ring: ring})
	q := strange(t, ring)
	g.learn(q, 60, "192.0.2.1")
	g.wait(time.Hour)
	g.down()
	g.ask(q)
	asks := g.asks()
	if len(asks) != 2 || asks[0].Body.(*packet.Ask).FreshOnly {
		t.Fatalf("asks %+v", asks)
	}
	g.have(asks[0], asks[0].To, id(4), 2*time.Hour, response(q, 60, "192.0.2.2"))
	g.have(asks[1], asks[1].To, id(3), 30*time.Minute, response(q, 60, "192.0.2.3"))
	r := g.reply()
	if r.By != ByOwner || address(t, r) != "192.0.2.3" || r.EDE != edeStale || r.MaxTTL != staleTTL || !strings.Contains(r.Text, "age 30m") {
		t.Fatalf("reply %+v", r)
	}
	// It is now the own copy, and given at once.
	g.sends = nil
	g.ask(q)
	if r := g.reply(); r.By != ByStale || address(t, r) != "192.0.2.3" || len(g.sends) != 0 {
		t.Fatalf("reply %+v, sent %+v", r, g.sends)
	}
}

// The owners get 10 ms when there is an own copy.
func TestOwnersHaveABudget(t *testing.T) {
	ring := ringOf(0, 5)
	g := newRig(t, Options{Ring: ring})
	q := strange(t, ring)
	g.learn(q, 60, "192.0.2.1")
	g.wait(time.Hour)
	g.down()
	g.ask(q)
	g.silent()
	g.wait(consultWithin)
	if r := g.reply(); r.By != ByStale || address(t, r) != "192.0.2.1" {
		t.Fatalf("reply %+v", r)
	}
	if ring.silent[g.asks()[0].To] != 1 {
		t.Fatalf("the ring was not told of the silence")
	}
}

// The rest of the ladder: a helper, then everybody, then nobody; within 50 ms if there
// is no helper, and the owners say that they do not know it.
func TestClimb(t *testing.T) {
	ring := ringOf(0, 9)
	g := newRig(t, Options{Ring: ring})
	q := strange(t, ring)
	g.down()
	ring.helpers = []packet.NodeID{id(5), id(6)}
	g.ask(q)
	for _, s := range g.asks() {
		g.miss(s)
	}
	help := g.asks()
	if len(help) != 1 || !help[0].Body.(*packet.Ask).Resolve {
		t.Fatalf("asks %+v", help)
	}
	g.have(help[0], help[0].To, help[0].To, 0, response(q, 60, "192.0.2.1"))
	if r := g.reply(); r.By != ByHelper || address(t, r) != "192.0.2.1" {
		t.Fatalf("reply %+v", r)
	}
	ring.helpers = nil
	q = a("other." + q.Name.FQDN())
	begun := g.now
	g.ask(q)
	for _, s := range g.asks() {
		g.miss(s)
	}
	call := g.asks()
	if len(call) != 1 || !call[0].All || !call[0].Body.(*packet.Ask).Any {
		t.Fatalf("asks %+v", call)
	}
	g.have(call[0], id(7), id(7), time.Hour, response(q, 60, "192.0.2.2"))
	if r := g.reply(); r.By != ByAny || address(t, r) != "192.0.2.2" {
		t.Fatalf("reply %+v", r)
	}
	q = a("third." + q.Name.FQDN())
	g.ask(q)
	for _, s := range g.asks() {
		g.miss(s)
	}
	g.wait(45 * time.Millisecond)
	if r := g.reply(); r.Rcode != dns.RcodeServerFailure || r.EDE != edeUnreachable {
		t.Fatalf("reply %+v after %s", r, g.now-begun)
	}
	// For five seconds the group is not asked again.
	g.sends = nil
	g.ask(q)
	g.reply()
	if len(g.sends) != 0 {
		t.Fatalf("sent %+v", g.sends)
	}
}

// Calls to everybody have a budget: 5 a second of this node.
func TestCallsAreFew(t *testing.T) {
	g := newRig(t, Options{Ring: ringOf(0, 9)})
	g.down()
	for k := range 100 {
		g.ask(a("x" + string(rune('a'+k%26)) + string(rune('a'+k/26)) + ".example"))
		g.wait(10 * time.Millisecond)
	}
	calls := 0
	for _, s := range g.asks() {
		if s.All {
			calls++
		}
	}
	if calls < 5 || calls > 11 {
		t.Fatalf("%d calls in a second, want 5 and the burst", calls)
	}
}

// From the root: by the first owner if that is another, and alone if he cannot.
func TestRoot(t *testing.T) {
	ring := ringOf(0, 5)
	g := newRig(t, Options{Ring: ring, Iterate: true})
	g.down()
	q := owned(t, ring)
	g.ask(q)
	for _, s := range g.asks() {
		g.miss(s)
	}
	if len(g.roots) != 1 || g.roots[0].Question != q {
		t.Fatalf("iterations %+v", g.roots)
	}
	g.step(Iterated{Req: g.roots[0].Req, Msg: response(q, 60, "192.0.2.1")})
	if r := g.reply(); r.By != ByRoot || r.EDE != edeNone {
		t.Fatalf("reply %+v", r)
	}
	g.roots = nil
	q = strange(t, ring)
	g.ask(q)
	for _, s := range g.asks() {
		g.miss(s)
	}
	s := g.asks()
	if len(s) != 1 || !s[0].Body.(*packet.Ask).Resolve || len(g.roots) != 0 {
		t.Fatalf("asks %+v, iterations %+v", s, g.roots)
	}
	g.miss(s[0])
	if len(g.roots) != 1 {
		t.Fatalf("not begun alone")
	}
	g.step(Iterated{Req: g.roots[0].Req, Failure: Timeout})
	g.wait(50 * time.Millisecond)
	if r := g.reply(); r.Rcode != dns.RcodeServerFailure {
		t.Fatalf("reply %+v", r)
	}
}

// What was answered stale is renewed behind, by a helper, or from the root.
func TestRefreshBehind(t *testing.T) {
	ring := ringOf(0, 5)
	g := newRig(t, Options{Ring: ring, Iterate: true})
	q := strange(t, ring)
	g.learn(q, 60, "192.0.2.1")
	g.wait(2 * time.Minute)
	g.down()
	ring.helpers = []packet.NodeID{id(3)}
	g.ask(q)
	if r := g.reply(); r.By != ByStale {
		t.Fatalf("reply %+v", r)
	}
	s := g.asks()
	if len(s) != 1 || s[0].To != id(3) || !s[0].Body.(*packet.Ask).Resolve {
		t.Fatalf("asks %+v", s)
	}
	g.have(s[0], id(3), id(3), 0, response(q, 60, "192.0.2.2", "192.0.2.1"))
	g.ask(q)
	if r := g.reply(); address(t, r) != "192.0.2.2" || r.EDE != edeOther || r.By != ByCache {
		t.Fatalf("reply %+v", r)
	}
	ring.helpers = nil
	g.wait(2 * time.Minute)
	g.n.pulsed, g.replies, g.roots, g.sends = g.now, nil, nil, nil
	g.ask(q)
	if r := g.reply(); r.By != ByStale {
		t.Fatalf("reply %+v", r)
	}
	g.miss(g.asks()[0]) // the first owner does not iterate
	if len(g.roots) != 1 {
		t.Fatalf("iterations %+v", g.roots)
	}
	g.step(Iterated{Req: g.roots[0].Req, Msg: response(q, 60, "192.0.2.3")})
	g.silent()
	g.ask(q)
	if r := g.reply(); address(t, r) != "192.0.2.3" || r.EDE != edeNone {
		t.Fatalf("reply %+v", r)
	}
}

// All is over half a second after a client's question, though the helpers are silent.
func TestHelpIsNotWaitedForLong(t *testing.T) {
	ring := ringOf(0, 9)
	g := newRig(t, Options{Ring: ring})
	g.down()
	ring.helpers = []packet.NodeID{id(5), id(6)}
	g.ask(a("www.example"))
	g.wait(500 * time.Millisecond)
	if r := g.reply(); r.Rcode != dns.RcodeServerFailure {
		t.Fatalf("reply %+v", r)
	}
}
