package dnssec

import "sync"

// A cache keeps signatures, by what is signed and the epoch of the key: what it
// gives can be neither old nor another's. It has two generations: when the
// young one is full it becomes the old one, which is dropped. What is used is
// put into the young one again.
type cache struct{ shards [shards]shard }

const (
	shards = 16
	// entrySize is what a signature costs, in octets, with the room that maps
	// keep free; measured by TestCacheSize.
	entrySize = 256
)

type cacheKey struct {
	digest [32]byte
	epoch  uint32
}

type shard struct {
	mu         sync.Mutex
	room       int // entries of a generation
	young, old map[cacheKey]signature
}

// newCache makes a cache of so many octets.
func newCache(size int) *cache {
	c := new(cache)
	for i := range c.shards {
		c.shards[i].room = max(1, size/entrySize/2/shards)
		c.shards[i].young = map[cacheKey]signature{}
	}
	return c
}

func (c *cache) of(k cacheKey) *shard { return &c.shards[k.digest[0]%shards] }

func (c *cache) get(k cacheKey) (signature, bool) {
	s := c.of(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.young[k]; ok {
		return v, true
	}
	v, ok := s.old[k]
	if ok {
		s.put(k, v)
	}
	return v, ok
}

func (c *cache) put(k cacheKey, v signature) {
	s := c.of(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(k, v)
}

func (s *shard) put(k cacheKey, v signature) {
	if len(s.young) >= s.room {
		s.old, s.young = s.young, map[cacheKey]signature{}
	}
	s.young[k] = v
}

// len is the number of signatures kept.
func (c *cache) len() int {
	n := 0
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		n += len(s.young) + len(s.old)
		s.mu.Unlock()
	}
	return n
}
