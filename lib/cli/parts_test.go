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
