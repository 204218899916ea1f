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
	e.list, e.prev, e.next = l, l.tail, nil
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
	e.list, e.prev, e.next = nil, nil, nil
	l.n--
}

// soonest is a heap of entries by when their time ends.
type soonest []*Entry

func (s soonest) Len() int { return len(s) }
func (s soonest) Less(i, j int) bool {
	return s[i].Base+s[i].Life() < s[j].Base+s[j].Life()
}

func (s soonest) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].heap, s[j].heap = i, j
}

func (s *soonest) Push(x any) {
	e := x.(*Entry)
	e.heap = len(*s)
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
		c.stale.push(e)
	case e.Rank >= 0:
		c.owned.push(e)
	default:
		c.other.push(e)
	}
	if e.list == &c.owned || e.list == &c.other {
		c.from[e.giver()]++
	}
}

// unfile takes an entry out of its class.
func (c *Cache) unfile(e *Entry) {
	if e.heap >= 0 {
		heap.Remove(&c.fresh, e.heap)
		return
	}
	if e.list == nil {
		return
	}
	if e.list == &c.owned || e.list == &c.other {
		if c.from[e.giver()]--; c.from[e.giver()] == 0 {
			delete(c.from, e.giver())
		}
	}
	e.list.drop(e)
}

// settle moves what is no longer fresh to where that is.
func (c *Cache) settle(now time.Duration) {
	for len(c.fresh) > 0 && !c.fresh[0].Fresh(now) {
		c.file(now, c.fresh[0])
	}
}

// insert adds an entry, for which there is room.
func (c *Cache) insert(now time.Duration, e *Entry) {
	e.heap, e.list = -1, nil
	e.place = len(c.all)
	c.all = append(c.all, e)
	c.entries[e.Key] = e
	c.octets += len(e.Msg)
	c.file(now, e)
}

// remove takes an entry out; the last one comes into its place.
func (c *Cache) remove(e *Entry) {
	c.unfile(e)
	last := len(c.all) - 1
	c.all[e.place] = c.all[last]
	c.all[e.place].place = e.place
	c.all[last] = nil
	c.all = c.all[:last]
	delete(c.entries, e.Key)
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
