package cache

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func TestBumpChangesTheGeneration(t *testing.T) {
	g := NewGenerations()
	slot, other := g.Slot("aone"), g.Slot("dtwo")
	for other == slot { // once in 2^20
		other++
	}
	if g.Slot("aone") != slot {
		t.Error("an object has two slots")
	}
	one, two := g.Now(slot), g.Now(other)
	if g.Bump(slot); g.Now(slot) == one || g.Now(other) != two {
		t.Error("a bump of one slot")
	}
	one = g.Now(slot)
	if g.BumpAll(); g.Now(slot) == one || g.Now(other) == two {
		t.Error("a bump of all slots")
	}
}

func TestObjectsAreSpreadOverTheSlots(t *testing.T) {
	g := NewGenerations()
	const n = 100_000
	seen := map[uint32]bool{}
	for i := range n {
		slot := g.Slot(fmt.Sprint("a", i))
		if slot >= slots {
			t.Fatalf("slot %d", slot)
		}
		seen[slot] = true
	}
	if len(seen) < n*9/10 {
		t.Errorf("%d objects have %d slots", n, len(seen))
	}
}

// TestKeptUnderThePresentGenerationIsPresent runs the protocol of who keeps and
// who changes.
func TestKeptUnderThePresentGenerationIsPresent(t *testing.T) {
	g := NewGenerations()
	slot := g.Slot("aone")
	var object atomic.Uint32
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		defer done.Store(true)
		for i := range uint32(200_000) {
			object.Store(i + 1)
			if i%100 == 0 {
				g.BumpAll()
			} else {
				g.Bump(slot)
			}
		}
	})
	for range 2 {
		wg.Go(func() {
			for last := uint32(0); !done.Load(); {
				now := g.Now(slot)
				kept := object.Load()
				// A change that has been bumped has been read: there were as many.
				if kept < now || now < last {
					t.Errorf("generation %d after %d, object %d", now, last, kept)
					return
				}
				last = now
			}
		})
	}
	wg.Wait()
}

func TestGenerationsDoNotAllocate(t *testing.T) {
	g := NewGenerations()
	if n := testing.AllocsPerRun(100, func() { g.Bump(g.Slot("aone")); g.BumpAll(); g.Now(0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
