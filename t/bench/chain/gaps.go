package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/client"
)

// Bounds of row 10.
const (
	watched     = 24                    // chains that are written and read
	watchEvery  = 10 * time.Millisecond // between two of a chain
	failLimit   = 60 * time.Second      // for the cluster to go on, and to be whole again
	failSettled = time.Second           // after the chains have gone on
	failRequest = 5 * time.Second       // for one request, after which the next one is tried
)

// Keys of row 10 look like reservations of keys, of which replicas of nc-serve take no
// notice: one of them follows the same chains.
var (
	gapRead  = []byte("k/bench/read")
	gapWrite = []byte("k/bench/gap")
)

// A watcher does one thing again and again, and remembers the longest time without
// success.
type watcher struct {
	what  string
	chain chain.ID
	do    func(context.Context) error

	mu      sync.Mutex
	last    time.Time // of success
	longest time.Duration
	failed  error // the last failure
}

func (w *watcher) run(ctx context.Context) {
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	for ctx.Err() == nil {
		within, cancel := context.WithTimeout(ctx, failRequest)
		err := w.do(within)
		cancel()
		w.mu.Lock()
		if now := time.Now(); err == nil {
			w.longest, w.last = max(w.longest, now.Sub(w.last)), now
		} else if ctx.Err() == nil {
			w.failed = err
		}
		w.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-t.C:
		}
	}
}

// reset forgets what was before now.
func (w *watcher) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.longest, w.last = 0, time.Now()
}

// gap is the longest time without success since reset, the one that lasts included.
func (w *watcher) gap() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return max(w.longest, time.Since(w.last))
}

// since tells whether there was success after a time.
func (w *watcher) since(t time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last.After(t)
}

// gaps measures row 10: nodes are killed, or frozen as if cut off, one at a time, and
// come back.
func (b *bench) gaps() error {
	c, err := b.cluster("gaps", b.dir, 3, -1)
	if err != nil {
		return err
	}
	names, err := b.startNames(c)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(b.ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	writes, reads, err := c.watchers()
	if err != nil {
		return err
	}
	dns := &watcher{what: "DNS answers", do: names.ask}
	for _, w := range slices.Concat(writes, reads, []*watcher{dns}) {
		running.Go(func() { w.run(ctx) })
	}
	for i := range 2 * b.kills {
		frozen := i%2 == 1
		victim := c.nodes[i/2%len(c.nodes)]
		if err := b.fault(c, victim, frozen, writes, reads, dns); err != nil {
			return fmt.Errorf("%s, time %d: %w", victim.name, i+1, err)
		}
	}
	return nil
}

// watchers write and read some chains.
func (c *cluster) watchers() (writes, reads []*watcher, err error) {
	for i := range watched {
		id := chain.ID(i * chain.Chains / watched)
		if err := c.put(id, gapRead, newValue()); err != nil {
			return nil, nil, err
		}
		value := newValue()
		writes = append(writes, &watcher{what: "writes", chain: id, do: func(ctx context.Context) error {
			_, err := c.client.Propose(ctx, id, chain.Propose{Request: client.NewRequest(), Ops: []chain.Op{{Kind: chain.Put, Key: gapWrite, Value: value}}})
			return err
		}})
		reads = append(reads, &watcher{what: "reads", chain: id, do: func(ctx context.Context) error {
			r, err := c.client.Read(ctx, id, chain.Read{Mode: chain.Strong, Keys: [][]byte{gapRead}})
			if err == nil && len(r.Values[0].Data) != valueSize {
				err = errors.New("a wrong answer")
			}
			return err
		}})
	}
	return writes, reads, nil
}

// fault kills or freezes a node, waits until all chains go on without it, notes for
// how long they did not, and brings it back.
func (b *bench) fault(c *cluster, victim *node, frozen bool, writes, reads []*watcher, dns *watcher) error {
	place := map[chain.ID]int{}
	for _, w := range writes {
		place[w.chain] = slices.IndexFunc(c.row(w.chain).Members, func(m chain.Member) bool { return m.Node == victim.name })
	}
	all := slices.Concat(writes, reads, []*watcher{dns})
	for _, w := range all {
		w.reset()
	}
	how := "killed"
	if frozen {
		how = "frozen"
		victim.signal(syscall.SIGSTOP)
	} else {
		victim.kill()
	}
	if err := c.without(victim.name, all); err != nil {
		return err
	}
	for _, w := range writes {
		if at := place[w.chain]; at >= 0 {
			b.table.add(cell{rowGap, "writes, the " + places[at] + " is " + how, "gap"}, w.gap().Seconds()*1000)
		}
	}
	for _, w := range reads {
		b.table.add(cell{rowGap, "strong reads, a node is " + how, "gap"}, w.gap().Seconds()*1000)
	}
	b.table.add(cell{rowGap, "DNS answers, a node is " + how, "gap"}, dns.gap().Seconds()*1000)
	victim.kill()
	if err := c.start(victim); err != nil {
		return err
	}
	if err := victim.wait(b.ctx, startLimit); err != nil {
		return err
	}
	return errors.Join(c.whole(len(c.nodes), failLimit), sleep(b.ctx, failSettled))
}

// without waits until no chain has a node any more, and every watcher has had
// success after that.
func (c *cluster) without(node string, all []*watcher) error {
	limit := time.Now().Add(failLimit)
	for {
		if !slices.ContainsFunc(c.client.Table().Rows, func(r chain.Row) bool { return !r.Node(node).IsZero() }) {
			break
		}
		if err := sleep(c.b.ctx, 10*time.Millisecond); err != nil || time.Now().After(limit) {
			return errors.Join(err, fmt.Errorf("%s is in the chain table after %s", node, failLimit))
		}
	}
	for gone := time.Now(); ; {
		if !slices.ContainsFunc(all, func(w *watcher) bool { return !w.since(gone) }) {
			return nil
		}
		if err := sleep(c.b.ctx, 10*time.Millisecond); err != nil || time.Now().After(limit) {
			return errors.Join(err, fmt.Errorf("not all chains go on after %s: %w", failLimit, c.failure(all, gone)))
		}
	}
}

// failure is why one of the watchers has had no success.
func (c *cluster) failure(all []*watcher, since time.Time) error {
	for _, w := range all {
		if !w.since(since) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return fmt.Errorf("%s of chain %d, row %+v: last failure: %v", w.what, w.chain, c.row(w.chain), w.failed)
		}
	}
	return nil
}
