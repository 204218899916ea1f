package host

import (
	"context"
	"net"
	"sync"
	"time"

	"namecast/lib/clock"
)

// A door is a listener that outlasts the lives of a node: each life listens at
// the door, and when it has ended the next one does.
type door struct {
	net.Listener
	conns chan net.Conn
	err   error         // why nothing more is accepted
	ended chan struct{} // closed when err is set
}

func newDoor(l net.Listener) *door {
	return &door{Listener: l, conns: make(chan net.Conn), ended: make(chan struct{})}
}

// run accepts connections until the context ends, and closes the listener. A
// connection that nobody takes meanwhile waits.
func (d *door) run(ctx context.Context) {
	defer context.AfterFunc(ctx, func() { d.Listener.Close() })()
	defer close(d.ended)
	for {
		c, err := d.Listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			d.err = net.ErrClosed
			return
		case err != nil: // no file descriptors left, or the peer is gone already
			clock.Sleep(ctx, 20*time.Millisecond)
			continue
		}
		select {
		case d.conns <- c:
		case <-ctx.Done():
			c.Close()
		}
	}
}

// listen gives a listener for one life.
func (d *door) listen() net.Listener { return &threshold{door: d, closed: make(chan struct{})} }

// A threshold is a door for one life.
type threshold struct {
	*door
	once   sync.Once
	closed chan struct{}
}

func (t *threshold) Accept() (net.Conn, error) {
	select {
	case <-t.closed:
		return nil, net.ErrClosed
	case <-t.ended:
		return nil, t.err
	case c := <-t.conns:
		return c, nil
	}
}

// Close ends this life's listening alone.
func (t *threshold) Close() error {
	t.once.Do(func() { close(t.closed) })
	return nil
}
