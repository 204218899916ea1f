package cache

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"sync/atomic"
)

const (
	minSize     = 64 << 10  // octets of a cache
	minSlab     = 16 << 10  // octets
	maxSlab     = 1 << 20   // octets
	slabCost    = 64        // octets that a slab takes beside its own
	segmentCost = 40        // octets that a segment takes beside its buckets
	segmentSize = 256 << 10 // octets of the log for which there is a segment
)

// A writer fills a table. Who uses it holds the cache's lock.
type writer struct {
	*table
	seed  maphash.Seed // the cache's
	limit int          // octets

	tail, head uint64  // numbers of the oldest and the youngest slab
	data       []byte  // of the youngest
	off        int     // octets of it that are written
	renewed    int     // octets of it that were put again
	counts     []int32 // live entries in each slab of the ring
	live       int     // entries
	index      int     // octets
	tended     int     // the segment that was looked at last

	evicted, displaced uint64
}

// newWriter makes a writer and its table, empty.
func newWriter(limit int, seed maphash.Seed) *writer {
	slabSize := min(max(floor2(limit/32), minSlab), maxSlab)
	ring := 2 * floor2(max(1, limit/slabSize))
	t := &table{
		shift:    uint(bits.TrailingZeros(uint(slabSize))),
		segments: make([]atomic.Pointer[segment], min(max(1, floor2(limit/segmentSize)), maxSegments)),
		ring:     make([]atomic.Pointer[slab], ring),
	}
	w := &writer{table: t, seed: seed, limit: limit, tail: 1, counts: make([]int32, ring)}
	w.index = len(t.segments) * segmentCost
	return w
}

// floor2 gives the largest power of two that is not larger than n, n at least
// 1; 0 for less.
func floor2(n int) int {
	if n < 1 {
		return 0
	}
	return 1 << (bits.Len(uint(n)) - 1)
}

// used is the octets that the cache takes.
func (w *writer) used() int {
	return w.index + len(w.ring)*12 + int(w.head+1-w.tail)*(1<<w.shift+slabCost)
}

// ended says whether there are no more numbers for slabs.
func (w *writer) ended() bool { return w.head == posMask>>w.shift }

// put keeps an entry.
func (w *writer) put(h uint64, key, value []byte) {
	w.set(h, key, w.append(key, value))
}

// append writes an entry to the log and gives its position.
func (w *writer) append(key, value []byte) (pos uint64) {
	n := header + len(key) + len(value)
	if len(w.data)-w.off < n {
		w.turn()
	}
	pos = w.head<<w.shift | uint64(w.off)
	e := w.data[w.off : w.off+n]
	binary.LittleEndian.PutUint16(e, uint16(len(key)))
	binary.LittleEndian.PutUint16(e[2:], uint16(len(value)))
	copy(e[header:], key)
	copy(e[header+len(key):], value)
	w.off += n
	return pos
}

// turn begins a slab.
func (w *writer) turn() {
	w.evict(w.head+1, 1<<w.shift+slabCost)
	w.tend()
	w.head++
	s := &slab{number: w.head, data: make([]byte, 1<<w.shift)}
	w.slot(w.head).Store(s)
	w.data, w.off, w.renewed = s.data, 0, 0
	w.fade()
}

// fade lets those slabs fade that will be dropped before a quarter of the others
// has been written anew.
func (w *writer) fade() {
	quarter := (int(w.head-w.tail) + 4) / 4
	free := (w.limit - w.used()) / (1<<w.shift + slabCost)
	w.fading.Store((w.tail + uint64(max(0, quarter-free))) << w.shift)
}

func (w *writer) slot(number uint64) *atomic.Pointer[slab] {
	return &w.ring[number&uint64(len(w.ring)-1)]
}

// count adds to the number of live entries in the slab of a position.
func (w *writer) count(pos uint64, n int) {
	w.counts[pos>>w.shift&uint64(len(w.counts)-1)] += int32(n)
	w.live += n
}

// evict drops slabs before the one of a number, the oldest first, until there is
// room for so many octets.
func (w *writer) evict(before uint64, room int) {
	for w.tail < before && w.used()+room > w.limit {
		n := &w.counts[w.tail&uint64(len(w.counts)-1)]
		w.live -= int(*n)
		*n = 0
		w.slot(w.tail).Store(nil)
		w.tail++
		w.evicted++
	}
}

// mayRenew takes so many octets for an entry that is put again: half of a slab
// at most, so that hits alone do not drive out what has not been hit yet.
func (w *writer) mayRenew(n int) bool {
	if w.renewed += header + n; w.renewed > 1<<w.shift/2 {
		w.fading.Store(0)
		return false
	}
	return true
}
