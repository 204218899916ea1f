package peer_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer"
	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// TestPutsOfLiars: an owner keeps nothing that its sender did not have itself, that is
// wrong in form, or that is not its to keep.
func TestPutsOfLiars(t *testing.T) {
	q := question("www.example.com")
	for _, c := range []struct {
		name  string
		owner packet.NodeID
		kept  int
		make  func(r *packet.Record)
	}{
		{"as it should be", me, 1, func(r *packet.Record) {}},
		{"to one who is no owner", honest, 0, func(r *packet.Record) {}},
		{"of another origin", me, 0, func(r *packet.Record) { r.Origin = honest }},
		{"of the receiver's origin", me, 0, func(r *packet.Record) { r.Origin = me }},
		{"of another network", me, 0, func(r *packet.Record) { r.Net = 8 }},
		{"private", me, 0, func(r *packet.Record) { r.Msg = reply(q, 60, "10.0.0.1") }},
		{"a secret name", me, 0, func(r *packet.Record) { r.Msg = reply(question("printer.local"), 60, lieAddr) }},
		{"an error", me, 0, func(r *packet.Record) { r.Msg = packed(message(q, dns.RcodeServerFailure)) }},
		{"nothing without a zone", me, 0, func(r *packet.Record) { r.Msg = packed(message(q, dns.RcodeNameError)) }},
		{"a referral", me, 0, func(r *packet.Record) {
			m := message(q, 0)
			m.Ns = message(q, 0, "example.com. 60 NS ns.example.com.").Answer
			r.Msg = packed(m)
		}},
	} {
		v := newVictim(t, peer.Options{}, c.owner)
		r := &packet.Record{Origin: liar, Net: 7, State: packet.Secure, Msg: reply(q, 60, lieAddr)}
		c.make(r)
		v.step(peer.Received{From: liar, Body: &packet.Put{Records: []*packet.Record{r}}})
		v.run(time.Second)
		if got := v.n.Kept().Entries; got != c.kept {
			t.Errorf("%s: %d kept", c.name, got)
		}
		if len(v.sent) > 0 {
			t.Errorf("%s: sends %+v", c.name, v.sent)
		}
	}
}

// TestPutFlood: a member that gives more than there is room for pushes out nothing that the
// own clients asked for, and memory stays flat.
func TestPutFlood(t *testing.T) {
	const entries, own, flood = 2000, 900, 30_000
	v := newVictim(t, peer.Options{Entries: entries}, me)
	for i := range own {
		v.ids++
		v.step(peer.Query{ID: v.ids, Question: question(fmt.Sprintf("own%d.example", i))})
	}
	fill := func(from packet.NodeID, first, n int) {
		for i := range n {
			q := question(fmt.Sprintf("foreign%d.example", first+i))
			v.step(peer.Received{From: from, Body: &packet.Put{Records: []*packet.Record{{Origin: from, Net: 7, Msg: reply(q, 86400, lieAddr)}}}})
		}
	}
	fill(liar, 0, flood/10)
	before := heap()
	fill(liar, flood/10, flood)
	grown := int64(heap()) - int64(before)
	kept := v.n.Kept()
	t.Logf("%d kept of %d, %d own, %d owned; memory %+d kB", kept.Entries, flood, kept.Own, kept.Owned, grown>>10)
	if kept.Entries > entries || kept.Own != own || grown > 4<<20 {
		t.Errorf("%d entries, %d own, memory %+d", kept.Entries, kept.Own, grown)
	}
	for i := range own {
		v.ids++
		v.step(peer.Query{ID: v.ids, Question: question(fmt.Sprintf("own%d.example", i))})
		if r := v.replies[v.ids]; r.By != peer.ByCache {
			t.Fatalf("own name %d by %v", i, r.By)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestResolveFlood: members get 20 lookups a second each and 50 all together, a Busy for the
// rest, and own clients theirs as ever; no Ask makes another.
func TestResolveFlood(t *testing.T) {
	for _, liars := range []int{1, 10} {
		v := newVictim(t, peer.Options{}, me)
		const seconds, perSecond = 10, 500
		answers := 0
		for i := range seconds * perSecond {
			v.now += time.Second / perSecond
			from := packet.NodeID{9, byte(i % liars)}
			v.step(peer.Received{From: from, ID: uint64(i), Body: &packet.Ask{Name: rr.MustName(fmt.Sprintf("n%d.example", i)), Type: dns.TypeA, Resolve: true, Deadline: time.Second, Net: 7}})
			v.run(0)
		}
		for _, s := range v.sent {
			switch s.Body.(type) {
			case *packet.Ask:
				t.Fatalf("an Ask made an Ask")
			case *packet.Answer:
				answers++
			}
		}
		most := min(20*liars, 50) * (seconds + 1)
		t.Logf("%d members: %d lookups, %d answers", liars, v.fetched, answers)
		if v.fetched > most || answers > seconds*perSecond {
			t.Errorf("%d lookups, want at most %d; %d answers", v.fetched, most, answers)
		}
		if r := v.ask(question("own.example")); r.By != peer.ByUpstream {
			t.Errorf("own lookup by %v", r.By)
		}
	}
}
