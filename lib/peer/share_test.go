package peer

import (
	"slices"
	"testing"
	"time"

	"namecast/lib/peer/packet"
)

// Share mode: the first owner is asked first, and the own servers when it has taken
// longer than these mostly do.
func TestShareMode(t *testing.T) {
	ring := ringOf(0, 5)
	g := newRig(t, Options{Ring: ring, Share: true})
	q := strange(t, ring)
	g.ask(q)
	s := g.asks()
	if len(s) != 1 || s[0].To != ring.Owners(q.Name, 1, nil)[0] || len(g.fetches) != 0 {
		t.Fatalf("asks %+v, fetches %+v", s, g.fetches)
	}
	g.have(s[0], s[0].To, s[0].To, 0, response(q, 3600, "192.0.2.1"))
	if r := g.reply(); r.By != ByOwner || r.MaxTTL != peerTTL {
		t.Fatalf("reply %+v", r)
	}
	g.wait(time.Minute)
	g.ask(q)
	if r := g.reply(); r.By != ByCache || r.EDE != edeOther {
		t.Fatalf("reply %+v", r)
	}
	// A member's word is good for five minutes, not for its TTL.
	g.wait(5 * time.Minute)
	g.ask(q)
	g.silent()
	if len(g.asks()) != 1 {
		t.Fatal("the owner was not asked again")
	}
	g.wait(maxHedge - time.Millisecond) // nothing is known of the servers' times
	if len(g.fetches) != 0 {
		t.Fatalf("the servers were asked too: %+v", g.fetches)
	}
	g.wait(time.Millisecond)
	g.fetch()
}

// An owner gets as long as the own servers mostly take, and no less than it needs to be
// reached; with who says that it does not know, no time is lost.
func TestShareWait(t *testing.T) {
	ring := ringOf(0, 5)
	g := newRig(t, Options{Ring: ring, Share: true})
	mine := owned(t, ring)
	for range 10 { // its own first owner asks the servers, which take 20 ms
		g.ask(mine)
		f := g.fetch()
		g.wait(20 * time.Millisecond)
		g.step(Fetched{Req: f.Req, Msg: response(mine, 0, "192.0.2.9")})
		g.reply()
	}
	q := strange(t, ring)
	g.ask(q)
	g.asks()
	g.wait(59 * time.Millisecond)
	if len(g.fetches) != 0 {
		t.Fatalf("the servers were asked too: %+v", g.fetches)
	}
	g.wait(time.Millisecond)
	g.step(Fetched{Req: g.fetch().Req, Msg: response(q, 0, "192.0.2.1")})
	g.reply()
	g.wait(time.Second)
	g.sends = nil
	g.ask(q)
	for _, s := range g.asks() {
		g.miss(s)
	}
	g.fetch()
}

// An owner that is dead is found out by the first two questions, within a second.
func TestShareDeadOwner(t *testing.T) {
	ring := ringOf(0, 5)
	g := newRig(t, Options{Ring: ring, Share: true})
	q := strange(t, ring)
	dead := ring.Owners(q.Name, 1, nil)[0]
	for range 2 {
		g.ask(q)
		g.wait(300 * time.Millisecond)
		for _, f := range g.fetches {
			g.step(Fetched{Req: f.Req, Msg: response(q, 0, "192.0.2.1")})
		}
		g.fetches = nil
	}
	if ring.silent[dead] < 2 {
		t.Fatalf("it was silent %d times", ring.silent[dead])
	}
}

// What all ask for is asked of the name servers once in share mode, on random schedules,
// and not by each.
func TestShareAsksServersLess(t *testing.T) {
	fetches := func(share bool) (sum uint64) {
		for seed := range uint64(8) {
			w := newWorld(t, seed, 4+int(seed%3), false, Options{Share: share})
			for _, name := range []string{"a.example", "b.example", "c.example", "d.example", "e.example", "f.example"} {
				for _, k := range w.rng.Perm(len(w.mates)) {
					w.ask(w.mates[k], a(name))
					w.run(time.Duration(w.rng.Int64N(int64(time.Second))))
				}
			}
			w.run(time.Minute)
			for _, m := range w.mates {
				sum += m.n.Stats().Fetches
			}
		}
		return sum
	}
	guard, share := fetches(false), fetches(true)
	t.Logf("%d questions to the servers in guard mode, %d in share mode", guard, share)
	if share*10 > guard*6 {
		t.Errorf("%d questions to the servers in guard mode, %d in share mode", guard, share)
	}
}

// demanded has a member ask the first owner of a name as in share mode.
func (g *rig) demanded(who packet.NodeID, q Question) {
	g.step(Received{From: who, ID: g.n.rng.Uint64(), Body: &packet.Ask{
		Name: q.Name, Type: q.Type, FreshOnly: true, Resolve: true, Deadline: time.Second, Net: 7,
	}})
}

// puts gives the Puts sent since the last call.
func (g *rig) puts() (out []Send) {
	for _, s := range g.sends {
		if _, ok := s.Body.(*packet.Put); ok {
			out = append(out, s)
		}
	}
	g.sends = nil
	return out
}

