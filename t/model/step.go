package main

// client is what clients make n do: place a write, if it is a head. A client
// sends until it is answered, and the network repeats, so that a write may come
// at any time; a client begins with the next write when it likes. That writes
// are begun in order only gives them their numbers.
func (m *model) client(s *state, n uint8) {
	if !s.isHead(n) {
		return
	}
	nd := &s.nodes[n]
	room := uint8(maxLog)
	if m.off.without(guardOnce) {
		room = uint8(min(maxLog, m.writes+1))
	}
	for w := range uint8(m.writes) {
		if nd.log.size() >= room || !m.off.without(guardOnce) && nd.log.has(w+1) {
			continue
		}
		t := m.fork(s)
		t.append(n, newRecord(w+1, nd.epoch), !m.off.without(guardPersist))
		if t.asked[w] == 0 {
			t.asked[w] = 1 + s.seen.size()
		}
		m.done(step{kind: stepWrite, node: n, other: w + 1})
		if s.asked[w] == 0 {
			break
		}
	}
}

func (s *state) append(n uint8, r record, durable bool) {
	nd := &s.nodes[n]
	nd.log = nd.log.add(r)
	if durable {
		nd.durable = nd.log.size()
	}
}

// member is what n does with the messages that it may have got.
func (m *model) member(s *state, n uint8) {
	m.accept(s, n)
	if !s.serves(n) {
		return
	}
	if !s.isTail(n) {
		m.learn(s, n)
		return
	}
	if !s.nodes[n].active {
		m.hello(s, n)
		return
	}
	m.commit(s, n)
	m.ready(s, n)
}

// accept appends the next record that n's predecessor sent.
func (m *model) accept(s *state, n uint8) {
	nd := &s.nodes[n]
	if nd.epoch == 0 {
		return
	}
	for e := uint8(1); e <= s.last; e++ {
		if e != nd.epoch && !m.off.without(guardEpoch) || !s.rows[e].has(n) {
			continue
		}
		p, ok := s.rows[e].pred(n)
		if !ok {
			continue
		}
		sent, at := m.heard(s, p, e).log, nd.log.size()
		if at >= sent.size() {
			continue
		}
		t := m.fork(s)
		t.append(n, sent.at(at), !m.off.without(guardPersist))
		m.done(step{kind: stepAccept, node: n, other: p, epoch: e})
	}
}

// learn takes what the tail committed, from an acknowledgement that came along
// the chain or from the answer to a version query.
func (m *model) learn(s *state, n uint8) {
	nd := &s.nodes[n]
	tail := s.row(n).tail()
	c := min(m.heard(s, tail, nd.epoch).commit, m.sent(s, n).size())
	if c <= nd.commit {
		return
	}
	t := m.fork(s)
	m.commitTo(t, n, c)
	m.done(step{kind: stepLearn, node: n, other: tail})
}

// hello makes a tail active, when its predecessor is in the epoch.
func (m *model) hello(s *state, n uint8) {
	p, ok := s.row(n).pred(n)
	if ok && !m.heard(s, p, s.nodes[n].epoch).was {
		return
	}
	t := m.fork(s)
	m.activate(t, n)
	m.done(step{kind: stepHello, node: n, other: p})
}

func (m *model) activate(t *state, n uint8) {
	nd := &t.nodes[n]
	nd.active = true
	if !m.off.without(guardWhole) {
		m.tailCommit(t, n, m.sent(t, n).size())
	}
}

// commit commits the tail's next record.
func (m *model) commit(s *state, n uint8) {
	nd, r := &s.nodes[n], s.row(n)
	limit := m.sent(s, n).size()
	if r.recruit > 0 && nd.gate && !m.off.without(guardGate) {
		limit = min(limit, m.heard(s, r.recruit-1, nd.epoch).durable)
	}
	if limit <= nd.commit {
		return
	}
	t := m.fork(s)
	m.tailCommit(t, n, nd.commit+1)
	m.done(step{kind: stepCommit, node: n})
}

// ready turns the gate on and reports the recruit, once it holds all that is
// committed.
func (m *model) ready(s *state, n uint8) {
	nd, r := &s.nodes[n], s.row(n)
	if r.recruit == 0 || r.ready || nd.epoch != s.last {
		return
	}
	recruit := &s.nodes[r.recruit-1]
	if recruit.epoch != nd.epoch || recruit.durable < nd.commit {
		return
	}
	t := m.fork(s)
	t.nodes[n].gate = true
	t.rows[nd.epoch].ready = true
	m.done(step{kind: stepReady, node: n, other: r.recruit - 1})
}
