package client

import (
	"context"
	"time"

	"namecast/lib/nup"
)

// leastRetry is the shortest wait after a reply that says to try later, however
// little the server asks for.
const leastRetry = 100 * time.Millisecond

// Deliver is Exchange that also does what a server with too much to do asks
// for: if the reply says when to try again and that is within the limit, it
// waits and sends the same bytes again.
func Deliver(ctx context.Context, server string, packet []byte, o Options) (*nup.Reply, error) {
	o = o.filled()
	end := time.Now().Add(o.Limit)
	for {
		reply, err := Exchange(ctx, server, packet, o)
		if err != nil || reply.Status != nup.StatusTryLater || reply.RetryAfter <= 0 {
			return reply, err
		}
		wait := max(reply.RetryAfter, leastRetry)
		if o.Limit = time.Until(end) - wait; o.Limit <= 0 {
			return reply, nil
		}
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// pause waits unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
