package sim

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// A group is what members know of each other. Each sees who is there by the multicast of
// all, every period, and takes who has been silent for three as gone: that is the same
// for all. That a member does not answer is known to who asked it, until it is gone for
// all.
type group struct {
	ids     []packet.NodeID
	number  map[packet.NodeID]int
	there   []bool          // as seen by all
	born    []time.Duration // when all saw that each was started
	helpers []int           // those that said last that their name servers answer
	size    int
	change  uint64
	best    [][]int16 // who own each name, the best first; nil: not worked out

	order func(name int32) []int // all nodes, for a name; nil: by their hashes
}

// deep is how many of the best for a name are worked out: some may be silent.
const deep = 8

func newGroup(n, names int, rng *rand.Rand) *group {
	g := &group{
		ids: make([]packet.NodeID, n), number: make(map[packet.NodeID]int), there: make([]bool, n), born: make([]time.Duration, n),
		size: n, change: 1, best: make([][]int16, names),
	}
	for i := range g.ids {
		binary.BigEndian.PutUint64(g.ids[i][:], rng.Uint64())
		g.number[g.ids[i]] = i
		g.there[i] = true
		g.helpers = append(g.helpers, i)
	}
	return g
}

// period is how often a member of a group of n says that it is there.
func period(n int) time.Duration { return max(5*time.Second, time.Duration(n)*time.Second/10) }

// gone has all know that members are not there any more.
func (g *group) gone(members []int) {
	if len(members) == 0 {
		return
	}
	for _, i := range members {
		if g.there[i] {
			g.there[i] = false
			g.size--
		}
	}
	g.change++
	clear(g.best)
}

// reborn has all know that members were started anew.
func (g *group) reborn(now time.Duration, members []int) {
	for _, i := range members {
		g.born[i] = now
	}
	g.change++
}

// owners gives the best members for a name.
func (g *group) owners(name int32) []int16 {
	if b := g.best[name]; b != nil {
		return b
	}
	if g.order != nil {
		g.best[name] = g.ordered(name)
		return g.best[name]
	}
	var top [deep]uint64
	best := make([]int16, 0, deep)
	h := mix(uint64(name), 0xABCD)
	for i, id := range g.ids {
		if !g.there[i] {
			continue
		}
		score := mix(binary.BigEndian.Uint64(id[:]), h)
		if len(best) == deep && score <= top[deep-1] {
			continue
		}
		if len(best) < deep {
			best = append(best, 0)
		}
		at := len(best) - 1
		for ; at > 0 && top[at-1] < score; at-- {
			top[at], best[at] = top[at-1], best[at-1]
		}
		top[at], best[at] = score, int16(i)
	}
	g.best[name] = best
	return best
}

// ordered gives those that are there of the order that was given.
func (g *group) ordered(name int32) []int16 {
	best := make([]int16, 0, deep)
	for _, i := range g.order(name) {
		if g.there[i] && len(best) < deep {
			best = append(best, int16(i))
		}
	}
	return best
}

// A view is what one member knows; it is its peer.Ring.
type view struct {
	g      *group
	self   int
	silent map[int]int // members that did not answer, and how often
}

func (v *view) Self() packet.NodeID                 { return v.g.ids[v.self] }
func (v *view) Size() int                           { return v.g.size }
func (v *view) Change() uint64                      { return v.g.change }
func (v *view) Born(id packet.NodeID) time.Duration { return v.g.born[v.g.number[id]] }
func (v *view) Wait(packet.NodeID) time.Duration    { return 5 * time.Millisecond }

// Silent notes that a member did not answer: after the second time it owns nothing.
func (v *view) Silent(id packet.NodeID) {
	if v.silent == nil {
		v.silent = make(map[int]int)
	}
	v.silent[v.g.number[id]]++
}

// heard notes that a member has said something.
func (v *view) heard(i int) { delete(v.silent, i) }

// Owners gives the best for a name that are not silent.
func (v *view) Owners(name rr.Name, n int, to []packet.NodeID) []packet.NodeID {
	for _, i := range v.g.owners(numberOf(name)) {
		if n > 0 && v.silent[int(i)] < 2 {
			to = append(to, v.g.ids[i])
			n--
		}
	}
	return to
}

// Absent gives those of the best for a name that are silent.
func (v *view) Absent(name rr.Name, n int, to []packet.NodeID) []packet.NodeID {
	best := v.g.owners(numberOf(name))
	for _, i := range best[:min(n, len(best))] {
		if v.silent[int(i)] >= 2 {
			to = append(to, v.g.ids[i])
		}
	}
	return to
}

// Helpers gives members that said last that their name servers answer, other ones for
// other names.
func (v *view) Helpers(name rr.Name, n int, to []packet.NodeID) []packet.NodeID {
	all := len(v.g.helpers)
	if all == 0 {
		return to
	}
	from := int(mix(uint64(numberOf(name)), 0xBEEF) % uint64(all))
	for k := range all {
		if i := v.g.helpers[(from+k)%all]; n > 0 && i != v.self && v.silent[i] < 2 {
			to = append(to, v.g.ids[i])
			n--
		}
	}
	return to
}
