package trial

import (
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"

	"namecast/lib/chain"
)

// hidden is the version of a value whose write nobody was told the LSN of.
const hidden = ^chain.LSN(0)

// keys is how many keys an object has at most.
const keys = 4

// A state is what an object's keys have.
type state [keys]value

// model is what an object does with operations that come one after the other.
var model = porcupine.Model{
	Init:              func() any { return state{} },
	Step:              func(s, in, _ any) (bool, any) { ok, next := step(s.(state), in.(*op)); return ok, next },
	DescribeOperation: func(in, _ any) string { return in.(*op).String() },
	DescribeState:     func(s any) string { return s.(state).String() },
}

func (s state) String() string {
	var b strings.Builder
	for i, v := range s {
		if v == (value{}) {
			continue
		}
		if v.Version == hidden {
			fmt.Fprintf(&b, "%d=%q ", i, v.Data)
		} else {
			fmt.Fprintf(&b, "%d=%q@%d ", i, v.Data, v.Version)
		}
	}
	return strings.TrimSpace(b.String())
}

// step says whether an operation can have ended as it did in a state, and what the
// state is after it.
func step(s state, o *op) (bool, state) {
	switch {
	case o.Read != nil:
		return s.read(o.Read)
	case o.End == unknown:
		if at, _ := s.broken(o.Write.Conds); at < 0 {
			s.apply(o.Write, hidden)
		}
		return true, s
	case o.Write.Outcome.Verdict == chain.Applied:
		at, _ := s.broken(o.Write.Conds)
		return at < 0 && s.before(o.Write.Outcome.LSN) && s.apply(o.Write, o.Write.Outcome.LSN), s
	case o.Write.Outcome.Verdict == chain.Conflict:
		return s.conflict(o.Write)
	}
	return false, s // no write of a trial comes to anything else
}

// read compares what was read with the state. What a read tells of a hidden version
// is true from then on.
func (s state) read(r *read) (bool, state) {
	for i, key := range r.Keys {
		have := s[key]
		if have.Version == hidden {
			have.Version = r.Values[i].Version
		}
		if have != r.Values[i] {
			return false, s
		}
		s[key] = have
	}
	return true, s
}

// broken is the first condition that does not hold, or -1, and its key. A version
// that nobody was told is none that a condition can name.
func (s state) broken(conds []cond) (at, key int) {
	for i, c := range conds {
		have := s[c.Key]
		if c.Exists && have.Data == "" || !c.Exists && have.Version != c.Version {
			return i, c.Key
		}
	}
	return -1, 0
}

// conflict compares an answer with the condition that does not hold.
func (s state) conflict(w *write) (bool, state) {
	at, key := s.broken(w.Conds)
	if at != int(w.Outcome.Cond) {
		return false, s
	}
	if s[key].Version == hidden {
		s[key].Version = w.Outcome.Version
	}
	return s[key].Version == w.Outcome.Version, s
}

// before reports whether all that the object has is older than a record.
func (s state) before(lsn chain.LSN) bool {
	for _, v := range s {
		if v.Version != hidden && v.Version >= lsn {
			return false
		}
	}
	return true
}

// apply puts what a write puts; it reports true.
func (s *state) apply(w *write, lsn chain.LSN) bool {
	for _, p := range w.Puts {
		if p.Data == "" {
			s[p.Key] = value{}
		} else {
			s[p.Key] = value{lsn, p.Data}
		}
	}
	return true
}
