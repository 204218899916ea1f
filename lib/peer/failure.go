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
	msg   []byte // of a server, or nil
	stale bool   // something stale is better than that
}

// Times of failures.
const (
	failFirst = time.Second
	missFirst = 5 * time.Second
	failMost  = time.Minute
)

// fail remembers that a question had no answer.
func (n *Node) fail(m *memory[Question, failure], q Question, msg []byte, stale bool) {
	old, _ := m.get(q)
	first := failFirst
	if m == &n.missed {
		first = missFirst
	}
	step := first
	if old.step > 0 && n.now-old.until < failMost {
		step = min(2*old.step, failMost)
	}
	m.put(q, failure{n.now, n.now + step, step, msg, stale})
}
