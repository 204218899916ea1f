package serve

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"namecast/lib/wire"
)

// serveTCP takes connections until ctx ends, and waits for those it took. With
// a configuration of TLS it speaks that.
func (d *DNS) serveTCP(ctx context.Context, l net.Listener, config *tls.Config) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer l.Close()
	var conns sync.WaitGroup
	defer conns.Wait()
	for {
		c, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // no file descriptors left, or the client is gone already
			pause(ctx)
			continue
		}
		from := peer(c)
		network := prefix(from)
		if !d.conns.enter(network) {
			d.counters.connsRefused.Add(1)
			c.Close()
			continue
		}
		d.counters.conns.Add(1)
		conns.Go(func() {
			defer d.conns.leave(network)
			if config == nil {
				d.serveConn(ctx, c, client{overTCP, from})
			} else if secure := d.handshake(ctx, c, config); secure != nil {
				d.serveConn(ctx, secure, client{overTLS, from})
			}
		})
	}
}

// pause waits a moment, unless ctx ends.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(grace):
	}
}

// serveConn answers the queries of one connection in their order. They may be
// pipelined: responses are held back only while the next query is there already.
func (d *DNS) serveConn(ctx context.Context, c net.Conn, from client) {
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.SetReadDeadline(time.Now().Add(grace)) })
	defer stop()
	in, w := bufio.NewReaderSize(c, maxQuery+2), bufio.NewWriterSize(c, maxQuery)
	out, s := make([]byte, 0, maxQuery), new(scratch)
	for range d.conns.limits.Queries {
		if in.Buffered() == 0 && w.Flush() != nil {
			return
		}
		// One deadline for the whole query, however slowly its octets come.
		// Once ctx has ended, the one that its end set stands.
		if ctx.Err() == nil {
			c.SetDeadline(time.Now().Add(d.conns.limits.Idle))
			if ctx.Err() != nil {
				c.SetReadDeadline(time.Now().Add(grace))
			}
		}
		query, err := readQuery(in)
		if err != nil && !errors.Is(err, errTooLong) {
			break
		}
		reply := d.respondAt(time.Now(), query, from, out, s)
		if reply == nil || writeReply(w, reply) != nil || err != nil {
			break // what is not a query has no place on a connection
		}
	}
	_ = w.Flush() // the client may be gone
}

var errTooLong = errors.New("query too long")

// readQuery reads one message behind its length (RFC 1035 section 4.2.2). The
// octets are good until the next read. Of one that is too long, errTooLong
// comes with the header alone, for which there is no question but an answer.
func readQuery(in *bufio.Reader) ([]byte, error) {
	head, err := in.Peek(2)
	if err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint16(head))
	if size < wire.HeaderSize {
		return nil, io.ErrUnexpectedEOF
	}
	if size > maxQuery {
		head, err = in.Peek(2 + wire.HeaderSize)
		if err == nil {
			err = errTooLong
		}
		return head[min(2, len(head)):], err
	}
	msg, err := in.Peek(2 + size)
	if err != nil {
		return nil, err
	}
	_, err = in.Discard(2 + size)
	return msg[2:], err
}

func writeReply(w *bufio.Writer, reply []byte) error {
	if err := binary.Write(w, binary.BigEndian, uint16(len(reply))); err != nil {
		return err
	}
	_, err := w.Write(reply)
	return err
}

// peer is the client's address.
func peer(c net.Conn) netip.Addr {
	at, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return at.AddrPort().Addr().Unmap().WithZone("")
}

// prefix is the network a client counts with: IPv4 /24, IPv6 /48.
func prefix(a netip.Addr) netip.Prefix {
	bits := 24
	if a.Is6() {
		bits = 48
	}
	p, _ := a.Prefix(bits)
	return p
}

// A crowd counts the connections there are, in all and of each prefix.
type crowd struct {
	mu     sync.Mutex
	limits Limits
	all    int
	of     map[netip.Prefix]int
}

// open sets the limits, with their defaults.
func (c *crowd) open(l Limits) {
	c.mu.Lock()
	defer c.mu.Unlock()
	def := Limits{Conns: 2000, ConnsPerPrefix: 200, Idle: 10 * time.Second, Queries: 1000, Handshake: 5 * time.Second}
	if l.Conns > 0 {
		def.Conns = l.Conns
	}
	if l.ConnsPerPrefix > 0 {
		def.ConnsPerPrefix = l.ConnsPerPrefix
	}
	if l.Idle > 0 {
		def.Idle = l.Idle
	}
	if l.Queries > 0 {
		def.Queries = l.Queries
	}
	if l.Handshake > 0 {
		def.Handshake = l.Handshake
	}
	c.limits, c.of = def, map[netip.Prefix]int{}
}

// enter counts a connection in, or refuses it.
func (c *crowd) enter(p netip.Prefix) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all >= c.limits.Conns || c.of[p] >= c.limits.ConnsPerPrefix {
		return false
	}
	c.all++
	c.of[p]++
	return true
}

func (c *crowd) leave(p netip.Prefix) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if c.of[p]--; c.of[p] == 0 {
		delete(c.of, p)
	}
}

// full reports whether nine tenths of the places are taken.
func (c *crowd) full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all*10 >= c.limits.Conns*9
}

func (c *crowd) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all
}
