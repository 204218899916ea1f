package upstream

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// What ends a connection early.
var (
	errSilent = errors.New("the connection has died")
	errIdle   = errors.New("nothing to do")
	errNoise  = errors.New("replies that nobody asked for")
)

// tries is how many connections a query may go through: one that was there may have
// ended, and the next as well, of a server that closes after each reply.
const tries = 3

// maxNoise is how many replies that nobody waits for a connection may bring in a
// row; late ones of queries that were given up are such.
const maxNoise = inFlight

// fresh is how long a connection that has brought something is sure to be alive.
const fresh = time.Second

// writeTime is how long it may take to write a query.
const writeTime = time.Second

// An attempt at making the connection that all wait for together.
type attempt struct {
	done chan struct{} // closed when conn or err is set
	conn *conn
	err  error
}

// overStream asks over the connection that the queries share. If it was there
// before, it may have died or be closed by the server just now, and then another
// one is made.
func (c *Client) overStream(ctx context.Context, q query) ([]byte, error) {
	for try := 1; ; try++ {
		conn, reused, err := c.connection(ctx)
		if err != nil {
			return nil, err
		}
		patience := time.Duration(0)
		if until, ok := ctx.Deadline(); ok && reused && try < tries && conn.quiet() {
			patience = time.Until(until) / 2
		}
		reply, err := conn.exchange(ctx, q, patience)
		if err == nil || ctx.Err() != nil || try == tries || !reused && conn.replies() == 0 {
			return reply, err
		}
	}
}

// connection gives the connection that is there, or makes one.
func (c *Client) connection(ctx context.Context) (_ *conn, reused bool, err error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, false, ErrClosed
	}
	if c.conn != nil && c.conn.alive() {
		defer c.mu.Unlock()
		return c.conn, true, nil
	}
	a := c.attempt
	if a == nil {
		a = &attempt{done: make(chan struct{})}
		c.attempt = a
		c.tasks.Go(func() { c.connect(a) })
	}
	c.mu.Unlock()
	select {
	case <-a.done:
		return a.conn, false, a.err
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
}

// connect makes the connection, and reads from it until it ends. It does not end
// with the query that wanted it first, since others wait for it.
func (c *Client) connect(a *attempt) {
	ctx, cancel := context.WithTimeout(c.life, connectTime)
	defer cancel()
	sock, err := c.dial(ctx, "tcp")
	if err == nil && c.server.Proto == TLS {
		sock, err = c.secure(ctx, sock)
	}
	c.mu.Lock()
	c.attempt = nil
	if err == nil && c.closed {
		sock.Close()
		err = ErrClosed
	}
	if err == nil {
		a.conn = newConn(sock, c.opt.Idle)
		c.conn = a.conn
	}
	a.err = err
	c.mu.Unlock()
	close(a.done)
	if a.conn != nil {
		a.conn.read()
	}
}

// secure does the handshake of TLS.
func (c *Client) secure(ctx context.Context, sock net.Conn) (net.Conn, error) {
	conn := tls.Client(sock, c.tlsConfig())
	if err := conn.HandshakeContext(ctx); err != nil {
		sock.Close()
		return nil, err
	}
	return conn, nil
}

// tlsConfig has the certificate be for the name, or else for the address. It is
// never offered that both be left unchecked.
func (c *Client) tlsConfig() *tls.Config {
	name := c.server.Name
	if name == "" {
		name = c.server.Addr.Addr().WithZone("").String()
	}
	return &tls.Config{ServerName: name, RootCAs: c.opt.Roots, MinVersion: tls.VersionTLS12}
}

// A conn carries queries and replies, each behind its length in two octets
// (RFC 1035 section 4.2.2).
type conn struct {
	net.Conn
	idle  time.Duration
	timer *time.Timer // ends the connection when it is idle
	write sync.Mutex  // held while a query is written

	mu      sync.Mutex
	waiting map[uint16]chan []byte // by the queries' ids; each takes one reply
	heard   int                    // replies so far
	last    time.Time              // when the last one came, or the connection was made
	noise   int                    // replies in a row that nobody waited for
	err     error                  // why it ended, when done is closed
	done    chan struct{}
}

