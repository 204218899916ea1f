package upstream

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

const (
	maxDatagram = 4096 // octets of a reply over UDP; what is longer is asked for over TCP
	maxGuesses  = 8    // replies with a wrong id or question; then somebody guesses
)

// errGuessed says that somebody sends replies in the server's name.
var errGuessed = errors.New("too many wrong replies")

// past is a time that every deadline has gone by.
var past = time.Unix(1, 0)

// buffers hold datagrams while they are read.
var buffers = sync.Pool{New: func() any { return new([maxDatagram + 1]byte) }}

// overUDP asks over UDP, and over TCP if the reply is too long or cannot be told
// from guesses.
func (c *Client) overUDP(ctx context.Context, q query) ([]byte, error) {
	reply, err := c.datagram(ctx, q)
	switch {
	case errors.Is(err, errGuessed):
		return c.overStream(ctx, q)
	case err == nil && truncated(reply):
		if whole, err := c.overStream(ctx, q); err == nil {
			return whole, nil
		}
	}
	return reply, err
}

// datagram asks over UDP, on a socket of its own. The same datagram is sent again
// when nothing has come for a while, in case it was lost.
func (c *Client) datagram(ctx context.Context, q query) ([]byte, error) {
	sock, err := c.dial(ctx, "udp")
	if err != nil {
		return nil, err
	}
	defer sock.Close()
	defer context.AfterFunc(ctx, func() { sock.SetReadDeadline(past) })()
	id, guesses := randomID(), 0
	msg := q.withID(id)
	for wait := resend; ; wait *= 2 {
		if _, err := sock.Write(msg); err != nil {
			return nil, err
		}
		sock.SetReadDeadline(time.Now().Add(wait))
		if ctx.Err() != nil { // its deadline may have been overwritten
			return nil, ctx.Err()
		}
		reply, err := q.await(sock, id, &guesses)
		if !errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil {
			return reply, err
		}
	}
}

// await reads from a connected socket until the reply is there. What else comes is
// counted.
func (q query) await(sock net.Conn, id uint16, guesses *int) ([]byte, error) {
	buf := buffers.Get().(*[maxDatagram + 1]byte)
	defer buffers.Put(buf)
	for {
		n, err := sock.Read(buf[:])
		if err != nil {
			return nil, err
		}
		reply, err := q.accept(append([]byte(nil), buf[:n]...), id)
		if err == nil {
			if n > maxDatagram {
				reply[2] |= 0x02 // the rest of it is lost
			}
			return reply, nil
		}
		if *guesses++; *guesses >= maxGuesses {
			return nil, errGuessed
		}
	}
}
