package peer

import (
	"slices"
	"time"

	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
)

// Times and bounds of share mode.
const (
	shareAfter = 15 * time.Millisecond // an owner is waited for at least so long
	renewAsks  = 5                     // of two hours: what is asked for as often is renewed before its time is over
	renewCost  = 8                     // answers from memory that pay for one question to renew
	maxCredit  = 10 * renewCost
	maxDemands = 1024 // names of which is known who asks for them
	demandKept = 16   // of each, the last asks
)

// shareFirst asks the first owner of a name before the name servers, and reports whether
// there is one to wait for, or something at hand already.
func (n *Node) shareFirst(l *lookup) bool {
	if !n.tellable(l.q) {
		return false
	}
	if e := n.cache.Get(n.key(l.q)); e != nil && e.Age(n.now) < peerTTL*time.Second {
		if n.held(l, true); l.done {
			return true
		}
	}
	owners := n.owners(l.q.Name)
	if len(owners) == 0 || owners[0] == n.self || !n.trusted(owners[0]) || n.doubted(owners[0]) {
		return false
	}
	wait := n.shareWait(owners[0])
	late := func() {
		if !l.done && l.job == nil && l.stage == atServers {
			n.serversFirst(l, n.best())
		}
	}
	n.inquire(l, owners[0], &exchange{fresh: true, resolve: true, within: wait, by: ByOwner, missed: late})
	n.after(wait, late)
	return true
}

// shareWait is how long an owner may take before the own servers are asked too. It has
// the same servers to ask as this node, so it gets as long as these would: else both ask
// them, and they have more to do than without a group. One that does not know says so,
// and one that is dead is not asked a third time.
func (n *Node) shareWait(owner packet.NodeID) time.Duration {
	return max(shareAfter, n.hedgeAfter(), n.o.Ring.Wait(owner))
}

// A demand is who has asked this node, the first owner of a name, for it of late.
type demand struct {
	who   [demandKept]packet.NodeID
	at    [demandKept]time.Duration
	asks  int
	set   bool // a time is set to renew the answer
	under bool // it is being renewed
}

// note takes down who asked.
func (d *demand) note(now time.Duration, who packet.NodeID) {
	i := d.asks % demandKept
	d.who[i], d.at[i] = who, now
	d.asks++
}

// last gives the places of the asks from a time on.
func (d *demand) last(from time.Duration) (places []int) {
	for i := range min(d.asks, demandKept) {
		if d.at[i] >= from {
			places = append(places, i)
		}
	}
	return places
}

// eager gives the members that have asked twice from a time on.
func (d *demand) eager(from time.Duration) (ids []packet.NodeID) {
	once := map[packet.NodeID]bool{}
	for _, i := range d.last(from) {
		id := d.who[i]
		if once[id] && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
		once[id] = true
	}
	return ids
}

// wanted notes that a member has this node look for a name of which it is the first
// owner.
func (n *Node) wanted(from packet.NodeID, q Question) {
	if !n.o.Share || n.rankOf(q.Name) != 0 {
		return
	}
	q = n.normal(q)
	d, ok := n.demands.get(q)
	if !ok {
		d = new(demand)
		n.demands.put(q, d)
	}
	d.note(n.now, from)
	if e := n.cache.Get(n.key(q)); e != nil && e.Fresh(n.now) {
		n.credit = min(n.credit+1, maxCredit) // a question to the servers that is saved
	}
	n.foresee(q, d)
}

// foresee sets a time to renew what is popular. What has longer to go is left to the
// sweep, so that few times are set at once.
func (n *Node) foresee(q Question, d *demand) {
	e := n.cache.Get(n.key(q))
	if d.set || e == nil || !n.popular(e, d) {
		return
	}
	due := e.Base + e.Life()*9/10 - n.now
	if due > sweepEvery {
		return
	}
	d.set = true
	n.after(due, func() {
		d.set = false
		n.renew(q, d, e.Base)
	})
}

// foreseeAll is foresee for all that members ask for.
func (n *Node) foreseeAll() {
	for _, q := range n.demands.order {
		if d, ok := n.demands.get(q); ok {
			n.foresee(q, d)
		}
	}
}

// popular reports whether an answer is worth a question to the name servers that no
// client waits for: it is asked for often, and was at least twice in the time of one
// answer. Else that question would mostly be for nobody.
func (n *Node) popular(e *keep.Entry, d *demand) bool {
	return e.First && !e.Negative && e.Fresh(n.now) && e.Interest(n.now) >= renewAsks && len(d.last(n.now-e.Life())) >= 2
}

// renew asks the name servers again for what has a tenth of its time left. It costs
// them more questions than it saves, so that only a share of those is spent on it that
// were saved by answers from memory.
func (n *Node) renew(q Question, d *demand, base time.Duration) {
	now, ok := n.demands.get(q)
	e := n.cache.Get(n.key(q))
	if !ok || now != d || e == nil || e.Base != base || !n.popular(e, d) {
		return
	}
	if n.best() != packet.Healthy || n.captive || !n.tellable(q) || n.credit < renewCost || !n.renewals.take(n.now) {
		return
	}
	n.credit -= renewCost
	n.stats.Renewals++
	d.under = true
	n.job(q, false)
}

// push gives what was renewed to the members that asked for it both in the time of the
// answer before and in that before it, so that their clients need not wait. At most
// half as many as asks are remembered, of each name that is renewed.
func (n *Node) push(q Question, e *keep.Entry) {
	d, ok := n.demands.get(q)
	if !ok || !d.under {
		return
	}
	d.under = false
	owners := n.owners(q.Name)
	if len(owners) == 0 || owners[0] != n.self || !n.tellable(q) {
		return
	}
	r := n.record(e)
	if r == nil || r.Size()+1 > packet.MaxBody {
		return
	}
	for _, id := range d.eager(n.now - 2*e.Life()) {
		if !slices.Contains(owners, id) {
			n.box(id, r)
		}
	}
}

// pushed reports whether a member may give this node what it does not own: the first
// owner may, what renews an answer that it gave when it was asked. So a Put is never
// believed where an Answer was not.
func (n *Node) pushed(from packet.NodeID, q Question) bool {
	if !n.o.Share || n.o.Agree > 1 || n.o.Validate {
		return false
	}
	e := n.cache.Get(n.key(q))
	if e == nil || e.From != from || e.First || !n.believed(e) {
		return false
	}
	owners := n.owners(q.Name)
	return len(owners) > 0 && owners[0] == from
}

// keepPushed keeps what the first owner renewed, for as long as if it had been asked.
func (n *Node) keepPushed(q Question, o *offer) error {
	e := &keep.Entry{
		Key: n.key(q), Brief: o.info.Brief, Msg: o.msg, Base: o.base,
		Origin: o.origin, From: o.from, Agreed: true, Rank: -1,
	}
	e.MinTTL = min(e.MinTTL, uint32(o.age(n.now)/time.Second)+peerTTL)
	return n.cache.Put(n.now, e)
}
