package cache

import (
	"bytes"
	"encoding/binary"
	"sync"
	"testing"
)

// selfChecking gives a value that can be told to be one of the key's: of any
// length, every octet following from the key and the first octet.
func selfChecking(buf []byte, n uint64, version byte) []byte {
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], n)
	buf = buf[:1+(n*7+uint64(version)*13)%200]
	for i := range buf {
		buf[i] = version ^ key[i%8]*byte(i)
	}
	return buf
}

// concurrently puts and gets from all sides, each goroutine so many times.
func concurrently(t *testing.T, c *Cache, keys uint64, times, putters, getters int) {
	var wg sync.WaitGroup
	for p := range putters {
		wg.Go(func() {
			var key [8]byte
			buf := make([]byte, 256)
			for i := range uint64(times) {
				n := (i*uint64(2*p+1)*31 + uint64(p)) % keys
				binary.BigEndian.PutUint64(key[:], n)
				c.Put(key[:], selfChecking(buf, n, byte(i)))
			}
		})
	}
	for g := range getters {
		wg.Go(func() {
			var key [8]byte
			buf := make([]byte, 256)
			for i := range uint64(times) {
				n := (i*uint64(2*g+1)*17 + uint64(g)) % keys
				binary.BigEndian.PutUint64(key[:], n)
				if v, ok := c.Get(key[:]); ok && !bytes.Equal(v, selfChecking(buf, n, v[0])) {
					t.Errorf("key %d has value %x", n, v)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestConcurrentUseWhileTheLogTurns(t *testing.T) {
	c := New(minSize)
	concurrently(t, c, 2000, 40_000, 2, 3)
	if s := c.Stats(); s.Evicted < 10 {
		t.Errorf("%+v", s)
	}
	verify(t, c)
}

func TestConcurrentUseWhileTheIndexGrows(t *testing.T) {
	c := New(16 << 20)
	concurrently(t, c, 20_000, 40_000, 2, 2)
	if s := c.Stats(); s.Evicted > 0 {
		t.Errorf("%+v", s)
	}
	verify(t, c)
}

func TestConcurrentClear(t *testing.T) {
	c := New(1 << 20)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 100 {
			c.Clear()
			c.Stats()
		}
	})
	concurrently(t, c, 20_000, 20_000, 2, 2)
	wg.Wait()
	verify(t, c)
}

// TestPutDoesNotWait holds that who puts while another does so goes on.
func TestPutDoesNotWait(t *testing.T) {
	c := New(1 << 20)
	c.Put([]byte("k"), []byte("old"))
	c.mu.Lock()
	c.Put([]byte("k"), []byte("new"))
	v, ok := c.Get([]byte("k"))
	c.mu.Unlock()
	if s := c.Stats(); !ok || string(v) != "old" || s.Busy != 1 || s.Puts != 1 {
		t.Errorf("%q, %v, %+v", v, ok, s)
	}
}
