package peer

import (
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer/packet"
)

// iteration gives the only iteration that was begun since the last call.
func (g *rig) iteration() Iterate {
	g.t.Helper()
	if len(g.roots) != 1 {
		g.t.Fatalf("%d iterations, want 1: %+v", len(g.roots), g.roots)
	}
	it := g.roots[0]
	g.roots = nil
	return it
}

// lost takes the only reply since the last call, which must be that nobody knows.
func (g *rig) lost() {
	g.t.Helper()
	if r := g.reply(); r.Rcode != dns.RcodeServerFailure || r.EDE != edeUnreachable {
		g.t.Fatalf("reply %+v", r)
	}
}

// TestNobodyAnswers: when not even the root's servers answer, questions do not wait for an
// iteration for long, and after the second time it is left alone; then one question tries
// it, until somebody answers.
func TestNobodyAnswers(t *testing.T) {
	g := newRig(t, Options{Ring: ringOf(0, 1), Iterate: true})
	g.down()
	g.ask(a("a.example"))
	it := g.iteration()
	g.wait(800 * time.Millisecond)
	g.silent() // as far as it knows, servers are only slow
	g.step(Iterated{Req: it.Req, Failure: Unreachable})
	g.lost()
	g.ask(a("b.example"))
	it = g.iteration()
	g.wait(400 * time.Millisecond)
	g.silent() // it may have been chance
	g.wait(100 * time.Millisecond)
	g.lost()
	g.step(Iterated{Req: it.Req, Failure: Unreachable})
	g.ask(a("b2.example"))
	g.lost()
	if len(g.roots) != 0 {
		t.Fatalf("iterations %+v", g.roots)
	}
	g.wait(rootRest)
	g.ask(a("c.example"))
	it = g.iteration()
	g.silent()
	g.ask(a("d.example"))
	g.lost()
	g.wait(500 * time.Millisecond)
	g.lost()
	if len(g.roots) != 0 {
		t.Fatalf("two tries at a time: %+v", g.roots)
	}
	g.alive(it)
}

// alive has somebody answer an iteration: from then on others are waited for again.
func (g *rig) alive(it Iterate) {
	g.t.Helper()
	g.step(Iterated{Req: it.Req, Msg: response(it.Question, 60, "192.0.2.3")})
	g.ask(it.Question)
	if r := g.reply(); address(g.t, r) != "192.0.2.3" {
		g.t.Fatalf("reply %+v", r)
	}
	q := a("alive.example")
	g.ask(q)
	it = g.iteration()
	g.wait(700 * time.Millisecond)
	g.silent()
	g.step(Iterated{Req: it.Req, Msg: response(q, 60, "192.0.2.5")})
	if r := g.reply(); address(g.t, r) != "192.0.2.5" {
		g.t.Fatalf("reply %+v", r)
	}
}

// TestDeadZones: zones whose servers are dead do not have others left alone.
func TestDeadZones(t *testing.T) {
	g := newRig(t, Options{Ring: ringOf(0, 1), Iterate: true})
	g.down()
	for _, name := range []string{"a.example", "b.example", "c.example"} {
		g.ask(a(name))
		g.step(Iterated{Req: g.iteration().Req, Failure: Timeout})
		g.wait(500 * time.Millisecond)
		g.lost()
	}
}

// TestRootLeftAloneForTooLong: iteration that does not work is tried again each second, or
// 20 times a second by all members of a large group; those that fail together count once.
func TestRootLeftAloneForTooLong(t *testing.T) {
	for members, want := range map[int]time.Duration{1: time.Second, 20: time.Second, 100: 5 * time.Second, 1000: 10 * time.Second} {
		g := newRig(t, Options{Ring: ringOf(0, members), Iterate: true})
		var h health
		now := time.Hour
		for i := range 6 {
			h.begun(now, g.n.rest())
			h.failed(now+time.Second, now, g.n.rest())
			h.failed(now+time.Second, now, g.n.rest())
			if i == 0 {
				if h.until > now {
					t.Errorf("%d members: left alone after the first time", members)
				}
			} else if rest := h.until - now - time.Second; rest != want {
				t.Errorf("%d members: rest %d is %v, want %v", members, i, rest, want)
			}
			now = max(h.until, now+time.Second)
		}
	}
}

// TestRootOfAnother: a member that leaves the root alone asks the owner of a name, who may
// have found that it answers again; that he has has the member try it too.
func TestRootOfAnother(t *testing.T) {
	ring := ringOf(0, 100)
	g := newRig(t, Options{Ring: ring, Iterate: true})
	g.down()
	g.wait(time.Second) // until nothing is under way
	g.replies, g.sends, g.roots, g.n.pulsed = nil, nil, nil, g.now
	g.n.root = health{fails: 2, at: g.now, until: g.now + g.n.rest()}
	next := func(name string) Send {
		t.Helper()
		g.ask(a(name))
		for _, s := range g.asks() {
			g.miss(s)
		}
		asked := slices.DeleteFunc(g.asks(), func(s Send) bool { return s.All })
		if len(asked) != 1 || !asked[0].Body.(*packet.Ask).Resolve {
			t.Fatalf("asks %+v", asked)
		}
		return asked[0]
	}
	g.miss(next("a.example"))
	g.wait(500 * time.Millisecond)
	g.lost()
	s := next("b.example")
	g.have(s, s.To, s.To, 0, response(a("b.example"), 60, "192.0.2.1"))
	if r := g.reply(); address(t, r) != "192.0.2.1" {
		t.Fatalf("reply %+v", r)
	}
	if len(g.roots) != 0 {
		t.Fatalf("iterations %+v", g.roots)
	}
	g.miss(next("c.example"))
	if it := g.iteration(); it.Name != a("c.example").Name {
		t.Errorf("iteration %+v", it)
	}
}

// TestIteratedOnce: what an owner has iterated is not iterated again, though the word of the
// name server, which one question a second tries, is still awaited.
func TestIteratedOnce(t *testing.T) {
	ring := ringOf(0, 5)
	g := newRig(t, Options{Ring: ring, Iterate: true})
	g.down()
	g.wait(time.Second)
	g.sends, g.fetches = nil, nil
	q := strange(t, ring)
	g.ask(q)
	g.fetch()
	for _, s := range g.asks() {
		g.miss(s)
	}
	s := g.asks()
	if len(s) != 1 || !s[0].Body.(*packet.Ask).Resolve {
		t.Fatalf("asks %+v", s)
	}
	g.have(s[0], s[0].To, s[0].To, 0, response(q, 60, "192.0.2.1"))
	if r := g.reply(); address(t, r) != "192.0.2.1" {
		t.Fatalf("reply %+v", r)
	}
	g.wait(time.Second)
	if len(g.roots) != 0 {
		t.Fatalf("iterations %+v", g.roots)
	}
}
