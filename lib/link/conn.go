package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/frame"
)

// A Conn is one connection, from its handshake to its end. All methods are for
// any goroutine.
type Conn struct {
	Peer  Peer
	Since time.Time

	conn   net.Conn
	frames *frame.Reader
	heard  *meter
	queue  *queue
	limits Limits
	trust  func(now time.Time) error // tells why the peer is not believed any more

	end  context.CancelCauseFunc // ends the context that run is called with
	gone chan struct{}           // closed when the connection has left its place

	framesIn, octetsOut atomic.Uint64
}

// A meter counts what is read, and does not wait for it without end. What the
// handler takes does not count: it waits for nobody.
type meter struct {
	net.Conn
	silence time.Duration
	octets  atomic.Uint64
}

func (m *meter) Read(b []byte) (int, error) {
	m.Conn.SetReadDeadline(time.Now().Add(m.silence))
	n, err := m.Conn.Read(b)
	m.octets.Add(uint64(n))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = ErrSilent
	}
	return n, err
}

func newConn(conn net.Conn, limits Limits, end context.CancelCauseFunc) *Conn {
	heard := &meter{Conn: conn, silence: limits.Silence}
	return &Conn{
		Since: time.Now(), conn: conn, heard: heard, frames: frame.NewReader(heard),
		queue: newQueue(limits.Queue), limits: limits, end: end, gone: make(chan struct{}),
	}
}

// Send puts a message into the queue. ErrOverflow or ErrDown if it will not be
// sent, frame.ErrSize or frame.ErrType if it cannot; no error says that it
// arrives.
func (c *Conn) Send(e chain.Envelope) error {
	return c.queue.put(func(b []byte) ([]byte, error) { return frame.AppendMessage(b, e) })
}

// SendFrame puts a frame of any type into the queue, as Send does.
func (c *Conn) SendFrame(h frame.Header, body []byte) error {
	return c.queue.put(func(b []byte) ([]byte, error) { return frame.Append(b, h, body) })
}

// Close ends the connection, telling the peer why, and does not wait for its end.
func (c *Conn) Close(code frame.Code, reason string) {
	c.end(closing{frame.Bye{Code: code, Reason: reason}})
}

// A closing is the end that this side has decided on.
type closing struct{ bye frame.Bye }

func (c closing) Error() string { return "closed: " + c.bye.Reason }

// Stats are what a connection has done.
type Stats struct {
	FramesIn, FramesOut uint64 // with pings; out are those in the queue too
	OctetsIn, OctetsOut uint64 // before TLS
	Queued              int    // octets that wait to be written
	Overflows           uint64 // frames that the queue had no room for
}

// Stats tells what the connection has done until now.
func (c *Conn) Stats() Stats {
	s := Stats{FramesIn: c.framesIn.Load(), OctetsIn: c.heard.octets.Load(), OctetsOut: c.octetsOut.Load()}
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	s.FramesOut, s.Overflows = c.queue.frames, c.queue.overflow
	s.Queued = len(c.queue.pending) + c.queue.writing
	return s
}

// run reads and writes until the connection ends, and tells why. It closes the
// connection.
func (c *Conn) run(ctx context.Context, handle func(*Conn, frame.Frame)) error {
	written := make(chan struct{})
	go func() {
		defer close(written)
		c.write(ctx)
	}()
	c.end(c.read(handle))
	<-written
	return why(context.Cause(ctx))
}

// why gives the end of a context its name.
func why(cause error) error {
	if errors.Is(cause, context.Canceled) {
		return closing{frame.Bye{Code: frame.ByeShutdown, Reason: "shutting down"}}
	}
	return cause
}

// read hands on what comes, until nothing does.
func (c *Conn) read(handle func(*Conn, frame.Frame)) error {
	for {
		f, err := c.frames.Next()
		if err != nil {
			return err
		}
		c.framesIn.Add(1)
		switch f.Type {
		case frame.TypePing:
		case frame.TypeHandshake:
			return fmt.Errorf("%w: a second handshake", ErrUnexpected)
		case frame.TypeBye:
			bye, err := frame.ParseBye(f.Body)
			if err != nil {
				return err
			}
			return bye
		default:
			handle(c, f)
		}
	}
}
