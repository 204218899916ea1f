package peer

import (
	"slices"
	"time"

	"github.com/miekg/dns"
)

// cutOff reports whether a server says that it could not reach those who know: then an
// answer past its time is better than its error (RFC 8767 section 5), as it is not if
// the answer was found to be wrong.
func cutOff(msg []byte) bool {
	var m dns.Msg
	if m.Unpack(msg) != nil || m.Rcode != dns.RcodeServerFailure || m.IsEdns0() == nil {
		return false
	}
	return slices.ContainsFunc(m.IsEdns0().Option, func(o dns.EDNS0) bool {
		e, ok := o.(*dns.EDNS0_EDE)
		return ok && (e.InfoCode == dns.ExtendedErrorCodeNoReachableAuthority || e.InfoCode == dns.ExtendedErrorCodeNetworkError)
	})
}

// A failure is remembered for a time that doubles (RFC 9520 section 3.2).
type failure struct {
	begun time.Duration
	until time.Duration
	step  time.Duration
	msg   []byte   // of a server, or nil
	stale bool     // something stale is better than that
	bogus *Verdict // an answer that the own validation refuses
}

// Times of failures.
const (
	failFirst = time.Second
	missFirst = 5 * time.Second
	failMost  = time.Minute
)

// fail remembers that the servers had no answer, or this error.
func (n *Node) fail(q Question, msg []byte, stale bool) {
	n.remember(&n.failed, q, failFirst, failure{msg: msg, stale: stale})
}

// disbelieve remembers that the own validation refuses what the servers say.
func (n *Node) disbelieve(q Question, v Verdict) {
	n.remember(&n.failed, q, failFirst, failure{bogus: &v})
}

// miss remembers that nobody knew the answer; for a short while only, if an owner was
// too busy to say so.
func (n *Node) miss(q Question, unsaid bool) {
	first := missFirst
	if unsaid {
		first = failFirst
	}
	n.remember(&n.missed, q, first, failure{})
}

// remember keeps a failure for a while: first, or twice as long as the last time.
func (n *Node) remember(m *memory[Question, failure], q Question, first time.Duration, f failure) {
	old, _ := m.get(q)
	f.step = first
	if old.step > 0 && n.now-old.until < failMost {
		f.step = min(2*old.step, failMost)
	}
	f.begun, f.until = n.now, n.now+f.step
	m.put(q, f)
}
