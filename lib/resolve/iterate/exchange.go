package iterate

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"namecast/lib/rr"
)

// udpSize is what a server may send in a datagram: no network fragments it (DNS flag day
// 2020).
const udpSize = 1232

// Ask is an [Exchange] by UDP, and by TCP if the response is cut off. Each query leaves
// from a socket of its own, and so from a random port; a datagram that answers another
// question is not heard.
func Ask(ctx context.Context, server netip.AddrPort, query []byte) ([]byte, error) {
	a, err := datagram(ctx, server, query)
	if err != nil || a[2]&2 == 0 { // TC
		return a, err
	}
	return stream(ctx, server, query)
}

// dial opens a socket that closes when the context ends, which is how a read is broken off.
func dial(ctx context.Context, network string, server netip.AddrPort) (net.Conn, func(), error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, server.String())
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	return c, func() { stop(); c.Close() }, nil
}

func datagram(ctx context.Context, server netip.AddrPort, query []byte) ([]byte, error) {
	c, done, err := dial(ctx, "udp", server)
	if err != nil {
		return nil, err
	}
	defer done()
	if _, err := c.Write(query); err != nil {
		return nil, ended(ctx, err)
	}
	// A larger datagram than was allowed is read whole: some servers send it.
	b := make([]byte, 65535)
	for {
		n, err := c.Read(b)
		if err != nil {
			return nil, ended(ctx, err)
		}
		if answers(query, b[:n]) {
			return bytes.Clone(b[:n]), nil
		}
	}
}

func stream(ctx context.Context, server netip.AddrPort, query []byte) ([]byte, error) {
	c, done, err := dial(ctx, "tcp", server)
	if err != nil {
		return nil, err
	}
	defer done()
	if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)); err != nil {
		return nil, ended(ctx, err)
	}
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, ended(ctx, err)
	}
	b := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		return nil, ended(ctx, err)
	}
	if !answers(query, b) {
		return nil, errors.New("the response is to another query")
	}
	return b, nil
}

// ended is the error of the context if that ended the work.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// answers tells whether a datagram is a response to a query: its id is the same, and its
// question, as far as it has one. A response without one is for a server to send that did
// not understand the query.
func answers(query, b []byte) bool {
	if len(b) < 12 || b[2]&0x80 == 0 || !bytes.Equal(b[:2], query[:2]) {
		return false
	}
	if b[4] == 0 && b[5] == 0 {
		return true
	}
	end := 12
	for end < len(query) && query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5
	return end <= len(query) && len(b) >= end && rr.Name(b[12:end-4]).Equal(rr.Name(query[12:end-4])) && bytes.Equal(b[end-4:end], query[end-4:end])
}
