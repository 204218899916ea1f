package link

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/clock"
)

// TestReconnect: after the end of a connection and after the end of the peer, and
// that the peer was told why.
func TestReconnect(t *testing.T) {
	c := newCluster(t)
	n1, n2, from1, from2 := two(t, c, nil)
	from2.Close(frame.ByeBroken, "a reason")
	var bye frame.Bye
	if err := await(t, "end", n1.downs); !errors.As(err, &bye) || bye != (frame.Bye{Code: frame.ByeBroken, Reason: "a reason"}) {
		t.Errorf("n1: %v", err)
	}
	if err := await(t, "end", n2.downs); !strings.Contains(err.Error(), "a reason") {
		t.Errorf("n2: %v", err)
	}
	if err := from1.Send(chain.Envelope{Body: chain.StaleEpoch{}}); !errors.Is(err, ErrDown) {
		t.Errorf("on a connection that has ended: %v", err)
	}
	await(t, "connection", n1.ups)
	await(t, "connection", n2.ups)
	n2.stop()
	if err := await(t, "end", n1.downs); !errors.As(err, &bye) || bye.Code != frame.ByeShutdown {
		t.Errorf("n1: %v", err)
	}
	await(t, "failure to dial", n1.failed)
	again := start(t, c.credentials(t, "n2"), func(cfg *Config) { cfg.Incarnation = 2 })
	again.listen(n2.addr)
	if p := await(t, "connection", n1.ups).Peer; p.Incarnation != 2 {
		t.Errorf("n1 sees %+v", p)
	}
}

// TestFlushedAtTheEnd: what was sent before the end arrives before it.
func TestFlushedAtTheEnd(t *testing.T) {
	n1, n2, from1, _ := two(t, newCluster(t), nil)
	const frames = 1000
	for i := range frames {
		if err := from1.SendFrame(frame.Header{Type: frame.TypeAck, Stream: uint64(i)}, make([]byte, 300)); err != nil {
			t.Fatal(err)
		}
	}
	n1.stop()
	err := await(t, "end", n2.downs)
	if len(n2.frames) != frames {
		t.Errorf("%d frames, want %d: %v", len(n2.frames), frames, err)
	}
}

// TestOverflow: a peer that does not read costs no more memory than the queue,
// and in the end the connection.
func TestOverflow(t *testing.T) {
	block := make(chan struct{})
	defer close(block)
	n1, _, from1, _ := two(t, newCluster(t), func(cfg *Config) {
		cfg.Limits = Limits{Queue: 1 << 20, Stall: 500 * time.Millisecond}
		if cfg.Credentials.Identity().Name.ID == "n2" {
			cfg.Handle = func(*Conn, frame.Frame) { <-block }
		}
	})
	body := make([]byte, 100<<10)
	deadline := time.Now().Add(limit)
	for len(n1.downs) == 0 && time.Now().Before(deadline) {
		switch err := from1.SendFrame(frame.Header{Type: frame.TypeAck}, body); {
		case errors.Is(err, ErrOverflow):
			clock.Sleep(t.Context(), time.Millisecond) // the socket has room of its own
		case err != nil && !errors.Is(err, ErrDown):
			t.Fatal(err)
		}
		if s := from1.Stats(); s.Queued > 1<<20+len(body)+frame.Overhead {
			t.Fatalf("stats %+v", s)
		}
	}
	if s := from1.Stats(); s.Overflows == 0 {
		t.Errorf("stats %+v", s)
	}
	err := await(t, "end", n1.downs)
	if e := net.Error(nil); !errors.As(err, &e) || !e.Timeout() {
		t.Errorf("end: %v", err)
	}
}

// TestPings: a connection on which nobody says anything stays.
func TestPings(t *testing.T) {
	n1, n2, from1, _ := two(t, newCluster(t), func(cfg *Config) { cfg.Limits.Silence = 200 * time.Millisecond })
	for deadline := time.Now().Add(limit); from1.Stats().FramesIn < 12 && time.Now().Before(deadline); {
		clock.Sleep(t.Context(), time.Millisecond)
	}
	if s := from1.Stats(); s.FramesIn < 12 || len(n1.downs)+len(n2.downs) > 0 || len(n2.frames) > 0 {
		t.Errorf("stats %+v, %d ends, %d frames handled", s, len(n1.downs)+len(n2.downs), len(n2.frames))
	}
}

