package main

import "testing"

// A reader is one strong read, step by step: it is begun at a node, finds a
// value, there or by asking the tail, and makes sure that it may answer, before
// or after that.
type reader struct {
	node, epoch uint8 // epoch 0: not begun
	floor       uint8 // what was seen when it was begun
	value       uint8 // 1 + what it found, or 0
	sure        bool  // by a lease, its own or that of the tail that was asked
	confirmed   uint8 // set of nodes
	joint       bool  // the tail confirmed with its gate on
}

// begin gives the reads that may be begun.
func (m *model) begin(s *state) (out []reader) {
	for n := range m.count {
		if s.serves(n) {
			out = append(out, reader{node: n, epoch: s.nodes[n].epoch, floor: s.seen.size()})
		}
	}
	return out
}

// advance gives what may become of a read, while its node stays in the epoch.
func (m *model) advance(s *state, r reader) (out []reader) {
	nd, tail := &s.nodes[r.node], s.rows[r.epoch].tail()
	td := &s.nodes[tail]
	if r.value == 0 {
		clean := nd.commit == nd.log.size() || m.off.without(guardVersion)
		if r.node != tail && clean || r.node == tail && nd.active {
			next := r
			next.value = 1 + nd.commit
			out = append(out, next)
		}
		if r.node != tail && td.epoch == r.epoch && td.active && (td.lease || m.reads == readConfirm) {
			next := r
			next.value, next.sure = 1+td.commit, r.sure || m.reads == readLease
			out = append(out, next)
		}
	}
	if m.reads == readLease {
		if nd.lease || m.off.without(guardLease) {
			next := r
			next.sure = true
			out = append(out, next)
		}
		return out
	}
	for n := range m.count {
		if bit := uint8(1) << n; s.nodes[n].epoch == r.epoch && r.confirmed&bit == 0 {
			next := r
			next.confirmed |= bit
			next.joint = r.joint || n == tail && s.nodes[n].gate
			out = append(out, next)
		}
	}
	return out
}

// answered tells whether a read is at its end.
func (m *model) answered(s *state, r reader) bool {
	row := &s.rows[r.epoch]
	need := uint8(0)
	for i := range row.size {
		need |= 1 << row.members[i]
	}
	if m.off.without(guardConfirm) {
		need = 1<<r.node | 1<<row.members[max(row.place(r.node)-1, 0)]
	}
	if r.joint && !m.off.without(guardJoint) {
		need |= 1 << (row.recruit - 1)
	}
	return r.value > 0 && (r.sure || m.reads == readConfirm && r.confirmed&need == need)
}

// stale explores all states with one reader, without reduction, and tells
// whether a read gives less than was seen before it.
func (m *model) stale() bool {
	type whole struct {
		state
		reader
	}
	var next []whole
	known, found := newTable(), false
	var r reader
	keep := func(s *state, r reader) {
		b := append(m.pack(nil, s), r.node, r.epoch, r.floor, r.value, r.confirmed, pack3(r.sure, r.joint, false))
		if known.add(fingerprint(b)) {
			next = append(next, whole{*s, r})
			found = found || m.answered(s, r) && r.value-1 < r.floor
		}
	}
	m.visit = func(t *state, _ step, _ string) {
		if r.epoch == 0 || t.nodes[r.node].epoch == r.epoch {
			keep(t, r)
		}
	}
	keep(m.first(), r)
	for len(next) > 0 && !found {
		w := next[len(next)-1]
		next, r = next[:len(next)-1], w.reader
		steps := m.begin
		if r.epoch > 0 {
			steps = func(s *state) []reader { return m.advance(s, r) }
		}
		for _, to := range steps(&w.state) {
			keep(&w.state, to)
		}
		m.next(&w.state)
	}
	return found
}

// TestReads checks what check.go says of reads: with readers whose reads take
// time, no more reads are stale than are found by asking every node in each state.
func TestReads(t *testing.T) {
	small := bounds{nodes: 2, writes: 2, epochs: 2, crashes: 1}
	single := bounds{nodes: 1, spares: 1, writes: 1, epochs: 4, crashes: 1}
	wide := bounds{nodes: 2, spares: 1, writes: 1, epochs: 3}
	if *large {
		wide.epochs++
	}
	three := bounds{nodes: 3, writes: 1, epochs: 3}
	for name, c := range map[string]struct {
		bounds
		reads string
		off   guardSet
	}{
		"lease":           {small, readLease, 0},
		"confirm":         {small, readConfirm, 0},
		"recruit":         {single, readLease, 0},
		"recruit confirm": {single, readConfirm, 0},
		"wide":            {wide, readLease, 0},
		"wide confirm":    {wide, readConfirm, 0},
		"without lease":   {small, readLease, 1 << guardLease},
		"without wait":    {small, readLease, 1 << guardWait},
		"without fence":   {small, readLease, 1 << guardFence},
		"without version": {small, readLease, 1 << guardVersion},
		"without hello":   {single, readLease, 1 << guardHello},
		"without gate":    {single, readLease, 1 << guardGate},
		"without joint":   {single, readConfirm, 1 << guardJoint},
		"without confirm": {three, readConfirm, 1 << guardConfirm},
	} {
		t.Run(name, func(t *testing.T) {
			b := c.bounds
			b.reads, b.off, b.clients = c.reads, c.off, true
			m := newModel(b)
			got, want := m.stale(), find(newModel(b), 1e6, nil).broken != ""
			if got != want || want != (c.off != 0) {
				t.Errorf("with readers: stale is %t; without: broken is %t", got, want)
			}
		})
	}
}
