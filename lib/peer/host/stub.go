package host

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"namecast/lib/clock"
	"namecast/lib/sock"
)

// How the stub is bounded.
const (
	maxConns  = 256 // TCP connections at a time
	pipelined = 32  // queries of one connection that are under way
	idle      = 10 * time.Second
	writeTime = 2 * time.Second
)

// A desk answers queries, at once or later. Who brings some is inside meanwhile, and is
// alone there; a query's reply is called by who is inside.
type desk interface {
	enter()
	ask(*query)
	leave()
}

// A stub is where programs on this machine ask, over UDP and TCP.
type stub struct {
	udp  []*net.UDPConn
	tcp  []net.Listener
	desk desk

	refused atomic.Uint64 // connections, of which there were too many
}

// listenStub opens the sockets at each of the addresses.
func listenStub(addrs []string, to desk) (*stub, error) {
	s := &stub{desk: to}
	for _, a := range addrs {
		if err := s.listen(a); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// listen opens the sockets of one address. With port 0 it is a free one, the same for
// UDP and TCP.
func (s *stub) listen(addr string) error {
	for tries := 20; ; tries-- { // a free UDP port may not be free for TCP
		udp, err := sock.ListenUDP(addr)
		if err != nil {
			return err
		}
		at, free := addr, false
		if host, port, err := net.SplitHostPort(addr); err == nil && port == "0" {
			free = true
			at = net.JoinHostPort(host, fmt.Sprint(udp[0].LocalAddr().(*net.UDPAddr).Port))
		}
		tcp, err := sock.ListenTCP(at)
		if err == nil {
			s.udp, s.tcp = append(s.udp, udp...), append(s.tcp, tcp...)
			return nil
		}
		for _, c := range udp {
			c.Close()
		}
		if !free || tries == 0 {
			return err
		}
	}
}

// close closes the sockets.
func (s *stub) close() {
	for _, c := range s.udp {
		c.Close()
	}
	for _, l := range s.tcp {
		l.Close()
	}
}

// addrs are where the stub listens.
func (s *stub) addrs() []string {
	var list []string
	for _, l := range s.tcp {
		list = append(list, l.Addr().String())
	}
	return list
}

// serveUDP takes queries from a socket until it is closed.
func (s *stub) serveUDP(c *net.UDPConn) error {
	b, err := sock.NewBatch(c, maxQuery)
	if err != nil {
		return err
	}
	for {
		n, err := b.Receive()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("stub at %v: %w", c.LocalAddr(), err)
		}
		s.takeBatch(c, b, n)
	}
}

// takeBatch takes the queries of a batch. The responses that are there at once leave
// together, when the batch receives again; the other queries keep what they need.
func (s *stub) takeBatch(c *net.UDPConn, b *sock.Batch, n int) {
	began := clock.Boot()
	s.desk.enter()
	defer s.desk.leave()
	for i := range n {
		q := &datagramQuery{conn: c, batch: b, place: i}
		q.began, q.reply = began, q.send
		s.take(&q.query, b.Packet(i))
		q.keep()
	}
}

// A datagramQuery is one that came over UDP.
type datagramQuery struct {
	query
	conn  *net.UDPConn
	batch *sock.Batch // nil: it is on its own now
	place int         // in the batch
	back  sock.Back   // once it is on its own
	sent  bool
}

// send sends the response. One that cannot be sent is a lost packet, whose client asks
// again.
func (q *datagramQuery) send(m []byte) {
	q.sent = true
	switch {
	case len(m) == 0:
	case q.batch != nil:
		q.batch.Reply(q.place, m)
	default:
		_ = sock.Reply(q.conn, m, &q.back)
	}
}

// keep makes a query that is not answered yet outlive its batch.
func (q *datagramQuery) keep() {
	if q.sent {
		return
	}
	q.back, q.batch = q.batch.Back(q.place), nil
	q.question = slices.Clone(q.question)
}

// take has the query in b answered, of which it keeps parts. A limit of 0 is that of UDP.
func (s *stub) take(q *query, b []byte) {
	r, ok := parseRequest(b)
	if !ok {
		q.reply(nil)
		return
	}
	q.request = r
	if q.limit == 0 {
		q.limit = r.size
	}
	if r.rcode != 0 {
		q.fail(r.rcode)
		return
	}
	s.desk.ask(q)
}

// dropped counts the datagrams that came while there was no room for more.
func (s *stub) dropped() (n uint64) {
	for _, c := range s.udp {
		n += sock.Dropped(c)
	}
	return n
}

// serveTCP takes connections until the listener is closed, and returns when they have
// ended.
func (s *stub) serveTCP(ctx context.Context, l net.Listener) error {
	var conns sync.WaitGroup
	defer conns.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slots := make(chan struct{}, maxConns)
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) || ctx.Err() != nil {
			return nil
		}
		if err != nil { // too many files: those that are open will close
			if !clock.Sleep(ctx, 100*time.Millisecond) {
				return nil
			}
			continue
		}
		select {
		case slots <- struct{}{}:
			conns.Go(func() { s.converse(ctx, c); <-slots })
		default:
			s.refused.Add(1)
			c.Close()
		}
	}
}

// converse answers the queries of one connection, each as soon as it can be.
func (s *stub) converse(ctx context.Context, c net.Conn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	// A query has its slot until its response is written, so there is always room
	// for the response, and who brings it does not wait.
	slots, out, done := make(chan struct{}, pipelined), make(chan []byte, pipelined), make(chan struct{})
	var writer sync.WaitGroup
	defer writer.Wait()
	defer close(done)
	writer.Go(func() { writeTCP(c, out, slots, done) })
	for {
		b, err := readTCP(c)
		if err != nil {
			break
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		q := &query{limit: maxMessage, began: clock.Boot(), reply: func(m []byte) { out <- m }}
		s.desk.enter()
		s.take(q, b)
		s.desk.leave()
	}
	// The client may have closed its half of the connection, and wait.
	last := time.NewTimer(idle)
	defer last.Stop()
	for range pipelined {
		select {
		case slots <- struct{}{}:
		case <-last.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// readTCP reads a query, RFC 1035 section 4.2.2.
func readTCP(c net.Conn) ([]byte, error) {
	if err := c.SetReadDeadline(time.Now().Add(idle)); err != nil {
		return nil, err
	}
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(size[:]))
	if n > maxQuery {
		return nil, fmt.Errorf("a query of %d octets", n)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(c, b)
	return b, err
}

// writeTCP writes responses until done is closed. When one cannot be written the
// connection is closed, and the rest are thrown away.
func writeTCP(c net.Conn, out <-chan []byte, slots <-chan struct{}, done <-chan struct{}) {
	for {
		var m []byte
		select {
		case <-done:
			return
		case m = <-out:
		}
		if len(m) > 0 {
			b := append(binary.BigEndian.AppendUint16(make([]byte, 0, len(m)+2), uint16(len(m))), m...)
			if err := errors.Join(c.SetWriteDeadline(time.Now().Add(writeTime)), write(c, b)); err != nil {
				c.Close()
			}
		}
		<-slots
	}
}

func write(c net.Conn, b []byte) error {
	_, err := c.Write(b)
	return err
}

// own are the addresses of the stub, at which it must not ask.
func (s *stub) own() []netip.AddrPort {
	var list []netip.AddrPort
	for _, c := range s.udp {
		list = append(list, c.LocalAddr().(*net.UDPAddr).AddrPort())
	}
	return list
}
