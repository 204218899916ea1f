package craq

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/client"
)

// chains are all chains in memory, as the sum of their members: what is proposed
// is committed at once.
type chains struct {
	mu   sync.Mutex
	all  [chain.Chains]memoryChain
	news chan struct{} // closed when there is more
	down bool          // nothing is answered
	cut  bool          // nothing is fed
	// lose is how many of a hundred writes have no answer.
	lose int
	r    *rand.Rand
	seen map[string][]chain.LSN // what each feed has of every chain
}

type memoryChain struct {
	records  []chain.Record // from first on
	outcomes []chain.Outcome
	first    chain.LSN
	before   chain.Hash // of the record before first
	last     chain.LSN
	hash     chain.Hash
	items    map[string]chain.Item
	requests map[chain.RequestID]chain.Outcome
}

func newChains() *chains {
	c := &chains{news: make(chan struct{}), r: rand.New(rand.NewPCG(1, 2)), seen: map[string][]chain.LSN{}}
	for i := range c.all {
		c.all[i] = memoryChain{first: 1, items: map[string]chain.Item{}, requests: map[chain.RequestID]chain.Outcome{}}
	}
	return c
}

// set changes how the chains behave.
func (c *chains) set(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.news)
	c.news = make(chan struct{})
}

// write makes a record of a proposal.
func (c *chains) write(id chain.ID, m chain.Propose) (chain.Outcome, error) {
	if err := chain.Check(m.Conds, m.Ops); err != nil {
		return chain.Outcome{}, err
	}
	x := &c.all[id]
	if o, ok := x.requests[m.Request]; ok {
		return o, nil
	}
	rec := chain.Record{LSN: x.last + 1, Epoch: 1, Request: m.Request, Conds: m.Conds, Ops: m.Ops}
	rec.Hash = rec.Sum(x.hash)
	o := x.judge(&rec)
	if o.Verdict == chain.Applied {
		for _, op := range rec.Ops {
			if op.Kind == chain.Delete {
				delete(x.items, string(op.Key))
			} else {
				x.items[string(op.Key)] = chain.Item{Key: op.Key, Value: op.Value, Version: rec.LSN}
			}
		}
	}
	x.records, x.outcomes = append(x.records, rec), append(x.outcomes, o)
	x.last, x.hash, x.requests[m.Request] = rec.LSN, rec.Hash, o
	close(c.news)
	c.news = make(chan struct{})
	return o, nil
}

func (x *memoryChain) judge(rec *chain.Record) chain.Outcome {
	for i, cond := range rec.Conds {
		item, found := x.items[string(cond.Key)]
		if cond.Kind == chain.AtVersion && item.Version != cond.Version || cond.Kind == chain.Exists && !found {
			return chain.Outcome{Verdict: chain.Conflict, LSN: rec.LSN, Cond: uint32(i), Version: item.Version}
		}
	}
	return chain.Outcome{Verdict: chain.Applied, LSN: rec.LSN}
}

// forget has all chains keep no log.
func (c *chains) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.all {
		x := &c.all[i]
		x.first, x.before, x.records, x.outcomes = x.last+1, x.hash, nil, nil
	}
}

// A handle is the chains as one client has them. It implements Chain.
type handle struct {
	*chains
	name  string
	mu    sync.Mutex
	fresh bool
}

func (c *chains) client(name string) *handle { return &handle{chains: c, name: name} }

func (h *handle) Propose(ctx context.Context, id chain.ID, m chain.Propose) (chain.Outcome, error) {
	h.chains.mu.Lock()
	var o chain.Outcome
	err := client.ErrUnavailable
	lost := h.down
	if !lost {
		o, err = h.write(id, m)
		if lost = h.r.IntN(100) < h.lose; lost {
			err = client.ErrUnknown
		}
	}
	h.chains.mu.Unlock()
	if lost {
		<-ctx.Done()
		return o, fmt.Errorf("%w: %w", err, ctx.Err())
	}
	return o, err
}

