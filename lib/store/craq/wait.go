package craq

import (
	"context"
	"fmt"
	"sync"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/client"
	"namecast/lib/store"
)

// waits are those who wait for the replica to have something.
type waits struct {
	mu       sync.Mutex
	places   [chain.Chains]chain.LSN       // what the replica has
	news     [chain.Chains]chan struct{}   // closed when it has more; nil if nobody waits
	requests map[chain.RequestID]*proposed // under way
}

// A proposed is a write under way.
type proposed struct {
	found    func() // is called when the feed has brought it
	outcome  chain.Outcome
	position store.Position // of the replica then
}

func (w *waits) init() { w.requests = map[chain.RequestID]*proposed{} }

// applied tells those who wait for a record's request what came of it. The first
// outcome of a request counts.
func (w *waits) applied(request chain.RequestID, o chain.Outcome, at store.Position) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.requests[request]; p != nil {
		delete(w.requests, request)
		p.outcome, p.position = o, at
		p.found()
	}
}

// reached tells that the replica has a chain up to an LSN.
func (w *waits) reached(id chain.ID, lsn chain.LSN) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.places[id] = lsn
	if w.news[id] != nil {
		close(w.news[id])
		w.news[id] = nil
	}
}

// reach waits until the replica has a chain up to an LSN.
func (w *waits) reach(ctx context.Context, id chain.ID, lsn chain.LSN) error {
	for {
		w.mu.Lock()
		if w.places[id] >= lsn {
			w.mu.Unlock()
			return nil
		}
		if w.news[id] == nil {
			w.news[id] = make(chan struct{})
		}
		news := w.news[id]
		w.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("%w: waiting for LSN %d of chain %d: %w", store.ErrUnavailable, lsn, id, context.Cause(ctx))
		}
	}
}

// add has found called when a request comes back.
func (w *waits) add(request chain.RequestID, p *proposed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests[request] = p
}

// take ends waiting for a request, and gives what came of it if it came back.
func (w *waits) take(request chain.RequestID, p *proposed) (chain.Outcome, store.Position, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.requests, request)
	return p.outcome, p.position, p.outcome.Verdict != 0
}

// While a chain was not heard of for awayAfter, who brings it a change is kept
// waiting no longer than awayWait: it is better told to try again.
const (
	awayAfter = 2 * time.Second
	awayWait  = 500 * time.Millisecond
)

// patience bounds ctx if the chain is away.
func (s *Store) patience(ctx context.Context, id chain.ID) (context.Context, context.CancelFunc) {
	if s.chain.Stale(id) < awayAfter {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, awayWait)
}

// propose brings a write to its chain and waits until the replica has what came
// of it, or ctx ends. The position is that of the replica when it had it. If it
// is unknown what came of the write, or nothing did, the error wraps
// store.ErrUnavailable. An outcome without an error may not be here yet: then ctx
// has ended.
func (s *Store) propose(ctx context.Context, id chain.ID, conds []chain.Cond, ops []chain.Op) (chain.Outcome, store.Position, error) {
	m := chain.Propose{Request: client.NewRequest(), Conds: conds, Ops: ops}
	asking, found := context.WithCancel(ctx)
	defer found()
	p := &proposed{found: found}
	s.waits.add(m.Request, p)
	outcome, err := s.chain.Propose(asking, id, m)
	if err == nil {
		err = s.waits.reach(ctx, id, outcome.LSN)
		if err != nil && outcome.Verdict == chain.Applied {
			err = nil
		}
	}
	if o, at, ok := s.waits.take(m.Request, p); ok {
		return o, at, nil
	}
	if err != nil {
		return outcome, 0, fmt.Errorf("%w: chain %d: %w", store.ErrUnavailable, id, err)
	}
	return outcome, s.Position(), nil
}
