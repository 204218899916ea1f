package main

import (
	"math/rand/v2"
	"testing"
)

// TestPack checks that a state survives being packed, along random walks.
func TestPack(t *testing.T) {
	m := newModel(bounds{nodes: 3, spares: 2, writes: 4, epochs: 9, crashes: 9, outage: true, reads: readBoth, off: 1<<guardPersist | 1<<guardEpoch})
	for i := range uint64(200) {
		w := &walker{m: m, rng: rand.New(rand.NewPCG(1, i)), at: *m.first()}
		m.visit = func(s *state, by step, broken string) {
			var got state
			if m.unpack(m.pack(nil, s), &got); got != *s {
				t.Fatalf("walk %d: packed %+v, unpacked %+v", i, *s, got)
			}
			w.visit(s, by, "")
		}
		for len(w.path) < 60 && w.step() {
			w.broken = ""
		}
	}
}
