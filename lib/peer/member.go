package peer

import (
	"cmp"
	"slices"
	"time"

	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// Bounds of what is done for members.
const (
	maxTold    = 4000 // octets of a message that goes into an Answer: four datagrams
	maxPut     = 64   // records of one Put that are looked at
	maxDelayed = 256  // answers to calls that wait for their moment
	anyDelay   = 10 * time.Millisecond
	serveMost  = 2 * time.Second
)

// received takes a member's message.
func (n *Node) received(ev Received) {
	if n.o.Ring == nil || ev.From == n.self {
		return
	}
	switch body := ev.Body.(type) {
	case *packet.Ask:
		n.inquired(ev.From, ev.ID, body)
	case *packet.Answer:
		n.answer(ev.From, ev.ID, body)
	case *packet.Put:
		for _, r := range body.Records[:min(len(body.Records), maxPut)] {
			n.given(ev.From, r)
		}
	}
}

// inquired answers an Ask from memory, or by the own servers; never by asking a member.
func (n *Node) inquired(from packet.NodeID, id uint64, a *packet.Ask) {
	q := Question{Name: a.Name.Lower(), Type: a.Type, DO: a.DO}
	n.stats.Inquired++
	if a.Any {
		n.anyAll.take(n.now) // the group's budget is spent by whoever calls
	}
	if a.Net != n.net || !n.tellable(q) {
		if !a.Any {
			n.send(from, id, packet.Wont, nil)
		}
		return
	}
	if a.Resolve {
		n.wanted(from, q)
	}
	e := n.tell(q)
	switch {
	case e != nil && (e.Fresh(n.now) || !a.FreshOnly && !a.Resolve):
		n.told(from, id, a.Any, e)
	case a.Any:
	case a.Resolve && (n.best() == packet.Healthy || n.canIterate()):
		n.resolve(from, id, q, a)
	case e != nil && !a.FreshOnly:
		n.told(from, id, false, e)
	default:
		n.send(from, id, packet.Miss, nil)
	}
}

// canIterate reports whether a question may go to the root.
func (n *Node) canIterate() bool { return n.o.Iterate && !n.captive && !n.resting() }

// tell finds what may be told of a question: what this node had at first hand, what it
// validated, or what it owns, or owned when members were not all known, and was given by
// who had it at first hand. If there is
// nothing under the very question, what was asked with or without DO, and for keys
// without checking, serves too.
func (n *Node) tell(q Question) *keep.Entry {
	owner := n.rankOf(q.Name) >= 0
	for _, k := range alternatives(n.key(q)) {
		e := n.cache.Get(k)
		if e == nil || len(e.Msg) > maxTold || !n.bearable(Question{Type: k.Type, CD: k.CD}, n.ofEntry(e)) && !e.Fresh(n.now) {
			continue
		}
		if e.First || n.o.Validate && e.StateAt(n.now) == packet.Secure || (owner || e.Given) && e.From == e.Origin {
			return e
		}
	}
	return nil
}

// alternatives are the keys under which an answer to a question of that key may be.
func alternatives(k keep.Key) []keep.Key {
	keys := make([]keep.Key, 1, 4)
	keys[0] = k
	k.DO = !k.DO
	keys = append(keys, k)
	if chainType(k.Type) {
		k.CD = !k.CD
		keys = append(keys, k)
		k.DO = !k.DO
		keys = append(keys, k)
	}
	return keys
}

// told answers with an entry. To a call to all, the answers come at different times.
func (n *Node) told(to packet.NodeID, id uint64, called bool, e *keep.Entry) {
	r := n.record(e)
	if r == nil {
		n.send(to, id, packet.Wont, nil)
		return
	}
	n.stats.Told++
	n.cache.Told(n.now, e)
	n.emit(Trace{Kind: TraceTold, Question: Question{Name: e.Name, Type: e.Type, DO: e.DO}, Peer: to})
	if !called {
		n.send(to, id, packet.Have, r)
		return
	}
	if n.delayed >= maxDelayed {
		return
	}
	n.delayed++
	delay, epoch := time.Duration(n.rng.Int64N(int64(anyDelay))), n.epoch
	n.after(delay, func() {
		n.delayed--
		if n.epoch == epoch {
			r.Age += delay
			n.send(to, id, packet.Have, r)
		}
	})
}

// record is an entry as members are told it, or nil if it must not be.
func (n *Node) record(e *keep.Entry) *packet.Record {
	info, err := keep.Describe(e.Msg)
	if err != nil || info.Private || slices.ContainsFunc(info.Names, n.secret) {
		return nil
	}
	msg, err := keep.Trim(e.Msg)
	if err != nil {
		return nil
	}
	age := e.Age(n.now)
	if e.Old {
		// How long the machine was off is known by its clock only.
		age = max(age, e.Life()+time.Second)
	}
	return &packet.Record{Origin: e.Origin, Age: age, State: e.StateAt(n.now), Net: e.Net, Msg: msg}
}

// send answers an Ask.
func (n *Node) send(to packet.NodeID, id uint64, o packet.Outcome, r *packet.Record) {
	n.emit(Send{To: to, ID: id, Body: &packet.Answer{Outcome: o, Record: r}})
}

// resolve looks a name up for a member: 20 a second for each, 50 for all.
func (n *Node) resolve(from packet.NodeID, id uint64, q Question, a *packet.Ask) {
	b, ok := n.helping.get(from)
	if !ok {
		fresh := perSecond(20)
		b = &fresh
		n.helping.put(from, b)
	}
	if !b.take(n.now) || !n.helped.take(n.now) {
		n.send(from, id, packet.Busy, nil)
		return
	}
	if n.o.Validate {
		q.DO = true
	}
	j := n.job(q, n.best() != packet.Healthy)
	if j.done || len(j.asks) >= maxAsks {
		n.send(from, id, packet.Busy, nil)
		return
	}
	w := &waiter{to: from, id: id, fresh: a.FreshOnly}
	j.asks = append(j.asks, w)
	n.stats.Helped++
	epoch := n.epoch
	n.after(min(max(a.Deadline, 0), serveMost), func() {
		if !w.served && n.epoch == epoch {
			n.serve(w, q, nil)
		}
	})
}

// excuse tells members that wait for the servers that these are silent, so that they go
// on at once.
func (n *Node) excuse() {
	var late []*job
	for _, j := range n.jobs {
		if !j.root && len(j.asks) > 0 {
			late = append(late, j)
		}
	}
	slices.SortFunc(late, func(a, b *job) int { return cmp.Compare(a.turn, b.turn) })
	for _, j := range late {
		for _, w := range j.asks {
			n.serve(w, j.q, nil)
		}
		j.asks = nil
	}
}

// serve answers a member that waited for a job: with what it found, else with what is
// in memory.
func (n *Node) serve(w *waiter, q Question, f *finding) {
	if w.served {
		return
	}
	w.served = true
	if f != nil && !f.Bogus && f.info.Keepable() && !f.info.Private && len(f.msg) <= maxTold && !slices.ContainsFunc(f.info.Names, n.secret) {
		if msg, err := keep.Trim(f.msg); err == nil {
			n.send(w.to, w.id, packet.Have, &packet.Record{Origin: n.self, State: f.State, Net: n.net, Msg: msg})
			return
		}
	}
	if e := n.tell(q); f == nil && e != nil && (!w.fresh || e.Fresh(n.now)) {
		n.told(w.to, w.id, false, e)
		return
	}
	n.send(w.to, w.id, packet.Miss, nil)
}

// given takes a record that a member gives to an owner.
func (n *Node) given(from packet.NodeID, r *packet.Record) {
	n.stats.Given++
	info, err := keep.Describe(r.Msg)
	if err != nil {
		n.refuse(from, Question{}, errKind)
		return
	}
	q := Question{Name: info.Name, Type: info.Type, DO: info.DO, CD: chainType(info.Type)}
	o, err := n.judge(q, from, r, 0)
	rank := n.rankOf(q.Name)
	switch {
	case err != nil:
	case r.Origin != from:
		err = errHand
	case !n.tellable(q):
		err = errNet
	case rank < 0 && n.pushed(from, q):
		err = n.keepPushed(q, o)
	case rank < 0:
		err = errOwner
	default:
		err = n.keepFor(q, o, rank)
	}
	if err != nil {
		n.refuse(from, q, err)
		return
	}
	n.stats.Kept++
	n.emit(Trace{Kind: TraceKept, Question: q, Peer: from})
}

// keepFor keeps an offer for the group.
func (n *Node) keepFor(q Question, o *offer, rank int8) error {
	e := &keep.Entry{
		Key: n.key(q), Brief: o.info.Brief, Msg: o.msg, Base: o.base,
		Origin: o.origin, From: o.from, Given: true, Rank: rank,
	}
	if old := n.cache.Get(e.Key); old != nil && !old.First && old.Signed == e.Signed && keep.Equal(old.Msg, e.Msg) {
		e.Agreed, e.Verdict = old.Agreed, old.Verdict
	}
	if err := n.cache.Put(n.now, e); err != nil {
		return err
	}
	delete(n.missed.of, q)
	return nil
}

// rankOf is this node's rank among the owners of a name, -1 if it is none.
func (n *Node) rankOf(name rr.Name) int8 {
	return int8(slices.Index(n.owners(name), n.self))
}
