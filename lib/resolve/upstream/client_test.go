package upstream

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

const loopback = "127.0.0.1:0"

// TestUDP checks that queries go out from many ports under many ids, as they are
// else, and that replies come back under their own.
func TestUDP(t *testing.T) {
	const count = 200
	var mu sync.Mutex
	ports, ids := make(map[string]bool), make(map[uint16]bool)
	query := ask(t, "www.example.", dns.TypeA)
	at := onUDP(t, loopback, func(send func([]byte), q []byte, from net.Addr) {
		mu.Lock()
		ports[from.String()], ids[binary.BigEndian.Uint16(q)] = true, true
		mu.Unlock()
		if !bytes.Equal(q[2:], query[2:]) {
			t.Errorf("%x was sent as %x", query, q)
		}
		send(answer(t, q, 60))
	})
	c := client(t, Server{Addr: at}, Options{})
	before := bytes.Clone(query)
	for range count {
		b, err := c.Exchange(within(t, patience), query)
		if err != nil || !bytes.Equal(b[:2], query[:2]) {
			t.Fatalf("%x, %v", b, err)
		}
	}
	if !bytes.Equal(query, before) {
		t.Error("the query was changed")
	}
	mu.Lock()
	defer mu.Unlock()
	if len(ports) < count*9/10 || len(ids) < count*9/10 {
		t.Errorf("%d ports and %d ids for %d queries", len(ports), len(ids), count)
	}
}

// TestGuesses checks that replies with the wrong id, question or source do not
// count, and that many of them have the client ask over TCP.
func TestGuesses(t *testing.T) {
	var wrong atomic.Int32
	tcp := listen(t, loopback)
	other, err := net.ListenPacket("udp", loopback)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	at := onUDP(t, tcp.Addr().String(), func(send func([]byte), q []byte, from net.Addr) {
		forged := answer(t, q, 666)
		other.WriteTo(forged, from)
		for i := range wrong.Load() {
			forged := answer(t, q, 666)
			binary.BigEndian.PutUint16(forged, binary.BigEndian.Uint16(q)+1+uint16(i))
			send(forged)
		}
		send(answer(t, q, 60))
	})
	s := onStream(t, tcp, echo(t))
	c := client(t, Server{Addr: at}, Options{})
	for _, w := range []int32{0, 1, maxGuesses - 1} {
		wrong.Store(w)
		if m := exchange(t, c); m.Answer[0].Header().Ttl != 60 || s.count() != 0 {
			t.Errorf("%d wrong replies: %v, over TCP %d times", w, m, s.count())
		}
	}
	wrong.Store(1000)
	if m := exchange(t, c); m.Answer[0].Header().Ttl != 60 || s.count() != 1 {
		t.Errorf("many wrong replies: %v, over TCP %d times", m, s.count())
	}
}

func TestTruncated(t *testing.T) {
	long := func(q []byte) []byte { return append(cut(q), make([]byte, maxDatagram+100)...) }
	for name, first := range map[string]func([]byte) []byte{"says so": cut, "longer than is read": long} {
		t.Run(name, func(t *testing.T) {
			tcp := listen(t, loopback)
			at := onUDP(t, tcp.Addr().String(), func(send func([]byte), q []byte, _ net.Addr) { send(first(q)) })
			s := onStream(t, tcp, echo(t))
			c := client(t, Server{Addr: at}, Options{})
			for range 3 {
				exchange(t, c)
			}
			if s.count() != 1 {
				t.Errorf("%d connections for three queries", s.count())
			}
		})
	}
}

// TestTruncatedOnly checks that a truncated reply is better than none.
func TestTruncatedOnly(t *testing.T) {
	at := onUDP(t, loopback, func(send func([]byte), q []byte, _ net.Addr) { send(cut(q)) })
	c := client(t, Server{Addr: at}, Options{})
	b, err := c.Exchange(within(t, patience), ask(t, "www.example.", dns.TypeA))
	if err != nil || !truncated(b) {
		t.Errorf("%x, %v", b, err)
	}
}

// TestLoss checks that a datagram that was lost is sent again.
func TestLoss(t *testing.T) {
	var seen atomic.Int32
	at := onUDP(t, loopback, func(send func([]byte), q []byte, _ net.Addr) {
		if seen.Add(1) > 1 {
			send(answer(t, q, 60))
		}
	})
	exchange(t, client(t, Server{Addr: at}, Options{}))
	if n := seen.Load(); n != 2 {
		t.Errorf("%d datagrams", n)
	}
}

