package cache

import (
	"encoding/binary"
	"sync/atomic"
)

const (
	header  = 4  // octets before an entry's key
	posBits = 48 // of an index word
	posMask = 1<<posBits - 1

	// maxSegments is what the bits of a hash below the tag can tell apart.
	maxSegments = 1 << 16
)

// A table is what readers see. Clear makes another, so that positions in the
// log never mean two things.
type table struct {
	shift    uint // log2 of the octets of a slab
	segments []atomic.Pointer[segment]
	ring     []atomic.Pointer[slab] // by number, modulo the length

	// fading is the position below which entries are put again when they are hit.
	fading atomic.Uint64
}

// A slab is a part of the log. What a word of the index points to is written.
type slab struct {
	number uint64
	data   []byte
}

// A segment is a hash table of some of the keys.
type segment struct{ buckets []bucket }

// A bucket is a line of the processor's cache: memory of a multiple of 64 octets
// is aligned to 64.
type bucket [8]atomic.Uint64

// segmentOf gives the segment of a hash: its lowest bits.
func (t *table) segmentOf(h uint64) int { return int(h & uint64(len(t.segments)-1)) }

// tagOf gives the tag of a hash, in its place in a word: the bits from the 16th.
func tagOf(h uint64) uint64 { return h >> 16 << posBits }

// pair gives the two buckets of a key; they may be the same.
func (s *segment) pair(h uint64) (a, b *bucket) {
	n := uint64(len(s.buckets))
	return &s.buckets[h>>32*n>>32], &s.buckets[h*0x9e3779b97f4a7c15>>32*n>>32]
}

// find gives the position and the value of a key, or 0.
func (t *table) find(h uint64, key []byte) (pos uint64, value []byte) {
	s := t.segments[t.segmentOf(h)].Load()
	if s == nil {
		return 0, nil
	}
	a, b := s.pair(h)
	_ = b[0].Load() // so that both buckets are fetched at the same time
	if pos, value = t.scan(a, tagOf(h), key); pos == 0 {
		pos, value = t.scan(b, tagOf(h), key)
	}
	return pos, value
}

// scan looks for a key in a bucket.
func (t *table) scan(b *bucket, tag uint64, key []byte) (pos uint64, value []byte) {
	for i := range b {
		w := b[i].Load()
		if w&^posMask != tag {
			continue
		}
		if k, v, ok := t.entry(w & posMask); ok && string(k) == string(key) {
			return w & posMask, v
		}
	}
	return 0, nil
}

// entry gives what stands at a position, if its slab is still there.
func (t *table) entry(pos uint64) (key, value []byte, ok bool) {
	n := pos >> t.shift
	s := t.ring[n&uint64(len(t.ring)-1)].Load()
	if s == nil || s.number != n {
		return nil, nil, false
	}
	e := s.data[pos&(1<<t.shift-1):]
	k := header + int(binary.LittleEndian.Uint16(e))
	end := k + int(binary.LittleEndian.Uint16(e[2:]))
	return e[header:k], e[k:end:end], true
}
