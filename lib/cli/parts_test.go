package cli

import (
	"context"
	"errors"
	"testing"
)

// TestParts: the first part that ends ends all, and its error is that of all.
func TestParts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := Parts{End: cancel}
	broken := errors.New("broken")
	p.Run(func() error { <-ctx.Done(); return ctx.Err() })
	p.Run(func() error { return broken })
	p.Wait()
	if !errors.Is(p.Err(), broken) || errors.Is(p.Err(), context.Canceled) {
		t.Errorf("%v", p.Err())
	}
}

// TestCalls: a call is made by who receives it, or not at all.
func TestCalls(t *testing.T) {
	calls, called := make(Calls), false
	go func() { (<-calls)() }()
	if err := calls.Do(t.Context(), func() { called = true }); err != nil || !called {
		t.Errorf("%v, %v", called, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := calls.Do(ctx, func() { t.Error("called") }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
