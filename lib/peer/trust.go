package peer

import (
	"fmt"
	"math"
	"time"

	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
)

// Rules of the audit: of a share of what members said, the own name servers are asked
// again once they answer.
const (
	auditShare = 0.05
	shareAudit = 0.01 // of answers in share mode, while name servers answer: each costs them a question
	auditMost  = 64
	auditEvery = time.Second
	trustLeast = 0.5           // members below this are not asked
	trustStep  = 0.1           // the weight of one finding
	trustHeals = 6 * time.Hour // then a finding counts half
)

// A trust is what was found of a member, and when.
type trust struct {
	score float64 // 1 at first
	at    time.Duration
}

// An audit is what a member said, to be compared with what the name servers say.
type audit struct {
	q    Question
	from packet.NodeID
	msg  []byte
}

// Trust gives a member's score: 1 at first, less each time that the own name servers say
// something wholly else; below 0.5 it is not asked.
func (n *Node) Trust(id packet.NodeID) float64 {
	t, ok := n.trust.get(id)
	if !ok {
		return 1
	}
	return 1 - (1-t.score)*math.Exp2(-float64(n.now-t.at)/float64(trustHeals))
}

// trusted reports whether a member has not been found wrong too often of late.
func (n *Node) trusted(id packet.NodeID) bool { return n.Trust(id) >= trustLeast }

// mark lets a finding about a member count: its score is a mean of 0 and 1, in which
// the last findings count most.
func (n *Node) mark(id packet.NodeID, good bool) {
	score := n.Trust(id) * (1 - trustStep)
	if good {
		score += trustStep
	}
	n.trust.put(id, trust{score, n.now})
}

// sample takes some of what members say down for the audit.
func (n *Node) sample(q Question, o *offer) {
	share := auditShare
	if n.o.Share && n.best() == packet.Healthy {
		share = shareAudit
	}
	if len(n.audits) < auditMost && n.rng.Float64() < share {
		n.audits = append(n.audits, &audit{q: q, from: o.from, msg: o.msg})
		if len(n.audits) == 1 {
			n.after(auditEvery, n.auditNext)
		}
	}
}

// auditNext has one sample looked at, if the servers answer.
func (n *Node) auditNext() {
	if len(n.audits) == 0 {
		return
	}
	if n.best() == packet.Healthy && n.net != 0 {
		a := n.audits[0]
		n.audits = n.audits[1:]
		if j := n.job(a.q, false); !j.done {
			j.audits = append(j.audits, a)
		}
	}
	if len(n.audits) > 0 {
		n.after(auditEvery, n.auditNext)
	}
}

// audited compares. Names with many machines give other addresses each time, so only
// what has nothing in common counts against a member.
func (n *Node) audited(a *audit, f *finding) {
	if f == nil || f.Bogus || f.info.Negative {
		return
	}
	bad := keep.Disjoint(a.msg, f.msg)
	n.mark(a.from, !bad)
	n.stats.Audits++
	word := "agrees with the name server"
	if bad {
		n.stats.Lies++
		word = "has nothing in common with the name server's answer"
	}
	n.emit(Trace{Kind: TraceAudit, Question: a.q, Peer: a.from, Text: fmt.Sprintf("what it said %s", word)})
}
