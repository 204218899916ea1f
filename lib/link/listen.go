package link

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"sync"
	"time"

	"namecast/lib/ca"
	"namecast/lib/clock"
)

// pause is how long Serve waits when there are no file descriptors left.
const pause = 20 * time.Millisecond

// Serve takes connections until the context ends, which is no error, or the
// listener does. It closes the listener, and returns when all that it took have
// ended.
func (n *Net) Serve(ctx context.Context, l net.Listener) error {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	defer l.Close()
	var conns sync.WaitGroup
	defer conns.Wait()
	config := n.config.Credentials.server()
	places := make(chan struct{}, n.config.Limits.Conns)
	for {
		raw, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				raw.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // no file descriptors left, or the peer is gone already
			clock.Sleep(ctx, pause)
			continue
		}
		select {
		case places <- struct{}{}:
			conns.Go(func() {
				defer func() { <-places }()
				n.accept(ctx, raw, config)
			})
		default:
			n.config.Failed("", raw.RemoteAddr().String(), errFull)
			raw.Close()
		}
	}
}

var errFull = errors.New("too many connections")

// accept is the life of one connection that was dialled from elsewhere.
func (n *Net) accept(ctx context.Context, raw net.Conn, config *tls.Config) {
	defer raw.Close()
	life, end := context.WithCancelCause(ctx)
	defer end(nil)
	secure := tls.Server(newWire(raw), config)
	c, err := n.shake(life, secure, end)
	if err != nil {
		if ctx.Err() == nil {
			n.config.Failed("", raw.RemoteAddr().String(), err)
		}
		return
	}
	if c != nil {
		n.serve(life, c)
		return
	}
	var peer *x509.Certificate
	if certs := secure.ConnectionState().PeerCertificates; len(certs) > 0 {
		peer = certs[0]
	}
	if n.config.Issue != nil {
		n.config.Issue(life, secure, peer)
	}
}

// shake makes a connection of what was accepted, within the limit of time; nil if
// the peer wants a certificate.
func (n *Net) shake(ctx context.Context, secure *tls.Conn, end context.CancelCauseFunc) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, n.config.Limits.Handshake)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	if secure.ConnectionState().NegotiatedProtocol == ca.Protocol {
		return nil, nil
	}
	return n.answer(ctx, secure, end)
}
