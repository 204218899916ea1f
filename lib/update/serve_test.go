package update

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"namecast/lib/nup"
	"namecast/lib/rr"
	"namecast/lib/sock"
)

// A clock is a test's time.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Unix(1000, 0)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// serve runs the server on a socket and gives its address; the test's end ends
// it.
func serve(t *testing.T, s *Server) string {
	t.Helper()
	conns, err := sock.ListenUDP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, conns...) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return conns[0].LocalAddr().String()
}

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// exchange sends a packet and gives the reply, or nil after the patience.
func exchange(t *testing.T, c net.Conn, packet []byte) *nup.Reply {
	if _, err := c.Write(packet); err != nil {
		t.Error(err)
		return nil
	}
	return receive(t, c)
}

func receive(t *testing.T, c net.Conn) *nup.Reply {
	b := make([]byte, nup.MaxPacket)
	c.SetReadDeadline(time.Now().Add(patience))
	n, err := c.Read(b)
	if err != nil {
		t.Error(err)
		return nil
	}
	r, err := nup.ParseReply(b[:n])
	if err != nil {
		t.Error(err)
	}
	return r
}

// TestServe lets many clients update at once, each of them several times.
func TestServe(t *testing.T) {
	s := newServer(t, nil)
	addr := serve(t, s)
	const clients, rounds = 50, 8
	var all sync.WaitGroup
	for range clients {
		o, c := newOwner(t), dial(t, addr)
		all.Go(func() {
			for seq := range int64(rounds) {
				r := exchange(t, c, o.packet(seq, fmt.Sprintf("add n%d 60 TXT x", seq), nil))
				if r == nil || r.Status != nup.StatusOK || r.Next != seq+1 || r.From.String() != c.LocalAddr().String() {
					t.Errorf("seq %d: %+v", seq, r)
					return
				}
			}
		})
	}
	all.Wait()
	if n := s.Count.Accepted.Load(); n != clients*rounds {
		t.Errorf("%d accepted, want %d", n, clients*rounds)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.underway) != 0 {
		t.Errorf("%d packets are still under way", len(s.underway))
	}
}

// TestServeSlowProof: who waits for the network holds nobody up, is answered
// in the end, and a copy of the packet in between is dropped.
func TestServeSlowProof(t *testing.T) {
	release := make(chan struct{})
	var asked atomic.Int32
	s := newServer(t, func(c *Config) {
		c.Prover = proverFunc(func(rr.Name, string) error {
			asked.Add(1)
			<-release
			return nil
		})
	})
	addr := serve(t, s)
	slow, c := newOwner(t), dial(t, addr)
	claim := slow.packet(0, "validate example.test h@example.test 60", nil)
	for range 2 {
		if _, err := c.Write(claim); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 * workersEach {
		want(t, "quick", exchange(t, dial(t, addr), newOwner(t).packet(0, "add a 60 TXT x", nil)), nup.StatusOK, 1)
	}
	until(t, "the copy is dropped", func() bool { return s.Count.Duplicate.Load() == 1 })
	close(release)
	want(t, "slow", receive(t, c), nup.StatusOK, 1)
	if asked.Load() != 1 {
		t.Errorf("asked %d times for a proof", asked.Load())
	}
}

// until waits for something that must happen.
func until(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !happened(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// TestServeTooManyWait: past the bound, requests that would wait are dropped and
// counted.
func TestServeTooManyWait(t *testing.T) {
	release := make(chan struct{})
	s := newServer(t, func(c *Config) {
		c.Prover = proverFunc(func(rr.Name, string) error { <-release; return nil })
	})
	s.waiting = make(chan struct{}, 2)
	addr := serve(t, s)
	for i := range 5 {
		if _, err := dial(t, addr).Write(newOwner(t).packet(0, fmt.Sprintf("validate d%d.test h@example.test 60", i), nil)); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "three are dropped", func() bool { return s.Count.Overload.Load() == 3 })
	close(release)
	until(t, "two are done", func() bool { return s.Count.Claimed.Load() == 2 })
}

// TestServeEnds: the server answers what it has begun, and then closes its
// sockets.
func TestServeEnds(t *testing.T) {
	release := make(chan struct{})
	s := newServer(t, func(c *Config) {
		c.Prover = proverFunc(func(rr.Name, string) error { <-release; return nil })
	})
	conns, err := sock.ListenUDP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, conns...) }()
	c := dial(t, conns[0].LocalAddr().String())
	if _, err := c.Write(newOwner(t).packet(0, "validate example.test h@example.test 60", nil)); err != nil {
		t.Fatal(err)
	}
	until(t, "it waits", func() bool { return len(s.waiting) == 1 })
	cancel()
	close(release)
	want(t, "begun before the end", receive(t, c), nup.StatusOK, 1)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := conns[0].Write(nil); err == nil {
		t.Error("the socket is open")
	}
}
