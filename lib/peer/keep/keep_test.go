package keep

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

var (
	me   = packet.NodeID{1}
	you  = packet.NodeID{2}
	them = packet.NodeID{3}
)

// entry makes one of the address of a name.
func entry(t testing.TB, now time.Duration, name string, ttl int, change func(*Entry)) *Entry {
	t.Helper()
	msg := response(t, name+".", dns.TypeA, 0, fmt.Sprintf("%s. %d IN A 192.0.2.1", name, ttl))
	i, err := Describe(msg)
	if err != nil {
		t.Fatal(err)
	}
	e := &Entry{Key: Key{Net: 1, Name: i.Name, Type: i.Type}, Brief: i.Brief, Msg: msg, Base: now, Origin: me, From: me, First: true, Rank: -1}
	if change != nil {
		change(e)
	}
	return e
}

// foreign makes an entry one that another node gave, of whose name this one is an owner.
func foreign(from packet.NodeID) func(*Entry) {
	return func(e *Entry) { e.First, e.Origin, e.From, e.Rank = false, from, from, 0 }
}

// negative makes it one that there is nothing.
func negative(e *Entry) { e.Negative, e.Rcode = true, 3 }

// own puts an entry that an own client asked for.
func own(t testing.TB, c *Cache, now time.Duration, e *Entry) {
	t.Helper()
	c.Asked(now, e.Key)
	if err := c.Put(now, e); err != nil {
		t.Fatal(err)
	}
}

// check fails unless the cache's parts fit each other.
func check(t testing.TB, c *Cache) {
	t.Helper()
	lists, octets, from := 0, 0, map[packet.NodeID]int{}
	for _, l := range []*list{&c.stale, &c.owned, &c.other} {
		n := 0
		for e := l.head; e != nil; e = e.next {
			n++
			if c.list(e.in) != l || e.heap >= 0 || e.next != nil && e.next.prev != e {
				t.Fatal("bad list")
			}
			if l != &c.stale {
				from[e.giver()]++
			}
		}
		if n != l.n {
			t.Fatalf("list of %d counts %d", n, l.n)
		}
		lists += n
	}
	for i, e := range c.fresh {
		if int(e.heap) != i || e.in != inNone {
			t.Fatal("bad heap")
		}
	}
	used := 0
	for _, at := range c.index.slots {
		used += int(min(at, 1))
	}
	for i, e := range c.all {
		octets += len(e.Msg)
		if int(e.place) != i || c.Get(e.Key) != e {
			t.Fatal("bad place")
		}
	}
	if lists+len(c.fresh) != len(c.all) || len(c.all) != used || octets != c.octets {
		t.Fatalf("%d listed, %d in all, %d found, %d octets counted as %d", lists+len(c.fresh), len(c.all), used, octets, c.octets)
	}
	if fmt.Sprint(from) != fmt.Sprint(c.from) {
		t.Fatalf("givers %v are counted as %v", from, c.from)
	}
}

func TestPut(t *testing.T) {
	const hour = time.Hour
	secure := func(e *Entry) { e.State = packet.Secure }
	for _, c := range []struct {
		name string
		old  func(*Entry) // nil: none; it is an hour old
		e    func(*Entry)
		ask  bool
		want error
	}{
		{"nobody asked", nil, nil, false, ErrForeign},
		{"asked", nil, nil, true, nil},
		{"given to an owner", nil, foreign(you), false, nil},
		{"given to another", nil, func(e *Entry) { foreign(you)(e); e.Rank = -1 }, false, ErrForeign},
		{"an error", nil, func(e *Entry) { e.Rcode = 2 }, true, ErrKind},
		{"old", nil, func(e *Entry) { e.Base -= 25 * hour }, true, ErrOld},
		{"old negative", nil, func(e *Entry) { negative(e); e.Base -= 2 * hour }, true, ErrOld},
		{"own for own", func(*Entry) {}, nil, true, nil},
		{"newer of another", func(*Entry) {}, foreign(you), true, ErrKnown},
		{"newer of several", func(*Entry) {}, func(e *Entry) { foreign(you)(e); e.Agreed = true }, true, nil},
		{"newer of another for very old", func(e *Entry) { e.Base -= 12 * hour }, foreign(you), true, nil},
		{"newer of another for its own", foreign(them), foreign(you), true, nil},
		{"older of another", func(*Entry) {}, func(e *Entry) { foreign(you)(e); e.Base -= 2 * hour }, true, ErrKnown},
		{"as old of another", func(*Entry) {}, func(e *Entry) { foreign(you)(e); e.Base -= hour }, true, ErrKnown},
		{"newer nothing of another", func(*Entry) {}, func(e *Entry) { foreign(you)(e); negative(e) }, true, ErrKnown},
		{"own nothing", func(*Entry) {}, negative, true, nil},
		{"not validated for secure", secure, foreign(you), true, ErrKnown},
		{"own not validated for secure", secure, nil, true, nil},
		{"secure for secure", secure, func(e *Entry) { foreign(you)(e); secure(e) }, true, nil},
	} {
		now := 100 * hour
		k := New(Options{})
		if c.old != nil {
			own(t, k, now-hour, entry(t, now-hour, "a.example", 60, c.old))
		}
		e := entry(t, now, "a.example", 60, c.e)
		if c.ask {
			k.Asked(now, e.Key)
		}
		before := k.Get(e.Key)
		err := k.Put(now, e)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, not %v", c.name, err, c.want)
		}
		if err == nil && k.Get(e.Key) != e || err != nil && k.Get(e.Key) != before {
			t.Errorf("%s: another entry is kept", c.name)
		}
		check(t, k)
	}
}

