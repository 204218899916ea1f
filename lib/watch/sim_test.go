package watch

import (
	"flag"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	seeds = flag.Uint64("seeds", someSeeds, "how many worlds to run")
	first = flag.Uint64("first", 1, "the first seed")
	one   = flag.Uint64("seed", 0, "run this seed alone, and print what happens")
)

// worlds runs many of them on all processors.
func worlds(t *testing.T, play func(seed uint64) *world) []*world {
	from, to := *first, *first+*seeds
	if *one > 0 {
		from, to = *one, *one+1
	}
	var next atomic.Uint64
	next.Store(from)
	played := make([]*world, to-from)
	var players sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		players.Go(func() {
			for seed := next.Add(1) - 1; seed < to; seed = next.Add(1) - 1 {
				played[seed-from] = play(seed)
			}
		})
	}
	players.Wait()
	for _, w := range played {
		if w.failure != "" {
			t.Errorf("seed %d: %s\n%s", w.seed, w.failure, strings.Join(w.log, "\n"))
		} else if *one > 0 {
			t.Logf("seed %d\n%s", w.seed, strings.Join(w.log, "\n"))
		}
	}
	return played
}

// settled is a world of n nodes that all announce.
func settled(seed uint64, n int) *world {
	w := newWorld(seed, n)
	w.loss = 0.02
	for _, n := range w.nodes {
		n.boot()
	}
	w.run(8 * time.Second)
	w.allUp()
	return w
}

// allUp checks that all nodes announce.
func (w *world) allUp() {
	for _, n := range w.nodes {
		if n.effective() != Announce {
			reason := "its watch is gone"
			if n.watch != nil {
				s := n.watch.State().Prefixes[0]
				reason = s.Row + ": " + s.Why
			}
			w.fail("%s does not announce: %v: %s", n.name, n, reason)
		}
	}
}

// TestSimulation has everything go wrong at random, and then be well again.
func TestSimulation(t *testing.T) {
	var worst time.Duration
	orders := 0
	for _, w := range worlds(t, func(seed uint64) *world {
		w := settled(seed, 2+int(seed%4))
		w.breakThings(60 * time.Second)
		w.run(100 * time.Second)
		for _, n := range w.nodes {
			n.step(Undrained{}) // somebody has come because of what was given up
		}
		w.run(150 * time.Second)
		w.allUp()
		return w
	}) {
		worst = max(worst, w.worst)
		orders += w.orders
	}
	t.Logf("%d worlds: at worst nobody announced for %v though a server answered; %d orders", *seeds, worst, orders)
}

// TestPoisonedAtOnce: one record makes all nodes fail at the same time.
func TestPoisonedAtOnce(t *testing.T) {
	var worst time.Duration
	for _, w := range worlds(t, func(seed uint64) *world {
		w := settled(seed, 2+int(seed%4))
		for _, n := range w.nodes {
			w.after(w.between(0, 250*ms), func() { n.while("poison", &n.poisoned, time.Hour) })
		}
		w.run(w.now + time.Minute)
		for _, n := range w.nodes {
			if n.dns.running && n.effective() != Last {
				w.fail("%s is not drained: %v", n.name, n)
			}
		}
		return w
	}) {
		worst = max(worst, w.worst)
	}
	t.Logf("at worst nobody announced for %v", worst)
}

// TestDeadFromOutside: a node that finds itself well, and nobody else does. It goes
// within five seconds, and comes back when it is well.
func TestDeadFromOutside(t *testing.T) {
	var worst time.Duration
	for _, w := range worlds(t, func(seed uint64) *world {
		w := settled(seed, 3+int(seed%3))
		n := w.nodes[w.IntN(len(w.nodes))]
		begun := w.now
		n.while("hidden", &n.hidden, 20*time.Second)
		w.run(begun + 5*time.Second)
		if n.effective() != Withdraw {
			w.fail("%s is still announced", n.name)
		}
		w.worst = n.fellAt - begun
		w.run(begun + time.Minute)
		w.allUp()
		return w
	}) {
		worst = max(worst, w.worst)
	}
	t.Logf("withdrawn after %v at worst", worst)
}

// TestCutOff: the nodes fall into parts that do not hear each other, and into one
// again. All are well and go on, and nobody is voted away, also not by looks and
// votes that were under way when the network healed.
func TestCutOff(t *testing.T) {
	worlds(t, func(seed uint64) *world {
		w := settled(seed, 2+int(seed%4))
		w.loss = 0
		for range 3 {
			w.split(1 + w.IntN(len(w.nodes)))
			w.runUp(w.between(time.Second, 15*time.Second))
			w.cut = [8][8]bool{}
			w.runUp(10 * time.Second)
		}
		return w
	})
}

// split cuts the nodes into parts by chance.
func (w *world) split(parts int) {
	of := make([]int, len(w.nodes))
	for i := range of {
		of[i] = w.IntN(parts)
	}
	for i := range of {
		for j := range of {
			w.cut[i][j] = of[i] != of[j]
		}
	}
	w.note("parts: %v", of)
}

// runUp checks all the time that all announce.
func (w *world) runUp(d time.Duration) {
	for end := w.now + d; w.now < end; {
		w.run(w.now + 50*ms)
		w.allUp()
	}
}

// TestNothingFails: datagrams are lost and watches stall, but nothing is withdrawn.
func TestNothingFails(t *testing.T) {
	worlds(t, func(seed uint64) *world {
		w := settled(seed, 2+int(seed%4))
		w.loss = 0.05
		for range 100 {
			n := w.nodes[w.IntN(len(w.nodes))]
			d := w.between(10*ms, 900*ms)
			w.after(w.between(0, time.Minute), func() {
				if !n.stopped {
					n.stopped = true
					w.after(d, n.resume)
				}
			})
		}
		w.runUp(time.Minute)
		return w
	})
}
