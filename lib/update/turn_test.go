package update

import (
	"net"
	"runtime"
	"sync/atomic"
	"testing"
)

// TestTurn: somebody who takes turns, and never has nothing to do, does not keep
// others from the network.
func TestTurn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	turn, err := newTurn()
	if err != nil {
		t.Fatal(err)
	}
	defer turn.close()
	a, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	var got atomic.Int32
	go func() {
		for b := make([]byte, 10); ; got.Add(1) {
			if _, _, err := a.ReadFrom(b); err != nil {
				return
			}
		}
	}()
	b := dial(t, a.LocalAddr().String())
	for n := range int32(100) {
		if _, err := b.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		turns := 0
		for ; got.Load() == n && turns < 1000; turns++ {
			turn.take()
		}
		if got.Load() != n+1 {
			t.Fatalf("datagram %d was not received in %d turns", n, turns)
		}
	}
}

func BenchmarkTurn(b *testing.B) {
	t, err := newTurn()
	if err != nil {
		b.Fatal(err)
	}
	defer t.close()
	b.ReportAllocs()
	for b.Loop() {
		t.take()
	}
}