func TestFreshness(t *testing.T) {
	e := entry(t, 0, "a.example", 60, nil)
	for _, c := range []struct {
		at      time.Duration
		fresh   bool
		overdue time.Duration
	}{{0, true, 0}, {59 * time.Second, true, 0}, {time.Minute, false, 0}, {time.Hour, false, 59 * time.Minute}} {
		if e.Fresh(c.at) != c.fresh || e.Overdue(c.at) != c.overdue || e.Age(c.at) != c.at {
			t.Errorf("at %v: fresh %v, overdue %v", c.at, e.Fresh(c.at), e.Overdue(c.at))
		}
	}
}

func TestInterest(t *testing.T) {
	c := New(Options{})
	e := entry(t, 0, "a.example", 60, nil)
	own(t, c, 0, e)
	for range 3 {
		c.Asked(0, e.Key)
	}
	if i := e.Interest(0); i != 4 {
		t.Errorf("interest %v of 4", i)
	}
	if i := e.Interest(halfLife); i != 2 {
		t.Errorf("interest %v after its half-life", i)
	}
	next := entry(t, halfLife, "a.example", 60, nil)
	e.Put, e.PutTo[0] = time.Minute, you
	if err := c.Put(halfLife, next); err != nil {
		t.Fatal(err)
	}
	if i := next.Interest(halfLife); i != 2 || next.Put != time.Minute || next.PutTo[0] != you {
		t.Errorf("interest %v, put %v to %v after renewal", i, next.Put, next.PutTo)
	}
}

