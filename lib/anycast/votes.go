package anycast

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"namecast/lib/limit"
	"namecast/lib/quorum"
)

// A node votes every few seconds for each prefix. An address may have so many
// datagrams looked at, which costs the check of a signature each.
var voteRate = limit.Rate{N: 50, Per: time.Second}

const (
	voteBurst  = 100
	voteSource = 1024 // addresses that have a budget of their own
)

// hearVotes opens the socket for votes of other nodes.
func hearVotes(at netip.AddrPort) (*net.UDPConn, error) {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, fmt.Errorf("listen for votes at %s: %w", at, err)
	}
	return c, nil
}

// takeVotes hands on what is signed by a node of the list until ctx ends.
func takeVotes(ctx context.Context, c *net.UDPConn, nodes quorum.Nodes, to chan<- quorum.Vote, log *slog.Logger) error {
	defer context.AfterFunc(ctx, func() { c.Close() })()
	budget := limit.New(voteRate, voteBurst, voteSource)
	buf := make([]byte, quorum.MaxDatagram+1)
	for {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("hear votes: %w", err)
		case err != nil:
			continue // an ICMP message about what others have sent
		}
		if budget.Take(from.Addr().Unmap().String(), time.Now()) > 0 {
			continue
		}
		v, err := nodes.OpenVote(buf[:n])
		if err != nil {
			log.Debug("vote refused", "from", from, "error", err)
			continue
		}
		select {
		case to <- v:
		case <-ctx.Done():
			return nil
		}
	}
}
