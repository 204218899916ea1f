package peer

import (
	"slices"

	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// Rules of doubt. While no name server can be asked, what members say can still be held
// against what the own ones said last. Names move, so that one answer with nothing in
// common says little; but who is at odds with the own copies more often than he agrees
// is wrong, or lies.
const (
	doubtFrom  = 2  // answers with nothing in common more than such that agree
	doubtMost  = 32 // answers that count; then what came before counts half
	doubtNames = 4  // names that are remembered, since one counts once
)

// A standing is how what a member said compared with the own copies.
type standing struct {
	same, apart int
	names       [doubtNames]rr.Name
	next        int
}

// doubted reports whether a member is mostly at odds with what the own name servers said.
// Its word is then no word, and it is asked only for what is known.
func (n *Node) doubted(id packet.NodeID) bool {
	s, ok := n.standings.get(id)
	return ok && s.apart >= s.same+doubtFrom
}

// sure reports whether those whose word an offer is are not in doubt.
func (n *Node) sure(o *offer) bool { return !n.doubted(o.from) && !n.doubted(o.origin) }

// believed reports whether an entry is more than what somebody gave: the own name servers
// said it, or members that are not in doubt.
func (n *Node) believed(e *keep.Entry) bool {
	return e.First || e.Agreed && (e.StateAt(n.now) == packet.Secure || !n.doubted(e.From) && !n.doubted(e.Origin))
}

// compare holds an offer against what is known. It is odd if it comes from who asked his
// servers, or says so, and has nothing in common with what is known here, which is not
// old yet: then one word is not enough to replace it.
func (n *Node) compare(q Question, o *offer) {
	e := n.cache.Get(n.key(q))
	if o.mine || o.StateAt(n.now) == packet.Secure || e == nil || e.Negative || e.Overdue(n.now) > staleLiving {
		return
	}
	apart := keep.Disjoint(e.Msg, o.msg)
	o.odd = apart && o.by == ByHelper && e.From != o.from && n.believed(e)
	if e.First && (apart || keep.Same(e.Msg, o.msg)) {
		n.stand(o.from, q, apart)
	}
}

// stand counts an answer of a member about a name that is known.
func (n *Node) stand(id packet.NodeID, q Question, apart bool) {
	s, _ := n.standings.get(id)
	if slices.Contains(s.names[:], q.Name) {
		return
	}
	s.names[s.next%doubtNames] = q.Name
	s.next++
	if s.same+s.apart >= doubtMost {
		s.same, s.apart = s.same/2, s.apart/2
	}
	before := n.doubted(id)
	if apart {
		s.apart++
	} else {
		s.same++
	}
	n.standings.put(id, s)
	if !before && n.doubted(id) {
		n.emit(Trace{Kind: TraceRefused, Question: q, Peer: id, Text: "much of what it says has nothing in common with the own copies: its word does not count"})
	}
}
