package cache

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
)

// verify holds the index against the log and the counters.
func verify(t testing.TB, c *Cache) {
	t.Helper()
	w := c.w
	live, index, seen := 0, len(w.segments)*segmentCost, map[string]bool{}
	for i := range w.segments {
		s := w.segments[i].Load()
		if s == nil {
			continue
		}
		index += len(s.buckets) * bucketLen
		for b := range s.buckets {
			for _, key := range verifyBucket(t, c, i, s, &s.buckets[b]) {
				if live++; seen[key] {
					t.Fatalf("key %x is in the index twice", key)
				}
				seen[key] = true
			}
		}
	}
	sum := 0
	for _, n := range w.counts {
		sum += int(n)
	}
	if live != w.live || live != sum || index != w.index {
		t.Fatalf("%d entries of %d octets of index, counted as %d and %d of %d octets", live, index, w.live, sum, w.index)
	}
	if s := c.Stats(); s.Used > s.Size && s.Size >= minSize {
		t.Fatalf("%d octets used of %d", s.Used, s.Size)
	}
}

// verifyBucket gives the keys of a bucket's live words.
func verifyBucket(t testing.TB, c *Cache, i int, s *segment, b *bucket) (keys []string) {
	t.Helper()
	for j := range b {
		word := b[j].Load()
		if !c.w.alive(word) {
			continue
		}
		key, _, ok := c.w.entry(word & posMask)
		h := hashOf(c, key)
		x, y := s.pair(h)
		if !ok || c.w.segmentOf(h) != i || b != x && b != y || tagOf(h) != word&^posMask {
			t.Fatalf("word %x of key %x is out of place", word, key)
		}
		keys = append(keys, string(key))
	}
	return keys
}

// model is a cache beside what was put into it last.
type model struct {
	*Cache
	last map[string]string
	hits int
}

func newModel(size int) *model { return &model{New(size), map[string]string{}, 0} }

// put puts and gets: what has just been put is there.
func (m *model) put(t testing.TB, key, value string) {
	t.Helper()
	m.Put([]byte(key), []byte(value))
	if len(key) > MaxKey || len(key)+len(value) > MaxEntry || m.size < minSize {
		m.get(t, key)
		return
	}
	m.last[key] = value
	if !m.get(t, key) {
		t.Fatalf("key %x is not there after it was put", key)
	}
}

// get holds that a value is the one that was put last, or is not there.
func (m *model) get(t testing.TB, key string) bool {
	t.Helper()
	value, ok := m.Get([]byte(key))
	want, put := m.last[key]
	if ok && (!put || string(value) != want) {
		t.Fatalf("key %x has value %.40x, want %.40x (put: %v)", key, value, want, put)
	}
	if ok {
		m.hits++
	}
	return ok
}

func TestGetGivesWhatWasPutLast(t *testing.T) {
	for _, size := range []int{0, minSize - 1, minSize, 100_000, 1 << 20, 10_000_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(size), 1))
			m := newModel(size)
			for i := range 30_000 {
				key := strings.Repeat("k", r.IntN(40)) + fmt.Sprint(r.IntN(3000))
				switch n := r.IntN(10_000); {
				case n == 0:
					m.Clear()
					clear(m.last)
				case n < 4000:
					m.put(t, key, strings.Repeat(fmt.Sprint(i), r.IntN(40)))
				case n == 4001:
					m.put(t, key, strings.Repeat("v", r.IntN(2*MaxEntry)))
				default:
					m.get(t, key)
				}
				if i%5000 == 0 {
					verify(t, m.Cache)
				}
			}
			verify(t, m.Cache)
			if (m.hits == 0) != (size < minSize) {
				t.Errorf("%d hits", m.hits)
			}
		})
	}
}

func TestEverythingIsFoundWhileThereIsRoom(t *testing.T) {
	const n = 40_000
	c := filled(t, n)
	s := c.Stats()
	var buf [100]byte
	for i := range uint64(n) {
		key, want := entryOf(&buf, i)
		if got, ok := c.Get(key); ok && !bytes.Equal(got, want) {
			t.Fatalf("entry %d has value %x", i, got)
		} else if !ok {
			s.Displaced--
		}
	}
	if s.Displaced != 0 || s.Entries < n*999/1000 {
		t.Errorf("lost more than was displaced: %+v", s)
	}
	verify(t, c)
}

func TestLimitsOfAnEntry(t *testing.T) {
	for _, e := range []struct {
		name       string
		key, value int
		kept       bool
	}{
		{"empty", 0, 0, true}, {"empty value", 10, 0, true}, {"empty key", 0, 10, true},
		{"longest key", MaxKey, 10, true}, {"key too long", MaxKey + 1, 10, false},
		{"longest value", 0, MaxEntry, true}, {"both longest", MaxKey, MaxEntry - MaxKey, true},
		{"both too long", MaxKey, MaxEntry - MaxKey + 1, false}, {"value too long", 0, MaxEntry + 1, false},
	} {
		t.Run(e.name, func(t *testing.T) {
			c := New(minSize)
			key, value := bytes.Repeat([]byte("k"), e.key), bytes.Repeat([]byte("v"), e.value)
			c.Put(key, value)
			if got, ok := c.Get(key); ok != e.kept || ok && !bytes.Equal(got, value) {
				t.Errorf("kept: %v, with %d octets", ok, len(got))
			}
			verify(t, c)
		})
	}
}

