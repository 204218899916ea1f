package main

// process is what n does apart from messages: install an epoch, write to the
// disk, crash, register.
func (m *model) process(s *state, n uint8) {
	m.install(s, n)
	m.sync(s, n)
	m.crash(s, n)
	m.register(s, n)
	m.renew(s, n)
}

// install takes a newer row that n is in; n may skip some, and may be late.
func (m *model) install(s *state, n uint8) {
	for e := s.nodes[n].epoch + 1; e <= s.last; e++ {
		r := &s.rows[e]
		if !r.has(n) {
			continue
		}
		t := m.fork(s)
		t.leave(n, m.sent(s, n))
		nd := &t.nodes[n]
		nd.epoch = e
		if r.isRecruit(n) && !m.off.without(guardFresh) {
			nd.log, nd.durable, nd.commit = 0, 0, 0
		}
		if t.isTail(n) && (r.size == 1 || m.off.without(guardHello)) {
			m.activate(t, n)
		}
		m.done(step{kind: stepInstall, node: n, epoch: e})
	}
}

// sync makes n's whole log durable, where that was not done before.
func (m *model) sync(s *state, n uint8) {
	if nd := &s.nodes[n]; nd.durable < nd.log.size() {
		t := m.fork(s)
		t.nodes[n].durable = nd.log.size()
		m.done(step{kind: stepSync, node: n})
	}
}

// crash is a crash and the start after it: a node that stays down is one that
// does nothing more.
func (m *model) crash(s *state, n uint8) {
	if int(s.crashes) >= m.crashes || !s.concerned(n) {
		return
	}
	t := m.fork(s)
	t.crashes++
	t.leave(n, m.sent(s, n))
	nd := &t.nodes[n]
	nd.log = nd.log.first(nd.durable)
	if m.off.without(guardKeep) && nd.epoch > 0 && s.row(n).isRecruit(n) {
		nd.log, nd.durable = 0, 0
	}
	nd.commit = min(nd.commit, nd.durable)
	if !m.off.without(guardIncarnation) {
		t.reborn(n)
	}
	m.done(step{kind: stepCrash, node: n})
}

// concerned tells whether anything is expected of n, as it is now.
func (s *state) concerned(n uint8) bool {
	for e := uint8(1); e <= s.last; e++ {
		if s.rows[e].has(n) {
			return true
		}
	}
	return s.nodes[n].epoch > 0
}

// reborn makes n a new incarnation, which is in no epoch.
func (s *state) reborn(n uint8) {
	s.nodes[n].epoch, s.nodes[n].lease = 0, true
	for e := uint8(1); e <= s.last; e++ {
		if s.rows[e].has(n) {
			s.rows[e].gone |= 1 << n
		}
	}
}

// register is what a removed node does when it learns that it was removed: it
// is a new incarnation from then on.
func (m *model) register(s *state, n uint8) {
	if s.rows[s.last].has(n) || s.nodes[n].epoch == 0 && s.nodes[n].lease {
		return
	}
	t := m.fork(s)
	t.leave(n, m.sent(s, n))
	t.reborn(n)
	m.done(step{kind: stepRegister, node: n})
}

// renew is the renewal of a lease after the fence, which must fail.
func (m *model) renew(s *state, n uint8) {
	if m.off.without(guardFence) && !s.nodes[n].lease {
		t := m.fork(s)
		t.nodes[n].lease = true
		m.done(step{kind: stepRenew, node: n})
	}
}
