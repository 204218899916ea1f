package cache

import (
	"hash/maphash"
	"testing"
)

func hashOf(c *Cache, key []byte) uint64 { return maphash.Bytes(c.seed, key) }

// flood puts new entries until so many more slabs were dropped.
func flood(c *Cache, from *uint64, slabs uint64, each func()) {
	var buf [100]byte
	for end := c.w.evicted + slabs; c.w.evicted < end; *from++ {
		c.Put(entryOf(&buf, *from))
		each()
	}
}

func TestOldestGoFirst(t *testing.T) {
	c := New(1 << 20)
	var n, astray uint64
	flood(c, &n, 40, func() {})
	kept := uint64(c.Stats().Entries)
	var buf [100]byte
	for i := range n {
		key, _ := entryOf(&buf, i)
		if pos, _ := c.w.find(hashOf(c, key), key); (pos != 0) != (i >= n-kept) {
			astray++
		}
	}
	if s := c.Stats(); astray > 2*s.Displaced { // one that is lost, one older that is kept
		t.Errorf("%d of %d entries are not as they would be if the last %d were kept: %+v", astray, n, kept, s)
	}
}

func TestWhatIsAskedStays(t *testing.T) {
	c := New(1 << 19)
	hot := []byte("hot")
	c.Put(hot, []byte("value"))
	n := uint64(0)
	flood(c, &n, 200, func() {
		if n%50 == 0 {
			if v, ok := c.Get(hot); !ok || string(v) != "value" {
				t.Fatalf("lost after %d others", n)
			}
		}
	})
	if s := c.Stats(); s.Renewed == 0 || s.Renewed > 200 {
		t.Errorf("%+v", s)
	}
	verify(t, c)
}

// TestHitsAloneDropNothing holds that entries which all fit stay when all of
// them are asked for: what is put again is bounded by what is put.
func TestHitsAloneDropNothing(t *testing.T) {
	c := New(1 << 20)
	var n uint64
	flood(c, &n, 1, func() {})
	dropped := c.Stats().Evicted
	var buf [100]byte
	for range 10 {
		for i := range n {
			key, _ := entryOf(&buf, i)
			c.Get(key)
		}
	}
	if s := c.Stats(); s.Evicted > dropped+1 {
		t.Errorf("%d slabs dropped without a put: %+v", s.Evicted-dropped, s)
	}
	verify(t, c)
}

// TestRenewalIsOfTheLast holds that a reader who is late does not put an old
// value in the place of a newer one.
func TestRenewalIsOfTheLast(t *testing.T) {
	c := New(1 << 20)
	key := []byte("key")
	h := hashOf(c, key)
	c.Put(key, []byte("old"))
	table := c.table.Load()
	pos, old := table.find(h, key)

	c.Put(key, []byte("new"))
	c.renew(table, h, pos, key, old)
	if v, _ := c.Get(key); string(v) != "new" {
		t.Errorf("%q", v)
	}
	c.Clear()
	c.renew(table, h, pos, key, old)
	if v, ok := c.Get(key); ok {
		t.Errorf("%q after Clear", v)
	}
	verify(t, c)
}

func TestIndexShrinks(t *testing.T) {
	c := New(1 << 18)
	var key [100]byte
	put := func(n uint64, len int) {
		entryOf(&key, n)
		c.Put(key[20:28], make([]byte, len))
	}
	n := uint64(0)
	for ; c.Stats().Evicted < 30; n++ {
		put(n, 0)
	}
	full := c.Stats()
	for ; c.Stats().Evicted < 60; n++ {
		put(n, 1000)
	}
	if s := c.Stats(); s.Index > full.Index/10 || full.Index < full.Size/3 {
		t.Errorf("the index has %d octets, after %d with small entries", s.Index, full.Index)
	}
	verify(t, c)
}

// TestNumbersOfSlabsEnd holds that the cache begins anew then.
func TestNumbersOfSlabsEnd(t *testing.T) {
	m := newModel(1 << 18)
	last := uint64(posMask) >> m.w.shift
	m.w.head, m.w.tail = last-50, last-49
	var buf [100]byte
	table := m.table.Load()
	for i := uint64(0); m.table.Load() == table || m.w.head < 50; i++ {
		key, value := entryOf(&buf, i%3000)
		value[0] = byte(i)
		m.put(t, string(key), string(value))
		if m.w.head > last {
			t.Fatalf("number %x", m.w.head)
		}
		if i > 1_000_000 {
			t.Fatalf("no new table, at number %x", m.w.head)
		}
	}
	for key := range m.last {
		m.get(t, key)
	}
	verify(t, m.Cache)
}
