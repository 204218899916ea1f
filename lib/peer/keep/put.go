package keep

import (
	"time"

	"namecast/lib/peer/packet"
)

// minQuota is what each member may give at least.
const minQuota = 16

// Put keeps an answer, in place of what was kept under its key. Its Brief must be what
// Describe says of its Msg, and its Rank be set. The cache has the entry from then on.
// The error says why it is not kept, and what was kept before then stays.
func (c *Cache) Put(now time.Duration, e *Entry) error {
	asked, wanted := c.wishes.take(e.Key)
	old := c.Get(e.Key)
	if wanted && old != nil {
		c.Asked(asked, e.Key)
	}
	e.wanted, e.asked = wanted, asked
	if old != nil {
		e.inherit(old)
	} else if wanted {
		e.count(now)
	}
	if err := c.refuse(now, e, old); err != nil {
		c.refused++
		return err
	}
	if old != nil {
		c.remove(old)
	}
	if err := c.room(now, e); err != nil {
		c.refused++
		if old != nil {
			c.insert(now, old)
		}
		return err
	}
	c.insert(now, e)
	return nil
}

// inherit takes over what is known of the interest in the entry it comes after, and to
// whom it was given if it says the same.
func (e *Entry) inherit(old *Entry) {
	if old.wanted {
		e.wanted, e.asked = true, max(e.asked, old.asked)
	}
	e.interest, e.counted = old.interest, old.counted
	if e.Put == 0 && e.First && old.First && Equal(e.Msg, old.Msg) {
		e.Put, e.PutTo = old.Put, old.PutTo
	}
}

// refuse says why an answer is not to be kept, whatever the room.
func (c *Cache) refuse(now time.Duration, e, old *Entry) error {
	switch {
	case e.Rcode != 0 && e.Rcode != 3:
		return ErrKind
	case e.Overdue(now) > c.stalest(e):
		return ErrOld
	case !c.isOwn(now, e) && e.Rank < 0:
		return ErrForeign
	case old == nil || old.Overdue(now) > c.stalest(old) || e.First:
		return nil
	case e.Base <= old.Base:
		return ErrKnown
	case e.Negative && !old.Negative:
		// That there is nothing is believed only of the own name servers, while
		// any answer is known.
		return ErrKnown
	case old.StateAt(now) == packet.Secure && e.State != packet.Secure:
		return ErrKnown
	case old.First && !e.Agreed && e.State != packet.Secure && old.Overdue(now) < c.opts.MaxStale/2:
		// What the own name servers said is not given up for one member's word,
		// though that may be younger: else who lies to an owner takes its own
		// knowledge away from it.
		return ErrKnown
	}
	return nil
}

// giver is who counts for what is kept for others.
func (e *Entry) giver() packet.NodeID {
	if e.From == (packet.NodeID{}) {
		return e.Origin
	}
	return e.From
}

// quota is how many entries one member may have here, of those kept for others: twice
// its fair share.
func (c *Cache) quota() int {
	foreign := c.opts.Entries / 2
	return min(foreign, max(minQuota, 2*c.opts.Owners*foreign/c.opts.Members))
}

// room makes room for an entry.
func (c *Cache) room(now time.Duration, e *Entry) error {
	own := c.isOwn(now, e)
	if !own {
		if !e.First && c.from[e.giver()] >= c.quota() {
			return ErrFull
		}
		for c.owned.n+c.other.n >= max(1, c.opts.Entries/2) {
			c.evict(now, false)
		}
	}
	for len(c.all) >= c.opts.Entries {
		if !c.evict(now, own) {
			return ErrFull
		}
	}
	return nil
}

// evict drops the entry that is missed least, and reports whether there was one; own
// says whether it may be one that own clients asked for.
func (c *Cache) evict(now time.Duration, own bool) bool {
	e := c.other.oldest()
	if e == nil {
		e = c.dullest(now)
	}
	if e == nil && own {
		c.settle(now)
		if e = c.stale.oldest(); e == nil && len(c.fresh) > 0 {
			e = c.fresh[0]
		}
	}
	if e == nil {
		return false
	}
	c.remove(e)
	c.evicted++
	return true
}

// dullest gives, of the entries kept for others that were longest not wanted, the one
// in which interest is least.
func (c *Cache) dullest(now time.Duration) *Entry {
	const some = 8
	worst := c.owned.oldest()
	e := worst
	for range some {
		if e == nil {
			break
		}
		if e.Interest(now) < worst.Interest(now) {
			worst = e
		}
		e = c.owned.after(e)
	}
	return worst
}
