package peer

import (
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer/packet"
)

// Guard mode: after the answer, never before it, copies go to both owners in one message
// each; and again only after six hours, or if the data has changed.
func TestCopiesToOwners(t *testing.T) {
	ring := ringOf(0, 5)
	g := newRig(t, Options{Ring: ring})
	q := strange(t, ring)
	g.ask(q)
	f := g.fetch()
	if len(g.sends) != 0 {
		t.Fatalf("sent before the answer: %+v", g.sends)
	}
	g.step(Fetched{Req: f.Req, Msg: response(q, 60, "192.0.2.1")})
	g.reply()
	g.wait(batchFor)
	var to []packet.NodeID
	for _, s := range g.sends {
		r := s.Body.(*packet.Put).Records
		if len(r) != 1 || r[0].Origin != ring.self || r[0].Net != 7 || r[0].Age != batchFor {
			t.Fatalf("records %+v", r[0])
		}
		to = append(to, s.To)
	}
	slices.SortFunc(to, func(a, b packet.NodeID) int { return slices.Compare(a[:], b[:]) })
	want := ring.Owners(q.Name, 2, nil)
	slices.SortFunc(want, func(a, b packet.NodeID) int { return slices.Compare(a[:], b[:]) })
	if !slices.Equal(to, want) {
		t.Fatalf("given to %v, want %v", to, want)
	}
	g.sends = nil
	for _, c := range []struct {
		after time.Duration
		addr  string
		puts  int
	}{{time.Minute, "192.0.2.1", 0}, {time.Minute, "192.0.2.2", 2}, {5 * time.Hour, "192.0.2.2", 0}, {2 * time.Hour, "192.0.2.2", 2}} {
		g.wait(c.after)
		g.learn(q, 60, c.addr)
		g.wait(batchFor)
		if len(g.sends) != c.puts {
			t.Fatalf("after %s with %s: %d messages, want %d", c.after, c.addr, len(g.sends), c.puts)
		}
		g.sends = nil
	}
}

// What goes to one owner within 20 ms goes in as few messages as it fits in.
func TestCopiesAreBatched(t *testing.T) {
	ring := ringOf(0, 2)
	g := newRig(t, Options{Ring: ring})
	for k := range 40 {
		g.learn(a("n"+string(rune('a'+k%26))+string(rune('a'+k/26))+".example"), 60, "192.0.2.1")
	}
	g.wait(batchFor)
	records := 0
	for _, s := range g.sends {
		size := 1
		for _, r := range s.Body.(*packet.Put).Records {
			records++
			size += r.Size()
		}
		if size > packet.MaxBody {
			t.Fatalf("a message of %d octets", size)
		}
	}
	if records != 40 || len(g.sends) > 4 {
		t.Fatalf("%d records in %d messages", records, len(g.sends))
	}
}

// A member's question is answered from memory at once, by the own servers if he wants
// that, and never by asking somebody else (I5).
func TestAnsweringMembers(t *testing.T) {
	ring := ringOf(0, 9)
	g := newRig(t, Options{Ring: ring})
	q := strange(t, ring)
	inquire := func(a packet.Ask) {
		a.Name, a.Type, a.Net = q.Name, q.Type, 7
		g.step(Received{From: id(3), ID: 99, Body: &a})
	}
	outcome := func() packet.Outcome {
		t.Helper()
		if len(g.sends) != 1 || g.sends[0].ID != 99 || g.sends[0].To != id(3) {
			t.Fatalf("sends %+v", g.sends)
		}
		out := g.sends[0].Body.(*packet.Answer).Outcome
		g.sends = nil
		return out
	}
	inquire(packet.Ask{})
	if o := outcome(); o != packet.Miss {
		t.Fatalf("outcome %v", o)
	}
	inquire(packet.Ask{Resolve: true, Deadline: time.Second})
	f := g.fetch()
	g.step(Fetched{Req: f.Req, Msg: response(q, 60, "192.0.2.1")})
	var answers int
	for _, s := range g.sends {
		if a, ok := s.Body.(*packet.Answer); ok && a.Outcome == packet.Have && a.Record.Origin == id(0) && s.To == id(3) {
			answers++
		}
	}
	if answers != 1 {
		t.Fatalf("sends %+v", g.sends)
	}
	g.wait(time.Second)
	g.sends = nil
	// He did not keep it: no client of his own asked. Now one does.
	g.learn(q, 60, "192.0.2.1")
	g.wait(time.Minute)
	g.sends = nil
	inquire(packet.Ask{FreshOnly: true})
	if o := outcome(); o != packet.Miss {
		t.Fatalf("outcome %v", o)
	}
	inquire(packet.Ask{})
	if o := outcome(); o != packet.Have {
		t.Fatalf("outcome %v", o)
	}
	// A call is answered a little later, or not at all.
	inquire(packet.Ask{Any: true})
	if len(g.sends) != 0 {
		t.Fatalf("sends %+v", g.sends)
	}
	g.wait(anyDelay)
	if o := outcome(); o != packet.Have {
		t.Fatalf("outcome %v", o)
	}
	q = a("unknown.example")
	inquire(packet.Ask{Any: true})
	g.wait(time.Second)
	if len(g.sends) != 0 {
		t.Fatalf("sends %+v", g.sends)
	}
	q = a("www.local")
	inquire(packet.Ask{Resolve: true})
	if o := outcome(); o != packet.Wont {
		t.Fatalf("outcome %v", o)
	}
}