// TestReplaced: of one peer there is one connection, that of its newest life, and
// its events come in order.
func TestReplaced(t *testing.T) {
	c := newCluster(t)
	n2 := start(t, c.credentials(t, "n2"), nil)
	dial := func(inc uint64) *rawPeer {
		return shake(t, c, "n1", n2.addr, frame.Handshake{Class: frame.ClassChain, Incarnation: inc})
	}
	first := dial(5)
	await(t, "connection", n2.ups)
	second := dial(5)
	if bye := first.bye(); bye.Code != frame.ByeReplaced {
		t.Errorf("the first: %v", bye)
	}
	awaitError(t, n2.downs, ErrReplaced)
	third := dial(6)
	second.bye()
	await(t, "connection", n2.ups)
	awaitError(t, n2.downs, ErrReplaced)
	if c := await(t, "connection", n2.ups); c.Peer.Incarnation != 6 || n2.Conn(frame.ClassChain, "n1") != c {
		t.Errorf("the place is %+v's", c.Peer)
	}
	if bye := dial(5).bye(); bye.Code != frame.ByeFull {
		t.Errorf("an older life: %v", bye)
	}
	third.conn.Close()
	await(t, "end", n2.downs)
}

// TestBroken: what ends a connection, and what the peer is told.
func TestBroken(t *testing.T) {
	c := newCluster(t)
	n2 := start(t, c.credentials(t, "n2"), func(cfg *Config) { cfg.Limits.Silence = 300 * time.Millisecond })
	good, err := frame.Append(nil, frame.Header{Type: frame.TypeAck}, []byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	hello, err := frame.Append(nil, frame.Header{Type: frame.TypeHandshake}, nil)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(good)
	damaged[30]++
	for name, x := range map[string]struct {
		octets []byte
		want   error
		told   bool
	}{
		"a damaged frame":    {damaged, frame.ErrChecksum, true},
		"text":               {[]byte("GET / HTTP/1.1\r\n\r\n"), frame.ErrSize, true},
		"a second handshake": {hello, ErrUnexpected, true},
		"silence":            {nil, ErrSilent, false},
		"a part of a frame":  {good[:10], ErrSilent, false},
	} {
		p := shake(t, c, "n1", n2.addr, frame.Handshake{Class: frame.ClassChain, Incarnation: 1})
		await(t, "connection", n2.ups)
		if _, err := p.conn.Write(x.octets); err != nil {
			t.Fatal(err)
		}
		if x.told {
			if bye := p.bye(); bye.Code != frame.ByeBroken {
				t.Errorf("%s: told %v", name, bye)
			}
		}
		if err := await(t, "end", n2.downs); !errors.Is(err, x.want) {
			t.Errorf("%s: %v, want %v", name, err, x.want)
		}
		p.conn.Close()
	}
}

// TestBadBeginnings: what is no handshake ends soon and without a connection.
func TestBadBeginnings(t *testing.T) {
	c := newCluster(t)
	n2 := start(t, c.credentials(t, "n2"), func(cfg *Config) {
		cfg.Limits.Handshake = 300 * time.Millisecond
	})
	for name, octets := range map[string]string{"silence": "", "text": "GET / HTTP/1.1\r\n\r\n"} {
		conn, err := net.Dial("tcp", n2.addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, octets)
		await(t, name, n2.failed)
		conn.Close()
	}
	for name, x := range map[string]struct {
		h    frame.Handshake
		want error
	}{
		"a version to come": {frame.Handshake{Oldest: 9, Newest: 9, Class: frame.ClassChain, Incarnation: 1}, frame.ErrVersion},
		"no incarnation":    {frame.Handshake{Class: frame.ClassChain}, frame.ErrHandshake},
	} {
		shake(t, c, "n1", n2.addr, x.h)
		t.Log(name)
		awaitError(t, n2.failed, x.want)
	}
	p := dialRaw(t, c, "n1", n2.addr)
	p.send(frame.Header{Type: frame.TypeAck}, nil)
	awaitError(t, n2.failed, ErrUnexpected)
	dialRaw(t, c, "n1", n2.addr) // and says nothing
	await(t, "failure", n2.failed)
	if len(n2.ups) > 0 {
		t.Error("there is a connection")
	}
}

// TestFull: beyond the limit of connections no other is taken, until one ends.
func TestFull(t *testing.T) {
	c := newCluster(t)
	n2 := start(t, c.credentials(t, "n2"), func(cfg *Config) { cfg.Limits.Conns = 1 })
	n1, n0 := start(t, c.credentials(t, "n1"), nil), start(t, c.credentials(t, "n0"), nil)
	stop := n1.keeps(frame.ClassChain, "n2", n2.addr)
	await(t, "connection", n2.ups)
	n0.keeps(frame.ClassChain, "n2", n2.addr)
	awaitError(t, n2.failed, errFull)
	stop()
	if p := await(t, "connection", n2.ups).Peer; p.Name.ID != "n0" {
		t.Errorf("n2 sees %+v", p)
	}
}
