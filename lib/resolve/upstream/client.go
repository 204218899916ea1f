// Package upstream asks name servers: over UDP with TCP for what is too long, over
// TLS, and over HTTPS.
//
// A [Client] speaks to one server, for many goroutines at once. It sends a query as
// it is, under an id of its own, and gives the reply as it came, under the query's
// id. What it does not do is judge the reply, remember it, or ask another server.
//
// Over UDP each query has a socket and with it a random port, and the id is random
// too; only what comes from the server's address and port, has the id and repeats
// the question counts as the reply (RFC 5452). Over TCP and TLS the queries share
// one connection, and replies may come in any order (RFC 7766); over HTTPS they
// share what net/http makes of them, HTTP/2 in general. A connection that has died
// in silence, as it does while a laptop sleeps, costs half of the first query's
// time.
package upstream

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// Why there is no reply. Each error of [Client.Exchange] is one of these, ErrQuery,
// or that of a context that was cancelled.
var (
	// ErrTimeout: silence until the time was over.
	ErrTimeout = errors.New("no answer in time")
	// ErrUnreachable: the server, its machine or the network said that it cannot be
	// had, or what came is no DNS, or the certificate is not the right one.
	ErrUnreachable = errors.New("unreachable")
	// ErrClosed: the client was closed.
	ErrClosed = errors.New("closed")
)

const (
	longest     = 10 * time.Second       // that a query may take, whatever its context says
	resend      = 250 * time.Millisecond // after this a datagram is sent again, then after twice that
	connectTime = 3 * time.Second        // that a connection may take
	inFlight    = 256                    // queries at once; more wait
)

// Options of a Client. The zero value does for servers that are given by address.
type Options struct {
	// Dial makes connections to "udp" and "tcp" addresses; nil: as net.Dialer does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Lookup finds the addresses of a server that is given by name. It must not
	// lead to the client itself; [Client.Addresses] of another client does. Without
	// it such a server is unreachable.
	Lookup func(ctx context.Context, name string) ([]netip.Addr, error)
	// Roots are the authorities that certificates must come from; nil: the
	// machine's.
	Roots *x509.CertPool
	// Idle is how long a connection stays that has nothing to do; 0: 10 s.
	Idle time.Duration
}

// A Client asks one server. It is for many goroutines at once.
type Client struct {
	server Server
	opt    Options
	slots  chan struct{}   // one for each query in flight
	life   context.Context // until Close
	end    context.CancelFunc
	tasks  sync.WaitGroup // goroutines of connections

	mu      sync.Mutex
	closed  bool
	conn    *conn    // the one that is shared, or nil
	attempt *attempt // at making it, or nil
	web     *http.Transport
	heard   time.Time    // when it last brought a reply
	found   []netip.Addr // what Lookup gave, the last that worked first
	doubt   bool         // whether that is still right
}

// New makes the client of a server. Nothing is sent before the first Exchange.
func New(s Server, o Options) *Client {
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.Idle <= 0 {
		o.Idle = 10 * time.Second
	}
	c := &Client{server: s, opt: o, slots: make(chan struct{}, inFlight)}
	c.life, c.end = context.WithCancel(context.Background())
	return c
}

// Server is the one that the client asks.
func (c *Client) Server() Server { return c.server }

// Exchange asks the server, until the context ends, and 10 seconds at most. The
// reply is a message of the server, whatever its code, with the query's id and
// question. It is truncated only if the server answers over UDP and not over TCP.
// The query is not changed.
func (c *Client) Exchange(ctx context.Context, msg []byte) ([]byte, error) {
	q, err := parseQuery(msg)
	if err != nil {
		return nil, fmt.Errorf("ask %v: %w", c.server, err)
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	reply, err := c.exchange(ctx, q)
	if err != nil {
		err = c.cause(ctx, err)
		if errors.Is(err, ErrTimeout) || errors.Is(err, ErrUnreachable) {
			c.failed()
		}
		return nil, fmt.Errorf("ask %v: %w", c.server, err)
	}
	return reply, nil
}

// exchange waits for its turn, and asks as the server wants it.
func (c *Client) exchange(ctx context.Context, q query) ([]byte, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	switch {
	case c.life.Err() != nil:
		return nil, ErrClosed
	case c.server.Proto == TLS:
		return c.overStream(ctx, q)
	case c.server.Proto == HTTPS:
		return c.overHTTPS(ctx, q)
	}
	return c.overUDP(ctx, q)
}

// cause says what an error means to who asked.
func (c *Client) cause(ctx context.Context, err error) error {
	var timeout interface{ Timeout() bool }
	switch {
	case c.life.Err() != nil:
		return ErrClosed
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Canceled
	case ctx.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return ErrTimeout
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, plain(err))
}

// plain takes the operation and the addresses off a network error; who reads it
// knows them.
func plain(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		return op.Err
	}
	return err
}

// Close ends the connections and the queries that are under way, and waits until
// what served them has ended. Later queries fail with ErrClosed.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	conn, web := c.conn, c.web
	c.conn, c.web = nil, nil
	c.mu.Unlock()
	c.end()
	if conn != nil {
		conn.fail(ErrClosed)
	}
	if web != nil {
		web.CloseIdleConnections()
	}
	c.tasks.Wait()
	return nil
}

// dial connects to the server at its address, or at one of those that its name
// has: each gets its share of the time.
func (c *Client) dial(ctx context.Context, network string) (net.Conn, error) {
	addrs, err := c.addresses(ctx)
	if err != nil {
		return nil, err
	}
	for i, a := range addrs {
		var conn net.Conn
		if conn, err = c.dialOne(ctx, network, a, len(addrs)-i); err == nil {
			c.prefer(a)
			return conn, nil
		}
	}
	return nil, err
}

func (c *Client) dialOne(ctx context.Context, network string, a netip.Addr, share int) (net.Conn, error) {
	if until, ok := ctx.Deadline(); ok && share > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(until)/time.Duration(share))
		defer cancel()
	}
	return c.opt.Dial(ctx, network, netip.AddrPortFrom(a, c.server.Addr.Port()).String())
}

// randomID gives an id that cannot be guessed.
func randomID() uint16 {
	var b [2]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint16(b[:])
}
