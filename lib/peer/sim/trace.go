package sim

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"time"
)

// Habits are what clients ask for. The zero value of a field is its default: those that
// fit what was seen at MIT in December 2000 (Jung, Sit, Balakrishnan and Morris, "DNS
// performance and the effectiveness of caching"; its figures are in Ramasubramanian and
// Sirer, "The design and implementation of a next generation name service for the
// Internet"): 47,230 names in the first 281,943 lookups, and 302,032 in all 4,160,954.
type Habits struct {
	Names  int     // that there are; default 550,000
	Alpha  float64 // of their popularity, which is rank to the power of -Alpha; default 0.91
	Repeat float64 // share of lookups for what the same node asked for before; default 0.64
	Common float64 // share for what any node asked for of late, as in a class; default 0
	Night  float64 // how much fewer lookups there are in the night, 0 to 1; default 0
}

// whole fills in the defaults.
func (h Habits) whole() Habits {
	if h.Names == 0 {
		h.Names = 550_000
	}
	if h.Alpha == 0 {
		h.Alpha = 0.91
	}
	if h.Repeat == 0 {
		h.Repeat = 0.64
	}
	return h
}

// Names that a node, and the group, remember as what they asked for.
const (
	history = 2000
	common  = 500
)

// A Trace makes lookups without end: whose, of which name, and when.
type Trace struct {
	h      Habits
	rng    *rand.Rand
	sums   []float64 // of the popularity of the names up to each
	guide  []int32   // where in sums to begin to look
	past   [][]int32 // what each node asked for, the last at the end
	all    []int32   // what the group asked for of late, a ring
	next   int
	now    time.Duration
	coming time.Duration // when the next lookup is; 0: not yet known
	second float64       // lookups of all nodes in one, by day
}

// NewTrace makes the trace of so many nodes with so many lookups a day each.
func NewTrace(h Habits, nodes int, daily float64, seed uint64) *Trace {
	h = h.whole()
	t := &Trace{
		h: h, rng: rand.New(rand.NewPCG(seed, 0x7ACE)), past: make([][]int32, nodes),
		second: daily * float64(nodes) / (24 * 3600) / (1 - h.Night/2),
	}
	t.sums = make([]float64, h.Names)
	sum := 0.0
	for i := range t.sums {
		sum += math.Pow(float64(i+1), -h.Alpha)
		t.sums[i] = sum
	}
	t.guide = make([]int32, 1<<16+1)
	for i := range t.guide {
		t.guide[i] = int32(sort.SearchFloat64s(t.sums, sum*float64(i)/(1<<16)))
	}
	return t
}

// Next gives the next lookup.
func (t *Trace) Next() (at time.Duration, node int, name int32) {
	t.now, t.coming = t.peek(), 0
	node = t.rng.IntN(len(t.past))
	return t.now, node, t.Ask(node)
}

// peek gives when the next lookup is.
func (t *Trace) peek() time.Duration {
	for at := t.now; t.coming == 0; {
		at += time.Duration(t.rng.ExpFloat64() / t.second * float64(time.Second))
		day := float64(at%(24*time.Hour)) / float64(24*time.Hour)
		if t.h.Night == 0 || t.rng.Float64() >= t.h.Night*(1+math.Cos(2*math.Pi*day))/2 {
			t.coming = at
		}
	}
	return t.coming
}

// clone gives a trace that goes on from here, as seed has it.
func (t *Trace) clone(seed uint64) *Trace {
	c := *t
	c.rng = rand.New(rand.NewPCG(seed, 0x60E5))
	c.all = slices.Clone(t.all)
	c.past = make([][]int32, len(t.past))
	for i := range c.past {
		c.past[i] = slices.Clone(t.past[i])
	}
	return &c
}

// Ask gives what a node asks for next.
func (t *Trace) Ask(node int) int32 {
	past := t.past[node]
	var name int32
	switch x := t.rng.Float64(); {
	case len(past) > 0 && x < t.h.Repeat:
		// What was asked for k lookups ago comes with a chance of 1/k.
		k := int(math.Exp(t.rng.Float64()*math.Log(float64(len(past)+1)))) - 1
		name = past[len(past)-1-min(k, len(past)-1)]
	case len(t.all) > 0 && x < t.h.Repeat+t.h.Common:
		name = t.all[t.rng.IntN(len(t.all))]
	default:
		name = t.popular()
	}
	if past = append(past, name); len(past) > history {
		past = append(past[:0], past[history/2:]...)
	}
	t.past[node] = past
	if t.h.Common > 0 {
		t.share(name)
	}
	return name
}

// share notes what was asked for in the group.
func (t *Trace) share(name int32) {
	if len(t.all) < common {
		t.all = append(t.all, name)
		return
	}
	t.all[t.next] = name
	t.next = (t.next + 1) % common
}

// popular gives a name by its popularity.
func (t *Trace) popular() int32 {
	u := t.rng.Float64()
	slot := int(u * (1 << 16))
	lo, hi := int(t.guide[slot]), int(t.guide[slot+1])
	x := u * t.sums[len(t.sums)-1]
	return int32(min(lo+sort.SearchFloat64s(t.sums[lo:min(hi+1, len(t.sums))], x), len(t.sums)-1))
}
