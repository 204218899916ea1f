package keep

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

func TestVerdict(t *testing.T) {
	const hour, s = time.Hour, time.Second
	for _, c := range []struct {
		name      string
		v         Verdict
		base, now time.Duration
		state     packet.State
		ttl       uint32
	}{
		{"nothing", Verdict{}, 0, hour, packet.Unknown, 0},
		{"insecure", Verdict{State: packet.Insecure, Until: 1, MaxTTL: 1}, 0, hour, packet.Insecure, 0},
		{"without bounds", Verdict{State: packet.Secure}, 0, hour, packet.Secure, 0},
		{"a short TTL", Verdict{State: packet.Secure, Until: 2 * hour, MaxTTL: 60}, hour, hour, packet.Secure, 60},
		{"half of it gone", Verdict{State: packet.Secure, Until: 2 * hour, MaxTTL: 60}, hour, hour + 30*s, packet.Secure, 30},
		{"the end is near", Verdict{State: packet.Secure, Until: hour + 20*s, MaxTTL: 60}, hour, hour + 5*s, packet.Secure, 15},
		{"the end", Verdict{State: packet.Secure, Until: hour + 20*s, MaxTTL: 60}, hour, hour + 20*s, packet.Unknown, 1},
		{"ended before the machine was started", Verdict{State: packet.Secure, Until: -1, MaxTTL: 60}, 0, s, packet.Unknown, 1},
	} {
		if got := c.v.StateAt(c.now); got != c.state {
			t.Errorf("%s: %v, want %v", c.name, got, c.state)
		}
		if got := c.v.TTL(c.base, c.now); got != c.ttl {
			t.Errorf("%s: %d s, want %d", c.name, got, c.ttl)
		}
	}
}

// TestFreshByVerdict: an entry is fresh no longer than its signature and the signed TTL
// allow, also if the verdict comes after it was put.
func TestFreshByVerdict(t *testing.T) {
	c := New(Options{})
	e := entry(t, 0, "late", 3600, nil)
	own(t, c, 0, e)
	own(t, c, 0, entry(t, 0, "other", 600, nil))
	c.Judge(0, e, Verdict{State: packet.Secure, Until: time.Hour, MaxTTL: 30})
	check(t, c)
	if e.Fresh(30*time.Second) || !e.Fresh(29*time.Second) || c.fresh[0] != e {
		t.Errorf("fresh for %v", e.Life())
	}
}

// TestProofOfNoKeysIsKept: that a zone has no keys is kept for as long as keys are.
func TestProofOfNoKeysIsKept(t *testing.T) {
	for _, chain := range []bool{false, true} {
		c := New(Options{})
		own(t, c, 0, entry(t, 0, "zone", 60, func(e *Entry) { negative(e); e.Type, e.CD = dns.TypeDS, chain }))
		c.Sweep(10*time.Hour, 10)
		if got := c.Len() == 1; got != chain {
			t.Errorf("chain %v: kept %v", chain, got)
		}
	}
}

// TestSecureUntil: one that was secure, whose signature has ended, may be replaced by a
// younger answer as any other.
func TestSecureUntil(t *testing.T) {
	c := New(Options{})
	held := foreign(them)
	first := entry(t, 0, "www", 60, func(e *Entry) {
		held(e)
		e.Verdict = Verdict{State: packet.Secure, Until: time.Hour}
	})
	if err := c.Put(0, first); err != nil {
		t.Fatal(err)
	}
	if err := c.Put(30*time.Minute, entry(t, 30*time.Minute, "www", 60, foreign(you))); err != ErrKnown {
		t.Errorf("while it holds: %v", err)
	}
	if err := c.Put(time.Hour, entry(t, time.Hour, "www", 60, foreign(you))); err != nil {
		t.Errorf("when it has ended: %v", err)
	}
}

// TestSnapshotVerdict: the bounds of a verdict outlive a start of the machine.
func TestSnapshotVerdict(t *testing.T) {
	const now = 10 * time.Hour
	c := New(Options{})
	for name, until := range map[string]time.Duration{"ends": now + time.Hour, "ended": now - time.Hour, "now": now, "unknown": 0} {
		own(t, c, now, entry(t, now, name, 3600, func(e *Entry) {
			e.Verdict = Verdict{State: packet.Secure, Until: until, MaxTTL: 600}
		}))
	}
	var buf bytes.Buffer
	if err := c.Snapshot(&buf, Moment{Now: now, Boot: "one", Wall: 1000}); err != nil {
		t.Fatal(err)
	}
	k := New(Options{})
	at := Moment{Now: time.Minute, Boot: "two", Wall: 1000 + 1800} // half an hour later
	if n, err := k.Load(&buf, at); n != 4 || err != nil {
		t.Fatalf("%d entries, %v", n, err)
	}
	for name, want := range map[string]time.Duration{
		"ends": time.Minute + 30*time.Minute, "ended": time.Minute - 90*time.Minute, "now": time.Minute - 30*time.Minute - time.Millisecond, "unknown": 0,
	} {
		e := k.Get(Key{Net: 1, Name: rr.MustName(name), Type: dns.TypeA})
		if e == nil || e.Until != want || e.MaxTTL != 600 || e.State != packet.Secure {
			t.Errorf("%s: %+v, want until %v", name, e, want)
		}
	}
}

// TestSnapshotOfBefore: a snapshot of the first form, in which entries had no bounds of
// their verdicts, is read.
func TestSnapshotOfBefore(t *testing.T) {
	now := 10 * time.Hour
	e := entry(t, now-time.Minute, "own", 3600, func(e *Entry) { e.State, e.wanted, e.asked = packet.Secure, true, now })
	data := binary.BigEndian.AppendUint64([]byte("nckeep1\n"), uint64(now))
	data = append(binary.BigEndian.AppendUint64(data, 1000), "\x03one"...)
	data, err := binary.Append(data, binary.BigEndian, e.fixed(now))
	if err != nil {
		t.Fatal(err)
	}
	data = append(append(data, e.Name...), e.Msg...)
	sum := sha256.Sum256(data)
	k := New(Options{})
	n, err := k.Load(bytes.NewReader(append(data, sum[:]...)), Moment{Now: now, Boot: "one"})
	if err != nil || n != 1 {
		t.Fatalf("%d entries, %v", n, err)
	}
	if got := k.Get(e.Key); got == nil || got.State != packet.Secure || got.Until != 0 || got.MaxTTL != 0 || got.Age(now) != time.Minute {
		t.Errorf("%+v", got)
	}
}
