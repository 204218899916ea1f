package serve

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"namecast/lib/sock"
)

// serveUDP answers on one socket, as many datagrams at a time as have come.
func (d *DNS) serveUDP(ctx context.Context, c *net.UDPConn) error {
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.SetReadDeadline(time.Now().Add(grace)) })
	defer stop()
	b, err := sock.NewBatch(c, maxQuery)
	if err != nil {
		return err
	}
	s := new(scratch)
	for {
		n, err := b.Receive()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		now := time.Now()
		for i := range n {
			from := client{overUDP, b.From(i).Addr()}
			if reply := d.respondAt(now, b.Packet(i), from, b.Room(i), s); reply != nil {
				b.Reply(i, reply)
			}
		}
		b.Flush()
	}
}
