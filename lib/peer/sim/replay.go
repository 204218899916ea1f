package sim

import (
	"math"
	"time"

	"namecast/lib/peer"
)

// A Lookup is a client's question.
type Lookup struct {
	At   time.Duration
	Node int
	Name int32
}

// Until takes the lookups of a trace that come before a time.
func (t *Trace) Until(end time.Duration) []Lookup {
	var list []Lookup
	for t.peek() < end {
		at, node, name := t.Next()
		list = append(list, Lookup{at, node, name})
	}
	return list
}

// A Replay is a course that is laid down beforehand, so that machines can be put through
// the very same. Its times are from the beginning of the run.
type Replay struct {
	Lookups []Lookup // in the order of their times
	Faults  []Fault
	// Owners gives the nodes in the order in which they own a name, the best first;
	// nil: the simulator has an order of its own.
	Owners func(name int32) []int
	// Replied is told what carried the answer to a lookup; nil: nobody is.
	Replied func(Lookup, peer.By)
}

// A Fault is what befalls nodes at a time.
type Fault struct {
	At   time.Duration
	Kill []int // they vanish
	Wipe []int // they forget all answers
}

// peek gives when the next lookup is.
func (s *sim) peek() time.Duration {
	switch {
	case s.c.Replay == nil:
		return s.trace.peek()
	case len(s.lookups) == 0:
		return math.MaxInt64
	}
	return s.lookups[0].At
}

// next takes the next lookup.
func (s *sim) next() Lookup {
	if s.c.Replay == nil {
		at, node, name := s.trace.Next()
		return Lookup{at, node, name}
	}
	l := s.lookups[0]
	s.lookups = s.lookups[1:]
	return l
}

// replay puts a course on.
func (s *sim) replay(r *Replay) {
	if r == nil {
		return
	}
	s.lookups, s.g.order = r.Lookups, r.Owners
	for i := range r.Faults {
		s.at(r.Faults[i].At, event{what: faultEvent, fault: &r.Faults[i]})
	}
}

// replied tells of a lookup that has ended.
func (s *sim) replied(l Lookup, by peer.By) {
	if r := s.c.Replay; r != nil && r.Replied != nil {
		r.Replied(l, by)
	}
}

// strike does a fault.
func (s *sim) strike(f *Fault) {
	s.remove(f.Kill)
	for _, i := range f.Wipe {
		s.step(i, peer.Forget{Below: true})
	}
}
