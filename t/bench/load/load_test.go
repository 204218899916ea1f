package load

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"
)

// numbers is a source whose packets are numbered; every tenth is not wanted back
// as it was.
type numbers struct {
	left int
	n    uint32
	slot map[uint32]int
	last map[int][]byte
}

func (s *numbers) Next(slot int) []byte {
	if s.left == 0 {
		return nil
	}
	s.left--
	s.n++
	s.slot[s.n] = slot
	s.last[slot] = binary.BigEndian.AppendUint32(nil, s.n)
	return s.last[slot]
}

func (s *numbers) Again(slot int) []byte { return s.last[slot] }

func (s *numbers) Judge(p []byte) (int, Verdict) {
	n := binary.BigEndian.Uint32(p)
	slot, ok := s.slot[n]
	if !ok {
		return 0, Stale
	}
	delete(s.slot, n)
	if n%10 == 0 {
		return slot, Wrong
	}
	return slot, Good
}

// server answers on a socket of its own until the test ends; drop says which
// packets it does not see, twice says which it answers twice.
func server(t *testing.T, drop, twice func(i int) bool) netip.AddrPort {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 512)
		for i := 0; ; i++ {
			n, from, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if drop(i) {
				continue
			}
			c.WriteToUDPAddrPort(buf[:n], from)
			if twice(i) {
				c.WriteToUDPAddrPort(buf[:n], from)
			}
		}
	}()
	t.Cleanup(func() { c.Close(); <-done })
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

func never(int) bool { return false }

func newNumbers(n int) *numbers {
	return &numbers{left: n, slot: map[uint32]int{}, last: map[int][]byte{}}
}

func TestRunEndsWithItsPackets(t *testing.T) {
	addr := server(t, never, func(i int) bool { return i%7 == 0 })
	marks := 0
	r, err := Run(t.Context(), Plan{Measure: 10 * time.Second, Mark: func() { marks++ }},
		Stream{Addr: addr, Sockets: 3, Window: 5, Source: newNumbers(1000)})
	if err != nil {
		t.Fatal(err)
	}
	if r[0].Good != 900 || r[0].Wrong != 100 || r[0].Lost != 0 {
		t.Errorf("want 900 good, 100 wrong, none lost; got %d, %d, %d", r[0].Good, r[0].Wrong, r[0].Lost)
	}
	if r[0].Octets != 4000 || r[0].Latency.n != 1000 || marks != 2 {
		t.Errorf("want 4000 octets, 1000 times, 2 marks; got %d, %d, %d", r[0].Octets, r[0].Latency.n, marks)
	}
}

func TestRunSendsLostOnesAgain(t *testing.T) {
	addr := server(t, func(i int) bool { return i%50 == 3 }, never)
	r, err := Run(t.Context(), Plan{Measure: 20 * time.Second}, Stream{Addr: addr, Sockets: 1, Window: 8, Source: newNumbers(200)})
	if err != nil {
		t.Fatal(err)
	}
	if got := r[0].Good + r[0].Wrong; got != 200 || r[0].Lost == 0 {
		t.Errorf("want 200 replies and some lost; got %d, %d", got, r[0].Lost)
	}
}

func TestRunKeepsRate(t *testing.T) {
	addr := server(t, never, never)
	const rate = 2000
	r, err := Run(t.Context(), Plan{Warm: 50 * time.Millisecond, Measure: 500 * time.Millisecond},
		Stream{Addr: addr, Sockets: 2, Window: 32, Rate: rate, Source: newNumbers(1 << 20)})
	if err != nil {
		t.Fatal(err)
	}
	got := float64(r[0].Good+r[0].Wrong) / r[0].Elapsed.Seconds()
	if got > 1.1*rate { // a busy machine may be slower
		t.Errorf("want at most %d packets a second, got %.0f", rate, got)
	}
}

func TestRunEndsWithItsCount(t *testing.T) {
	addr := server(t, never, never)
	r, err := Run(t.Context(), Plan{Measure: 20 * time.Second, Count: 100}, Stream{Addr: addr, Sockets: 1, Window: 4, Source: newNumbers(1 << 20)})
	if err != nil {
		t.Fatal(err)
	}
	if got := r[0].Good + r[0].Wrong; got < 100 || got > 110 {
		t.Errorf("want about 100 replies, got %d", got)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	addr := server(t, func(int) bool { return true }, never)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Plan{Measure: time.Hour}, Stream{Addr: addr, Sockets: 1, Window: 1, Source: newNumbers(1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("want %v, got %v", context.Canceled, err)
	}
}

func TestEcho(t *testing.T) {
	l, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.LocalAddr().(*net.UDPAddr).AddrPort()
	l.Close()
	go Echo(addr) // ends with the test's process, as the real one does
	r, err := Run(t.Context(), Plan{Measure: 10 * time.Second}, Stream{Addr: addr, Sockets: 2, Window: 40, Source: newNumbers(5000)})
	if err != nil {
		t.Fatal(err)
	}
	if got := r[0].Good + r[0].Wrong; got != 5000 {
		t.Errorf("want 5000 replies, got %d", got)
	}
}

func TestHistogram(t *testing.T) {
	for _, c := range []struct {
		name string
		add  []time.Duration
		q    float64
		want time.Duration
	}{
		{"nothing", nil, 0.5, 0},
		{"one", []time.Duration{1000}, 0.99, 1000},
		{"small values exactly", []time.Duration{1, 2, 3, 4, 31}, 0.5, 3},
		{"a far one", append(make([]time.Duration, 99), time.Second), 0.99, time.Second},
		{"negative counts as none", []time.Duration{-5}, 0.5, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h Histogram
			for _, d := range c.add {
				h.Add(d)
			}
			got := h.Quantile(c.q)
			if got > c.want || float64(got) < float64(c.want)*(1-1.0/fine) {
				t.Errorf("want %v within 1/%d, got %v", c.want, fine, got)
			}
		})
	}
}

func TestBucketsAreInOrder(t *testing.T) {
	for v := uint64(0); v < 1<<20; v++ {
		b := bucket(v)
		if floor(b) > v || floor(b+1) <= v {
			t.Fatalf("%d is in the bucket from %d to %d", v, floor(b), floor(b+1))
		}
	}
}
