package cache

import (
	"hash/maphash"
	"sync/atomic"
)

const slots = 1 << 20

// Generations tell whether what was read of an object may have changed since. An
// object has a slot of a fixed table of counters, by its hash; so a change may,
// rarely, also make another object look changed, never the other way.
//
// Who keeps something takes the generation before reading the object, and who
// changes the object bumps it after the change can be read: then what was kept
// under a generation that is still the present one was read of the present
// object. A counter of 32 bits comes round after 2^32 changes.
//
// The methods may be called by many goroutines.
type Generations struct {
	seed  maphash.Seed
	all   atomic.Uint32
	slots []atomic.Uint32
}

// NewGenerations makes a table, of 4 MiB.
func NewGenerations() *Generations {
	return &Generations{seed: maphash.MakeSeed(), slots: make([]atomic.Uint32, slots)}
}

// Slot gives the slot of an object, the same for as long as the process lives.
func (g *Generations) Slot(object string) uint32 {
	return uint32(maphash.String(g.seed, object) % slots)
}

// Now gives the present generation of the objects of a slot, which is one that
// Slot gave.
func (g *Generations) Now(slot uint32) uint32 {
	// Both only grow, by one at a time: the sum is one that held at some moment
	// between the two loads.
	return g.slots[slot].Load() + g.all.Load()
}

// Bump says that an object of the slot has changed.
func (g *Generations) Bump(slot uint32) { g.slots[slot].Add(1) }

// BumpAll says that every object has changed.
func (g *Generations) BumpAll() { g.all.Add(1) }
