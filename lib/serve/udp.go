package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"namecast/lib/sock"
)

// serveUDP answers on one socket, with buffers that are used again and again.
func (d *DNS) serveUDP(ctx context.Context, c *net.UDPConn) error {
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.SetReadDeadline(time.Now().Add(grace)) })
	defer stop()
	var in, out [maxQuery]byte
	var back sock.Back
	for failures := 0; ; {
		n, err := sock.Receive(c, in[:], &back)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil && failures < 100:
			// An ICMP error of an earlier response may show here; it is
			// nobody's fault and says nothing of the socket.
			failures++
			continue
		case err != nil:
			return fmt.Errorf("receive on udp %s: %w", c.LocalAddr(), err)
		}
		failures = 0
		from := client{overUDP, back.To().Addr().WithZone("")}
		if reply := d.respond(in[:n], from, out[:]); reply != nil {
			// A response that cannot be sent is a lost packet: the client asks again.
			_ = sock.Reply(c, reply, &back)
		}
	}
}