func TestWhatIsTooLongLeavesWhatWasKept(t *testing.T) {
	c := New(minSize)
	c.Put([]byte("k"), []byte("v"))
	c.Put([]byte("k"), make([]byte, MaxEntry))
	if v, ok := c.Get([]byte("k")); !ok || string(v) != "v" {
		t.Errorf("%q, %v", v, ok)
	}
}

func TestValueStaysGood(t *testing.T) {
	c := New(minSize)
	key, value := []byte("key"), []byte("value")
	c.Put(key, value)
	copy(value, "other") // the cache has a copy
	held, _ := c.Get(key)
	if held = append(held, "more"...); string(held) != "valuemore" { // and nothing after it is overwritten
		t.Errorf("%q", held)
	}
	held, _ = c.Get(key)
	var buf [100]byte
	for i := uint64(0); c.Stats().Evicted < 20; i++ {
		c.Put(entryOf(&buf, i))
	}
	runtime.GC()
	if _, ok := c.Get(key); ok {
		t.Error("still there after the log has turned many times")
	}
	if string(held) != "value" {
		t.Errorf("held value became %q", held)
	}
}

// heap is what is in use, after everything else was freed.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestFullCacheHasItsSize(t *testing.T) {
	for _, e := range []struct{ size, value int }{{minSize, 40}, {300_000, 1}, {1 << 20, 40}, {20_000_000, 4000}, {1 << 19, 0}} {
		t.Run(fmt.Sprint(e), func(t *testing.T) {
			before := heap()
			c := New(e.size)
			var key [8]byte
			value := make([]byte, e.value)
			for n := uint64(0); c.Stats().Evicted < 70; n++ {
				binary.BigEndian.PutUint64(key[:], n)
				c.Put(key[:], value)
				if s := c.Stats(); s.Used > s.Size {
					t.Fatalf("over its size: %+v", s)
				}
			}
			used := heap() - before
			s := c.Stats()
			t.Logf("%d octets of heap, %+v", used, s)
			if used > e.size+e.size/20+1<<16 || s.Used < e.size*2/3 || s.Index > e.size*9/16 {
				t.Errorf("the heap has %d octets: %+v", used, s)
			}
			verify(t, c)
		})
	}
}

// TestEntryCosts16Octets holds that a full cache spends at most so much on an
// entry beside its key and value, whatever size it has come to.
func TestEntryCosts16Octets(t *testing.T) {
	for size := 1 << 20; size < 2<<20; size += 150_000 {
		c := New(size)
		var buf [100]byte
		var n uint64
		for ; c.w.evicted < 35; n++ {
			c.Put(entryOf(&buf, n))
		}
		for c.w.off < 1<<c.w.shift-200 { // until the youngest slab is full too
			c.Put(entryOf(&buf, n))
			n++
		}
		s := c.Stats()
		cost := float64(s.Used)/float64(s.Entries) - 100
		t.Logf("%d entries, %.2f octets each, %.2f of the index; %d displaced", s.Entries, cost, float64(s.Index)/float64(s.Entries), s.Displaced)
		if cost > 16 || s.Displaced > s.Puts/1000 {
			t.Errorf("an entry costs %.2f octets: %+v", cost, s)
		}
	}
}

func TestEmptyCacheIsSmall(t *testing.T) {
	for _, size := range []int{0, minSize, 256 << 20, 1 << 30} {
		before := heap()
		c := New(size)
		if used := heap() - before; used > 8<<10+size/1000 || c.Stats().Used > 8<<10+size/1000 {
			t.Errorf("an empty cache of %d octets takes %d, and says %+v", size, used, c.Stats())
		}
		runtime.KeepAlive(c)
	}
}

func TestClear(t *testing.T) {
	c := filled(t, 10_000)
	before := c.Stats()
	c.Clear()
	var buf [100]byte
	for i := range uint64(10_000) {
		key, _ := entryOf(&buf, i)
		if _, ok := c.Get(key); ok {
			t.Fatalf("entry %d is there after Clear", i)
		}
	}
	if s := c.Stats(); s.Entries != 0 || s.Used > 8<<10 || s.Puts != before.Puts {
		t.Errorf("%+v after %+v", s, before)
	}
	c.Put(entryOf(&buf, 1))
	if _, ok := c.Get(buf[:60]); !ok {
		t.Error("not there after Clear and Put")
	}
	verify(t, c)
}

func TestGetAndPutDoNotAllocate(t *testing.T) {
	c := filled(t, 10_000)
	var buf [100]byte
	var i uint64
	for what, f := range map[string]func(){
		"hit":  func() { entryOf(&buf, i%10_000); c.Get(buf[:60]) },
		"miss": func() { entryOf(&buf, i+10_000); c.Get(buf[:60]) },
		"put":  func() { entryOf(&buf, i%10_000); c.Put(buf[:60], buf[60:]) },
	} {
		if n := testing.AllocsPerRun(2000, func() { f(); i++ }); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}
