package main

import "fmt"

// bounds limit what is explored. Reads need no bound: see check.go.
type bounds struct {
	nodes   int // members of the first chain
	spares  int // nodes outside of it
	writes  int // different writes of clients, each sent any number of times
	epochs  int // the last epoch; the chain begins in epoch 1
	crashes int
	outage  bool     // a chain whose members have all crashed may be restarted
	reads   string   // readLease, readConfirm or readBoth
	clients bool     // check only what clients see
	off     guardSet // safeguards that are switched off
}

// How members may make sure that they may answer a strong read.
const (
	readLease   = "lease"
	readConfirm = "confirm"
	readBoth    = "both"
)

func (b bounds) check() error {
	switch {
	case b.nodes < 1 || b.spares < 0 || b.nodes+b.spares > maxNodes:
		return fmt.Errorf("there may be 1 to %d nodes, with the spares", maxNodes)
	case b.writes < 1 || b.writes > maxWrites:
		return fmt.Errorf("there may be 1 to %d writes", maxWrites)
	case b.epochs < 1 || b.epochs > maxEpochs:
		return fmt.Errorf("there may be 1 to %d epochs", maxEpochs)
	case b.crashes < 0 || b.crashes > maxCrashes:
		return fmt.Errorf("there may be 0 to %d crashes", maxCrashes)
	case b.reads != readLease && b.reads != readConfirm && b.reads != readBoth:
		return fmt.Errorf("reads are %s, %s or %s, not %q", readLease, readConfirm, readBoth, b.reads)
	}
	return nil
}

// A model gives the states that can follow a state.
type model struct {
	bounds
	count uint8 // of all nodes
	// names of the nodes in messages; a search renumbers nodes as it goes.
	names [maxNodes]byte
	// visit is called by next for every state that can follow. The state is the
	// model's own and lasts until visit returns. A step that breaks an invariant
	// by itself says how.
	visit func(t *state, by step, broken string)

	scratch state
	broken  string
}

func newModel(b bounds) *model {
	return &model{bounds: b, count: uint8(b.nodes + b.spares), names: [maxNodes]byte([]byte("ABCDEF"))}
}

// first gives the state that all begins with: a chain in epoch 1, all clean.
func (m *model) first() *state {
	s := &state{last: 1}
	for n := range m.count {
		s.nodes[n].lease = true
		if int(n) < m.nodes {
			s.nodes[n].epoch = 1
			s.rows[1].members[n] = n
		}
	}
	s.rows[1].size = uint8(m.nodes)
	s.nodes[m.nodes-1].active = true
	return s
}

// next visits every state that can follow s by one step.
func (m *model) next(s *state) {
	for n := range m.count {
		m.client(s, n)
		m.member(s, n)
		m.process(s, n)
	}
	m.controller(s)
}

// fork begins a step with a copy of s.
func (m *model) fork(s *state) *state {
	m.scratch = *s
	m.broken = ""
	return &m.scratch
}

// done ends the step that fork began.
func (m *model) done(by step) {
	m.observe(&m.scratch)
	m.visit(&m.scratch, by, m.broken)
}

// sent gives the records that n may have forwarded in its epoch.
func (m *model) sent(s *state, n uint8) history {
	nd := &s.nodes[n]
	if m.off.without(guardPersist) {
		return nd.log
	}
	return nd.log.first(nd.durable)
}

func (m *model) heard(s *state, n, e uint8) trail { return s.heard(n, e, m.sent(s, n)) }

// name gives a node's letter.
func (m *model) name(n uint8) string { return string(m.names[n]) }
