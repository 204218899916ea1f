package group

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"namecast/lib/peer"
	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// www is a question that members are asked.
func www() *packet.Ask {
	return &packet.Ask{Name: rr.MustName("www.example"), Type: 1, Deadline: time.Second}
}

// send has one machine ask another, and checks that it gets there.
func send(t *testing.T, from, to *machine) {
	t.Helper()
	before := len(to.got)
	from.send(from.g.Send(from.w.now, peer.Send{To: to.g.Self(), ID: 7, Body: www()}))
	from.w.run(10 * time.Millisecond)
	if len(to.got) != before+1 {
		t.Errorf("%s got %d messages of %s", to.name, len(to.got)-before, from.name)
		return
	}
	got := to.got[before]
	if ask, ok := got.Body.(*packet.Ask); !ok || got.From != from.g.Self() || got.ID != 7 || ask.Name != www().Name {
		t.Errorf("%s got %+v", to.name, got)
	}
}

func TestSend(t *testing.T) {
	w := lan(t, 20, 3, 0, true, true)
	w.until(5 * time.Second)
	send(t, w.machines[0], w.machines[1])
	ask := www()
	ask.Any = true
	w.machines[0].send(w.machines[0].g.Send(w.now, peer.Send{All: true, ID: 8, Body: ask}))
	w.run(10 * time.Millisecond)
	for _, m := range w.machines[1:] {
		if last := m.got[len(m.got)-1]; last.ID != 8 || !last.Body.(*packet.Ask).Any {
			t.Errorf("%s got %+v", m.name, last)
		}
	}
}

// TestCallWhereMulticastFails: a call to all gets there by broadcast, or one by one
// where there is none.
func TestCallWhereMulticastFails(t *testing.T) {
	for _, four := range []bool{true, false} {
		w := lan(t, 21, 5, 0, true, four)
		w.until(5 * time.Second)
		w.segments[0].noMulti = true
		w.run(time.Minute)
		ask := www()
		ask.Any = true
		w.machines[0].send(w.machines[0].g.Send(w.now, peer.Send{All: true, ID: 8, Body: ask}))
		w.run(10 * time.Millisecond)
		for _, m := range w.machines[1:] {
			if len(m.got) != 1 {
				t.Errorf("%s was called %d times", m.name, len(m.got))
			}
		}
	}
}

// TestLargeAnswer goes in fragments.
func TestLargeAnswer(t *testing.T) {
	w := lan(t, 22, 2, 0, true, false)
	w.until(5 * time.Second)
	msg := make([]byte, 12, 3000)
	msg[2], msg[5] = 0x80, 1
	msg = append(msg, "\x03www\x07example\x00\x00\x01\x00\x01"...)
	msg = append(msg, make([]byte, 3000-len(msg))...)
	a, b := w.machines[0], w.machines[1]
	rec := &packet.Record{Origin: a.g.Self(), Age: time.Second, Msg: msg}
	a.send(a.g.Send(w.now, peer.Send{To: b.g.Self(), ID: 5, Body: &packet.Answer{Outcome: packet.Have, Record: rec}}))
	w.run(10 * time.Millisecond)
	if len(b.got) != 1 || len(b.got[0].Body.(*packet.Answer).Record.Msg) != 3000 {
		t.Fatalf("got %v", b.got)
	}
	send(t, a, b) // the numbers go on behind those of the fragments
	rec.Msg = append(msg, make([]byte, 4000)...)
	if out := a.g.Send(w.now, peer.Send{To: b.g.Self(), ID: 5, Body: &packet.Answer{Outcome: packet.Have, Record: rec}}); out != nil || a.g.Stats().TooBig != 1 {
		t.Errorf("%d datagrams, stats %+v", len(out), a.g.Stats())
	}
}

func TestBye(t *testing.T) {
	w := lan(t, 23, 4, 0, true, true)
	w.until(5 * time.Second)
	w.run(time.Second)
	m := w.machines[3]
	m.send(m.g.Bye(w.now, "stopped"))
	m.stopped = true
	w.run(10 * time.Millisecond)
	if w.missing() != 0 {
		t.Error("it is still a member")
	}
	if log := w.machines[0].log; !strings.Contains(log[len(log)-1], "bye: stopped") {
		t.Errorf("log: %v", log)
	}
	w.run(time.Minute)
	m.start() // with the same key, and another boot
	w.until(5 * time.Second)
}

