package cache

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// entryOf gives the nth key, of 60 octets, and value, of 40: a name with a
// class of answers, and a short answer.
func entryOf(buf *[100]byte, n uint64) (key, value []byte) {
	binary.BigEndian.PutUint64(buf[20:], n)
	binary.BigEndian.PutUint64(buf[60:], ^n)
	return buf[:60], buf[60:]
}

// filled gives a cache with n entries, with room for more.
func filled(tb testing.TB, n uint64) *Cache {
	c := New(int(n) * 160)
	var buf [100]byte
	for i := range n {
		c.Put(entryOf(&buf, i))
	}
	if s := c.Stats(); s.Entries < int(n)*998/1000 || s.Evicted > 0 {
		tb.Fatalf("of %d entries: %+v", n, s)
	}
	return c
}

// scattered walks the numbers below n, in an order that no prefetcher knows.
func scattered(i, n uint64) uint64 { return (i * 0x9e3779b97f4a7c15 >> 20) % n }

// cpuTime is what the process has used: it is less in doubt than the clock on a
// machine with other work.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkGet(b *testing.B) {
	for _, n := range []uint64{1e5, 4e6} {
		c := filled(b, n)
		for what, base := range map[string]uint64{"hit": 0, "miss": n} {
			b.Run(fmt.Sprintf("%s/%.0e", what, float64(n)), func(b *testing.B) {
				benchmarkGet(b, c, base, n)
			})
		}
	}
}

func benchmarkGet(b *testing.B, c *Cache, base, n uint64) {
	var buf [100]byte
	var i, hits uint64
	b.ReportAllocs()
	start := cpuTime()
	for b.Loop() {
		key, _ := entryOf(&buf, base+scattered(i, n))
		if _, ok := c.Get(key); ok {
			hits++
		}
		i++
	}
	b.ReportMetric(float64(cpuTime()-start)/float64(i), "cpu-ns/op")
	b.ReportMetric(float64(hits)/float64(i), "hits/op")
}

func BenchmarkGetParallel(b *testing.B) {
	const n = 1e5
	c := filled(b, n)
	b.RunParallel(func(pb *testing.PB) {
		var buf [100]byte
		for i := uint64(0); pb.Next(); i++ {
			key, _ := entryOf(&buf, scattered(i, n))
			c.Get(key)
		}
	})
}

// BenchmarkPut is into a cache that is full.
func BenchmarkPut(b *testing.B) {
	c := New(64 << 20)
	var buf [100]byte
	var i uint64
	for ; c.Stats().Evicted < 100; i++ {
		c.Put(entryOf(&buf, i))
	}
	b.ReportAllocs()
	start, first := cpuTime(), i
	for b.Loop() {
		c.Put(entryOf(&buf, i))
		i++
	}
	b.ReportMetric(float64(cpuTime()-start)/float64(i-first), "cpu-ns/op")
}

// BenchmarkFill is into a cache that grows.
func BenchmarkFill(b *testing.B) {
	const n = 1e6
	start, times := cpuTime(), 0
	for b.Loop() {
		filled(b, n)
		times++
	}
	b.ReportMetric(float64(cpuTime()-start)/float64(times)/n, "cpu-ns/entry")
}

// BenchmarkFloor is what a map with neither bound nor lock takes.
func BenchmarkFloor(b *testing.B) {
	for _, n := range []uint64{1e5, 4e6} {
		b.Run(fmt.Sprintf("%.0e", float64(n)), func(b *testing.B) {
			m := make(map[string][]byte, n)
			var buf [100]byte
			for i := range n {
				key, value := entryOf(&buf, i)
				m[string(key)] = append([]byte(nil), value...)
			}
			var i uint64
			start := cpuTime()
			for b.Loop() {
				key, _ := entryOf(&buf, scattered(i, n))
				_ = m[string(key)]
				i++
			}
			b.ReportMetric(float64(cpuTime()-start)/float64(i), "cpu-ns/op")
			runtime.KeepAlive(m)
		})
	}
}

func BenchmarkNow(b *testing.B) {
	g := NewGenerations()
	for b.Loop() {
		g.Now(g.Slot("afabcdefghijklmnopqrstuvwxyz"))
	}
}