func TestSilence(t *testing.T) {
	silent := func(net.Conn, int) { <-t.Context().Done() }
	udp := onUDP(t, loopback, func(func([]byte), []byte, net.Addr) {})
	tcp := onStream(t, listen(t, loopback), silent)
	_, roots := authority(t, nil, net.IP{127, 0, 0, 1})
	for name, s := range map[string]Server{"UDP": {Addr: udp}, "TLS": {Proto: TLS, Addr: tcp.at}, "HTTPS": {Proto: HTTPS, Addr: tcp.at, Path: "/"}} {
		t.Run(name, func(t *testing.T) {
			c := client(t, s, Options{Roots: roots})
			began := time.Now()
			_, err := c.Exchange(within(t, 50*time.Millisecond), ask(t, "www.example.", dns.TypeA))
			if !errors.Is(err, ErrTimeout) || time.Since(began) > 2*time.Second {
				t.Errorf("%v after %v", err, time.Since(began))
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	l := listen(t, loopback)
	dead := netip.MustParseAddrPort(l.Addr().String())
	l.Close()
	for name, s := range map[string]Server{"UDP": {Addr: dead}, "TLS": {Proto: TLS, Addr: dead}, "HTTPS": {Proto: HTTPS, Addr: dead, Path: "/"}, "name": {Proto: TLS, Addr: nowhere(853), Name: "dns.example"}} {
		t.Run(name, func(t *testing.T) {
			c := client(t, s, Options{})
			_, err := c.Exchange(within(t, patience), ask(t, "www.example.", dns.TypeA))
			if !errors.Is(err, ErrUnreachable) || errors.Is(err, ErrTimeout) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	at := onUDP(t, loopback, func(func([]byte), []byte, net.Addr) {})
	c := client(t, Server{Addr: at}, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := c.Exchange(ctx, ask(t, "www.example.", dns.TypeA)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestClose(t *testing.T) {
	heard := make(chan bool, 10)
	at := onUDP(t, loopback, func(func([]byte), []byte, net.Addr) { heard <- true })
	s := onStream(t, listen(t, loopback), func(c net.Conn, _ int) { heard <- true; next(c) })
	for _, server := range []Server{{Addr: at}, {Proto: TLS, Addr: s.at}, {Proto: HTTPS, Addr: s.at, Path: "/"}} {
		c := New(server, Options{})
		failed := make(chan error, 1)
		go func() {
			_, err := c.Exchange(t.Context(), ask(t, "www.example.", dns.TypeA))
			failed <- err
		}()
		<-heard
		c.Close()
		if err := <-failed; !errors.Is(err, ErrClosed) {
			t.Errorf("%v, under way: %v", server, err)
		}
		if _, err := c.Exchange(t.Context(), ask(t, "www.example.", dns.TypeA)); !errors.Is(err, ErrClosed) {
			t.Errorf("%v, after the end: %v", server, err)
		}
	}
}

// counted is a connection that counts until it is closed.
type counted struct {
	net.Conn
	open *atomic.Int32
}

func (c counted) Close() error {
	c.open.Add(-1)
	return c.Conn.Close()
}

// TestBounded checks that no more than a fixed number of sockets are open.
func TestBounded(t *testing.T) {
	var open, most atomic.Int32
	dial := func(context.Context, string, string) (net.Conn, error) {
		for n, m := open.Add(1), most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		near, far := net.Pipe()
		go io.Copy(io.Discard, far) // until near is closed
		return counted{near, &open}, nil
	}
	c := client(t, Server{Addr: place("192.0.2.1:53")}, Options{Dial: dial})
	var asking sync.WaitGroup
	ctx, query := within(t, 100*time.Millisecond), ask(t, "www.example.", dns.TypeA)
	for range 4 * inFlight {
		asking.Go(func() {
			if _, err := c.Exchange(ctx, query); !errors.Is(err, ErrTimeout) {
				t.Errorf("error %v", err)
			}
		})
	}
	asking.Wait()
	if n := most.Load(); n > inFlight || n == 0 || open.Load() != 0 {
		t.Errorf("%d sockets at once, %d at the end", n, open.Load())
	}
}

func TestNotAQuery(t *testing.T) {
	c := client(t, Server{Addr: place("192.0.2.1:53")}, Options{})
	if _, err := c.Exchange(t.Context(), []byte("hello")); !errors.Is(err, ErrQuery) {
		t.Errorf("error %v", err)
	}
}
