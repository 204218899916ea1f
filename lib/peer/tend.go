package peer

import (
	"time"

	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
)

// Times of what is done beside.
const (
	sweepEvery   = time.Minute
	refreshEvery = 50 * time.Millisecond // 20 a second
)

// cacheOf makes the cache of a node, or takes the one that it was given.
func cacheOf(o Options) *keep.Cache {
	members := 1
	if o.Ring != nil {
		members = o.Ring.Size()
	}
	if o.Cache != nil {
		o.Cache.SetMembers(members)
		return o.Cache
	}
	return keep.New(keep.Options{
		Entries: o.Entries, MaxStale: o.MaxStale, Window: o.Window, Members: members, Owners: o.Owners,
	})
}

// sweep drops what nobody wants any more, all of it in an hour.
func (n *Node) sweep() {
	n.cache.Sweep(n.now, n.cache.Len()/60+1)
	n.foreseeAll()
	n.after(sweepEvery, n.sweep)
}

// use remembers a question that was answered with something stale while the servers
// were down, to be refreshed when they are back.
func (n *Node) use(q Question) {
	if len(n.used) < maxRecover && !n.usedSet[q] {
		n.used, n.usedSet[q] = append(n.used, q), true
	}
}

// recover works off what was used while the servers were down, slowly: all nodes have
// their servers back at the same time.
func (n *Node) recover() {
	if len(n.used) > 0 && !n.refresh {
		n.refresh = true
		n.after(refreshEvery, n.refreshNext)
	}
}

// refreshNext refreshes one answer.
func (n *Node) refreshNext() {
	if len(n.used) == 0 || n.best() != packet.Healthy {
		n.refresh = false
		return
	}
	q := n.used[0]
	n.used = n.used[1:]
	delete(n.usedSet, q)
	if e := n.cache.Get(n.key(q)); e == nil || !e.First || !e.Fresh(n.now) {
		n.job(q, false)
	}
	n.after(refreshEvery, n.refreshNext)
}
