// Package memory is a storage of a replica in memory, for tests and as the plain
// statement of what a batch means.
package memory

import (
	"bytes"
	"slices"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// A Storage is what the batches that were applied to it add up to.
type Storage struct {
	meta     replica.Meta
	first    chain.LSN
	records  []chain.Record // from first on
	state    chain.LSN
	hash     chain.Hash
	items    map[string]chain.Item
	outcomes map[chain.RequestID]chain.Outcome
	requests []chain.Remembered // in the order of their LSNs
}

// New makes an empty storage.
func New() *Storage {
	s := &Storage{}
	s.wipe()
	return s
}

func (s *Storage) wipe() {
	*s = Storage{
		meta: s.meta, first: 1,
		items: map[string]chain.Item{}, outcomes: map[chain.RequestID]chain.Outcome{},
	}
}

// Apply makes the changes of a batch, in the order of its fields.
func (s *Storage) Apply(b *replica.Batch) {
	if b.Wipe {
		s.wipe()
	}
	if b.Cut {
		s.records = s.records[:min(len(s.records), int(b.CutAfter+1-s.first))]
	}
	if b.Meta != nil {
		s.meta = *b.Meta
	}
	s.records = append(s.records, b.Records...)
	for _, it := range b.Items {
		s.items[string(it.Key)] = it
	}
	for _, c := range b.Changes {
		if c.Delete {
			delete(s.items, string(c.Item.Key))
		} else {
			s.items[string(c.Item.Key)] = c.Item
		}
	}
	for _, q := range b.Remembered {
		s.outcomes[q.Request] = q.Outcome
		s.requests = append(s.requests, q)
	}
	if b.Moved {
		s.state, s.hash = b.State, b.Hash
		if len(s.records) == 0 {
			s.first = b.State + 1
		}
	}
	s.forget(b)
}

// forget drops the oldest of the log and of the remembered requests.
func (s *Storage) forget(b *replica.Batch) {
	for len(s.records) > 0 && s.first < b.Trim {
		s.records = s.records[1:]
		s.first++
	}
	for len(s.requests) > 0 && s.requests[0].Outcome.LSN < b.Forget {
		delete(s.outcomes, s.requests[0].Request)
		s.requests = s.requests[1:]
	}
}

// Meta implements replica.Storage.
func (s *Storage) Meta() replica.Meta { return s.meta }

// State implements replica.Storage.
func (s *Storage) State() (chain.LSN, chain.Hash) { return s.state, s.hash }

// Log implements replica.Storage.
func (s *Storage) Log() (first, last chain.LSN) {
	return s.first, s.first + chain.LSN(len(s.records)) - 1
}

// Record implements replica.Storage.
func (s *Storage) Record(lsn chain.LSN) (chain.Record, bool) {
	if lsn < s.first || lsn >= s.first+chain.LSN(len(s.records)) {
		return chain.Record{}, false
	}
	return s.records[lsn-s.first], true
}

// Get implements replica.Storage.
func (s *Storage) Get(key []byte) (chain.Item, bool) {
	it, ok := s.items[string(key)]
	return it, ok
}

// Outcome implements replica.Storage.
func (s *Storage) Outcome(q chain.RequestID) (chain.Outcome, bool) {
	o, ok := s.outcomes[q]
	return o, ok
}

// Snapshot implements replica.Storage.
func (s *Storage) Snapshot() replica.Snapshot {
	p := &snapshot{state: s.state, hash: s.hash, requests: slices.Clone(s.requests)}
	for _, it := range s.items {
		p.items = append(p.items, it)
	}
	slices.SortFunc(p.items, func(a, b chain.Item) int { return bytes.Compare(a.Key, b.Key) })
	return p
}

// A snapshot is a copy of the state.
type snapshot struct {
	state    chain.LSN
	hash     chain.Hash
	items    []chain.Item
	requests []chain.Remembered
}

func (p *snapshot) State() (chain.LSN, chain.Hash) { return p.state, p.hash }
func (p *snapshot) Close()                         {}

func (p *snapshot) Items(after []byte, size int) []chain.Item {
	i := 0
	if after != nil {
		i, _ = slices.BinarySearchFunc(p.items, after, func(it chain.Item, key []byte) int {
			if bytes.Compare(it.Key, key) <= 0 {
				return -1
			}
			return 1
		})
	}
	j := i
	for n := 0; j < len(p.items); j++ {
		if n += len(p.items[j].Key) + len(p.items[j].Value); n > size && j > i {
			break
		}
	}
	return p.items[i:j]
}

func (p *snapshot) Remembered(after chain.LSN, n int) []chain.Remembered {
	i := 0
	for i < len(p.requests) && p.requests[i].Outcome.LSN <= after {
		i++
	}
	return p.requests[i:min(len(p.requests), i+n)]
}