func (h *handle) Read(ctx context.Context, id chain.ID, m chain.Read) (r chain.ReadReply, err error) {
	h.chains.mu.Lock()
	defer h.chains.mu.Unlock()
	if h.down {
		return r, client.ErrUnavailable
	}
	x := &h.all[id]
	r.Status, r.LSN = chain.Done, x.last
	for _, k := range m.Keys {
		it, found := x.items[string(k)]
		r.Values = append(r.Values, chain.Value{Found: found, Version: it.Version, Data: it.Value})
	}
	return r, nil
}

// Follow feeds until ctx ends: what there is at once, in random pieces.
func (h *handle) Follow(ctx context.Context, f client.Follower) error {
	defer h.setFresh(false)
	for ctx.Err() == nil {
		var batches []client.Batch
		h.chains.mu.Lock()
		news := h.news
		var copies []func() error
		for id := range chain.ID(chain.Chains) {
			if h.cut || h.down {
				break
			}
			if b, copy := h.next(id, f); copy != nil {
				copies = append(copies, copy)
			} else if len(b.Records) > 0 {
				batches = append(batches, b)
			}
		}
		cut := h.cut || h.down
		h.chains.mu.Unlock()
		for _, c := range copies {
			if err := c(); err != nil {
				return err
			}
		}
		if len(batches) > 0 {
			if err := f.(client.BatchFollower).ApplyAll(batches); err != nil {
				return err
			}
		}
		if len(batches)+len(copies) > 0 {
			continue
		}
		h.setFresh(!cut)
		select {
		case <-news:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

func (h *handle) setFresh(v bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fresh = v
}

// next gives what a follower has to have next of a chain.
func (h *handle) next(id chain.ID, f client.Follower) (b client.Batch, copy func() error) {
	x := &h.all[id]
	lsn, hash := f.Place(id)
	if h.seen[h.name] == nil {
		h.seen[h.name] = make([]chain.LSN, chain.Chains)
	}
	h.seen[h.name][id] = lsn
	was, known := x.hashAt(lsn)
	if !known || was != hash {
		snap := x.snapshot()
		return b, func() error { return copyAll(id, f, snap) }
	}
	from := int(lsn + 1 - x.first)
	to := from + h.r.IntN(20)
	to = max(min(to, len(x.records)), min(from+1, len(x.records)))
	return client.Batch{Chain: id, Records: x.records[from:to], Outcomes: x.outcomes[from:to]}, nil
}

func (x *memoryChain) hashAt(lsn chain.LSN) (chain.Hash, bool) {
	switch {
	case lsn+1 == x.first:
		return x.before, true
	case lsn < x.first || lsn > x.last:
		return chain.Hash{}, false
	}
	return x.records[lsn-x.first].Hash, true
}

type snapshot struct {
	begin chain.SnapBegin
	items []chain.Item
}

func (x *memoryChain) snapshot() snapshot {
	s := snapshot{begin: chain.SnapBegin{LSN: x.last, Hash: x.hash}}
	for _, it := range x.items {
		s.items = append(s.items, it)
	}
	slices.SortFunc(s.items, func(a, b chain.Item) int { return bytes.Compare(a.Key, b.Key) })
	return s
}

func copyAll(id chain.ID, f client.Follower, s snapshot) error {
	c, err := f.Copy(id, s.begin)
	if err != nil {
		return err
	}
	for len(s.items) > 0 {
		n := min(3, len(s.items))
		if err := c.Items(s.items[:n]); err != nil {
			return err
		}
		s.items = s.items[n:]
	}
	return c.End()
}

func (h *handle) InSync(ctx context.Context, id chain.ID, lsn chain.LSN) error {
	for {
		h.chains.mu.Lock()
		news, ok := h.news, true
		for _, at := range h.seen {
			ok = ok && at[id] >= lsn
		}
		h.chains.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-news:
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", client.ErrBehind, ctx.Err())
		}
	}
}

func (h *handle) Stale(chain.ID) time.Duration {
	d, _ := h.MaxStale()
	return d
}

func (h *handle) MaxStale() (time.Duration, chain.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.fresh {
		return client.Never, 0
	}
	return 0, 0
}

// await polls until f holds.
func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited for %s", what)
		}
	}
}
