// Package control is the controller of the chains: the one elected process that
// carries out the steps of package plan. It runs on every node of the cluster,
// campaigns to be elected, and controls for as long as it is.
//
// What it does is decided by a function of the coordinator's picture, the clock
// and what is under way, see mind; a shell around it asks the coordinator and
// the nodes, each question in a goroutine of its own. Nothing is kept that the
// next controller would miss: who has fenced a member, deleted a registration or
// asked for a row to be published may die, or be deposed, at any point, and the
// next one plans from what has come of it.
//
// # Who is to serve no more
//
// A member that is taken out of a chain must be proved to serve no more before
// the row without it is published; package plan lists the proofs. One
// who is heard of, since it is drained or one too many, is asked to stop by a
// Fence, for each chain. A node that is not heard of has its registration deleted,
// once for all of its chains, and its leases are waited for. It is not
// heard of if its registration is gone, or if no renewal of it was seen for
// Config.Suspect; that may be wrong, but then there is a newer renewal, and the
// registration is not deleted. When nobody is heard of at all, it is the coordinator
// who is silent, or this process stood still: see ears.
//
// A node that has ended itself, or registered again, needs neither.
//
// # Who does not hear whom
//
// Two nodes that are both heard of may not hear each other, or one of them may hang
// in its part of a chain. Package plan takes one of them out of the chains that
// would stand still for it. That one is asked to stop; if it does not answer, as
// it may be this node that it does not hear, its registration is deleted
// as if it were not heard of, and it comes back by itself.
package control

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"namecast/lib/chain"
	"namecast/lib/clock"
)

// Config is what a controller needs.
type Config struct {
	Name  string // of this controller's node
	Table Table
	// Fence asks a member not to serve a chain in epochs up to the one given, and
	// returns nil when it has answered that it does not.
	Fence func(context.Context, chain.Member, chain.ID, chain.Epoch) error
	// Copies is how many chains may have a recruit at a time: 32. Moves is how
	// many of those may be chains that have enough members: 8. See plan.Cluster.
	Copies, Moves int
	// Suspect is for how long no renewal of a node has to be seen for it to count
	// as not heard of: 1 s. It must be more than two of its renewals apart.
	Suspect time.Duration
	// Grace is for how long nodes have the time to be heard of again after nothing was
	// heard of anybody for half of Suspect, before one counts as not heard of: 500 ms. It
	// must be more than two renewals of a node apart.
	Grace time.Duration
	// RecruitAfter is for how long the chains of a node that is not heard of wait
	// for it, before another one is recruited: 10 s; see plan.Node.Expected.
	RecruitAfter time.Duration
	// Silence is for how long two nodes must have said that they do not hear each other,
	// as seen here, before chains that need it are taken from one of them: 2 s.
	Silence time.Duration
	// Settle is how long the first table waits for as many nodes as a chain
	// should have members: 2 s. After that one node is enough.
	Settle time.Duration
	// Timeout is for one question to the coordinator or to a node: 1 s.
	Timeout time.Duration
	// Now is the clock's reading since boot, the one that Node.Renewed is of;
	// clock.Boot if it is nil.
	Now   func() time.Duration
	Log   *slog.Logger
	Count *Counters
}

// ErrConfig: a Config without what a controller cannot be without.
var ErrConfig = errors.New("control: a name, a table, a fence and a log are needed")

// complete checks the settings, and sets those that are 0.
func (c Config) complete() (Config, error) {
	if c.Name == "" || c.Table == nil || c.Fence == nil || c.Log == nil {
		return c, ErrConfig
	}
	orInt(&c.Copies, 32)
	orInt(&c.Moves, 8)
	orTime(&c.Suspect, time.Second)
	orTime(&c.Grace, 500*time.Millisecond)
	orTime(&c.RecruitAfter, 10*time.Second)
	orTime(&c.Silence, 2*time.Second)
	orTime(&c.Settle, 2*time.Second)
	orTime(&c.Timeout, time.Second)
	if c.Now == nil {
		c.Now = clock.Boot
	}
	if c.Count == nil {
		c.Count = &Counters{}
	}
	return c, nil
}

func orInt(n *int, other int) {
	if *n == 0 {
		*n = other
	}
}

func orTime(d *time.Duration, other time.Duration) {
	if *d == 0 {
		*d = other
	}
}
