package main

// The invariants are those of the chain's design. I1, that an epoch never goes
// back, holds here by construction; I10, that a subscriber gets a feed without
// gaps, is I5 for a subscriber, which takes committed records from any member.

// tailCommit moves an active tail's committed position forward.
func (m *model) tailCommit(t *state, n, c uint8) {
	if c <= t.nodes[n].commit {
		return
	}
	m.commitTo(t, n, c)
	if !m.clients {
		m.checkDurable(t, n, c)
		m.checkLeases(t, n, c)
	}
}

// checkDurable is I4: what a tail commits is durable at every member.
func (m *model) checkDurable(t *state, n, c uint8) {
	r := t.row(n)
	want := t.nodes[n].log.first(c)
	for i := range r.size {
		other := r.members[i]
		nd := &t.nodes[other]
		if r.has(other) && (nd.durable < c || nd.log.first(c) != want) {
			m.violate("I4: %s commits LSN %d, which is not durable at %s", m.name(n), c, m.name(other))
		}
	}
}

// checkLeases is I6: when an epoch's first new record is committed, no member of
// an older epoch has a lease.
func (m *model) checkLeases(t *state, n, c uint8) {
	e := t.nodes[n].epoch
	if m.reads == readConfirm || t.nodes[n].log.at(c-1).epoch() != e {
		return
	}
	for other := range m.count {
		nd := &t.nodes[other]
		if t.serves(other) && nd.epoch < e && nd.lease {
			m.violate("I6: %s commits LSN %d in epoch %d, and %s has a lease in epoch %d", m.name(n), c, e, m.name(other), nd.epoch)
		}
	}
}

// checkLogs is I2, for all logs, and I3, for each member's log and the next one's.
func (m *model) checkLogs(s *state) {
	for n := range m.count {
		for other := range n {
			a, b := s.nodes[n].log, s.nodes[other].log
			differ := false
			for i := range min(a.size(), b.size()) {
				x, y := a.at(i), b.at(i)
				if x != y && x.epoch() == y.epoch() || x == y && differ {
					m.violate("I2: at LSN %d %s has %v and %s has %v", i+1, m.name(n), x, m.name(other), y)
				}
				differ = differ || x != y
			}
		}
		if s.nodes[n].epoch > 0 {
			m.checkPrefix(s, n)
		}
	}
}

func (m *model) checkPrefix(s *state, n uint8) {
	p, ok := s.row(n).pred(n)
	if !ok || s.nodes[p].epoch != s.nodes[n].epoch {
		return
	}
	nd, pd := &s.nodes[n], &s.nodes[p]
	if !nd.log.first(nd.durable).begins(pd.log.first(pd.durable)) {
		m.violate("I3: %s holds what its predecessor %s does not, in epoch %d", m.name(n), m.name(p), nd.epoch)
	}
}

// checkServing is I5: every member in force has all that was seen. When they
// have all crashed, that is said of what is on their disks.
func (m *model) checkServing(s *state) {
	r := &s.rows[s.last]
	alive := false
	for i := range r.size {
		alive = alive || r.has(r.members[i])
	}
	if !alive && !m.outage {
		return
	}
	for i := range r.size {
		n := r.members[i]
		if (r.has(n) || !alive) && !s.seen.begins(s.nodes[n].log) {
			m.violate("I5: member %s of epoch %d does not have LSN %d", m.name(n), s.last, s.seen.size())
		}
	}
}

// checkEntitled is I5 for those that may answer reads.
func (m *model) checkEntitled(s *state) {
	for n := range m.count {
		if !s.seen.begins(s.nodes[n].log) && m.entitled(s, n) {
			m.violate("I5: %s may answer reads in epoch %d and does not have LSN %d", m.name(n), s.nodes[n].epoch, s.seen.size())
		}
	}
}

// checkTails is I7: no two nodes answer as tails.
func (m *model) checkTails(s *state) {
	if m.reads == readConfirm {
		return
	}
	tail := -1
	for n := range m.count {
		if nd := &s.nodes[n]; !nd.active || !nd.lease || !s.isTail(n) {
			continue
		}
		if tail >= 0 {
			m.violate("I7: %s and %s are both active tails", m.name(uint8(tail)), m.name(n))
		}
		tail = int(n)
	}
}

// checkGate is I8: a tail with its gate on is never ahead of its recruit, and
// who has reported a recruit ready keeps the gate on in that epoch.
func (m *model) checkGate(s *state) {
	for n := range m.count {
		if !s.isTail(n) {
			continue
		}
		r, nd := s.row(n), &s.nodes[n]
		if r.recruit == 0 {
			continue
		}
		recruit := &s.nodes[r.recruit-1]
		if nd.gate && recruit.epoch == nd.epoch && nd.commit > recruit.durable {
			m.violate("I8: %s has committed LSN %d, its recruit %s holds %d", m.name(n), nd.commit, m.name(r.recruit-1), recruit.durable)
		}
		if r.ready && !nd.gate {
			m.violate("I8: %s reported its recruit ready in epoch %d and has no gate on", m.name(n), nd.epoch)
		}
	}
}
