package group

import (
	"math/rand/v2"
	"testing"
	"time"
)

const ms = time.Millisecond

func TestWindow(t *testing.T) {
	at := func(d time.Duration) uint64 { return uint64(d.Microseconds()) }
	w := newWindow(at(time.Second))
	for _, c := range []struct {
		name string
		now  time.Duration
		seq  uint64
		want Reason
	}{
		{"the first again", 0, at(time.Second), Replayed},
		{"one before it", 0, at(950 * ms), Taken},
		{"long before it", 0, at(800 * ms), Replayed},
		{"a later one", 0, at(2 * time.Second), Taken},
		{"one that was overtaken", 0, at(1500 * ms), Taken},
		{"it again", 0, at(1500 * ms), Replayed},
		{"of no sender's life", 0, 1 << 63, Replayed},
	} {
		if got := w.take(c.now, c.seq); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	w.prove(time.Hour, at(3*time.Second))
	for _, c := range []struct {
		name string
		now  time.Duration
		seq  uint64
		want Reason
	}{
		{"in time", time.Hour + time.Second, at(4 * time.Second), Taken},
		{"nine seconds under way", time.Hour + 11*time.Second, at(5 * time.Second), Taken},
		{"eleven seconds under way", time.Hour + 20*time.Second, at(12 * time.Second), Late},
		{"from the future", time.Hour + 20*time.Second, at(40 * time.Second), Late},
		{"in time, after that", time.Hour + 20*time.Second, at(23 * time.Second), Taken},
	} {
		if got := w.take(c.now, c.seq); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestWindowOnce: in whatever order numbers come, and however often, each is taken
// once at most, and all are if they come in order.
func TestWindowOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		w := newWindow(1e6)
		taken := map[uint64]bool{1e6: true}
		next := uint64(1e6)
		for range 1000 {
			seq := next + 1 - uint64(rng.IntN(200))
			inOrder := seq > next
			next = max(next, seq)
			switch r := w.take(0, seq); {
			case r == Taken && taken[seq]:
				t.Fatalf("%d is taken twice", seq)
			case r != Taken && inOrder:
				t.Fatalf("%d is %v, the greatest so far", seq, r)
			case r == Taken:
				taken[seq] = true
			}
		}
	}
}

func TestBucket(t *testing.T) {
	var b bucket
	taken := 0
	for now := time.Duration(0); now < 5*time.Second; now += ms / 2 {
		if b.take(now, perSecond(20)) {
			taken++
		}
	}
	if taken < 115 || taken > 121 {
		t.Errorf("%d in five seconds, with 20 a second and 20 at once", taken)
	}
	if !b.take(time.Hour, perSecond(20)) {
		t.Error("not whole after an hour")
	}
}
