package peer

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
)

// Readiness counts the last hour's lookups that could be answered were all gone now.
func TestReadiness(t *testing.T) {
	g := newRig(t, Options{})
	for _, name := range []string{"a.example", "b.example", "c.example"} {
		g.learn(a(name), 60, "192.0.2.1")
	}
	g.learn(a("none.example"), 60)
	g.wait(2 * time.Minute) // the negative one is stale: it is not promised
	if k, of := g.n.Readiness(g.now); k != 3 || of != 4 {
		t.Fatalf("%d of %d", k, of)
	}
	g.wait(time.Hour)
	if k, of := g.n.Readiness(g.now); k != 0 || of != 0 {
		t.Fatalf("%d of %d", k, of)
	}
}

// What a machine knew before it was started anew answers while the servers are down,
// even if nobody knows how long it was off; it is never fresh, and told with an age that
// says so.
func TestSnapshot(t *testing.T) {
	ring := ringOf(0, 5)
	g := newRig(t, Options{Ring: ring})
	q := strange(t, ring)
	g.learn(q, 3600, "192.0.2.1")
	g.wait(time.Minute)
	var file bytes.Buffer
	if err := g.n.Snapshot(&file, keep.Moment{Now: g.now, Boot: "one", Wall: 1000}); err != nil {
		t.Fatal(err)
	}
	g = newRig(t, Options{Ring: ring})
	if k, err := g.n.Load(&file, keep.Moment{Now: g.now, Boot: "two", Wall: 1060}); k != 1 || err != nil {
		t.Fatal(k, err)
	}
	g.ask(q)
	g.silent()
	g.fetch()
	g.step(Received{From: id(3), ID: 9, Body: &packet.Ask{Name: q.Name, Type: q.Type, Net: 7, FreshOnly: true}})
	g.step(Received{From: id(3), ID: 9, Body: &packet.Ask{Name: q.Name, Type: q.Type, Net: 7}})
	if miss, have := g.sends[0].Body.(*packet.Answer), g.sends[1].Body.(*packet.Answer); miss.Outcome != packet.Miss || have.Record.Age < time.Hour {
		t.Fatalf("told %+v, %+v", miss, have)
	}
	g.down()
	g.ask(q)
	g.wait(20 * time.Millisecond)
	for _, r := range g.replies {
		if r.By != ByStale || r.EDE != edeStale {
			t.Fatalf("reply %+v", r)
		}
	}
}

// Why tells an operator what is known of a name.
func TestWhy(t *testing.T) {
	ring := ringOf(0, 5)
	g := newRig(t, Options{Ring: ring})
	q := strange(t, ring)
	g.learn(q, 60, "192.0.2.1")
	g.wait(2 * time.Minute)
	g.down()
	g.ask(q)
	text := g.n.Why(q)
	for _, want := range []string{"name servers: down", "last answer: by stale", "own copy, age 2m", "stale since 1m", "owners: "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if text := g.n.Why(a("nas.local")); !strings.Contains(text, "kept: nothing") || !strings.Contains(text, "members are not asked") {
		t.Error(text)
	}
	s := g.n.Servers()
	if len(s) != 1 || s[0].State != packet.Down {
		t.Errorf("servers %+v", s)
	}
	if c := g.n.Stats(); c.Asked != 3 || c.Fresh != 1 || c.Stale != 1 {
		t.Errorf("stats %+v", c)
	}
}

// Forgetting takes answers, failures and misses.
func TestForget(t *testing.T) {
	g := newRig(t, Options{})
	g.learn(a("www.example"), 3600, "192.0.2.1")
	g.learn(a("ftp.example"), 3600, "192.0.2.1")
	g.step(Forget{Name: a("www.example").Name})
	g.ask(a("ftp.example"))
	g.reply()
	g.ask(a("www.example"))
	g.silent()
	g.step(Fetched{Req: g.fetch().Req, Msg: failed(a("www.example"), 2)})
	g.reply()
	g.step(Forget{Name: a("example").Name, Below: true})
	if k := g.n.Kept().Entries; k != 0 {
		t.Fatalf("%d entries are kept", k)
	}
	g.ask(a("www.example"))
	g.fetch()
}

// Memory is bounded, whatever clients ask (I11).
func TestBounds(t *testing.T) {
	g := newRig(t, Options{Ring: ringOf(0, 5), Entries: 1000})
	label := func(k int) string {
		return string([]byte{'a' + byte(k%26), 'a' + byte(k/26%26), 'a' + byte(k/676%26), 'a' + byte(k/17576%26)})
	}
	for k := range 20_000 {
		g.ask(a(label(k) + ".example"))
	}
	if len(g.n.lookups) > maxLookups || len(g.replies) != 20_000-maxLookups {
		t.Fatalf("%d lookups, %d replies", len(g.n.lookups), len(g.replies))
	}
	for range 30_000 {
		g.ask(a("aaaa.example"))
	}
	if g.n.waiting > maxWaiting {
		t.Fatalf("%d wait", g.n.waiting)
	}
	g.replies, g.fetches = nil, nil
	g.wait(time.Minute)
	if len(g.n.lookups)+len(g.n.jobs)+len(g.n.asks)+g.n.waiting != 0 || len(g.n.timers.heap) > 3 {
		t.Fatalf("left: %d lookups, %d jobs, %d asks, %d waiting, %d timers",
			len(g.n.lookups), len(g.n.jobs), len(g.n.asks), g.n.waiting, len(g.n.timers.heap))
	}
	if len(g.n.missed.of) > maxMemory || len(g.n.recent.looked) > maxRecent {
		t.Fatalf("%d misses, %d looked", len(g.n.missed.of), len(g.n.recent.looked))
	}
}