// popularRig is the first owner of a name that was asked for often; the answer has been
// kept for twenty seconds of its minute.
func popularRig(t *testing.T) (g *rig, ring *fakeRing, q Question, plain []packet.NodeID) {
	ring = ringOf(0, 9)
	g = newRig(t, Options{Ring: ring, Share: true})
	q = owned(t, ring)
	for k := 1; k < 9; k++ {
		if !slices.Contains(ring.Owners(q.Name, 2, nil), id(k)) {
			plain = append(plain, id(k))
		}
	}
	g.demanded(plain[0], q)
	g.step(Fetched{Req: g.fetch().Req, Msg: response(q, 60, "192.0.2.1")})
	for _, who := range append(slices.Clone(plain[:5]), plain[0], plain[1], plain[0], plain[1]) {
		g.wait(3 * time.Second)
		g.demanded(who, q)
	}
	g.puts()
	return g, ring, q, plain
}

// What members ask for often is renewed before its time is over, and given to those that
// asked twice.
func TestShareRenews(t *testing.T) {
	g, _, q, plain := popularRig(t)
	g.wait(53*time.Second - 27*time.Second)
	if len(g.fetches) != 0 {
		t.Fatalf("renewed too early: %+v", g.fetches)
	}
	g.wait(time.Second)
	g.step(Fetched{Req: g.fetch().Req, Msg: response(q, 60, "192.0.2.2")})
	g.wait(batchFor)
	var to []packet.NodeID
	for _, s := range g.puts() {
		if !slices.Contains(g.n.owners(q.Name), s.To) {
			to = append(to, s.To)
		}
	}
	slices.SortFunc(to, func(a, b packet.NodeID) int { return slices.Compare(a[:], b[:]) })
	if !slices.Equal(to, plain[:2]) {
		t.Fatalf("given to %v, want %v", to, plain[:2])
	}
	// Nobody asks any more: it runs out.
	g.wait(10 * time.Minute)
	if len(g.fetches) != 0 || len(g.puts()) != 0 {
		t.Fatalf("renewed for nobody: %+v", g.fetches)
	}
}

// Renewals have a bound, however many names members ask for.
func TestShareRenewalsAreFew(t *testing.T) {
	ring := ringOf(0, 9)
	g := newRig(t, Options{Ring: ring, Share: true})
	var list []Question
	for k := 0; len(list) < 40; k++ {
		q := a("m" + string(rune('a'+k%26)) + string(rune('a'+k/26%26)) + string(rune('a'+k/676)) + ".example")
		if ring.Owners(q.Name, 1, nil)[0] == ring.self {
			list = append(list, q)
		}
	}
	for i, q := range list {
		g.demanded(id(1+i%8), q)
		g.step(Fetched{Req: g.fetch().Req, Msg: response(q, 60, "192.0.2.1")})
		for range 6 {
			g.demanded(id(1+i%8), q)
		}
		g.wait(time.Second / 20)
	}
	for range 58 * 20 {
		g.wait(time.Second / 20)
		for _, f := range g.fetches {
			g.step(Fetched{Req: f.Req, Msg: response(f.Question, 60, "192.0.2.1")})
		}
		g.fetches = nil
	}
	if k := g.n.Stats().Renewals; k < 5 || k > 5+5*3 {
		t.Fatalf("%d renewals in two seconds, want 5 at once and 5 a second", k)
	}
}

// What the first owner renews is taken from it, and from nobody else; not what this
// node's clients never asked for, nor what the owner does not have at first hand.
func TestSharePushed(t *testing.T) {
	ring := ringOf(0, 5)
	g := newRig(t, Options{Ring: ring, Share: true})
	q := strange(t, ring)
	owners := ring.Owners(q.Name, 2, nil)
	put := func(from, origin packet.NodeID, q Question, addr string) {
		g.step(Received{From: from, ID: g.n.rng.Uint64(), Body: &packet.Put{Records: []*packet.Record{
			{Origin: origin, Net: 7, Msg: response(q, 60, addr)},
		}}})
	}
	is := func(want string) {
		t.Helper()
		g.sends = nil
		g.ask(q)
		if r := g.reply(); address(t, r) != want || len(g.asks()) != 0 {
			t.Fatalf("reply %+v, want %s", r, want)
		}
	}
	put(owners[0], owners[0], q, "192.0.2.66")
	g.ask(q)
	g.silent()
	s := g.asks()[0]
	g.have(s, s.To, s.To, 0, response(q, 60, "192.0.2.1"))
	g.reply()
	g.wait(54 * time.Second)
	put(owners[1], owners[1], q, "192.0.2.66")
	put(owners[0], owners[1], q, "192.0.2.66")
	is("192.0.2.1")
	put(owners[0], owners[0], q, "192.0.2.2")
	is("192.0.2.2")
	g.wait(30 * time.Second)
	is("192.0.2.2")
	g.wait(30 * time.Second)
	g.ask(q)
	g.silent() // it is over
}
