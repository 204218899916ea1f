package cache

import (
	"hash/maphash"
	"slices"
	"sync/atomic"
)

const (
	crowdedAt = 85 // per cent of a segment's words that live, for it to grow
	roomyAt   = 80 // and after
	words     = len(bucket{})
	bucketLen = words * 8 // octets
)

// set makes the index point to the position of a key's new entry.
func (w *writer) set(h uint64, key []byte, pos uint64) {
	w.count(pos, 1)
	if old, _ := w.find(h, key); old != 0 {
		w.count(old, -1)
		w.word(h, old).Store(tagOf(h) | pos)
		return
	}
	i := w.segmentOf(h)
	s := w.segments[i].Load()
	if s == nil {
		s = w.resize(i)
	}
	p := w.choose(s, h)
	if w.alive(p.Load()) && w.crowded(s) {
		p = w.choose(w.resize(i), h)
	}
	w.fill(p, tagOf(h)|pos)
}

// alive says whether a word of the index points into the log.
func (w *writer) alive(word uint64) bool { return word&posMask >= w.tail<<w.shift }

// word gives the place in the index of a position under its hash, nil if it is
// not there any more.
func (w *writer) word(h, pos uint64) *atomic.Uint64 {
	s := w.segments[w.segmentOf(h)].Load()
	if s == nil {
		return nil
	}
	a, b := s.pair(h)
	for _, b := range [...]*bucket{a, b} {
		for i := range b {
			if b[i].Load() == tagOf(h)|pos {
				return &b[i]
			}
		}
	}
	return nil
}

// choose gives the place for a new word: a free one in the bucket with more
// room, or one that can be freed, or else that of the oldest of both.
func (w *writer) choose(s *segment, h uint64) *atomic.Uint64 {
	a, b := s.pair(h)
	roomA, p := w.room(a)
	roomB, q := w.room(b)
	if roomA == 0 && roomB == 0 {
		if freed := w.push(s, a, b); freed != nil {
			return freed
		}
	}
	if roomB > roomA || roomA == roomB && q.Load()&posMask < p.Load()&posMask {
		return q
	}
	return p
}

// push moves a word of two full buckets to the other bucket of its key, if one
// of them has room there, and gives the place that it leaves. A reader of this
// key who has seen the one bucket before and the other one after misses it.
func (w *writer) push(s *segment, full ...*bucket) *atomic.Uint64 {
	for _, b := range full {
		keys := w.keys(b)
		for i := range b {
			other, same := s.pair(maphash.Bytes(w.seed, keys[i]))
			if other == b {
				other = same
			}
			if free, p := w.room(other); free > 0 {
				p.Store(b[i].Load())
				b[i].Store(0)
				return &b[i]
			}
		}
	}
	return nil
}

// room counts the free places of a bucket, and gives that of its oldest
// position: a free one if there is any, for what was dropped is older than what
// was not.
func (w *writer) room(b *bucket) (free int, oldest *atomic.Uint64) {
	first, at := uint64(posMask), 0
	for i := range b {
		pos := b[i].Load() & posMask
		if !w.alive(pos) {
			free++
		}
		if pos < first {
			first, at = pos, i
		}
	}
	return free, &b[at]
}

// fill stores a word; who lived there is lost.
func (w *writer) fill(p *atomic.Uint64, word uint64) {
	if old := p.Load(); w.alive(old) {
		w.count(old&posMask, -1)
		w.displaced++
	}
	p.Store(word)
}

// crowded says whether a segment should grow, and may: the index takes about
// half of the memory at most.
func (w *writer) crowded(s *segment) bool {
	n := len(s.buckets) * words
	most := w.index + want(n)*bucketLen - n*8
	return most <= w.limit/2 && w.living(s)*100 >= n*crowdedAt
}

// living counts the live words of a segment.
func (w *writer) living(s *segment) int {
	n := 0
	for i := range s.buckets {
		free, _ := w.room(&s.buckets[i])
		n += words - free
	}
	return n
}

// want is how many buckets a segment should have for so many live words.
func want(living int) int { return living*100/(words*roomyAt) + 1 }

// resize puts another segment in the place of one, if there is one, with the
// room that it should have.
func (w *writer) resize(i int) *segment {
	old := w.segments[i].Load()
	if old == nil {
		old = new(segment)
	}
	s := &segment{slices.Grow([]bucket(nil), want(w.living(old)))}
	s.buckets = s.buckets[:cap(s.buckets)] // all that the allocator gives for it
	for i := range old.buckets {
		w.move(s, &old.buckets[i])
	}
	w.segments[i].Store(s)
	w.index += (len(s.buckets) - len(old.buckets)) * bucketLen
	w.evict(w.head, 0)
	return s
}

// move puts what lives in a bucket into another segment.
func (w *writer) move(to *segment, b *bucket) {
	keys := w.keys(b)
	for i := range b {
		if word := b[i].Load(); w.alive(word) {
			w.fill(w.choose(to, maphash.Bytes(w.seed, keys[i])), word)
		}
	}
}

// keys gives the keys of a bucket's live words. They are far apart, and with
// nothing to do between one and the next the processor fetches them together.
func (w *writer) keys(b *bucket) (keys [words][]byte) {
	for i := range b {
		keys[i], _, _ = w.entry(b[i].Load() & posMask)
	}
	return keys
}

// tend looks at some segments, all of them in about the time of a turn of the
// ring, and makes those smaller that have become too large.
func (w *writer) tend() {
	for range max(1, 1<<w.shift/segmentSize) {
		w.tended = (w.tended + 1) % len(w.segments)
		s := w.segments[w.tended].Load()
		if s != nil && want(w.living(s))*4 < len(s.buckets)*3 {
			w.resize(w.tended)
		}
	}
}
