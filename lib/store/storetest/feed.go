package storetest

import (
	"context"
	"testing"
	"time"

	"namecast/lib/rr"
	"namecast/lib/store"
)

// follow gives the next n events after a position, heartbeats left out.
func follow(t *testing.T, s store.Store, after store.Position, n int) []store.Event {
	t.Helper()
	var out []store.Event
	for e, err := range s.Feed(within(t), after) {
		if err != nil {
			t.Fatalf("feed after %d: %v", after, err)
		}
		if e.Change == nil && e.Claim == nil {
			if len(out) < n && e.Position != after+store.Position(len(out)) {
				t.Errorf("heartbeat at %d after %d of %d events", e.Position, len(out), n)
			}
			continue
		}
		if out = append(out, e); len(out) == n {
			break
		}
	}
	if len(out) != n {
		t.Fatalf("feed after %d: %d events, want %d", after, len(out), n)
	}
	return out
}

func testFeed(t *testing.T, s store.Store) {
	a, b, d := Account(1), Account(2), rr.MustName("example.com")
	c1 := Change(a, 1, Set("X.y", 1, "aaaa"), Set("@", 16, "\x01t", "\x01u"))
	c2 := Change(b, 1)
	claim := store.Claim{Version: 1, Account: a}
	c4 := rekey(a, 2, Account(9))
	c4.Delete = []store.SetKey{{Owner: rr.MustName("x.Y"), Type: 1}}
	c4.Head.Domains = []store.Domain{{Name: d, Contact: rr.MustName("who.example"), TTL: 7}}
	want := []store.Event{
		{Position: 1, Change: &c1}, {Position: 2, Change: &c2},
		{Position: 3, Domain: d, Claim: &claim}, {Position: 4, Change: &c4},
	}
	commit(t, s, c1)
	go func() { // the rest comes while the reader waits
		s.Commit(t.Context(), c2)
		s.SetClaim(t.Context(), d, 0, claim)
		s.Commit(t.Context(), c4)
	}()
	diff(t, "from the beginning", want, follow(t, s, 0, 4))
	for after := range 4 {
		diff(t, "resumed", want[after:], follow(t, s, store.Position(after), 4-after))
	}
}

func testFeedFuture(t *testing.T, s store.Store) {
	commit(t, s, Change(Account(1), 1))
	seen := false
	for _, err := range s.Feed(within(t), 2) {
		wantErr(t, "a position that never was", store.ErrTooOld, err)
		seen = true
	}
	if !seen {
		t.Error("the feed ended without an error")
	}
}

// testHeartbeat: one when everything was read, the next in about a second; the
// end of the context ends the feed.
func testHeartbeat(t *testing.T, s store.Store) {
	commit(t, s, Change(Account(1), 1))
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	var beats []time.Time
	for e, err := range s.Feed(ctx, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Change != nil {
			continue
		}
		if e.Position != 1 || e.Claim != nil {
			t.Errorf("heartbeat %+v, want position 1", e)
		}
		if beats = append(beats, time.Now()); len(beats) == 2 {
			cancel()
		}
	}
	if len(beats) != 2 {
		t.Fatalf("%d heartbeats", len(beats))
	}
	if d := beats[1].Sub(beats[0]); d < 500*time.Millisecond || d > 3*time.Second {
		t.Errorf("%v between two heartbeats, want a second", d)
	}
}

// testSlowReader: one who reads nothing does not hold up commits, and misses
// nothing later.
func testSlowReader(t *testing.T, s store.Store) {
	const n = 1000
	commit(t, s, Change(Account(0), 1))
	next := store.Position(1)
	for e, err := range s.Feed(within(t), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Change == nil {
			continue
		}
		if e.Position != next {
			t.Fatalf("position %d, want %d", e.Position, next)
		}
		if next == 1 {
			for i := uint64(2); i <= n; i++ {
				commit(t, s, Change(Account(0), i))
			}
		}
		if next++; next > n {
			break
		}
	}
}

func testTooOld(t *testing.T, s store.Store) {
	defer s.Close()
	const n = 200
	for i := uint64(1); i <= n; i++ {
		commit(t, s, Change(Account(1), i))
	}
	ended := false
	for _, err := range s.Feed(within(t), 5) {
		wantErr(t, "feed after 5", store.ErrTooOld, err)
		ended = true
	}
	if !ended {
		t.Error("the feed gave nothing")
	}
	events := follow(t, s, n-16, 16)
	if events[0].Position != n-15 || events[15].Change.Head.Version != n {
		t.Errorf("feed after %d begins at %d", n-16, events[0].Position)
	}
}
