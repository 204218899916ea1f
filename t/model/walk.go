package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// A walker goes from state to state at random, where there are too many to
// explore them all.
type walker struct {
	m      *model
	rng    *rand.Rand
	at     state
	path   []uint16
	seen   uint16 // how many steps were offered
	weight int    // of them all
	chosen state
	choice uint16
	broken string
}

// walk makes walks of at most steps steps each, until one breaks an invariant.
// The walks of one seed are always the same.
func walk(m *model, walks, steps int, seed uint64, progress io.Writer) result {
	began := time.Now()
	spoken := began
	var r result
	for i := range walks {
		w := &walker{m: m, rng: rand.New(rand.NewPCG(seed, uint64(i))), at: *m.first()}
		m.visit = w.visit
		for len(w.path) < steps && w.broken == "" && w.step() {
			r.steps++
			r.depth = max(r.depth, len(w.path))
		}
		r.walks++
		if w.broken != "" {
			r.trace, r.broken = m.replay(w.path)
			break
		}
		if now := time.Now(); progress != nil && now.Sub(spoken) >= 2*time.Second {
			spoken = now
			fmt.Fprintf(progress, "model: %d walks, %.1f M steps, %.0f s\n", r.walks, float64(r.steps)/1e6, now.Sub(began).Seconds())
		}
	}
	r.complete, r.took = r.broken == "", time.Since(began)
	return r
}

// step goes on to one of the states that can follow, if there is one.
func (w *walker) step() bool {
	w.seen, w.weight = 0, 0
	w.m.next(&w.at)
	if w.seen == 0 {
		return false
	}
	w.at = w.chosen
	w.path = append(w.path, w.choice)
	if w.broken == "" {
		w.m.reduce(&w.at)
		w.broken = w.m.check(&w.at)
	}
	return true
}

// visit chooses among the steps while they are offered. What the controller
// does and crashes are rarer, so that something happens between them.
func (w *walker) visit(t *state, by step, broken string) {
	weight := 4
	if by.kind >= stepCrash {
		weight = 1
	}
	w.weight += weight
	if w.broken == "" && (broken != "" || w.rng.IntN(w.weight) < weight) {
		w.chosen, w.choice, w.broken = *t, w.seen, broken
	}
	w.seen++
}
