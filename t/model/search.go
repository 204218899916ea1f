package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"time"
)

// A result is what a search or walks found.
type result struct {
	states, steps int // different states, and steps between them
	depth         int // of the last state, in steps from the first
	walks         int
	complete      bool // all was done that was asked for
	took          time.Duration
	broken        string   // the invariant that does not hold, or ""
	trace         []string // the steps to there
}

// A search explores breadth first, so that what it finds first is shortest. Of
// a state that it has been in it keeps a fingerprint of 64 bits, and by which
// step it came from which state; only those still to be continued are whole. Two
// states with one fingerprint would hide one of them: among 10 million states
// that has a probability of 3 in a million.
type search struct {
	m       *model
	limit   int
	known   table
	parents []uint32 // of each state, in the order of discovery
	choices []uint16 // which of the parent's steps
	wave    []byte   // the states of one depth, packed, each after its length
	next    []byte   // of the depth after it
	from    uint32   // the state that is continued
	choice  uint16
	buf     []byte
	result
	progress io.Writer
	began    time.Time
	spoken   time.Time
}

// find explores all states within the model's bounds, at most limit of them.
func find(m *model, limit int, progress io.Writer) result {
	now := time.Now()
	f := &search{m: m, limit: limit, known: newTable(), progress: progress, began: now, spoken: now}
	m.visit = f.visit
	f.push(m.first())
	for len(f.next) > 0 && f.broken == "" && f.states < limit {
		f.wave, f.next = f.next, f.wave[:0]
		f.expand()
		if len(f.next) > 0 {
			f.depth++
		}
	}
	f.complete = f.broken == "" && f.states < limit
	f.took = time.Since(f.began)
	return f.result
}

// expand continues every state of a wave.
func (f *search) expand() {
	var s state
	for rest := f.wave; len(rest) > 0 && f.broken == "" && f.states < f.limit; f.from++ {
		n := 2 + int(binary.LittleEndian.Uint16(rest))
		f.m.unpack(rest[2:n], &s)
		rest = rest[n:]
		f.choice = 0
		f.m.next(&s)
		if f.from%4096 == 0 {
			f.report(len(rest))
		}
	}
}

// visit takes a state that can follow.
func (f *search) visit(t *state, _ step, broken string) {
	if f.broken != "" {
		return
	}
	f.steps++
	choice := f.choice
	f.choice++
	if broken == "" {
		f.m.reduce(t)
		if !f.push(t) {
			return
		}
		broken = f.m.check(t)
		f.parents = append(f.parents, f.from)
		f.choices = append(f.choices, choice)
	}
	if broken != "" {
		f.trace, f.broken = f.m.replay(f.path(choice))
	}
}

// push keeps a state that is new.
func (f *search) push(s *state) bool {
	f.buf = f.m.pack(f.buf[:0], s)
	if !f.known.add(fingerprint(f.buf)) {
		return false
	}
	f.states++
	f.next = binary.LittleEndian.AppendUint16(f.next, uint16(len(f.buf)))
	f.next = append(f.next, f.buf...)
	return true
}

// path gives the choices that lead to the state that is continued, and one more.
func (f *search) path(last uint16) []uint16 {
	path := []uint16{last}
	for id := f.from; id > 0; id = f.parents[id-1] {
		path = append(path, f.choices[id-1])
	}
	slices.Reverse(path)
	return path
}

// report says how far a search has come, if the last time was two seconds ago.
func (f *search) report(waiting int) {
	if now := time.Now(); f.progress != nil && now.Sub(f.spoken) >= 2*time.Second {
		f.spoken = now
		fmt.Fprintf(f.progress, "model: %.1f M states, %d steps deep, %d MB waiting, %.0f s\n",
			float64(f.states)/1e6, f.depth, (waiting+len(f.next))>>20, now.Sub(f.began).Seconds())
	}
}

// A table is a set of fingerprints with open addressing, at most 3/4 full.
type table struct {
	slots []uint64
	used  int
}

func newTable() table { return table{slots: make([]uint64, 1<<12)} }

// add tells whether x was not there before.
func (t *table) add(x uint64) bool {
	if 4*t.used >= 3*len(t.slots) {
		old := t.slots
		*t = table{slots: make([]uint64, 2*len(old))}
		for _, y := range old {
			if y != 0 {
				t.add(y)
			}
		}
	}
	mask := uint64(len(t.slots) - 1)
	for i := x & mask; ; i = (i + 1) & mask {
		switch t.slots[i] {
		case x:
			return false
		case 0:
			t.slots[i] = x
			t.used++
			return true
		}
	}
}
