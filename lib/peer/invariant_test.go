package peer

import (
	"testing"
	"time"
)

// The invariants, on random schedules of 3 to 7 nodes whose name servers and links come
// and go, that lose their memory and change networks: each question is answered once and
// in time, I3 to I6, I8 to I10, I13, I14, I16, I17; and nothing is left of what is done
// (I11).
func TestInvariants(t *testing.T) {
	seen := map[By]int{}
	for seed := range uint64(12) {
		o := Options{Secret: names("corp.example"), Share: seed%5 == 4, Agree: 1 + int(seed%3/2), Iterate: seed%4 == 3}
		w := newWorld(t, seed, 3+int(seed%5), seed%2 == 1, o)
		for range 250 {
			w.chance()
			if t.Failed() {
				t.Fatalf("seed %d, at %s", seed, w.now)
			}
		}
		w.quiet()
		for by, k := range w.seen {
			seen[by] += k
		}
	}
	for _, by := range []By{ByCache, ByUpstream, ByStale, ByOwner, ByHelper, ByRoot, ByAny, ByNobody} {
		if seen[by] == 0 {
			t.Errorf("nothing was answered by %s: the schedules are too tame", by)
		}
	}
	t.Logf("answers: %v", seen)
}

// quiet lets all end, and looks at what is left.
func (w *world) quiet() {
	w.t.Helper()
	for _, m := range w.mates {
		m.up, m.since = true, w.now
	}
	w.run(3 * time.Minute)
	for _, m := range w.mates {
		n := m.n
		if len(m.open) > 0 {
			w.t.Errorf("%d questions were never answered", len(m.open))
		}
		if k := len(n.lookups) + len(n.jobs) + len(n.fetches) + len(n.asks) + len(n.checks) + len(n.boxes) + n.waiting + n.delayed; k != 0 {
			w.t.Errorf("I11: left: %d lookups, %d jobs, %d fetches, %d asks, %d checks, %d boxes, %d waiting, %d delayed",
				len(n.lookups), len(n.jobs), len(n.fetches), len(n.asks), len(n.checks), len(n.boxes), n.waiting, n.delayed)
		}
		if len(n.timers.heap) > 3 {
			w.t.Errorf("I11: %d timers are left", len(n.timers.heap))
		}
	}
}
