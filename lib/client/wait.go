package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"namecast/lib/nup"
)

// ErrBehind: not every node of the service has what a packet made, or the server
// does not tell.
var ErrBehind = errors.New("not all nodes have it yet")

// waitPiece is how long a server is asked at a time to hold its reply: long
// enough to ask seldom, short enough for one that forgets to be asked again.
const waitPiece = 10 * time.Second

// WaitAll waits until every node of the service has what packets made that the
// server has accepted, but no longer than a limit. Of each account it asks for the
// last packet, and prints a line for it, one of
//
//	packet 3 insync
//	packet 3 behind
//	packet 3 unknown
//
// where unknown is that the server does not tell. The error is ErrBehind unless all
// are in sync, or one of Exchange or of out.
func WaitAll(ctx context.Context, server string, packets [][]byte, limit time.Duration, out io.Writer, o Options) error {
	end := time.Now().Add(limit)
	reqs := make([]*nup.Request, len(packets))
	last := map[string]int{} // of each key
	for i, p := range packets {
		var err error
		if reqs[i], err = nup.ParseDatagram(p); err != nil {
			return fmt.Errorf("packet %d: %w: %w", i+1, ErrPacket, err)
		}
		if len(reqs[i].Elements) > 0 {
			last[string(reqs[i].Key)] = i
		}
	}
	var behind error
	for i, p := range packets {
		if at, ok := last[string(reqs[i].Key)]; !ok || at != i {
			continue
		}
		word, err := waitOne(ctx, server, p, end, o)
		if err != nil {
			return fmt.Errorf("wait for packet %d: %w", i+1, err)
		}
		if word != insync {
			behind = ErrBehind
		}
		if _, err := fmt.Fprintf(out, "packet %d %s\n", i+1, word); err != nil {
			return fmt.Errorf("write the result of packet %d: %w", i+1, err)
		}
	}
	return behind
}

// Words of a packet's line.
const (
	insync  = "insync"
	behind  = "behind"
	unknown = "unknown"
)

// waitOne asks until the server says that all nodes have it, or the time is over.
func waitOne(ctx context.Context, server string, packet []byte, end time.Time, o Options) (word string, err error) {
	limit := o.filled().Limit
	for {
		left := time.Until(end)
		if left <= 0 {
			return behind, nil
		}
		piece := min(left, waitPiece)
		o.Limit = piece + limit
		reply, err := exchangeWait(ctx, server, packet, piece, o)
		switch {
		case err != nil:
			return "", err
		case reply.Status == nup.StatusTryLater && reply.RetryAfter > 0 && reply.RetryAfter < left:
			if err := pause(ctx, max(reply.RetryAfter, leastRetry)); err != nil {
				return "", err
			}
			continue
		case reply.Sync == nup.InSync:
			return insync, nil
		case reply.Sync == nup.NotAsked:
			return unknown, nil
		}
	}
}
