package cli

import (
	"context"
	"errors"
	"sync"
)

// Parts are the goroutines of a daemon, of which each has to last: when the first ends,
// End is called, so that all do.
type Parts struct {
	sync.WaitGroup
	End context.CancelFunc

	mu  sync.Mutex
	err error
}

// Run starts a part. Its error is kept, unless it only says that it was told to end.
func (p *Parts) Run(part func() error) {
	p.Go(func() {
		if err := part(); err != nil && !errors.Is(err, context.Canceled) {
			p.mu.Lock()
			p.err = errors.Join(p.err, err)
			p.mu.Unlock()
		}
		p.End()
	})
}

// Err is why parts ended by themselves; it is for after Wait.
func (p *Parts) Err() error { return p.err }

// Calls are functions that one goroutine calls for others.
type Calls chan func()

// Do has the goroutine that receives from the channel call a function, and waits until
// it has. The error is ctx's.
func (c Calls) Do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case c <- func() { f(); close(done) }:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
