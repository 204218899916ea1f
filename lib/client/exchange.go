package client

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"namecast/lib/nup"
)

// maxDatagram is more than any UDP datagram carries.
const maxDatagram = 65535

// errTimeUp ends an exchange in which the network said nothing at all.
var errTimeUp = errors.New("time is up")

// An exchange is one packet under way. Its goroutines, one reader a socket, end
// in close.
type exchange struct {
	o       Options
	server  string
	packet  []byte
	accept  func([]byte) *nup.Reply // nil if it is not the reply
	begun   time.Time
	peers   []*peer
	events  chan event
	done    chan struct{}
	readers sync.WaitGroup
	strange int   // datagrams that were not the reply
	cause   error // the last trouble that the network told of
}

// A peer is one address of the server; conn is nil until it can be asked.
type peer struct {
	addr netip.AddrPort
	conn net.Conn
}

// An event is what a socket had to say: a datagram or an error.
type event struct {
	from     *peer
	datagram []byte
	err      error
}

// run asks the addresses in turn, again and again, until a reply comes or ctx
// ends.
func (x *exchange) run(ctx context.Context) (*nup.Reply, error) {
	for wait := firstWait; ; wait = min(2*wait, longWait) {
		sent := false
		for i, p := range x.peers {
			if err := x.send(ctx, p); err != nil {
				x.cause = plain(err)
				if errors.Is(err, syscall.EMSGSIZE) {
					return nil, fmt.Errorf("%w: %d octets: %w", ErrPacket, len(x.packet), x.cause)
				}
				continue
			}
			sent = true
			last := i == len(x.peers)-1
			if reply, err := x.await(ctx, p, wait, last); reply != nil || err != nil {
				return reply, err
			}
		}
		if !sent {
			return nil, x.cause // no address can be reached from here: waiting does not help
		}
	}
}

// send puts the packet on the way to p once.
func (x *exchange) send(ctx context.Context, p *peer) error {
	if waited := time.Since(x.begun); waited >= quiet {
		x.o.Progress(waited, x.cause)
	}
	if p.conn == nil {
		conn, err := x.o.dial(ctx, p.addr)
		if err != nil {
			return err
		}
		p.conn = conn
		x.readers.Go(func() { x.read(p, conn) })
	}
	_, err := p.conn.Write(x.packet)
	if soft(err) {
		// The error is about the datagram before: the kernel hands it over once.
		x.cause = plain(err)
		_, err = p.conn.Write(x.packet)
	}
	return err
}

// await waits for the reply, from any address asked so far. It returns early,
// without one, if the peer just asked is known not to listen and another is
// left to try.
func (x *exchange) await(ctx context.Context, asked *peer, wait time.Duration, last bool) (*nup.Reply, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, cmp.Or(x.cause, errTimeUp)
		case <-timer.C:
			return nil, nil
		case e := <-x.events:
			if reply := x.hear(e); reply != nil {
				return reply, nil
			}
			if e.err != nil && e.from == asked && !last {
				return nil, nil
			}
		}
	}
}

// hear judges one event.
func (x *exchange) hear(e event) *nup.Reply {
	if e.err != nil {
		x.cause = plain(e.err)
		return nil
	}
	reply := x.accept(e.datagram)
	if reply == nil {
		x.strange++
	}
	return reply
}

// read passes on what comes to one socket until the socket is closed.
func (x *exchange) read(p *peer, conn net.Conn) {
	buf := make([]byte, maxDatagram)
	for {
		n, err := conn.Read(buf)
		select {
		case <-x.done:
			return
		case x.events <- event{from: p, datagram: bytes.Clone(buf[:n]), err: err}:
		}
		if err != nil && !soft(err) {
			return
		}
	}
}

// close ends the readers and waits for them.
func (x *exchange) close() {
	close(x.done)
	for _, p := range x.peers {
		if p.conn != nil {
			p.conn.Close()
		}
	}
	x.readers.Wait()
}

// soft reports whether the socket goes on after err: an ICMP message came for
// an earlier datagram, and the server may be back by the next.
func soft(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
}

// plain takes the operation and the addresses off a network error, which
// NoAnswerError tells anyway.
func plain(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
