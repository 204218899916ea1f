package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/frame"
)

// within makes calls on a connection fail when the context ends.
func within(ctx context.Context, c net.Conn) (stop func() bool) {
	return context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
}

// greet is the handshake of the side that has dialled a node. What was dialled for
// any node is kept from then on.
func (n *Net) greet(ctx context.Context, raw net.Conn, p place, end context.CancelCauseFunc) (c *Conn, err error) {
	secure := tls.Client(newWire(raw), n.config.Credentials.client())
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	c, err = n.newPeer(secure, end)
	if err != nil {
		return nil, err
	}
	c.Peer.Class, c.Peer.Dialed = p.class, true
	at := c.place()
	if !p.takes(at) {
		return nil, fmt.Errorf("%w: it is %s, not node %s", ErrRefused, c.Peer.Name, p.id)
	}
	if p.id == "" {
		// The peer would end the connection that is kept for this one.
		if !n.keep(at) {
			return nil, fmt.Errorf("%w: with %s for class %s", ErrKept, c.Peer.Name.ID, p.class)
		}
		defer func() {
			if err != nil {
				n.release(at)
			}
		}()
	}
	defer within(ctx, secure)()
	mine := n.handshake(p.class)
	if err := c.say(frame.TypeHandshake, frame.AppendHandshake(nil, mine)); err != nil {
		return nil, err
	}
	theirs, err := c.hear()
	if err != nil {
		return nil, err
	}
	return c, errors.Join(c.agree(mine, theirs), n.admit(c.Peer))
}

// answer is the handshake of the side that was dialled, behind that of TLS; it
// ends with the connection in its place. A peer that is refused is told why.
func (n *Net) answer(ctx context.Context, secure *tls.Conn, end context.CancelCauseFunc) (*Conn, error) {
	c, err := n.newPeer(secure, end)
	if err != nil {
		return nil, err
	}
	defer within(ctx, secure)()
	theirs, err := c.hear()
	if err != nil {
		return nil, err
	}
	mine := n.handshake(theirs.Class)
	c.Peer.Class = theirs.Class
	err = c.agree(mine, theirs)
	if err == nil {
		err = n.wanted(c.Peer)
	}
	if err == nil {
		err = n.admit(c.Peer)
	}
	if err != nil {
		return nil, c.refuse(frame.ByeRefused, err)
	}
	if err := n.enter(ctx, c); err != nil {
		return nil, c.refuse(frame.ByeFull, err)
	}
	if err := c.say(frame.TypeHandshake, frame.AppendHandshake(nil, mine)); err != nil {
		n.leave(c)
		return nil, err
	}
	return c, nil
}

// refuse tells the peer why it is refused.
func (c *Conn) refuse(code frame.Code, err error) error {
	bye := frame.Bye{Code: code, Reason: err.Error()}
	return errors.Join(err, c.say(frame.TypeBye, frame.AppendBye(nil, bye)))
}

// newPeer makes a connection to whom the certificates name.
func (n *Net) newPeer(secure *tls.Conn, end context.CancelCauseFunc) (*Conn, error) {
	cs := secure.ConnectionState()
	name, err := n.config.Credentials.current.Load().Verify(cs.PeerCertificates, time.Now())
	if err != nil {
		return nil, err
	}
	c := newConn(secure, n.config.Limits, end)
	c.Peer = Peer{Name: name, Pin: ca.PinOf(cs.PeerCertificates[0]), Addr: secure.RemoteAddr().String()}
	c.trust = n.config.Credentials.trust(cs.PeerCertificates)
	return c, nil
}

// wanted refuses those that have dialled in vain: only nodes replicate, and of two
// nodes one dials.
func (n *Net) wanted(p Peer) error {
	me := n.config.Credentials.current.Load().Name
	switch p.Class {
	case frame.ClassFeed, frame.ClassClient:
		return nil
	case frame.ClassChain:
		if p.Name.Role == ca.Node && DialsChain(p.Name.ID, me.ID) {
			return nil
		}
	}
	return fmt.Errorf("%w: %s dials %s for class %s", ErrRefused, p.Name, me, p.Class)
}

func (n *Net) admit(p Peer) error {
	if n.config.Admit == nil {
		return nil
	}
	if err := n.config.Admit(p); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return nil
}

// agree writes down what the two sides have in common.
func (c *Conn) agree(mine, theirs frame.Handshake) error {
	var err error
	c.Peer.Incarnation = chain.Incarnation(theirs.Incarnation)
	c.Peer.Version, c.Peer.Features, err = frame.Agree(mine, theirs)
	return err
}

// say writes one frame past the queue.
func (c *Conn) say(t frame.Type, body []byte) error {
	b, err := frame.Append(nil, frame.Header{Type: t}, body)
	if err == nil {
		_, err = c.conn.Write(b)
	}
	return err
}

// hear reads the other side's handshake.
func (c *Conn) hear() (frame.Handshake, error) {
	f, err := c.frames.Next()
	if err != nil {
		return frame.Handshake{}, err
	}
	switch f.Type {
	case frame.TypeHandshake:
		return frame.ParseHandshake(f.Body)
	case frame.TypeBye:
		bye, err := frame.ParseBye(f.Body)
		if err != nil {
			return frame.Handshake{}, err
		}
		return frame.Handshake{}, bye
	}
	return frame.Handshake{}, fmt.Errorf("%w: type %d before the handshake", ErrUnexpected, f.Type)
}
