package main

import "fmt"

// Reads are no steps of their own. In each state, every node is asked what it
// would answer now, and that covers any number of readers, at any speed:
//
// A node that asks the tail gives the tail's answer, so that the tail's own
// answers stand for those too. A node that finds its value first and then makes
// sure that it may answer could have answered at once when it found the value:
// it had its lease then, and members that confirm its epoch now had no newer one.
// A node that makes sure first and finds the value later needs more than an
// answer that is right now: whatever its log holds now must be in its answer
// later, so the log must hold all that was seen. checkEntitled says that.
//
// What a client can be shown counts as shown at once: a client that asks later
// can only expect less. When not only what clients see is checked, all that is
// committed anywhere counts as seen, and the invariants of the protocol are
// checked, too.

// violate keeps the first thing that is broken.
func (m *model) violate(format string, a ...any) {
	if m.broken == "" {
		m.broken = fmt.Sprintf(format, a...)
	}
}

// commitTo moves n's committed position forward.
func (m *model) commitTo(t *state, n, c uint8) {
	nd := &t.nodes[n]
	if c <= nd.commit {
		return
	}
	nd.commit = c
	if !m.clients {
		m.see(t, n)
	}
}

// see adds n's committed records to seen.
func (m *model) see(t *state, n uint8) {
	nd := &t.nodes[n]
	for i := range nd.commit {
		r := nd.log.at(i)
		if i < t.seen.size() {
			if old := t.seen.at(i); old != r {
				m.violate("I5: LSN %d was %v, and %s has %v there as committed", i+1, old, m.name(n), r)
				return
			}
			continue
		}
		if t.seen.has(r.write()) {
			m.violate("I9: write %d takes effect a second time, at LSN %d of %s", r.write(), i+1, m.name(n))
		}
		if asked := t.asked[r.write()-1]; asked > i+1 {
			m.violate("order: write %d is at LSN %d, and LSN %d was seen before it was begun", r.write(), i+1, asked-1)
		}
		t.seen = t.seen.add(r)
	}
}

// observe lets clients see what they can see: the head acknowledges writes, and
// readers ask every node.
func (m *model) observe(t *state) {
	if !m.clients {
		return
	}
	for n := range m.count {
		if t.isHead(n) || m.answers(t, n) {
			m.see(t, n)
		}
	}
}

// answers tells whether n would answer a strong read now, from what it holds,
// with its committed records.
func (m *model) answers(s *state, n uint8) bool {
	nd := &s.nodes[n]
	switch {
	case !m.entitled(s, n):
		return false
	case s.isTail(n):
		return nd.active
	}
	return nd.commit == nd.log.size() || m.off.without(guardVersion)
}

// entitled tells whether n is a member that may answer reads: it has its lease,
// or the other members confirm its epoch.
func (m *model) entitled(s *state, n uint8) bool {
	if !s.serves(n) {
		return false
	}
	if m.reads != readConfirm && (s.nodes[n].lease || m.off.without(guardLease)) {
		return true
	}
	return m.reads != readLease && m.confirmed(s, n)
}

// confirmed tells whether the other members would still confirm n's epoch: those
// that are in it, and those that have yet to install it. A recruit that may have
// been reported ready must confirm, too: it may be a member by now, and then the
// chain can go on without any of those that n knows.
func (m *model) confirmed(s *state, n uint8) bool {
	r, e := s.row(n), s.nodes[n].epoch
	neighbour := r.place(n) - 1
	if neighbour < 0 {
		neighbour = 1
	}
	for i := range r.size {
		if m.off.without(guardConfirm) && int(i) != neighbour {
			continue
		}
		if !s.listens(r.members[i], e) {
			return false
		}
	}
	tail := &s.nodes[r.tail()]
	joint := r.recruit > 0 && tail.epoch == e && tail.gate && !m.off.without(guardJoint)
	return !joint || s.listens(r.recruit-1, e)
}

// check tells which invariant a state breaks, or "".
func (m *model) check(s *state) string {
	m.broken = ""
	for n := range m.count {
		if nd := &s.nodes[n]; nd.commit < s.seen.size() && m.answers(s, n) {
			m.violate("stale read: %s answers LSN %d after LSN %d was seen", m.name(n), nd.commit, s.seen.size())
		}
	}
	if !m.clients {
		m.checkEntitled(s)
		m.checkLogs(s)
		m.checkServing(s)
		m.checkTails(s)
		m.checkGate(s)
	}
	return m.broken
}
