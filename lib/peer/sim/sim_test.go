package sim

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"namecast/lib/peer"
	"namecast/lib/peer/keep"
)

// l200 and l50 are the loads for which the goals are set.
func l200() Config { return Config{Nodes: 200, Daily: 2000, Seed: 1, Warm: 72 * time.Hour} }
func l50() Config  { return Config{Nodes: 50, Daily: 4000, Seed: 1, Warm: 72 * time.Hour} }

// TestWarm holds what the caches are filled with against what is in them after the same
// hours played message by message.
func TestWarm(t *testing.T) {
	c := Config{Nodes: 10, Daily: 4000, Seed: 3, Habits: Habits{Names: 20_000}, Changes: time.Hour, Death: Alive}
	played := c
	played.Before = 8 * time.Hour
	s := NewPast(played).begin(played)
	s.trace = NewTrace(c.Habits, c.Nodes, c.Daily, c.Seed)
	s.play()
	c.Warm = 8 * time.Hour
	past := NewPast(c)
	var all, same, old int
	for i, nd := range s.nodes {
		written := c.cache()
		past.p.fill(i, written)
		all += max(written.Len(), nd.cache.Len())
		for e := range nd.cache.All() {
			w := written.Get(e.Key)
			if w == nil {
				continue
			}
			near := math.Abs(float64(w.Base-e.Base)) < float64(time.Second)
			if w.First == e.First && w.Rank == e.Rank && near && (w.Put == 0) == (e.Put == 0) {
				same++
			} else {
				old++
			}
		}
	}
	t.Logf("%d entries, %d the same, %d other", all, same, old)
	if all < 5_000 || float64(same) < 0.99*float64(all) {
		t.Errorf("of %d entries only %d are the same, and %d other", all, same, old)
	}
}

// TestRepeatable: a run is the same each time.
func TestRepeatable(t *testing.T) {
	c := Config{Nodes: 20, Daily: 4000, Seed: 3, Warm: 6 * time.Hour, Before: 10 * time.Minute, After: 20 * time.Minute,
		Remove: 0.3, Wipe: 0.3, Loss: 0.05, Changes: time.Hour}
	var a, b bytes.Buffer
	if err := Run(c).WriteTSV(&a); err != nil {
		t.Fatal(err)
	}
	if err := Run(c).WriteTSV(&b); err != nil {
		t.Fatal(err)
	}
	if a.String() != b.String() {
		x, y := strings.Split(a.String(), "\n"), strings.Split(b.String(), "\n")
		for i := range x {
			if x[i] != y[i] {
				t.Fatalf("line %d:\n%s\n%s", i, x[i], y[i])
			}
		}
	}
}

// TestAnswered: each question has one answer, whatever becomes of the name server, and
// what is told as fresh is true.
func TestAnswered(t *testing.T) {
	for death := Silent; death <= Alive; death++ {
		c := Config{Nodes: 10, Daily: 8000, Seed: 3, Habits: Habits{Names: 20_000}, Warm: 12 * time.Hour,
			Before: 10 * time.Minute, After: 30 * time.Minute, Death: death, Changes: 30 * time.Minute}
		r := Run(c)
		all := r.Between(-c.Before, c.After)
		sum := 0
		for _, n := range all.By {
			sum += n
		}
		if sum != all.Lookups || r.Unanswered != 0 {
			t.Errorf("death %d: %d lookups, %d replies, %d without", death, all.Lookups, sum, r.Unanswered)
		}
		if before := r.Between(-c.Before, 0); before.Answered() != before.Lookups {
			t.Errorf("death %d: %d of %d answered before it", death, before.Answered(), before.Lookups)
		}
		if death == Alive && (all.By[peer.ByStale] > 0 || all.Answered() != all.Lookups) {
			t.Errorf("a name server that lives: %+v", all.By)
		}
	}
}

// TestHelped: where some have a way to a name server, all have.
func TestHelped(t *testing.T) {
	c := Config{Nodes: 20, Daily: 8000, Seed: 3, Warm: 2 * time.Hour, After: 30 * time.Minute, Helped: 0.2}
	r := Run(c)
	m := r.Between(5*time.Minute, c.After)
	if p := 100 * float64(m.Answered()) / float64(m.Lookups); p < 99 || m.By[peer.ByHelper] == 0 {
		t.Errorf("%.1f %% answered: %v", p, m.By)
	}
}

// TestRoot: the same if the way to the root is open (goal A5).
func TestRoot(t *testing.T) {
	c := Config{Nodes: 20, Daily: 8000, Seed: 3, Warm: 2 * time.Hour, After: 30 * time.Minute, Root: true}
	m := Run(c).Between(5*time.Minute, c.After)
	p := 100 * float64(m.Answered()) / float64(m.Lookups)
	t.Logf("A5: %.1f %% answered, of at least 99", p)
	if p < 99 || m.By[peer.ByRoot] == 0 {
		t.Errorf("%.1f %% answered: %v", p, m.By)
	}
}

// TestNames: numbers and names are the same thing.
func TestNames(t *testing.T) {
	for _, n := range []int32{0, 7, 549_999, 9_999_999} {
		name := nameOf(n)
		if numberOf(name) != n || name.Check() != nil || name.String() != fmt.Sprintf("n%07d.example", n) {
			t.Errorf("%d is %s is %d", n, name, numberOf(name))
		}
	}
	if i, err := keep.Describe(lie(nameOf(5))); err != nil || i.Private || !isLie(lie(nameOf(5))) {
		t.Errorf("a lie is %+v, %v", i, err)
	}
}
