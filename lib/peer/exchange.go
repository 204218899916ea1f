package peer

import (
	"slices"
	"time"

	"namecast/lib/peer/packet"
)

// maxOwners bounds the owners of a name.
const maxOwners = 3

// Times of exchanges with members.
const (
	resolveWithin = time.Second           // what a member is given to look a name up
	resolveMargin = 50 * time.Millisecond // and then to say that it could not
	lateWithin    = 2 * time.Second       // an answer that comes so much later than expected is taken still
)

// An exchange is an Ask that was sent.
type exchange struct {
	l       *lookup
	to      packet.NodeID
	all     bool // to everybody
	stage   stage
	sent    time.Duration
	fresh   bool          // what is past its time is not wanted
	resolve bool          // he may look it up
	within  time.Duration // and has so long; 0: resolveWithin
	by      By
	absent  bool   // he has been silent of late: only the end of the ladder waits for him
	missed  func() // what to do if he does not know, beside what the stage says
	silent  bool   // nothing came in time
	heard   []packet.NodeID
}

// owner reports whether an owner is asked for what it keeps.
func (ex *exchange) owner() bool { return ex.by == ByOwner && !ex.resolve }

// inquire asks a member, unless it is the node itself or is distrusted.
func (n *Node) inquire(l *lookup, to packet.NodeID, ex *exchange) {
	if to == n.self || !n.trusted(to) || len(n.asks) >= maxExchanges {
		return
	}
	ex.l, ex.to, ex.stage, ex.sent, ex.silent = l, to, l.stage, n.now, ex.absent
	wait, deadline := n.o.Ring.Wait(to), time.Duration(0)
	if ex.resolve {
		deadline = resolveWithin
		if ex.within > 0 {
			deadline = ex.within
		}
		wait += deadline + resolveMargin
	}
	id := n.enter(ex, wait)
	if !ex.absent {
		l.pending++
	}
	l.asked++
	if ex.owner() {
		l.owed++
	}
	n.stats.Asks++
	n.emit(Send{To: to, ID: id, Body: &packet.Ask{
		Name: l.q.Name, Type: l.q.Type, DO: l.q.DO, FreshOnly: ex.fresh, Resolve: ex.resolve,
		Deadline: deadline, Net: n.net,
	}})
}

// enter gives an exchange its number, which nobody else knows, and ends it in time.
func (n *Node) enter(ex *exchange, wait time.Duration) uint64 {
	id := n.rng.Uint64()
	for id == 0 || n.asks[id] != nil {
		id = n.rng.Uint64()
	}
	n.asks[id] = ex
	n.after(wait, func() {
		if n.asks[id] == ex && !ex.all && !ex.absent {
			ex.silent = true
			n.o.Ring.Silent(ex.to)
			n.without(ex)
		}
	})
	n.after(wait+lateWithin, func() {
		if n.asks[id] == ex {
			delete(n.asks, id)
		}
	})
	return id
}

// callAll asks everybody, if the budgets of the node and of the group allow.
func (n *Node) callAll(l *lookup) bool {
	if len(n.asks) >= maxExchanges || !n.anySelf.take(n.now) || !n.anyAll.take(n.now) {
		return false
	}
	ex := &exchange{l: l, all: true, stage: atAny, sent: n.now, by: ByAny}
	id := n.enter(ex, anyWithin)
	n.stats.Calls++
	n.emit(Send{All: true, ID: id, Body: &packet.Ask{
		Name: l.q.Name, Type: l.q.Type, DO: l.q.DO, Any: true, Deadline: anyWithin, Net: n.net,
	}})
	return true
}

// without goes on without an answer.
func (n *Node) without(ex *exchange) {
	if ex.l.done {
		return
	}
	if ex.stage == ex.l.stage {
		ex.l.pending--
	}
	if ex.missed != nil {
		ex.missed()
	}
	n.weigh(ex.l)
}

// answer takes a member's Answer, which must be one to an open question to it.
func (n *Node) answer(from packet.NodeID, id uint64, a *packet.Answer) {
	ex := n.asks[id]
	if ex == nil || !ex.all && ex.to != from || slices.Contains(ex.heard, from) {
		n.stats.Unasked++
		return
	}
	if ex.all {
		ex.heard = append(ex.heard, from)
	} else {
		delete(n.asks, id)
	}
	l := ex.l
	if ex.owner() {
		l.owed--
	}
	if l.done {
		return
	}
	if a.Outcome != packet.Have || a.Record == nil {
		if a.Outcome == packet.Miss && !slices.Contains(l.without, from) {
			l.without = append(l.without, from)
		}
		n.useless(ex)
		return
	}
	o, err := n.judge(l.q, from, a.Record, n.now-ex.sent)
	if err == nil && ex.fresh && !o.fresh(n.now) {
		err = errTooOld
	}
	if err != nil {
		n.refuse(from, l.q, err)
		n.useless(ex)
		return
	}
	n.stats.Answers++
	o.by = ex.by
	if ex.by == ByRoot {
		o.by = ByHelper // he did it, at first hand or not
		n.rooted(ex, a.Record)
	}
	if !ex.all && !ex.silent && ex.stage == l.stage {
		l.pending--
	}
	n.propose(l, o)
}

// useless is the end of an exchange whose answer is of no use.
func (n *Node) useless(ex *exchange) {
	switch {
	case ex.all:
	case ex.silent: // it was given up, but may be what the end waits for
		n.weigh(ex.l)
	default:
		n.without(ex)
	}
}
