package peer

import (
	"fmt"
	"testing"
	"time"

	"namecast/lib/peer/packet"
)

// staleRig is a node of nine that had some names from its servers, which are down now.
// One member says that its own answer.
func staleRig(t *testing.T, known int) (*rig, *fakeRing, []Question) {
	ring := ringOf(0, 9)
	g := newRig(t, Options{Ring: ring})
	var list []Question
	for k := range known {
		list = append(list, a(fmt.Sprintf("known%d.example", k)))
		g.learn(list[k], 60, fmt.Sprintf("192.0.2.%d", k+1))
	}
	g.wait(2 * time.Minute)
	g.down()
	ring.helpers = []packet.NodeID{id(3)}
	return g, ring, list
}

// referred has a client ask for a known name, and gives the question to a helper that
// follows.
func (g *rig) referred(q Question) Send {
	g.t.Helper()
	g.sends = nil
	g.ask(q)
	if r := g.reply(); r.By != ByStale {
		g.t.Fatalf("reply %+v", r)
	}
	for _, s := range g.asks() {
		if s.Body.(*packet.Ask).Resolve {
			return s
		}
	}
	g.t.Fatal("no helper was asked")
	return Send{}
}

// The only member that says that its servers answer is not believed against what the own
// ones said, until that is a day past its time; two that say the same are.
func TestOneHelperAgainstOwnCopy(t *testing.T) {
	g, ring, known := staleRig(t, 1)
	q := known[0]
	s := g.referred(q)
	g.have(s, s.To, s.To, 0, response(q, 60, "198.51.100.66"))
	g.silent()
	ring.helpers = []packet.NodeID{id(3), id(5)}
	s = g.referred(q) // still the own copy
	g.have(s, s.To, s.To, 0, response(q, 60, "198.51.100.66"))
	second := g.asks()
	if len(second) != 1 || second[0].To == s.To {
		t.Fatalf("nobody else was asked: %+v", second)
	}
	g.have(second[0], second[0].To, second[0].To, 0, response(q, 60, "198.51.100.66"))
	g.ask(q)
	if r := g.reply(); address(t, r) != "198.51.100.66" {
		t.Fatalf("two agree, and still: %+v", r)
	}

	g, _, known = staleRig(t, 1)
	g.wait(25 * time.Hour)
	g.n.pulsed, g.sends = g.now, nil
	g.ask(known[0])
	for _, s := range g.asks() {
		if ask := s.Body.(*packet.Ask); !ask.Resolve {
			g.miss(s)
		}
	}
	g.reply()
	for _, s := range g.asks() {
		g.have(s, s.To, s.To, 0, response(known[0], 60, "198.51.100.7"))
	}
	g.ask(known[0])
	if r := g.reply(); address(t, r) != "198.51.100.7" {
		t.Fatalf("more than a day old, and still: %+v", r)
	}
}

// A member whose answers have nothing in common with the own copies is asked no more for
// what is not known, and its word is not taken when all are called; nor is what it had
// said before. When it agrees again, it is.
func TestLiarIsDoubted(t *testing.T) {
	g, _, known := staleRig(t, 10)
	liar := id(3)
	lie := func(s Send, q Question) { g.have(s, liar, liar, 0, response(q, 60, "198.51.100.66")) }
	fresh := 0
	unknown := func() (Question, []Send) {
		fresh++
		q := a(fmt.Sprintf("unknown%d.example", fresh))
		g.sends = nil
		g.ask(q)
		for _, s := range g.asks() {
			if !s.All && !s.Body.(*packet.Ask).Resolve {
				g.miss(s)
			}
		}
		return q, g.asks()
	}
	before, s := unknown()
	if len(s) != 1 || s[0].To != liar {
		t.Fatalf("asks %+v", s)
	}
	lie(s[0], before)
	if r := g.reply(); r.By != ByHelper {
		t.Fatalf("reply %+v", r)
	}
	for _, q := range known[:doubtFrom] {
		lie(g.referred(q), q)
	}
	q, s := unknown()
	if len(s) != 1 || !s[0].All {
		t.Fatalf("who is in doubt was asked: %+v", s)
	}
	lie(s[0], q)
	g.wait(time.Second)
	if r := g.reply(); r.Msg != nil {
		t.Fatalf("a lie was believed: %+v", r)
	}
	g.wait(time.Minute)
	g.n.pulsed = g.now
	if o := g.n.own(before); o != nil {
		t.Fatalf("what the liar said is still the own copy: %+v", o)
	}
	for k, q := range known[doubtFrom:] {
		s := g.referred(q)
		g.have(s, s.To, s.To, 0, response(q, 60, fmt.Sprintf("192.0.2.%d", k+doubtFrom+1)))
	}
	if g.n.doubted(liar) {
		t.Fatal("still in doubt")
	}
	if _, s = unknown(); len(s) != 1 || s[0].To != liar {
		t.Fatalf("asks %+v", s)
	}
}

// One name that has moved does not bring a member into doubt, however often it is asked
// for.
func TestMovedNameIsNoLie(t *testing.T) {
	g, _, known := staleRig(t, 1)
	for range 10 {
		s := g.referred(known[0])
		g.have(s, s.To, s.To, 0, response(known[0], 60, "198.51.100.7"))
		g.wait(10 * time.Second)
		g.n.pulsed, g.replies = g.now, nil
	}
	if g.n.doubted(id(3)) {
		t.Fatal("in doubt for one name")
	}
}
