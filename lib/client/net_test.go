package client

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"namecast/lib/key"
	"namecast/lib/nup"
	"namecast/lib/rr"
)

var (
	service = rr.MustName("namecast.example")
)

// secret gives one of a few keys that are the same in every run.
func secret(t testing.TB, n byte) *key.Secret {
	t.Helper()
	k, err := key.Generate(bytes.NewReader(bytes.Repeat([]byte{n}, 64)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// packet makes a version 1 request of one element.
func packet(t testing.TB, seq int64) ([]byte, *nup.Request) {
	t.Helper()
	req := &nup.Request{Service: service, Seq: seq, Padding: 100, Elements: []nup.Element{
		{Op: nup.OpAdd, Owner: rr.MustName("www"), Type: rr.TypeA, TTL: 60, Data: []rr.Data{"\xc0\x00\x02\x01"}},
	}}
	b, err := nup.Sign(req, secret(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	return b, req
}

// An answer is what a fake server does after a datagram, some time later.
type answer struct {
	after    time.Duration
	datagram []byte
	err      error
}

// A server answers the nth datagram, counted from 1, that comes to it.
type server func(n int, datagram []byte) []answer

// A network stands in for UDP: servers by address, and a log of what was sent.
type network struct {
	servers map[string]server
	begun   time.Time
	sent    []sending
}

type sending struct {
	At time.Duration
	To string
}

func newNetwork(servers map[string]server) *network {
	return &network{servers: servers, begun: time.Now()}
}

func (w *network) dial(_ context.Context, to netip.AddrPort) (net.Conn, error) {
	s := w.servers[to.String()]
	if s == nil {
		return nil, &net.OpError{Op: "dial", Net: "udp", Err: errUnreachable}
	}
	return &conn{net: w, to: to.String(), server: s, in: make(chan answer, 100), closed: make(chan struct{})}, nil
}

// A conn is one connected socket of the network.
type conn struct {
	net.Conn
	net    *network
	to     string
	server server
	n      int
	in     chan answer
	closed chan struct{}
}

func (c *conn) Write(b []byte) (int, error) {
	c.n++
	c.net.sent = append(c.net.sent, sending{time.Since(c.net.begun), c.to})
	for _, a := range c.server(c.n, b) {
		time.AfterFunc(a.after, func() { c.in <- a })
	}
	return len(b), nil
}

func (c *conn) Read(b []byte) (int, error) {
	select {
	case a := <-c.in:
		return copy(b, a.datagram), a.err
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *conn) Close() error {
	close(c.closed)
	return nil
}
