package peer

import (
	"slices"
	"time"

	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
)

// Times and bounds of what is given to owners.
const (
	batchFor   = 20 * time.Millisecond
	giveEvery  = 50 * time.Millisecond // after a member came or went: 20 records a second
	settleRing = 2 * time.Second       // the ring is let settle for so long, and as much again at random
	walkStep   = 200                   // entries looked at a time
	maxBoxes   = 4096
)

// A box gathers records for one owner.
type box struct {
	records []*packet.Record
	since   []time.Duration // when each was put in
	size    int
}

// A walk goes over the cache and gives to new owners what is theirs now.
type walk struct {
	on   bool
	from int
	left int // entries to look at
}

// give gives what was learned at first hand to the owners of the name, unless they have
// it from this node since a short while, and it is the same. It reports whether there was
// somebody to give it to.
func (n *Node) give(e *keep.Entry) bool {
	q := Question{Name: e.Name, Type: e.Type, DO: e.DO, CD: e.CD}
	if !e.First || e.Old || !n.tellable(q) {
		return false
	}
	// Who is only busy is an owner for all others, and will be here.
	owners := n.o.Ring.Absent(e.Name, n.o.Owners, n.owners(e.Name))
	to := n.others(slices.Clone(owners))
	lately := e.Put != 0 && n.now-e.Put < n.o.Suppress
	if lately {
		to = slices.DeleteFunc(to, func(id packet.NodeID) bool {
			return slices.Contains(e.PutTo[:], id) && n.o.Ring.Born(id) <= e.Put
		})
	}
	if len(to) == 0 {
		return false
	}
	r := n.record(e)
	if r == nil || r.Size()+1 > packet.MaxBody {
		return false
	}
	if !lately {
		e.PutTo = [maxOwners]packet.NodeID{}
	}
	e.Put = max(n.now, 1)
	e.PutTo = n.marked(e.PutTo, to, owners)
	for _, id := range to {
		n.box(id, r)
	}
	return true
}

// marked adds members to those that were given something, in the place of those that
// are no owners any more.
func (n *Node) marked(had [maxOwners]packet.NodeID, to, owners []packet.NodeID) [maxOwners]packet.NodeID {
	for _, id := range to {
		if slices.Contains(had[:], id) {
			continue // it has lost it, and gets it again
		}
		for i := range had {
			if !slices.Contains(owners, had[i]) || had[i] == (packet.NodeID{}) {
				had[i] = id
				break
			}
		}
	}
	return had
}

// others is a list without the node itself.
func (n *Node) others(ids []packet.NodeID) []packet.NodeID {
	return slices.DeleteFunc(ids, func(id packet.NodeID) bool { return id == n.self })
}

// box puts a record into the box of an owner, which is sent when it is full or in a
// short while.
func (n *Node) box(to packet.NodeID, r *packet.Record) {
	b := n.boxes[to]
	if b != nil && b.size+r.Size() > packet.MaxBody {
		n.sendBox(to, b)
		b = nil
	}
	if b == nil {
		if len(n.boxes) >= maxBoxes {
			return
		}
		b = &box{size: 1}
		n.boxes[to] = b
		n.after(batchFor, func() { n.sendBox(to, b) })
	}
	copied := *r
	b.records, b.since = append(b.records, &copied), append(b.since, n.now)
	b.size += r.Size()
}

// sendBox sends a box, if it was not.
func (n *Node) sendBox(to packet.NodeID, b *box) {
	if n.boxes[to] != b {
		return
	}
	delete(n.boxes, to)
	for i, r := range b.records {
		r.Age += n.now - b.since[i]
	}
	n.stats.Puts++
	n.stats.PutRecords += uint64(len(b.records))
	n.emit(Send{To: to, ID: n.rng.Uint64(), Body: &packet.Put{Records: b.records}})
}

// members takes note of members that came or went, or began anew without what they had:
// what own clients asked for is given to those that own it now.
func (n *Node) members() {
	if n.o.Ring == nil {
		return
	}
	n.self = n.o.Ring.Self() // a clone takes another identity
	if n.o.Ring.Change() == n.change {
		return
	}
	n.change = n.o.Ring.Change()
	n.cache.SetMembers(n.o.Ring.Size())
	n.walk.left = n.cache.Len()
	if !n.walk.on {
		n.walk.on = true
		n.after(settleRing+time.Duration(n.rng.Int64N(int64(settleRing))), n.walkOn)
	}
}

// walkOn looks at some entries, until one was to be given.
func (n *Node) walkOn() {
	var some []*keep.Entry
	for looked := 0; looked < walkStep && n.walk.left > 0; looked++ {
		some, n.walk.from = n.cache.Walk(n.walk.from, 1)
		n.walk.left--
		if len(some) == 0 {
			n.walk.from = 0
			continue
		}
		if n.walked(some[0]) {
			break
		}
	}
	if n.walk.left <= 0 {
		n.walk.on = false
		return
	}
	n.after(giveEvery, n.walkOn)
}

// walked sees to one entry after a change of the ring, and reports whether it was given
// to somebody.
func (n *Node) walked(e *keep.Entry) bool {
	if e.Net != n.net {
		return false
	}
	if rank := n.rankOf(e.Name); rank != e.Rank {
		n.cache.SetRank(n.now, e, rank)
	}
	if _, ever := e.Asked(); !ever || !e.First || e.Overdue(n.now) > n.o.MaxStale {
		return false
	}
	return n.give(e)
}
