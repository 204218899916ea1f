// Package cache keeps finished answers: a map from octets to octets that is
// bounded in memory, read by many goroutines without a lock and without
// allocation, and holds nothing that the garbage collector has to walk. Beside
// it, Generations tell whether what was kept may have changed since.
//
// Entries are appended to slabs, which together are a log; the octets of an
// entry are never written again. When there is no room for another slab, the
// oldest is dropped with all that stands in it: first in, first out. The
// garbage collector frees it when the last reader has let its values go.
//
//	entry                     index word, 64 bits
//	+--------+-------+        +-----+-----------------+------------------+
//	| octets | what  |        | tag | number of slab  | offset in slab   |
//	+--------+-------+        | 16  | 48 in all: the position in the log |
//	| 2      | k     |        +-----+-----------------+------------------+
//	| 2      | v     |
//	| k      | key   |        Numbers of slabs begin at 1 and are not used
//	| v      | value |        again: a word of a dropped slab finds nothing,
//	+--------+-------+        and its place is free. A word of 0 is free too.
//
// The index is many small hash tables, segments, so that one grows in a moment.
// A segment is an array of buckets of 8 words, a line of the processor's cache,
// and a key is in one of two buckets: the one that had more room when it was
// put. If both are full, a word in them moves to its own other bucket. So a
// segment gets more than 90 % full before it grows by a quarter. Where the index
// has come to half of the memory because entries are tiny, it stops growing, and
// the oldest of a bucket goes for a new one.
package cache

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// The limits of what is kept, in octets.
const (
	MaxKey   = 1024
	MaxEntry = 8192 // key and value together
)

// A Cache is a bounded map. Its methods may be called by many goroutines.
type Cache struct {
	seed  maphash.Seed // of this cache alone, so that nobody can aim at a bucket
	size  int
	table atomic.Pointer[table]

	_    [64]byte // who reads shares no line of the processor's cache with who puts
	busy atomic.Uint64
	mu   sync.Mutex // of what follows
	w    *writer
	done Stats // the counters; those of w are not in it yet
}

// New makes a cache that takes at most size octets, its index included; empty it
// takes less than a thousandth of them and 8 KiB. Dropped slabs are the garbage
// collector's, and not counted. Under 64 KiB it keeps nothing.
func New(size int) *Cache {
	c := &Cache{seed: maphash.MakeSeed(), size: size}
	c.start()
	return c
}

// start begins with an empty table.
func (c *Cache) start() {
	c.w = newWriter(c.size, c.seed)
	c.table.Store(c.w.table)
}

// Get gives the value that was kept last under the key. It must not be changed,
// and stays good however long it is held; it holds a slab of up to 1 MiB in
// memory.
//
// What is hit while it is about to be dropped is put again, so that what is
// asked often stays; this is half of what is put, at most.
func (c *Cache) Get(key []byte) (value []byte, ok bool) {
	t, h := c.table.Load(), maphash.Bytes(c.seed, key)
	pos, value := t.find(h, key)
	if pos == 0 {
		return nil, false
	}
	if pos < t.fading.Load() {
		c.renew(t, h, pos, key, value)
	}
	return value, true
}

// Put keeps a copy of the value, and may push out old ones. If the key is longer
// than MaxKey, or both are longer than MaxEntry together, or while another
// goroutine puts, it does nothing: what was kept before under the key is still there.
func (c *Cache) Put(key, value []byte) {
	if len(key) > MaxKey || len(key)+len(value) > MaxEntry || c.size < minSize {
		return
	}
	h := maphash.Bytes(c.seed, key)
	if !c.mu.TryLock() {
		c.busy.Add(1)
		return
	}
	defer c.mu.Unlock()
	c.done.Puts++
	c.put(h, key, value)
}

// put keeps an entry. After 2^48 octets, months of writing, the numbers of slabs
// have come to their end, and the cache begins anew.
func (c *Cache) put(h uint64, key, value []byte) {
	if c.w.ended() {
		c.clear()
	}
	c.w.put(h, key, value)
}

// renew puts an entry again, if it is still the last under its key.
func (c *Cache) renew(t *table, h, pos uint64, key, value []byte) {
	if !c.mu.TryLock() {
		return
	}
	defer c.mu.Unlock()
	if t != c.w.table || c.w.word(h, pos) == nil || !c.w.mayRenew(len(key)+len(value)) {
		return
	}
	c.done.Renewed++
	c.put(h, key, value)
}

// Clear drops everything. It waits for who puts at the moment.
func (c *Cache) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
}

func (c *Cache) clear() {
	c.done.Evicted += c.w.evicted
	c.done.Displaced += c.w.displaced
	c.start()
}

// Stats say how a cache is filled and what has been done since it was made.
type Stats struct {
	Entries     int // that can be found
	Size        int // octets it may take
	Used, Index int // octets it takes; those of the index among them

	Puts      uint64 // done
	Busy      uint64 // left undone because another goroutine put
	Renewed   uint64 // entries put again because they were hit
	Displaced uint64 // entries that went for want of a place in the index
	Evicted   uint64 // slabs dropped
}

// Stats gives the state. It waits for who puts at the moment.
func (c *Cache) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.done
	s.Entries, s.Size, s.Used, s.Index = c.w.live, c.size, c.w.used(), c.w.index
	s.Evicted += c.w.evicted
	s.Displaced += c.w.displaced
	s.Busy = c.busy.Load()
	return s
}
