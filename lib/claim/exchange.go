package claim

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// errUnsure says that the question must be asked again over TCP.
var errUnsure = errors.New("answers that may be forged")

// maxForeign is the number of packets that do not match before UDP is given up.
const maxForeign = 4

// exchange asks one server one question and gives its answer, whatever it says,
// within the time.
func exchange(ctx context.Context, to netip.AddrPort, name rr.Name, qtype uint16, recurse bool, wait time.Duration) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	m, err := exchangeUDP(ctx, to, fresh(name, qtype, recurse))
	if err == nil && !m.Truncated || err != nil && !errors.Is(err, errUnsure) {
		return m, err
	}
	return exchangeTCP(ctx, to, fresh(name, qtype, recurse))
}

func fresh(name rr.Name, qtype uint16, recurse bool) query {
	var e entropy
	rand.Read(e[:])
	return newQuery(name, qtype, recurse, e)
}

// dial connects to a server from a port that the kernel takes at random; the
// connection ends with ctx. The kernel drops what comes from elsewhere.
func dial(ctx context.Context, network string, to netip.AddrPort) (net.Conn, func(), error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, to.String())
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	return conn, func() { stop(); conn.Close() }, nil
}

func exchangeUDP(ctx context.Context, to netip.AddrPort, q query) (*dns.Msg, error) {
	packet, err := q.pack()
	if err != nil {
		return nil, err
	}
	conn, done, err := dial(ctx, "udp", to)
	if err != nil {
		return nil, err
	}
	defer done()
	if _, err := conn.Write(packet); err != nil {
		return nil, err
	}
	buf := make([]byte, 4096)
	for range maxForeign {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, err
		}
		switch m, fit := q.accept(buf[:n]); fit {
		case exact:
			return m, nil
		case recased:
			return nil, errUnsure
		}
	}
	return nil, errUnsure
}

// accept reads a datagram and says how it fits the query.
func (q query) accept(b []byte) (*dns.Msg, fit) {
	m := new(dns.Msg)
	// What is cut off in the middle of a record is an error, but one with the
	// head of an answer whose truncation bit says to ask over TCP.
	if err := m.Unpack(b); err != nil && !m.Truncated {
		return nil, foreign
	}
	return m, q.match(m)
}

func exchangeTCP(ctx context.Context, to netip.AddrPort, q query) (*dns.Msg, error) {
	packet, err := q.pack()
	if err != nil {
		return nil, err
	}
	conn, done, err := dial(ctx, "tcp", to)
	if err != nil {
		return nil, err
	}
	defer done()
	c := &dns.Conn{Conn: conn}
	if _, err := c.Write(packet); err != nil {
		return nil, err
	}
	m, err := c.ReadMsg()
	if err != nil {
		return nil, err
	}
	if q.match(m) == foreign {
		return nil, errors.New("an answer to another question")
	}
	return m, nil
}
