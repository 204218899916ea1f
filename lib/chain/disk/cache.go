package disk

import (
	"hash/maphash"
	"sync"

	"namecast/lib/chain"
)

// A cache remembers items that were read lately, and keys that are not there: to
// find one in the database takes some microseconds, even if all that is needed of
// it is in memory.
//
// What is read from the database may be overtaken by a write before it is put
// here. So a part of the cache counts the keys that changed, and takes only what
// was read with none of them in between.
type cache struct {
	seed  maphash.Seed
	limit int // octets of one part's generation
	parts [cacheParts]cachePart
}

// cacheParts is how many parts there are, each with its own lock.
const cacheParts = 16

// cachedSize is about how many octets an entry takes besides those of its key and
// value.
const cachedSize = 160

// A cachePart holds the entries whose keys have the same hash in two generations:
// when the new one is full, the old one goes, and what is still read of it has
// moved to the new one before.
type cachePart struct {
	mu      sync.Mutex
	changes uint64
	new     map[string]cached
	old     map[string]cached
	size    int // of the new generation
}

// cached is an item without its key, or that there is none.
type cached struct {
	value   []byte
	version chain.LSN
	found   bool
}

// newCache makes a cache of about so many octets.
func newCache(size int64) *cache {
	return &cache{seed: maphash.MakeSeed(), limit: int(size / cacheParts / 2)}
}

func (c *cache) part(key []byte) *cachePart {
	return &c.parts[maphash.Bytes(c.seed, key)%cacheParts]
}

// get looks for a key of the database. If it is not here, changes is to be given
// to put with what is read.
func (c *cache) get(key []byte) (e cached, ok bool, changes uint64) {
	p := c.part(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok = p.new[string(key)]; ok {
		return e, true, 0
	}
	if e, ok = p.old[string(key)]; ok {
		p.add(key, e, c.limit)
	}
	return e, ok, p.changes
}

// put takes what was read.
func (c *cache) put(key []byte, e cached, changes uint64) {
	p := c.part(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changes == changes {
		p.add(key, e, c.limit)
	}
}

// add adds to the new generation, and begins another if it is full.
func (p *cachePart) add(key []byte, e cached, limit int) {
	size := len(key) + len(e.value) + cachedSize
	if size > limit {
		return
	}
	if p.new == nil || p.size+size > limit {
		p.old, p.new, p.size = p.new, make(map[string]cached), 0
	}
	p.new[string(key)] = e
	p.size += size
}

// drop forgets a key that was written.
func (c *cache) drop(key []byte) {
	p := c.part(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changes++
	delete(p.new, string(key))
	delete(p.old, string(key))
}
