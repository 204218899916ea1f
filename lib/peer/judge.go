package peer

import (
	"errors"
	"slices"
	"time"

	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
)

// Reasons why what a member says is refused.
var (
	errBogus     = errors.New("the own validation refuses it")
	errUnsigned  = errors.New("it should be signed and is not")
	errUnchecked = errors.New("the own validation takes too long")
	errDoubt     = errors.New("the own validation cannot judge it")
	errNet       = errors.New("of another network")
	errAnother   = errors.New("the answer to another question")
	errKind      = errors.New("no answer that can be kept")
	errExtra     = errors.New("there is more in it than the answer")
	errPrivate   = errors.New("a private address for a public name")
	errTooOld    = errors.New("too old")
	errKnown     = errors.New("the own copy is not older")
	errHand      = errors.New("not at first hand")
	errDistrust  = errors.New("he was found wrong too often")
	errOwner     = errors.New("this node is not an owner")
	errSilent    = errors.New("no answer")
)

// judge holds a member's record against the rules for data without a proof.
func (n *Node) judge(q Question, from packet.NodeID, r *packet.Record, took time.Duration) (*offer, error) {
	info, err := keep.Describe(r.Msg)
	if err != nil {
		return nil, err
	}
	o := &offer{from: from, origin: r.Origin, msg: r.Msg, info: info, base: n.now - r.Age - took}
	switch {
	case r.Net != n.net || n.net == 0:
		return nil, errNet
	case info.Name != q.Name || info.Type != q.Type || info.Class != 1:
		return nil, errAnother
	case !info.Keepable():
		return nil, errKind
	case info.Extra:
		return nil, errExtra
	case r.Origin == packet.NodeID{}:
		return nil, errHand
	case !n.trusted(from):
		return nil, errDistrust
	case r.Age < 0 || o.overdue(n.now) > n.o.MaxStale:
		return nil, errTooOld
	case slices.ContainsFunc(info.Names, n.secret):
		return nil, errPrivate
	}
	return o, n.judgeOwn(q, o)
}

// judgeOwn holds an offer against what the own name servers have said.
func (n *Node) judgeOwn(q Question, o *offer) error {
	e := n.cache.Get(n.key(q))
	first := e != nil && e.First
	if o.info.Private && !(first && keep.Same(e.Msg, o.msg)) {
		return errPrivate
	}
	if first && !e.Old && e.Base >= o.base {
		return errKnown
	}
	return nil
}

// refuse counts what was refused.
func (n *Node) refuse(from packet.NodeID, q Question, why error) {
	if errors.Is(why, errKnown) || errors.Is(why, keep.ErrKnown) {
		return // nothing is wrong with it
	}
	n.stats.Refused++
	n.emit(Trace{Kind: TraceRefused, Question: q, Peer: from, Text: why.Error()})
	if errors.Is(why, errBogus) || errors.Is(why, errExtra) || errors.Is(why, errAnother) {
		n.mark(from, false)
	}
}