// TestSilence: a machine that is gone is suspect after two questions, and no member
// after three intervals.
func TestSilence(t *testing.T) {
	w := lan(t, 24, 4, 0, true, true)
	w.until(5 * time.Second)
	w.run(20 * time.Second)
	dead := w.machines[3]
	dead.stopped = true
	g := w.machines[0].g
	change := g.Change()
	for range 2 {
		g.Silent(dead.g.Self())
	}
	if g.Change() != change || owns(g, dead.g.Self()) {
		t.Errorf("change %d to %d; it owns names: %v", change, g.Change(), owns(g, dead.g.Self()))
	}
	if !owns(w.machines[1].g, dead.g.Self()) {
		t.Error("others do not know yet, and it owns nothing")
	}
	w.run(3*minInterval*6/5 + time.Second)
	if w.missing() != 0 {
		t.Errorf("it is still a member: %v", w.machines[0].log)
	}
	dead.stopped = false // it was but paused
	dead.send(dead.g.Step(w.now))
	w.until(10 * time.Second)
	if !owns(g, dead.g.Self()) {
		t.Error("it owns nothing again")
	}
}

// TestSuspectComesBack: an answer makes a member whole again.
func TestSuspectComesBack(t *testing.T) {
	w := lan(t, 25, 3, 0, true, true)
	w.until(5 * time.Second)
	a, b := w.machines[0], w.machines[1]
	for range 3 {
		a.g.Silent(b.g.Self())
	}
	a.send(nil)
	if owns(a.g, b.g.Self()) {
		t.Error("a suspect owns names")
	}
	w.run(time.Second)
	if !owns(a.g, b.g.Self()) {
		t.Error("it answers, and owns nothing")
	}
}

// owns tells whether a member owns any of some names.
func owns(g *Group, id packet.NodeID) bool {
	for i := range 100 {
		for _, o := range g.Owners(rr.MustName("n"+string(rune('a'+i%26))+strings.Repeat("x", i/26)), 2, nil) {
			if o == id {
				return true
			}
		}
	}
	return false
}

// TestRestart: a machine crashes and starts again at once; the others learn of it soon.
func TestRestart(t *testing.T) {
	w := lan(t, 26, 4, 0, true, true)
	w.until(5 * time.Second)
	w.run(time.Minute)
	m := w.machines[0]
	m.start()
	w.until(5 * time.Second)
	send(t, m, w.machines[1])
	send(t, w.machines[1], m)
}

// TestSleep: a machine sleeps for hours and is no stranger then.
func TestSleep(t *testing.T) {
	w := lan(t, 27, 4, 0, true, true)
	w.until(5 * time.Second)
	m := w.machines[0]
	m.stopped = true
	w.run(time.Hour)
	m.stopped = false
	m.send(m.g.Step(w.now))
	if m.g.Size() != 4 {
		t.Error("it blames the others for its sleep")
	}
	w.until(5 * time.Second)
	w.run(time.Minute)
	if w.missing() != 0 {
		t.Errorf("%d members are lost", w.missing())
	}
}

// TestSRTT measures.
func TestSRTT(t *testing.T) {
	w := lan(t, 28, 2, 0, true, false)
	w.until(5 * time.Second)
	a, b := w.machines[0], w.machines[1]
	m := a.g.Members()
	if len(m) != 1 || m[0].ID != b.g.Self() || m[0].SRTT < 100*time.Microsecond || m[0].SRTT > 3*time.Millisecond {
		t.Errorf("members %+v", m)
	}
	if wait := a.g.Wait(b.g.Self()); wait != 5*time.Millisecond && wait != 4*m[0].SRTT {
		t.Errorf("wait %v for %v", wait, m[0].SRTT)
	}
	if m[0].Addrs[0].Addr().Zone() != "eth0" {
		t.Errorf("addresses %v", m[0].Addrs)
	}
}

// TestSay: a change of the name servers' state is told at once.
func TestSay(t *testing.T) {
	w := lan(t, 29, 4, 0, true, true)
	w.until(5 * time.Second)
	w.run(time.Minute)
	name := rr.MustName("www.example")
	if h := w.machines[0].g.Helpers(name, 4, nil); len(h) != 3 {
		t.Errorf("helpers %v", h)
	}
	down := w.machines[1]
	down.g.Say(Status{Upstream: packet.Down, UpstreamFor: time.Minute, Entries: 5})
	down.send(nil)
	w.run(2 * time.Second)
	if log := w.machines[0].log; !strings.Contains(log[len(log)-1], "Turned") {
		t.Errorf("log %v", log)
	}
	for _, m := range []*machine{w.machines[0], w.machines[2], w.machines[3]} {
		if h := m.g.Helpers(name, 4, nil); len(h) != 2 {
			t.Errorf("helpers of %s: %v", m.name, h)
		}
		for _, o := range m.g.Members() {
			if o.ID == down.g.Self() && (o.Entries != 5 || o.UpstreamFor < time.Minute || o.UpstreamFor > time.Minute+5*time.Second) {
				t.Errorf("member %+v", o)
			}
		}
	}
}