// TestOrder: what goes first where there is no room.
func TestOrder(t *testing.T) {
	c := New(Options{Entries: 8})
	now := time.Hour
	own(t, c, now, entry(t, now, "fresh1", 86400, nil))
	own(t, c, now, entry(t, now, "stale1", 60, nil))
	own(t, c, now, entry(t, now, "fresh2", 86400, nil))
	for _, n := range []string{"foreign1", "foreign2", "foreign3", "foreign4"} {
		if err := c.Put(now, entry(t, now, n, 60, foreign(you))); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []string{"foreign1", "foreign3", "foreign4"} {
		c.Told(now, c.Get(Key{Net: 1, Name: rr.MustName(n), Type: dns.TypeA}))
	}
	c.SetRank(now, c.Get(Key{Net: 1, Name: rr.MustName("foreign3"), Type: dns.TypeA}), -1)
	now += time.Hour
	for _, gone := range []string{"", "foreign3", "foreign2", "foreign1", "foreign4", "stale1"} {
		name := "new" + gone
		own(t, c, now, entry(t, now, name, 86400, nil))
		check(t, c)
		if gone == "" {
			continue
		}
		if c.Get(Key{Net: 1, Name: rr.MustName(gone), Type: dns.TypeA}) != nil {
			t.Errorf("%s is still there", gone)
		}
		if c.Len() != 8 {
			t.Errorf("%d entries", c.Len())
		}
	}
	if err := c.Put(now, entry(t, now, "foreign5", 60, foreign(you))); err != ErrFull {
		t.Errorf("a foreign one among own ones: %v", err)
	}
	own(t, c, now, entry(t, now, "last", 86400, nil))
	if c.Get(Key{Net: 1, Name: rr.MustName("fresh1"), Type: dns.TypeA}) != nil {
		t.Error("of the fresh ones, not that which is so for the shortest time has gone")
	}
}

// TestFlood: one member's records take its share and no more, and nothing of own clients.
func TestFlood(t *testing.T) {
	c := New(Options{Entries: 1000, Members: 50})
	for i := range 400 {
		own(t, c, 0, entry(t, 0, fmt.Sprintf("own%d", i), 60, nil))
	}
	full := 0
	for i := range 3000 {
		from := you
		if i%3 == 0 {
			from = packet.NodeID{9, byte(i), byte(i >> 8)}
		}
		if c.Put(0, entry(t, 0, fmt.Sprintf("foreign%d", i), 60, foreign(from))) == ErrFull {
			full++
		}
	}
	check(t, c)
	n := c.Counts()
	if n.Own != 400 || n.Owned > 500 || c.from[you] > 40 || full < 1800 {
		t.Errorf("%+v, %d of one member, %d refused", n, c.from[you], full)
	}
}

func TestSweep(t *testing.T) {
	c := New(Options{})
	own(t, c, 0, entry(t, 0, "own", 3600, nil))
	own(t, c, 0, entry(t, 0, "nothing", 60, negative))
	if err := c.Put(0, entry(t, 0, "owned", 3600, foreign(you))); err != nil {
		t.Fatal(err)
	}
	if n := c.Sweep(time.Hour, 10); n != 0 || c.Len() != 3 {
		t.Fatalf("%d dropped, %d left", n, c.Len())
	}
	if n := c.Sweep(2*time.Hour, 10); n != 1 || c.Len() != 2 {
		t.Fatalf("%d dropped, %d left", n, c.Len())
	}
	c.SetRank(2*time.Hour, c.Get(Key{Net: 1, Name: rr.MustName("owned"), Type: dns.TypeA}), -1)
	if n := c.Sweep(2*time.Hour, 10); n != 1 || c.Len() != 1 {
		t.Fatalf("%d dropped, %d left", n, c.Len())
	}
	if n := c.Sweep(26*time.Hour, 10); n != 1 || c.Len() != 0 {
		t.Fatalf("%d dropped, %d left", n, c.Len())
	}
	check(t, c)
}

func TestForget(t *testing.T) {
	c := New(Options{})
	for _, n := range []string{"a.example", "b.a.example", "xa.example", "example"} {
		own(t, c, 0, entry(t, 0, n, 60, nil))
	}
	if n := c.Forget(rr.MustName("a.example"), false); n != 1 {
		t.Errorf("%d forgotten", n)
	}
	if n := c.Forget(rr.MustName("example"), true); n != 3 || c.Len() != 0 {
		t.Errorf("%d forgotten", n)
	}
	check(t, c)
}

// TestRandom does anything in any order, and looks at the bounds and whether the parts
// fit each other.
func TestRandom(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := New(Options{Entries: 60, MaxStale: 2 * time.Hour, Window: 3 * time.Hour, Members: 5})
		now := time.Duration(0)
		for range 2000 {
			now += time.Duration(r.IntN(60)) * time.Second
			e := entry(t, now-time.Duration(r.IntN(600))*time.Second, fmt.Sprint("n", r.IntN(150)), r.IntN(900), nil)
			before := c.Counts().Own
			switch r.IntN(8) {
			case 0, 1, 2:
				c.Asked(now, e.Key)
				_ = c.Put(now, e)
			case 3, 4:
				foreign(packet.NodeID{byte(r.IntN(6))})(e)
				if have := c.Get(e.Key); c.Put(now, e) == nil && have == nil && c.Counts().Own < before {
					t.Fatalf("a foreign entry pushed out own ones: %d, then %d", before, c.Counts().Own)
				}
			case 5:
				c.Asked(now, e.Key)
			case 6:
				if have := c.Get(e.Key); have != nil {
					c.SetRank(now, have, int8(r.IntN(3)-1))
				}
			case 7:
				c.Sweep(now, 10)
			}
			if n := c.Counts(); n.Entries > 60 {
				t.Fatalf("%+v", n)
			}
			check(t, c)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	c := New(Options{})
	e := entry(b, 0, "www.example", 60, nil)
	own(b, c, 0, e)
	b.ReportAllocs()
	for b.Loop() {
		c.Asked(time.Second, e.Key)
		if c.Get(e.Key) == nil {
			b.Fatal("nothing")
		}
	}
}

func BenchmarkRenew(b *testing.B) {
	c := New(Options{})
	own(b, c, 0, entry(b, 0, "www.example", 60, nil))
	now := time.Duration(0)
	e := *entry(b, 0, "www.example", 60, nil)
	b.ReportAllocs()
	for b.Loop() {
		now += time.Minute
		n := e
		n.Base = now
		c.Asked(now, e.Key)
		if err := c.Put(now, &n); err != nil {
			b.Fatal(err)
		}
	}
}
