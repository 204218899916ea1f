package client

import (
	"sync/atomic"
	"time"

	"namecast/lib/chain"
	"namecast/lib/clock"
)

// freshness is when each chain was current last, since boot.
type freshness [chain.Chains]atomic.Int64

func (f *freshness) init() {
	for i := range f {
		f[i].Store(-1)
	}
}

// Stale is how old the copy of a chain that Follow keeps can be at most: it held all
// that was committed so long ago. Never if it is not known to have been current since
// the client was made.
func (c *Client) Stale(id chain.ID) time.Duration { return c.fresh.stale(id, clock.Boot()) }

// MaxStale is the staleness of the chain that is worst, and which one that is.
func (c *Client) MaxStale() (time.Duration, chain.ID) {
	now := clock.Boot()
	worst, of := time.Duration(-1), chain.ID(0)
	for id := range chain.ID(chain.Chains) {
		if d := c.fresh.stale(id, now); d > worst {
			worst, of = d, id
		}
	}
	return worst, of
}

func (f *freshness) stale(id chain.ID, now time.Duration) time.Duration {
	at := f[id].Load()
	if at < 0 {
		return Never
	}
	return now - time.Duration(at)
}
