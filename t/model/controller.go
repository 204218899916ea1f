package main

// controller is one step of the controller: it publishes the next epoch's row.
// Fence, wait and publication are one step, since nothing that others do between
// them could not also come before or after.
func (m *model) controller(s *state) {
	if int(s.last) >= m.epochs {
		return
	}
	from := s.last
	if m.off.without(guardTxn) {
		from = 1 // a controller that was deposed may still act on any old row
	}
	for ; from <= s.last; from++ {
		if base := &s.rows[from]; base.size > 0 {
			m.remove(s, base, from)
			m.recruit(s, base, from)
			m.promote(s, base, from)
			m.restart(s, base, from)
		}
	}
}

func (s *state) publish(r row) *row {
	s.last++
	r.ready = false
	s.rows[s.last] = r
	return &s.rows[s.last]
}

// remove takes out a member, at any position and for any reason: the failure
// detector may be wrong. The recruit stays, unless it was the tail that fed it.
func (m *model) remove(s *state, base *row, from uint8) {
	if base.size < 2 {
		return
	}
	for i := range base.size {
		n := base.members[i]
		t := m.fork(s)
		r := t.publish(*base)
		copy(r.members[i:], base.members[i+1:])
		r.size--
		r.members[r.size] = 0
		r.gone &^= 1 << n
		if i == r.size {
			r.drop()
		}
		if base.has(n) && !m.off.without(guardWait) {
			t.nodes[n].lease = false
		}
		m.done(step{kind: stepRemove, node: n, epoch: from})
	}
}

func (r *row) drop() {
	if r.recruit > 0 {
		r.gone &^= 1 << (r.recruit - 1)
		r.recruit = 0
	}
}

// recruit adds a node that is registered and in no place, or drops the recruit.
func (m *model) recruit(s *state, base *row, from uint8) {
	if base.recruit > 0 {
		t := m.fork(s)
		t.publish(*base).drop()
		m.done(step{kind: stepDrop, node: base.recruit - 1, epoch: from})
		return
	}
	for n := range m.count {
		if base.place(n) >= 0 || !s.nodes[n].lease {
			continue
		}
		t := m.fork(s)
		t.publish(*base).recruit = n + 1
		m.done(step{kind: stepRecruit, node: n, epoch: from})
	}
}

// promote makes the recruit the tail.
func (m *model) promote(s *state, base *row, from uint8) {
	if base.recruit == 0 || !base.ready && !m.off.without(guardReady) {
		return
	}
	t := m.fork(s)
	r := t.publish(*base)
	r.members[r.size] = base.recruit - 1
	r.size++
	r.recruit = 0
	m.done(step{kind: stepPromote, node: base.recruit - 1, epoch: from})
}

// restart begins anew with one node, when every member has crashed.
func (m *model) restart(s *state, base *row, from uint8) {
	if !m.outage {
		return
	}
	for i := range base.size {
		if base.gone&(1<<base.members[i]) == 0 {
			return
		}
	}
	for n := range m.count {
		if base.place(n) < 0 && !m.off.without(guardLastSet) {
			continue
		}
		t := m.fork(s)
		r := t.publish(row{size: 1})
		r.members[0] = n
		m.done(step{kind: stepRestart, node: n, epoch: from})
	}
}