// TestClones: machines that were made from one image.
func TestClones(t *testing.T) {
	for seed := range uint64(10) {
		w := newWorld(t, 30+seed)
		s := w.segment()
		for i := range 5 {
			m := w.machine(nil)
			if i > 2 {
				m.key = w.machines[0].key
			}
			m.join(s, true, true)
			w.after(time.Duration(w.IntN(8))*time.Second, m.start)
		}
		for range 60 {
			w.run(time.Second)
			w.rekey()
		}
		ids := map[packet.NodeID]bool{}
		for _, m := range w.machines {
			ids[m.g.Self()] = true
		}
		if len(ids) != 5 {
			t.Fatalf("seed %d: %d identities", seed, len(ids))
		}
		w.until(time.Minute)
		for _, m := range w.machines {
			send(t, w.machines[2], w.machines[1])
			if m != w.machines[0] {
				send(t, m, w.machines[0])
				send(t, w.machines[0], m)
			}
		}
	}
}

// rekey does what the program does about clones.
func (w *world) rekey() {
	for _, m := range w.machines {
		for _, c := range m.clones {
			if c.Self {
				m.key = ed25519.NewKeyFromSeed(seededBytes(w.Uint64()))
				m.boot = w.Uint64()
				m.send(m.g.Rekey(w.now, m.key, m.boot))
				break
			}
		}
		m.clones = nil
	}
}

func seededBytes(seed uint64) []byte {
	b := make([]byte, ed25519.SeedSize)
	seeded(seed).Read(b)
	return b
}

// TestRotation: the key is changed on one machine after the other, and nobody is lost.
func TestRotation(t *testing.T) {
	w := lan(t, 45, 4, 0, true, true)
	w.until(5 * time.Second)
	next, err := w.keys.Next(seeded(5))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range w.machines {
		m.g.SetKeys(next)
		w.run(time.Minute)
		if w.missing() != 0 {
			t.Fatalf("%d members are lost: %v", w.missing(), m.log)
		}
		for _, o := range w.machines {
			if o != m {
				send(t, m, o)
				send(t, o, m)
			}
		}
	}
}

// TestOneAddressOneMember: a machine that has lost its key takes the place of what it
// was; one that takes the address of a member that lives does not.
func TestOneAddressOneMember(t *testing.T) {
	w := lan(t, 46, 4, 0, true, true)
	w.until(5 * time.Second)
	m := w.machines[0]
	m.key = ed25519.NewKeyFromSeed(seededBytes(77))
	m.start()
	w.run(3 * time.Second)
	w.until(0)
	thief := w.machine(nil)
	n := thief.join(w.segments[0], true, true)
	n.Addrs = m.nics[0].Addrs
	thief.start()
	w.run(30 * time.Second)
	for _, o := range w.machines[1:4] {
		for _, member := range o.g.Members() {
			if member.ID == thief.g.Self() {
				t.Errorf("%s has the thief as a member", o.name)
			}
		}
		if o.g.Size() != 4 {
			t.Errorf("%s has %d members: %v", o.name, o.g.Size()-1, o.log)
		}
	}
}

// TestHeardAgain: a node that was taken to be gone asks, and is a member again.
func TestHeardAgain(t *testing.T) {
	w := lan(t, 47, 2, 0, true, true)
	w.until(5 * time.Second)
	a, b := w.machines[0], w.machines[1]
	b.g.leave(b.g.nodes[a.g.Self()], "test")
	a.send(a.g.Send(w.now, peer.Send{To: b.g.Self(), ID: 7, Body: www()}))
	w.run(10 * time.Millisecond)
	if w.missing() != 0 || len(b.got) != 0 {
		t.Errorf("%d members are missing, got %v", w.missing(), b.got)
	}
	send(t, a, b)
}

// TestByeOfMany: all machines are stopped in the same moment. There is no storm, and
// one that stays soon knows.
func TestByeOfMany(t *testing.T) {
	w := lan(t, 48, 30, 0, true, false)
	w.until(5 * time.Second)
	w.run(5 * time.Second)
	s := w.segments[0]
	s.multi = nil
	for _, m := range w.machines[1:] {
		m.send(m.g.Bye(w.now, "stopped"))
		m.stopped = true
	}
	w.run(time.Second)
	if left := w.machines[0].g.Size(); left != 1 {
		t.Errorf("it still has %d members", left-1)
	}
	w.run(time.Minute)
	if w.machines[0].g.Size() != 1 {
		t.Error("a member is left")
	}
}
