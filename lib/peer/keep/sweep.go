package keep

import (
	"iter"
	"time"

	"namecast/lib/rr"
)

// Sweep looks at n entries, going on where it stopped, and drops those that are too old
// or that nothing keeps any more. It gives the number dropped.
func (c *Cache) Sweep(now time.Duration, n int) int {
	c.settle(now)
	dropped := 0
	for range min(n, len(c.all)) {
		if len(c.all) == 0 {
			break
		}
		if c.cursor >= len(c.all) {
			c.cursor = 0
		}
		e := c.all[c.cursor]
		if e.Overdue(now) > c.stalest(e) || !c.isOwn(now, e) && e.Rank < 0 {
			c.remove(e) // another one stands there now
			dropped++
			continue
		}
		if e.heap >= 0 || e.in == inStale {
			if !c.isOwn(now, e) {
				c.file(now, e) // own clients have not asked for so long
			}
		}
		c.cursor++
	}
	return dropped
}

// Walk gives n entries from the place from on, and the place to go on at, 0 after the
// last. The slice is good until anything is put or dropped; an entry may be missed or
// come twice in a walk during which others go.
func (c *Cache) Walk(from, n int) (some []*Entry, next int) {
	if from >= len(c.all) {
		from = 0
	}
	next = min(from+n, len(c.all))
	some = c.all[from:next]
	if next == len(c.all) {
		next = 0
	}
	return some, next
}

// All yields every entry. Nothing may be put or dropped meanwhile.
func (c *Cache) All() iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		for _, e := range c.all {
			if !yield(e) {
				return
			}
		}
	}
}

// ForgetNet drops all that was learned in a network, and counts it.
func (c *Cache) ForgetNet(net uint64) int {
	n := 0
	for i := len(c.all) - 1; i >= 0; i-- {
		if c.all[i].Net == net {
			c.remove(c.all[i])
			n++
		}
	}
	return n
}

// Forget drops the entries of a name, and with below of all names under it, whatever
// their types and networks, and gives their number.
func (c *Cache) Forget(name rr.Name, below bool) int {
	n := 0
	for i := len(c.all) - 1; i >= 0; i-- {
		if e := c.all[i]; e.Name == name || below && e.Name.Under(name) {
			c.remove(e)
			n++
		}
	}
	return n
}
