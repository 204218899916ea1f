package link

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain/frame"
	"namecast/lib/clock"
)

// Keep keeps a connection of a class with a node at an address, "host:port", until
// the context ends: when there is none, it dials, at once and then with back-off.
// ErrKept if another call does so, ErrRefused if it is the other node that dials.
func (n *Net) Keep(ctx context.Context, class frame.Class, node, addr string) error {
	me := n.config.Credentials.current.Load().Name
	if class == frame.ClassChain && (me.Role != ca.Node || !DialsChain(me.ID, node)) {
		return fmt.Errorf("%w: %s does not dial %s for class %s", ErrRefused, me, node, class)
	}
	p := place{class, ca.Node, node, true}
	if !n.keep(p) {
		return fmt.Errorf("%w: with %s for class %s", ErrKept, node, class)
	}
	defer n.release(p)
	return n.redial(ctx, p, addr)
}

// KeepAt is Keep for whatever node is at an address: its certificate tells which
// one that is, each time anew. Where a connection with that node is kept by another
// call, none comes about: Failed is told ErrKept, with an empty node, and the
// address is dialled again. ErrRefused for class chain, where the names tell who dials.
func (n *Net) KeepAt(ctx context.Context, class frame.Class, addr string) error {
	if class == frame.ClassChain {
		return fmt.Errorf("%w: %s is dialled by name for class %s", ErrRefused, addr, class)
	}
	return n.redial(ctx, place{class, ca.Node, "", true}, addr)
}

// redial dials until the context ends, with back-off.
func (n *Net) redial(ctx context.Context, p place, addr string) error {
	b := backoff{first: n.config.Limits.First, most: n.config.Limits.Most}
	for {
		lived, err := n.dial(ctx, p, addr)
		if err != nil && ctx.Err() == nil {
			n.config.Failed(p.id, addr, err)
		}
		if !clock.Sleep(ctx, b.next(lived, rand.Float64())) {
			return ctx.Err()
		}
	}
}

func (n *Net) keep(p place) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.kept[p] != nil {
		return false
	}
	n.kept[p] = make(chan struct{})
	return true
}

func (n *Net) release(p place) {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.kept[p])
	delete(n.kept, p)
}

// unkept gives what is closed when a place is not kept any more.
func (n *Net) unkept(p place) <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if kept := n.kept[p]; kept != nil {
		return kept
	}
	free := make(chan struct{})
	close(free)
	return free
}

// dial makes one connection and stays until it ends; it tells how long that was,
// or why it has not come about.
func (n *Net) dial(ctx context.Context, p place, addr string) (lived time.Duration, err error) {
	life, end := context.WithCancelCause(ctx)
	defer end(nil)
	c, err := n.connect(life, p, addr, end)
	if err != nil {
		return 0, err
	}
	if p.id == "" {
		defer n.release(c.place())
	}
	if err := n.enter(life, c); err != nil {
		abandon(c.conn)
		return 0, err
	}
	n.serve(life, c)
	return time.Since(c.Since), nil
}

// connect dials and shakes hands within the limit of time.
func (n *Net) connect(ctx context.Context, p place, addr string, end context.CancelCauseFunc) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, n.config.Limits.Handshake)
	defer cancel()
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c, err := n.greet(ctx, raw, p, end)
	if err != nil {
		raw.Close()
		return nil, err
	}
	return c, nil
}

// A backoff is how long to wait before one dials again: random, up to a bound that
// doubles with every attempt and starts anew after a connection that has lasted.
type backoff struct {
	first, most time.Duration
	bound       time.Duration
}

// lasted is how long a connection must have been there, in multiples of the
// longest bound, to count as good.
const lasted = 2

// next tells how long to wait after a connection that lived so long, 0 if it has
// not come about; random is in [0, 1).
func (b *backoff) next(lived time.Duration, random float64) time.Duration {
	if b.bound == 0 || lived > lasted*b.most {
		b.bound = b.first
	}
	wait := b.bound/2 + time.Duration(random*float64(b.bound)/2)
	b.bound = min(2*b.bound, b.most)
	return wait
}