func newConn(sock net.Conn, idle time.Duration) *conn {
	c := &conn{Conn: sock, idle: idle, waiting: make(map[uint16]chan []byte), last: time.Now(), done: make(chan struct{})}
	c.timer = time.AfterFunc(idle, c.rest)
	return c
}

func (c *conn) alive() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// quiet tells whether nothing has come for so long that the connection may be dead.
func (c *conn) quiet() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.last) > fresh
}

// replies is how many have come.
func (c *conn) replies() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard
}

// fail ends the connection, for a reason that those who wait get to know.
func (c *conn) fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
		close(c.done)
	}
	c.mu.Unlock()
	c.timer.Stop()
	if t, ok := c.Conn.(*tls.Conn); ok && !errors.Is(err, errIdle) {
		t.NetConn().Close() // and no farewell of TLS, which may take five seconds
		return
	}
	c.Conn.Close()
}

// rest ends the connection if nobody waits for a reply.
func (c *conn) rest() {
	c.mu.Lock()
	busy := len(c.waiting) > 0
	c.mu.Unlock()
	if busy {
		c.timer.Reset(c.idle)
		return
	}
	c.fail(errIdle)
}

// read hands the replies out until the connection ends.
func (c *conn) read() {
	var head [2]byte
	for {
		if _, err := io.ReadFull(c.Conn, head[:]); err != nil {
			c.fail(err)
			return
		}
		msg := make([]byte, binary.BigEndian.Uint16(head[:]))
		if _, err := io.ReadFull(c.Conn, msg); err != nil {
			c.fail(err)
			return
		}
		if err := c.deliver(msg); err != nil {
			c.fail(err)
			return
		}
	}
}

// deliver gives a reply to the query that waits for it.
func (c *conn) deliver(msg []byte) error {
	if len(msg) < headerSize {
		return errShape
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard++
	c.last = time.Now()
	id := binary.BigEndian.Uint16(msg)
	waiter := c.waiting[id]
	if waiter == nil {
		if c.noise++; c.noise > maxNoise {
			return errNoise
		}
		return nil
	}
	c.noise = 0
	delete(c.waiting, id)
	waiter <- msg
	return nil
}

// exchange sends a query and waits for its reply. If the connection is silent for
// as long as patience, when that is not 0, it counts as dead.
func (c *conn) exchange(ctx context.Context, q query, patience time.Duration) ([]byte, error) {
	id, waiter := c.enter()
	defer c.leave(id)
	before := c.replies()
	if err := c.send(ctx, q, id); err != nil {
		return nil, err
	}
	var dead <-chan time.Time
	if patience > 0 {
		t := time.NewTimer(patience)
		defer t.Stop()
		dead = t.C
	}
	for {
		select {
		case msg := <-waiter:
			return c.check(q, msg, id)
		case <-dead:
			if c.replies() == before {
				c.fail(errSilent)
			}
		case <-c.done:
			select {
			case msg := <-waiter: // the last that came
				return c.check(q, msg, id)
			default:
				return nil, c.err
			}
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) && c.replies() == before {
				c.fail(errSilent)
			}
			return nil, ctx.Err()
		}
	}
}

// check accepts a reply; a server that gives a wrong one loses its connection.
func (c *conn) check(q query, msg []byte, id uint16) ([]byte, error) {
	reply, err := q.accept(msg, id)
	if err != nil {
		c.fail(err)
	}
	return reply, err
}

// enter finds an id that no other query has.
func (c *conn) enter() (uint16, chan []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := randomID()
	for c.waiting[id] != nil {
		id++
	}
	waiter := make(chan []byte, 1)
	c.waiting[id] = waiter
	return id, waiter
}

func (c *conn) leave(id uint16) {
	c.mu.Lock()
	delete(c.waiting, id)
	c.mu.Unlock()
	c.timer.Reset(c.idle)
}

// send writes a query in one piece. If that is not done within a short time, which it
// is unless the server has ceased to read, the connection ends, and with it the wait
// of those who want to write as well.
func (c *conn) send(ctx context.Context, q query, id uint16) error {
	frame := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(q.msg)), uint16(len(q.msg)))
	frame = append(frame, q.withID(id)...)
	c.write.Lock()
	defer c.write.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	c.Conn.SetWriteDeadline(time.Now().Add(writeTime))
	_, err := c.Conn.Write(frame)
	if err != nil {
		c.fail(err)
	}
	return err
}
