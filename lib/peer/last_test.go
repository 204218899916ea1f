package peer

import (
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer/packet"
)

// TestAnsweredIsNotMissed: an answer to the call to everybody is not taken
// for unknown when the time of the call ends, though the servers' word is still awaited.
func TestAnsweredIsNotMissed(t *testing.T) {
	g := newRig(t, Options{Ring: ringOf(0, 6)})
	g.down()
	g.wait(time.Second) // the next question goes to the servers too, as a probe
	g.sends, g.fetches = nil, nil
	q := a("www.example")
	g.ask(q)
	g.fetch()
	for _, s := range g.asks() {
		g.miss(s)
	}
	calls := g.asks()
	if len(calls) != 1 || !calls[0].All {
		t.Fatalf("everybody is to be asked: %+v", calls)
	}
	g.have(calls[0], id(5), id(5), time.Minute, response(q, 60, "192.0.2.1"))
	if r := g.reply(); address(t, r) != "192.0.2.1" {
		t.Fatalf("reply %+v", r)
	}
	g.wait(100 * time.Millisecond)
	g.silent()
	g.ask(q)
	if r := g.reply(); r.Rcode != dns.RcodeSuccess || address(t, r) != "192.0.2.1" {
		t.Fatalf("reply %+v", r)
	}
}

// TestBusyOwner: owners that say nothing while they are busy are waited for before a name
// is given up, and if they stay silent it is asked for again soon.
func TestBusyOwner(t *testing.T) {
	q := a("www.example")
	busy := func() (*rig, []Send) {
		g := newRig(t, Options{Ring: ringOf(0, 20)})
		g.down()
		g.ask(q)
		asked := g.asks()
		if len(asked) != 2 {
			t.Fatalf("the two owners are to be asked: %+v", asked)
		}
		g.wait(100 * time.Millisecond)
		g.silent()
		return g, asked
	}

	g, asked := busy()
	g.have(asked[0], asked[0].To, asked[0].To, time.Minute, response(q, 60, "192.0.2.1"))
	if r := g.reply(); address(t, r) != "192.0.2.1" {
		t.Errorf("reply %+v", r)
	}

	g, asked = busy()
	g.miss(asked[0])
	g.silent()
	g.miss(asked[1])
	if r := g.reply(); r.Rcode != dns.RcodeServerFailure || r.EDE != edeUnreachable {
		t.Errorf("reply %+v", r)
	}

	g, _ = busy()
	g.wait(300 * time.Millisecond)
	if r := g.reply(); r.Rcode != dns.RcodeServerFailure {
		t.Errorf("reply %+v", r)
	}
	g.wait(failFirst)
	g.asks()
	g.ask(q)
	if len(g.asks()) == 0 {
		t.Errorf("the owners are not asked again: %+v", g.replies)
	}
}

// TestSilentOwnerIsStillAsked: a member that has been too busy to answer owns nothing for a
// moment, but has what it was given before: it is asked beside those who own the name in its
// place, and waited for before the name is given up.
func TestSilentOwnerIsStillAsked(t *testing.T) {
	ring := ringOf(0, 20)
	g := newRig(t, Options{Ring: ring})
	g.down()
	q := strange(t, ring)
	busy := ring.Owners(q.Name, 2, nil)[1]
	ring.silent[busy] = 2
	g.ask(q)
	var asked *Send
	for _, s := range g.asks() {
		if s.To == busy {
			asked = &s
			continue
		}
		g.miss(s)
	}
	if asked == nil {
		t.Fatal("who has it is not asked")
	}
	g.wait(100 * time.Millisecond)
	g.silent()
	g.have(*asked, busy, busy, time.Minute, response(q, 60, "192.0.2.1"))
	if r := g.reply(); address(t, r) != "192.0.2.1" {
		t.Errorf("reply %+v", r)
	}
	if ring.silent[busy] != 2 {
		t.Errorf("it was counted as silent again: %d", ring.silent[busy])
	}
}

// TestSilentOwnerIsNotWaitedFor: as long as others know the answer, nobody waits for an owner
// that has been silent.
func TestSilentOwnerIsNotWaitedFor(t *testing.T) {
	ring := ringOf(0, 20)
	g := newRig(t, Options{Ring: ring})
	g.down()
	q := strange(t, ring)
	ring.silent[ring.Owners(q.Name, 2, nil)[0]] = 2
	live := ring.Owners(q.Name, 2, nil)
	g.ask(q)
	for _, s := range g.asks() {
		if s.To == live[0] || s.To == live[1] {
			g.have(s, s.To, id(19), time.Minute, response(q, 60, "192.0.2.1"))
		}
	}
	if r := g.reply(); address(t, r) != "192.0.2.1" {
		t.Errorf("reply %+v", r)
	}
}

// TestSilentOwnerIsGiven: what is learned is given also to an owner that has been silent,
// since others go on to ask it.
func TestSilentOwnerIsGiven(t *testing.T) {
	ring := ringOf(0, 20)
	g := newRig(t, Options{Ring: ring})
	q := strange(t, ring)
	busy := ring.Owners(q.Name, 2, nil)[0]
	ring.silent[busy] = 2
	g.learn(q, 60, "192.0.2.1")
	g.wait(batchFor)
	for _, s := range g.sends {
		if _, put := s.Body.(*packet.Put); put && s.To == busy {
			return
		}
	}
	t.Errorf("sent %+v", g.sends)
}

// TestLateDenial: that there is nothing is an answer also if an owner says it last of all.
// What a zone without keys is judged by is of this kind.
func TestLateDenial(t *testing.T) {
	ring := ringOf(0, 20)
	g := newRig(t, Options{Ring: ring})
	g.down()
	q := strange(t, ring)
	g.ask(q)
	asked := g.asks()
	g.wait(100 * time.Millisecond)
	g.silent()
	g.have(asked[0], asked[0].To, asked[0].To, 0, response(q, 60))
	g.miss(asked[1])
	if r := g.reply(); r.Msg == nil || r.By != ByOwner {
		t.Errorf("reply %+v", r)
	}
}
