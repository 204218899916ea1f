package main

import (
	"cmp"
	"slices"
)

// reduce makes states equal that differ only in what can no longer matter, or in
// which node has which number. It returns the old number of each new one.
func (m *model) reduce(s *state) [maxNodes]uint8 {
	m.forgetRows(s)
	m.forgetTold(s)
	m.forgetNodes(s)
	for w := range s.asked {
		if s.asked[w] > 1 && s.seen.has(uint8(w+1)) {
			s.asked[w] = 1
		}
	}
	order, moved := m.order(s)
	if moved {
		s.renumber(order)
	}
	return order
}

// forgetRows drops rows that no node is in or can still install.
func (m *model) forgetRows(s *state) {
	if m.off.without(guardTxn) || m.off.without(guardEpoch) {
		return
	}
	for e := uint8(1); e < s.last; e++ {
		r := &s.rows[e]
		r.ready = false
		needed := false
		for n := range m.count {
			at := s.nodes[n].epoch
			needed = needed || at == e || at < e && r.has(n)
		}
		if !needed {
			*r = row{}
			s.told[e] = [maxNodes]trail{}
		}
	}
}

// forgetTold drops messages that nobody would take any more.
func (m *model) forgetTold(s *state) {
	if m.off.without(guardEpoch) {
		return
	}
	for e := uint8(1); e <= s.last; e++ {
		r := &s.rows[e]
		if r.size == 0 {
			continue
		}
		for n := range m.count {
			if t := &s.told[e][n]; *t != (trail{}) {
				m.forgetTrail(s, e, n, t)
			}
		}
	}
}

func (m *model) forgetTrail(s *state, e, n uint8, t *trail) {
	r := &s.rows[e]
	q, ok := r.succ(n)
	if !ok || !s.listens(q, e) || s.nodes[q].epoch == e && s.nodes[q].log.size() >= t.log.size() {
		t.log = 0
	}
	if !ok || !s.listens(q, e) || q != r.tail() || s.nodes[q].active && s.nodes[q].epoch == e {
		t.was = false
	}
	if !r.isRecruit(n) || !s.listens(r.tail(), e) {
		t.durable = 0
	}
	needed := false
	for i := range r.size {
		q := r.members[i]
		needed = needed || q != n && s.listens(q, e) && (s.nodes[q].epoch < e || s.nodes[q].commit < t.commit)
	}
	if r.tail() != n || !needed {
		t.commit = 0
	}
}

// listens tells whether n may still take messages of epoch e.
func (s *state) listens(n, e uint8) bool { return s.rows[e].has(n) && s.nodes[n].epoch <= e }

// forgetNodes drops the logs of nodes that can only come back as recruits.
func (m *model) forgetNodes(s *state) {
	if m.off.without(guardFresh) || m.off.without(guardLastSet) || m.off.without(guardReady) {
		return
	}
	r := &s.rows[s.last]
	for n := range m.count {
		nd := &s.nodes[n]
		if nd.epoch == 0 && !(m.outage && (r.place(n) >= 0 || r.ready && r.isRecruit(n))) {
			nd.log, nd.durable, nd.commit = 0, 0, 0
		}
	}
}

// order gives the nodes in the order of the row in force, the others after them
// by what they hold and were, and tells whether that is another order.
func (m *model) order(s *state) ([maxNodes]uint8, bool) {
	var order [maxNodes]uint8
	r := &s.rows[s.last]
	k := copy(order[:], r.members[:r.size])
	if r.recruit > 0 {
		order[k] = r.recruit - 1
		k++
	}
	others := order[k:k]
	for n := range m.count {
		if r.place(n) < 0 && !r.isRecruit(n) {
			others = append(others, n)
		}
	}
	if len(others) > 1 {
		slices.SortFunc(others, s.compare)
	}
	moved := false
	for n := range uint8(maxNodes) {
		if n >= m.count {
			order[n] = n
		}
		moved = moved || order[n] != n
	}
	return order, moved
}

// compare puts nodes that are not in force in an order. It is 0 only for nodes
// that can be exchanged.
func (s *state) compare(a, b uint8) int {
	c := cmp.Compare(s.nodes[a].key(), s.nodes[b].key())
	for e := uint8(1); e < s.last && c == 0; e++ {
		if r := &s.rows[e]; r.size > 0 {
			c = cmp.Compare(r.role(a), r.role(b))
			if c == 0 {
				c = cmp.Compare(s.told[e][a].key(), s.told[e][b].key())
			}
		}
	}
	if c == 0 {
		c = cmp.Compare(s.told[s.last][a].key(), s.told[s.last][b].key())
	}
	return c
}

func (nd *node) key() uint64 {
	return uint64(nd.log)<<16 | uint64(nd.epoch)<<12 | uint64(nd.durable)<<8 | uint64(nd.commit)<<4 | uint64(pack3(nd.lease, nd.gate, nd.active))
}

func (t *trail) key() uint64 {
	return uint64(t.log)<<16 | uint64(t.durable)<<8 | uint64(t.commit)<<4 | uint64(pack3(t.was, false, false))
}

// role is a number for what n is in a row.
func (r *row) role(n uint8) int {
	role := 2 * (r.place(n) + 1)
	if r.isRecruit(n) {
		role = 2 * (maxNodes + 1)
	}
	return role + int(r.gone>>n&1)
}

// renumber gives every node its place in order as its number.
func (s *state) renumber(order [maxNodes]uint8) {
	var now [maxNodes]uint8
	for i, n := range order {
		now[n] = uint8(i)
	}
	nodes, told := s.nodes, s.told
	for i, n := range order {
		s.nodes[i] = nodes[n]
		for e := range s.told {
			s.told[e][i] = told[e][n]
		}
	}
	for e := range s.rows {
		r := &s.rows[e]
		for i := range r.size {
			r.members[i] = now[r.members[i]]
		}
		if r.recruit > 0 {
			r.recruit = 1 + now[r.recruit-1]
		}
		gone := r.gone
		r.gone = 0
		for n, i := range now {
			r.gone |= gone >> n & 1 << i
		}
	}
}
