package coord

import (
	"context"
	"slices"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// How many writes go in one transaction at most, and how many guards. Etcd takes 128 of
// each.
const (
	together = 112
	guarding = 128
)

// A gathering has writes that wait at the same time written together, each holding
// for itself. When a node dies, or comes, hundreds of rows and reports are due at
// once: one by one they would keep the coordinator so busy that the others could not
// renew their leases.
type gathering struct {
	mu      sync.Mutex
	busy    bool
	waiting []*write
	writer  sync.WaitGroup // which runs while somebody waits
}

// A write is one key that is put while its guards hold.
type write struct {
	guards []guard
	op     clientv3.Op
	gone   <-chan struct{} // closed when nobody waits for it any more
	done   chan struct{}   // closed when the rest is set
	ok     bool
	cells  []cell // if it is not ok
	err    error
}

// do puts one key, as Coord.try does.
func (g *gathering) do(ctx context.Context, c *Coord, what string, guards []guard, op clientv3.Op) (bool, []cell, error) {
	w := &write{guards: guards, op: op, gone: ctx.Done(), done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, w)
	if !g.busy {
		g.busy = true
		g.writer.Go(func() { g.write(context.WithoutCancel(ctx), c, what) })
	}
	g.mu.Unlock()
	select {
	case <-w.done:
		return w.ok, w.cells, w.err
	case <-ctx.Done():
		return false, nil, unavailable(ctx, what, ctx.Err())
	}
}

// write writes until nobody waits.
func (g *gathering) write(ctx context.Context, c *Coord, what string) {
	for {
		batch := g.take()
		if len(batch) == 0 {
			return
		}
		writeAll(ctx, c, what, batch)
		for _, w := range batch {
			close(w.done)
		}
	}
}

// forgotten tells whether nobody waits for a write.
func (w *write) forgotten() bool {
	select {
	case <-w.gone:
		return true
	default:
		return false
	}
}

// take takes writes that can stand in one transaction: the same guard holds for
// all, and no key is put twice. Those that are forgotten are not written: else the
// end of a node would wait for each of them, when it has lost the coordinator or
// closed the connection.
func (g *gathering) take() (batch []*write) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = slices.DeleteFunc(g.waiting, (*write).forgotten)
	guarded, put := map[string]int64{}, map[string]bool{}
	fits := func(w *write) bool {
		more := 0
		for _, x := range w.guards {
			rev, ok := guarded[x.key]
			if ok && rev != x.rev {
				return false
			}
			if !ok {
				more++
			}
		}
		most := len(batch) == together || len(batch) > 0 && len(guarded)+more > guarding
		return !most && !put[string(w.op.KeyBytes())]
	}
	g.waiting = slices.DeleteFunc(g.waiting, func(w *write) bool {
		if !fits(w) {
			return false
		}
		for _, x := range w.guards {
			guarded[x.key] = x.rev
		}
		put[string(w.op.KeyBytes())] = true
		batch = append(batch, w)
		return true
	})
	g.busy = len(batch) > 0
	return batch
}

// writeAll writes a batch in one transaction; or if a guard does not hold, those whose
// guards do, which are fewer.
func writeAll(ctx context.Context, c *Coord, what string, batch []*write) {
	for len(batch) > 0 {
		var guards []guard
		var ops []clientv3.Op
		seen := map[string]bool{}
		for _, w := range batch {
			for _, x := range w.guards {
				if !seen[x.key] {
					seen[x.key] = true
					guards = append(guards, x)
				}
			}
			ops = append(ops, w.op)
		}
		ok, _, cells, err := c.try(ctx, what, guards, ops...)
		if err != nil || ok {
			for _, w := range batch {
				w.ok, w.err = ok, err
			}
			return
		}
		now := make(map[string]cell, len(cells))
		for i, x := range guards {
			now[x.key] = cells[i]
		}
		batch = slices.DeleteFunc(slices.Clone(batch), func(w *write) bool { return !w.holds(now) })
	}
}

// holds tells whether a write's guards hold where the keys are so, which it takes down.
func (w *write) holds(now map[string]cell) bool {
	w.cells = make([]cell, len(w.guards))
	hold := true
	for i, x := range w.guards {
		w.cells[i] = now[x.key]
		hold = hold && w.cells[i].rev == x.rev
	}
	return hold
}
