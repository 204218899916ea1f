package host

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"namecast/lib/chain"
)

// ErrNotThere: the member that is to be fenced cannot be reached.
var ErrNotThere = errors.New("no connection with the member")

// Fence has a member stop serving a chain in epochs up to the given one, for the
// controller of this node. With no error the member has stopped, or its whole
// incarnation has; with any other, nobody knows. It waits until the context ends.
func (h *Host) Fence(ctx context.Context, m chain.Member, id chain.ID, epoch chain.Epoch) error {
	if m.Node == h.config.Name {
		return h.fenceHere(ctx, m, id, epoch)
	}
	l := h.life.Load()
	if l == nil {
		return fmt.Errorf("fence %v: %w", m, ErrNotThere)
	}
	p := l.nodes.get(m.Node)
	if p == nil || p.conn.Peer.Incarnation != m.Inc {
		return fmt.Errorf("fence %v: %w", m, ErrNotThere)
	}
	f := &fencing{from: p, epoch: epoch, done: make(chan struct{})}
	number := l.fences.add(f)
	defer l.fences.drop(number)
	if err := p.send(chain.Envelope{Chain: id, Body: chain.Fence{ID: number, Epoch: epoch}}); err != nil {
		return fmt.Errorf("fence %v: %w", m, err)
	}
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("fence %v: %w", m, ctx.Err())
	}
}

// fenceHere fences a replica of this node.
func (h *Host) fenceHere(ctx context.Context, m chain.Member, id chain.ID, epoch chain.Epoch) error {
	h.mu.Lock()
	ended := h.ended
	h.mu.Unlock()
	if m.Inc <= ended {
		return nil
	}
	l := h.life.Load()
	if l == nil || l.self != m {
		return fmt.Errorf("fence %v: %w", m, ErrNotThere)
	}
	o, done := l.loop(id), make(chan struct{})
	asked := o.put(input{do: func() {
		if o.dead == nil {
			o.fence(o.seat(id), 0, chain.Fence{Epoch: epoch})
		}
		close(done) // a loop that is dead serves nothing
	}})
	if !asked {
		return nil // its loops have ended
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("fence %v: %w", m, ctx.Err())
	}
}

// fences are the Fences that wait for their answers.
type fences struct {
	mu      sync.Mutex
	last    uint64
	waiting map[uint64]*fencing
}

type fencing struct {
	from  *peer
	epoch chain.Epoch
	done  chan struct{}
}

func (f *fences) add(w *fencing) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.waiting == nil {
		f.waiting = map[uint64]*fencing{}
	}
	f.last++
	f.waiting[f.last] = w
	return f.last
}

func (f *fences) drop(id uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.waiting, id)
}

// answered takes in an answer, which counts from whom was asked alone.
func (f *fences) answered(from *peer, m chain.FenceReply) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w := f.waiting[m.ID]; w != nil && w.from == from && m.Epoch >= w.epoch {
		delete(f.waiting, m.ID)
		close(w.done)
	}
}
