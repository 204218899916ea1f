package claim

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"namecast/lib/rr"
)

// Why a claim is refused. The text of every error that [Prover.Prove] returns
// is one line for the person who made the claim. ErrTimeout, ErrBusy and
// ErrDisagree may pass by themselves; the others need somebody to act.
var (
	ErrMissing  = errors.New("proof is missing")                 // there is no CNAME record at the name
	ErrTarget   = errors.New("proof points elsewhere")           // it does not point to the base domain
	ErrWildcard = errors.New("proof is a wildcard")              // every account would have one
	ErrTimeout  = errors.New("name servers give no answer")      // silent, refusing, or not public
	ErrDisagree = errors.New("name servers disagree")            // the two runs saw different things
	ErrBogus    = errors.New("DNSSEC validation failed")         // the zone is signed and this does not fit
	ErrDomain   = errors.New("domain cannot be claimed")         // whatever is in the DNS
	ErrBusy     = errors.New("too many claims are being proved") // Limit is reached
)

// Defaults and limits of a Prover.
const (
	DefaultTimeout = 5 * time.Second
	DefaultLimit   = 64
	MaxQueries     = 64 // queries one run may send, retries and look-ups of server names included
)

// errSpent ends a run whose walk is longer than any that is in good order.
var errSpent = fmt.Errorf("%w: finding the proof takes more than %d queries", ErrTimeout, MaxQueries)

// A Prover looks up proofs. Only Base must be set. It is safe for concurrent
// use and must not be copied or changed once used.
type Prover struct {
	Base          rr.Name          // the base domain of the service, where proofs must point
	Resolvers     []netip.AddrPort // recursive servers; by default those of /etc/resolv.conf
	TrustResolver bool             // believe the AD bit of resolvers that are not on loopback
	AllowPrivate  bool             // ask name servers at addresses that are not public
	Port          uint16           // where authoritative servers listen; 0 is 53
	Timeout       time.Duration    // for one Prove; 0 is DefaultTimeout
	Rounds        int              // times a silent server is asked; 0 is 2
	Limit         int              // Proves at one time; 0 is DefaultLimit

	running atomic.Int32
}

// Prove returns nil if the proof of account for domain is published, or one of
// the errors of this package. Account is the account's label as it stands in
// the proof name. Prove takes at most Timeout and no longer than ctx.
func (p *Prover) Prove(ctx context.Context, domain rr.Name, account string) error {
	proof, err := proofName(p.Base, domain, account)
	if err != nil {
		return err
	}
	if int(p.running.Add(1)) > or(p.Limit, DefaultLimit) {
		p.running.Add(-1)
		return fmt.Errorf("%w; try again in a moment", ErrBusy)
	}
	defer p.running.Add(-1)
	resolvers := p.Resolvers
	if len(resolvers) == 0 {
		if resolvers, err = SystemResolvers("/etc/resolv.conf"); err != nil {
			return fmt.Errorf("%w: no resolver: %w", ErrTimeout, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, or(p.Timeout, DefaultTimeout))
	defer cancel()
	var seed [8]byte
	rand.Read(seed[:])
	var errs [2]error
	var runs sync.WaitGroup
	for i := range errs {
		r := &run{
			Prover: p, resolvers: resolvers, proof: proof, index: i,
			seed: binary.BigEndian.Uint64(seed[:]), now: time.Now(),
		}
		r.left.Store(MaxQueries)
		runs.Go(func() { errs[i] = r.prove(ctx) })
	}
	runs.Wait()
	return agree(errs[0], errs[1], proof)
}

// or gives v, or its default where it is not set.
func or[T int | uint16 | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// agree makes one result of the two runs'. What one run knows for certain
// counts for more than that the other heard nothing, except that success needs
// both.
func agree(a, b error, proof rr.Name) error {
	for _, kind := range []error{ErrBogus, ErrWildcard} {
		for _, err := range []error{a, b} {
			if errors.Is(err, kind) {
				return err
			}
		}
	}
	if errors.Is(b, ErrTimeout) {
		a, b = b, a
	}
	switch {
	case errors.Is(a, ErrTimeout) && b != nil:
		return b
	case errors.Is(a, ErrTimeout), a == nil && b == nil:
		return a
	case errors.Is(a, ErrMissing) && errors.Is(b, ErrMissing):
		return a
	case a == nil || b == nil || a.Error() != b.Error():
		return fmt.Errorf("%w about %s: not all of them have the same record; try again later", ErrDisagree, proof)
	}
	return a
}
