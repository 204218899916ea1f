package link

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime"
	"time"

	"namecast/lib/chain/frame"
)

// chunk is how much one write has at most, so that a slow peer that reads is told
// from one that does not, octets.
const chunk = 64 << 10

// farewell is how long the last frame may take.
const farewell = time.Second

// write writes what is in the queue and watches over the connection, until the
// context ends; then it says why and closes the connection.
func (c *Conn) write(ctx context.Context) {
	// A write that is under way when the context ends gets a little more time, if
	// there is anything to say behind it.
	defer context.AfterFunc(ctx, func() {
		deadline := time.Now()
		if _, ok := byeFor(context.Cause(ctx)); ok {
			deadline = deadline.Add(farewell)
		}
		c.conn.SetWriteDeadline(deadline)
	})()
	tick := time.NewTicker(c.limits.Silence / 4)
	defer tick.Stop()
	w := watch{conn: c}
	var batch, rest []byte
	for ctx.Err() == nil {
		var err error
		select {
		case <-ctx.Done():
		case now := <-tick.C:
			err = w.check(now)
		case <-c.queue.wake:
			// What others are about to put goes with this write, not with one of its own.
			runtime.Gosched()
			batch = c.queue.take(batch)
			rest, err = c.flush(ctx, batch)
			c.queue.written()
		}
		if err != nil {
			c.end(err)
		}
	}
	c.queue.close()
	c.bye(context.Cause(ctx), rest)
}

// flush writes octets, with a limit of time for each chunk, and gives back those
// that are left when the context ends.
func (c *Conn) flush(ctx context.Context, b []byte) (rest []byte, err error) {
	for len(b) > 0 {
		c.conn.SetWriteDeadline(time.Now().Add(c.limits.Stall))
		if ctx.Err() != nil {
			return b, nil // the end of the context may have set its deadline before
		}
		n, err := writeAll(c.conn, b[:min(len(b), chunk)])
		c.octetsOut.Add(uint64(n))
		if err != nil {
			return nil, err
		}
		b = b[n:]
	}
	return nil, nil
}

// bye sends what is left and says why the connection ends, where the peer is to
// know, and closes it.
func (c *Conn) bye(cause error, rest []byte) {
	b, ok := byeFor(cause)
	if !ok {
		abandon(c.conn)
		return
	}
	last := append(rest, c.queue.take(nil)...)
	last, _ = frame.Append(last, frame.Header{Type: frame.TypeBye}, frame.AppendBye(nil, b))
	c.conn.SetWriteDeadline(time.Now().Add(farewell))
	n, err := c.conn.Write(last)
	c.octetsOut.Add(uint64(n))
	if err != nil {
		abandon(c.conn)
		return
	}
	c.conn.Close()
}

// byeFor gives what the peer is told of an end: nothing when it is gone.
func byeFor(cause error) (frame.Bye, bool) {
	var own closing
	switch err := why(cause); {
	case errors.As(err, &own):
		return own.bye, true
	case errors.Is(err, ErrReplaced):
		return frame.Bye{Code: frame.ByeReplaced, Reason: err.Error()}, true
	case isBroken(err):
		return frame.Bye{Code: frame.ByeBroken, Reason: err.Error()}, true
	}
	return frame.Bye{}, false
}

// isBroken tells ends that are the peer's fault.
func isBroken(err error) bool {
	for _, e := range []error{frame.ErrSize, frame.ErrChecksum, frame.ErrFlags, frame.ErrBye, ErrUnexpected} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// abandon closes a connection without the last words of TLS, which would wait for
// a peer that does not read.
func abandon(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	c.Close()
}

// A watch looks after a connection every quarter of the time of silence.
type watch struct {
	conn *Conn
	sent uint64 // frames, at the last look
}

// check tells why the connection has to end, and sends a ping if nothing else was
// sent since the last look.
func (w *watch) check(now time.Time) error {
	if err := w.conn.trust(now); err != nil {
		return err
	}
	sent := w.conn.queue.sent()
	if sent != w.sent {
		w.sent = sent
		return nil
	}
	w.sent = sent + 1
	return w.conn.SendFrame(frame.Header{Type: frame.TypePing}, nil)
}
