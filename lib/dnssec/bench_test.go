package dnssec

import (
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"namecast/lib/rr"
)

func BenchmarkKey(b *testing.B) {
	s := testSecret(b, 0)
	for b.Loop() {
		if _, err := s.epochs[0].Key("\x07example\x03com"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	k := testKey(b, testSecret(b, 0), "example.com")
	var digest [32]byte
	for b.Loop() {
		digest[0]++
		if _, err := k.sign(digest); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkZoneCached(b *testing.B) {
	signer, _ := testSigner(testSecret(b, 0), Options{})
	s := set(b, sets[0]...)
	b.ReportAllocs()
	for b.Loop() {
		z, err := signer.Zone("\x07example\x03com")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := z.Sign(s, Want{Class: Held}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkZoneDenialNew(b *testing.B) {
	signer, now := testSigner(testSecret(b, 0), Options{})
	z, err := signer.Zone("\x07example\x03com")
	if err != nil {
		b.Fatal(err)
	}
	name := []byte("\x08nnnnnnnn\x07example\x03com")
	n := uint64(0)
	for b.Loop() {
		n++
		*now = now.Add(time.Millisecond) // the budget is not what is measured
		z.now = *now
		binary.BigEndian.PutUint64(name[1:], n)
		if _, err := z.Sign(NSEC(rr.Name(name), z.name, 300, TypeNXNAME), Want{Class: Asked}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestCacheSize holds that a full cache has the size it was given, at most.
func TestCacheSize(t *testing.T) {
	const size = 8 << 20
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c := newCache(size)
	var k cacheKey
	for i := range uint64(4 * size / entrySize) {
		binary.BigEndian.PutUint64(k.digest[:], i*0x9e3779b97f4a7c15)
		c.put(k, signature{})
		if _, ok := c.get(k); !ok {
			t.Fatal("what was put is not there")
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	used, n := int(after.HeapAlloc)-int(before.HeapAlloc), c.len()
	t.Logf("%d signatures in %d octets, %d each", n, used, used/n)
	if used > size {
		t.Errorf("%d octets, want %d at most", used, size)
	}
	if n < size/entrySize/2 {
		t.Errorf("only %d signatures", n)
	}
	runtime.KeepAlive(c)
}

func TestCacheKeepsWhatIsUsed(t *testing.T) {
	c := newCache(1 << 18)
	hot := cacheKey{epoch: 7}
	c.put(hot, signature{1})
	for i := range uint64(10000) {
		var k cacheKey
		binary.BigEndian.PutUint64(k.digest[1:], i+1)
		c.put(k, signature{})
		if i%20 == 0 {
			if v, ok := c.get(hot); !ok || v != (signature{1}) {
				t.Fatalf("lost after %d others", i)
			}
		}
	}
}
