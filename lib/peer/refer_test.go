package peer

import (
	"testing"
	"time"

	"namecast/lib/peer/packet"
)

// A client who asks less than once a second has every question put to the dead servers
// too. That these were silent again is no reason not to ask a member whose servers
// answer: what was given stale is renewed behind.
func TestRefreshBehindTheTrickle(t *testing.T) {
	ring := ringOf(0, 5)
	g := newRig(t, Options{Ring: ring})
	q := strange(t, ring)
	g.learn(q, 60, "192.0.2.1")
	g.wait(2 * time.Minute)
	g.down()
	ring.helpers = []packet.NodeID{id(3)}
	g.n.pulsed = g.now - 2*time.Second
	g.ask(q)
	if r := g.reply(); r.By != ByStale {
		t.Fatalf("reply %+v", r)
	}
	f := g.fetch()
	if s := g.asks(); len(s) != 0 {
		t.Fatalf("asks %+v", s)
	}
	g.wait(f.Within)
	g.step(Fetched{Req: f.Req, Failure: Timeout})
	s := g.asks()
	if len(s) != 1 || s[0].To != id(3) || !s[0].Body.(*packet.Ask).Resolve {
		t.Fatalf("asks %+v", s)
	}
	g.have(s[0], id(3), id(3), 0, response(q, 60, "192.0.2.2", "192.0.2.1"))
	g.silent()
	g.ask(q)
	if r := g.reply(); address(t, r) != "192.0.2.2" {
		t.Fatalf("reply %+v", r)
	}
}
