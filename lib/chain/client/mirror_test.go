package client

import (
	"bytes"
	"sync"
	"testing"

	"namecast/lib/chain"
)

// A mirror is a Follower in memory, which checks what it is given.
type mirror struct {
	t  *testing.T
	mu sync.Mutex

	chains  [chain.Chains]mirrored
	copies  int // under way
	aborts  int
	most    int // at a time
	applies int // calls
	fail    error
	hold    chan struct{} // Apply waits for its end, unless it is nil
}

type mirrored struct {
	at    chain.LSN
	hash  chain.Hash
	items map[string]chain.Item
}

func newMirror(t *testing.T) *mirror { return &mirror{t: t} }

func (m *mirror) Place(id chain.ID) (chain.LSN, chain.Hash) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.chains[id].at, m.chains[id].hash
}

func (m *mirror) Apply(id chain.ID, records []chain.Record, outcomes []chain.Outcome) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applies++
	if m.hold != nil {
		hold := m.hold
		m.mu.Unlock()
		<-hold
		m.mu.Lock()
	}
	c := &m.chains[id]
	for i, rec := range records {
		if rec.LSN != c.at+1 || rec.Sum(c.hash) != rec.Hash {
			m.t.Errorf("chain %d: LSN %d after %d, or another hash", id, rec.LSN, c.at)
		}
		c.at, c.hash = rec.LSN, rec.Hash
		if outcomes[i].Verdict != chain.Applied {
			continue
		}
		if c.items == nil {
			c.items = map[string]chain.Item{}
		}
		for _, op := range rec.Ops {
			if op.Kind == chain.Delete {
				delete(c.items, string(op.Key))
			} else {
				c.items[string(op.Key)] = chain.Item{Key: op.Key, Value: op.Value, Version: rec.LSN}
			}
		}
	}
	return m.fail
}

func (m *mirror) Copy(id chain.ID, b chain.SnapBegin) (Copy, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.copies++
	m.most = max(m.most, m.copies)
	m.chains[id] = mirrored{} // as one that cannot keep both
	return &copying{m: m, id: id, begin: b, items: map[string]chain.Item{}}, nil
}

type copying struct {
	m     *mirror
	id    chain.ID
	begin chain.SnapBegin
	items map[string]chain.Item
	last  []byte
}

func (c *copying) Items(items []chain.Item) error {
	for _, it := range items {
		if bytes.Compare(it.Key, c.last) <= 0 {
			c.m.t.Errorf("chain %d: key %q after %q", c.id, it.Key, c.last)
		}
		c.last = it.Key
		c.items[string(it.Key)] = it
	}
	return nil
}

func (c *copying) End() error {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	c.m.copies--
	c.m.chains[c.id] = mirrored{c.begin.LSN, c.begin.Hash, c.items}
	return nil
}

func (c *copying) Abort() {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	c.m.copies--
	c.m.aborts++
}

func (m *mirror) get(id chain.ID, key string) (string, chain.LSN) {
	m.mu.Lock()
	defer m.mu.Unlock()
	it := m.chains[id].items[key]
	return string(it.Value), it.Version
}

// A gatherer is a mirror that takes many chains at once.
type gatherer struct {
	*mirror
	most int
}

func (g *gatherer) ApplyAll(batches []Batch) error {
	g.most = max(g.most, len(batches))
	for _, b := range batches {
		if err := g.Apply(b.Chain, b.Records, b.Outcomes); err != nil {
			return err
		}
	}
	return nil
}
