package link

import (
	"context"
	"crypto/x509"
	"net"
	"sync"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/frame"
)

// A Config says who this member is and what becomes of what others say.
type Config struct {
	Credentials *Credentials
	Incarnation chain.Incarnation // of this process; not zero
	Features    frame.Features    // that this program has
	Required    frame.Features    // of them, those that every peer must have
	Limits      Limits

	// Handle gets the frames of a connection in their order, each good until
	// Handle returns; while it works, the peer's next frame waits. It runs for
	// several connections at once.
	Handle func(*Conn, frame.Frame)
	// Up is told of a connection before its first frame is handled, and Down of
	// its end and the cause after the last one. Of one peer, class and side that
	// has dialled, the next Up comes after the Down before.
	Up   func(*Conn)
	Down func(*Conn, error)
	// Failed is told of connections that did not come about: of a node that was
	// dialled, or with an empty node of an address that has dialled.
	Failed func(node, addr string, err error)
	// Admit, unless it is nil, refuses peers by its error.
	Admit func(Peer) error
	// Issue, unless it is nil, is given the connections of those that join or
	// renew: with the certificate, already verified, or nil. It closes them.
	Issue func(ctx context.Context, c net.Conn, peer *x509.Certificate)
}

// A Net is all connections of a member. All methods are for any goroutine.
type Net struct {
	config Config

	mu    sync.Mutex
	conns map[place]*Conn
	kept  map[place]chan struct{} // closed when it is not kept any more
}

// A place is what there is one connection for.
type place struct {
	class  frame.Class
	role   ca.Role
	id     string // "" in what is dialled for any
	dialed bool
}

// takes tells whether a connection of a place is what was dialled for.
func (p place) takes(c place) bool {
	if p.id == "" {
		p.id = c.id
	}
	return p == c
}

// New makes a net without connections.
func New(c Config) *Net {
	c.Limits = c.Limits.filled()
	return &Net{config: c, conns: map[place]*Conn{}, kept: map[place]chan struct{}{}}
}

// Conn gives the connection of a class with a node, whichever side has dialled it,
// or nil if there is none now.
func (n *Net) Conn(class frame.Class, node string) *Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c := n.conns[place{class, ca.Node, node, true}]; c != nil {
		return c
	}
	return n.conns[place{class, ca.Node, node, false}]
}

// Conns gives all connections, in no order.
func (n *Net) Conns() []*Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]*Conn, 0, len(n.conns))
	for _, c := range n.conns {
		all = append(all, c)
	}
	return all
}

// Send sends a message to a node on class chain; see Conn.Send.
func (n *Net) Send(node string, e chain.Envelope) error {
	c := n.Conn(frame.ClassChain, node)
	if c == nil {
		return ErrDown
	}
	return c.Send(e)
}

// DialsChain tells which of two nodes dials the other for class chain.
func DialsChain(from, to string) bool { return from < to }

// handshake is what this member says of itself.
func (n *Net) handshake(class frame.Class) frame.Handshake {
	return frame.Handshake{
		Oldest: frame.OldestVersion, Newest: frame.NewestVersion,
		Features: n.config.Features, Required: n.config.Required,
		Class: class, Incarnation: uint64(n.config.Incarnation),
	}
}

func (c *Conn) place() place {
	return place{c.Peer.Class, c.Peer.Name.Role, c.Peer.Name.ID, c.Peer.Dialed}
}

// enter makes the connection the one of its place. One that is there already ends
// first; ErrReplaced if that is the newer one, and the context's error if its
// handler takes too long.
func (n *Net) enter(ctx context.Context, c *Conn) error {
	for {
		n.mu.Lock()
		old := n.conns[c.place()]
		switch {
		case old == nil:
			n.conns[c.place()] = c
			n.mu.Unlock()
			return nil
		case old.Peer.Incarnation > c.Peer.Incarnation:
			n.mu.Unlock()
			return ErrReplaced
		}
		n.mu.Unlock()
		old.end(ErrReplaced)
		select {
		case <-old.gone:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// serve is the life of a connection that has entered its place.
func (n *Net) serve(ctx context.Context, c *Conn) {
	n.config.Up(c)
	err := c.run(ctx, n.config.Handle)
	n.config.Down(c, err)
	n.leave(c)
}

// leave takes the connection out of its place.
func (n *Net) leave(c *Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c.place())
	close(c.gone)
}