// Who waits for a member whose own server falls silent is told so at once, and so is who
// asks then.
func TestHelperFallsSilent(t *testing.T) {
	g := newRig(t, Options{Ring: ringOf(0, 9)})
	for range 5 {
		g.learn(a("www.local"), 0, "192.0.2.9")
	}
	inquire := func(name string) {
		g.step(Received{From: id(3), ID: 99, Body: &packet.Ask{Name: a(name).Name, Type: 1, Resolve: true, Net: 7, Deadline: time.Second}})
	}
	inquire("one.example")
	g.wait(100 * time.Millisecond)
	inquire("two.example")
	if len(g.sends) != 2 || g.sends[0].Body.(*packet.Answer).Outcome != packet.Miss || g.sends[1].Body.(*packet.Answer).Outcome != packet.Miss {
		t.Fatalf("sends %+v", g.sends)
	}
}

// Looking up for others has a budget: 20 a second for one member.
func TestHelpIsBounded(t *testing.T) {
	g := newRig(t, Options{Ring: ringOf(0, 9)})
	for k := range 100 {
		name := a("x" + string(rune('a'+k%26)) + string(rune('a'+k/26)) + ".example").Name
		g.step(Received{From: id(3), ID: uint64(k), Body: &packet.Ask{Name: name, Type: 1, Resolve: true, Net: 7, Deadline: time.Hour}})
	}
	if len(g.fetches) != 20 {
		t.Fatalf("%d questions to the server, want 20", len(g.fetches))
	}
	g.wait(serveMost + 4*time.Second)
	if len(g.n.jobs) != 0 || len(g.n.timers.heap) > 10 || len(g.sends) != 100 {
		t.Fatalf("%d jobs, %d timers, %d answers", len(g.n.jobs), len(g.n.timers.heap), len(g.sends))
	}
}

// An owner takes what its origin gives it, and tells it with its age and its origin.
func TestOwnerTells(t *testing.T) {
	ring := ringOf(0, 5)
	g := newRig(t, Options{Ring: ring})
	q := owned(t, ring)
	put := func(from, origin packet.NodeID, age time.Duration, msg []byte) {
		g.step(Received{From: from, ID: 5, Body: &packet.Put{Records: []*packet.Record{{Origin: origin, Age: age, Net: 7, Msg: msg}}}})
	}
	put(id(3), id(3), time.Minute, response(q, 3600, "192.0.2.1"))
	g.wait(time.Minute)
	g.step(Received{From: id(4), ID: 99, Body: &packet.Ask{Name: q.Name, Type: q.Type, Net: 7, FreshOnly: true}})
	r := g.sends[0].Body.(*packet.Answer).Record
	if r == nil || r.Origin != id(3) || r.Age != 2*time.Minute {
		t.Fatalf("record %+v", r)
	}
	// Own clients are not answered by it while the server may answer.
	g.ask(q)
	g.silent()
	if f := g.fetch(); f.Question != q {
		t.Fatalf("fetch %+v", f)
	}
	before := g.n.Stats().Kept
	put(id(3), id(2), 0, response(q, 60, "192.0.2.2"))                          // not at first hand
	put(id(3), id(3), 0, response(strange(t, ring), 60, "192.0.2.2"))           // not its own
	put(id(3), id(3), 0, response(q, 60, "10.0.0.1"))                           // private
	put(id(3), id(3), 169*time.Hour, response(q, 60, "192.0.2.2"))              // too old
	put(id(3), id(3), 0, failed(q, dns.RcodeServerFailure))                     // no answer
	put(id(3), id(3), 0, []byte("\x00\x00\x80\x00\x00\x01\x00\x00\x00\x00 ..")) // garbage
	put(id(3), id(3), 0, alias(q, 60, "www.local.", "192.0.2.2"))               // secret
	if s := g.n.Stats(); s.Kept != before || s.Refused != 7 {
		t.Fatalf("stats %+v", s)
	}
}

// When a member comes, it gets what own clients asked for and it owns now, at most 20
// records a second.
func TestNewOwner(t *testing.T) {
	ring := ringOf(0, 3)
	g := newRig(t, Options{Ring: ring})
	for k := range 100 {
		g.learn(a("n"+string(rune('a'+k%26))+string(rune('a'+k/26))+".example"), 600, "192.0.2.1")
	}
	g.wait(time.Second)
	g.sends = nil
	ring.all = append(ring.all, id(3))
	ring.change++
	begun := g.now
	g.wait(5 * time.Minute)
	given := 0
	for _, s := range g.sends {
		p := s.Body.(*packet.Put)
		if s.To != id(3) {
			t.Fatalf("given to %s, who had it", s.To)
		}
		given += len(p.Records)
	}
	want := 0
	for e := range g.n.Entries {
		if slices.Contains(ring.Owners(e.Name, 2, nil), id(3)) {
			want++
		}
	}
	if given != want || want == 0 {
		t.Fatalf("%d records in %s, want %d", given, g.now-begun, want)
	}
}
