package keep

import (
	"container/heap"
	"time"
)

// A list holds entries in the order in which they were last touched. An entry is in one
// at most. The head is the longest untouched.
type list struct {
	head, tail *Entry
	n          int
}

func (l *list) oldest() *Entry { return l.head }

func (l *list) after(e *Entry) *Entry { return e.next }

// push puts an entry at the end.
func (l *list) push(e *Entry) {
	e.prev, e.next = l.tail, nil
	if l.tail != nil {
		l.tail.next = e
	} else {
		l.head = e
	}
	l.tail = e
	l.n++
}

// drop takes an entry out.
func (l *list) drop(e *Entry) {
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		l.head = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		l.tail = e.prev
	}
	e.prev, e.next = nil, nil
	l.n--
}

// A class says in which of the lists an entry is.
type class uint8

const (
	inNone class = iota // in none: it is in Cache.fresh
	inStale
	inOwned
	inOther
)

// others reports whether what is there is kept for others.
func (in class) others() bool { return in == inOwned || in == inOther }

// list is that of a class.
func (c *Cache) list(in class) *list {
	switch in {
	case inStale:
		return &c.stale
	case inOwned:
		return &c.owned
	}
	return &c.other
}

// soonest is a heap of entries by when their time ends.
type soonest []*Entry

func (s soonest) Len() int { return len(s) }
func (s soonest) Less(i, j int) bool {
	return s[i].Base+s[i].Life() < s[j].Base+s[j].Life()
}

func (s soonest) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].heap, s[j].heap = int32(i), int32(j)
}

func (s *soonest) Push(x any) {
	e := x.(*Entry)
	e.heap = int32(len(*s))
	*s = append(*s, e)
}

func (s *soonest) Pop() any {
	last := len(*s) - 1
	e := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	e.heap = -1
	return e
}

// file puts an entry into the class that it is of now, as the last touched there.
func (c *Cache) file(now time.Duration, e *Entry) {
	if e.heap >= 0 && c.isOwn(now, e) && e.Fresh(now) {
		return // where it stands by the end of its time, which is as it was
	}
	c.unfile(e)
	switch {
	case c.isOwn(now, e) && e.Fresh(now):
		heap.Push(&c.fresh, e)
	case c.isOwn(now, e):
		e.in = inStale
	case e.Rank >= 0:
		e.in = inOwned
	default:
		e.in = inOther
	}
	if e.in != inNone {
		c.list(e.in).push(e)
	}
	if e.in.others() {
		c.from[e.giver()]++
	}
}

// unfile takes an entry out of its class.
func (c *Cache) unfile(e *Entry) {
	if e.heap >= 0 {
		heap.Remove(&c.fresh, int(e.heap))
		return
	}
	if e.in == inNone {
		return
	}
	if e.in.others() {
		if c.from[e.giver()]--; c.from[e.giver()] == 0 {
			delete(c.from, e.giver())
		}
	}
	c.list(e.in).drop(e)
	e.in = inNone
}

// settle moves what is no longer fresh to where that is.
func (c *Cache) settle(now time.Duration) {
	for len(c.fresh) > 0 && !c.fresh[0].Fresh(now) {
		c.file(now, c.fresh[0])
	}
}

// insert adds an entry, for which there is room.
func (c *Cache) insert(now time.Duration, e *Entry) {
	e.heap, e.in = -1, inNone
	e.place = int32(len(c.all))
	e.Name = e.shared()
	c.all = append(c.all, e)
	c.index.add(c.all)
	c.octets += len(e.Msg)
	c.file(now, e)
}

// remove takes an entry out; the last one comes into its place.
func (c *Cache) remove(e *Entry) {
	c.unfile(e)
	c.index.remove(c.all, e)
	n := len(c.all) - 1
	if last := c.all[n]; last != e {
		c.index.move(c.all, last, e.place)
		c.all[e.place], last.place = last, e.place
	}
	c.all[n] = nil
	c.all = c.all[:n]
	c.octets -= len(e.Msg)
}

// maxWishes bounds the keys that clients asked for and nothing is kept of.
const maxWishes = 1024

// wishes are the keys that own clients asked for of late and nothing is kept of. When
// there are too many, the older half is forgotten.
type wishes struct{ young, old map[Key]time.Duration }

func (w *wishes) add(now time.Duration, k Key) {
	if w.young == nil || len(w.young) >= maxWishes/2 {
		w.young, w.old = make(map[Key]time.Duration), w.young
	}
	w.young[k] = now
}

// take gives when a key was asked for, and forgets that.
func (w *wishes) take(k Key) (time.Duration, bool) {
	at, ok := w.young[k]
	if !ok {
		at, ok = w.old[k]
	}
	delete(w.young, k)
	delete(w.old, k)
	return at, ok
}
