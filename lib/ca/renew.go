package ca

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"namecast/lib/clock"
	"namecast/lib/private"
)

// retry is how long a renewal that failed waits before the next, at first and at
// most.
const (
	retryFirst = time.Minute
	retryMost  = 15 * time.Minute
)

// A Renewal keeps a member's certificate from ending.
type Renewal struct {
	File string // the member's, which is replaced
	// Dial connects to a node that issues, each time perhaps to another.
	Dial func(context.Context) (net.Conn, error)
	// Renewed is told of the new identity after the file has it.
	Renewed func(Identity)
	// Failed is told why a renewal failed; it will be tried again.
	Failed func(error)
}

// Run renews when it is due, until the context ends.
func (r Renewal) Run(ctx context.Context, id Identity) {
	wait := time.Until(id.Due())
	retry := retryFirst
	for {
		// Members that were made together do not ask together.
		wait = max(0, wait)
		if !clock.Sleep(ctx, wait+rand.N(wait/8+1)) {
			return
		}
		next, err := r.once(ctx, id)
		if err != nil {
			r.Failed(err)
			wait, retry = retry, min(2*retry, retryMost)
			continue
		}
		id, retry = next, retryFirst
		wait = time.Until(id.Due())
		r.Renewed(id)
	}
}

// once renews, and writes the file.
func (r Renewal) once(ctx context.Context, id Identity) (Identity, error) {
	conn, err := r.Dial(ctx)
	if err != nil {
		return Identity{}, err
	}
	next, err := id.Renew(ctx, conn)
	if err != nil {
		return Identity{}, err
	}
	if err := private.Replace(r.File, next.Text()); err != nil {
		return next, fmt.Errorf("replace file %q: %w", r.File, err)
	}
	return next, nil
}
