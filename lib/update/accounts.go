package update

import (
	"slices"
	"sync"

	"namecast/lib/nup"
	"namecast/lib/store"
	"namecast/lib/zone"
)

// accounts remember small accounts as their last updates left them, because who
// has updated is likely to update again. Nothing is believed for that alone: a
// change that is made of a memory is committed on its version, and if that is
// not the account's, the account is read.
//
// Two generations bound the memory: when the young one has half of it, it
// becomes the old one, and the old one is forgotten.
type accounts struct {
	mu         sync.Mutex
	young, old map[string]*account // by the name of the account's key
	weight     int                 // of the young, about, in octets
}

// An account is one as an update left it. It does not change.
type account struct {
	head    store.Head
	records *zone.Records
}

// maxWeight is about how many octets of memory all accounts take at most.
const maxWeight = 16 << 20

func newAccounts() *accounts {
	return &accounts{young: map[string]*account{}, old: map[string]*account{}}
}

// get gives the account of a key, nil if it is not remembered.
func (m *accounts) get(keyID string) *account {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := m.young[keyID]; a != nil {
		return a
	}
	a := m.old[keyID]
	if a != nil {
		m.put(keyID, a)
	}
	return a
}

// keep remembers what a committed update of a key left.
func (m *accounts) keep(keyID string, h *store.Head, records *zone.Records) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if keyID != h.KeyID || records == nil {
		delete(m.young, keyID)
		delete(m.old, keyID)
		return
	}
	if a := m.young[keyID]; a != nil && a.head.Version > h.Version {
		return // the update after this one was quicker
	}
	a := &account{*h, records}
	if h.Version == 1 {
		a.head.Key = slices.Clone(h.Key) // it stands in the packet
	}
	m.put(keyID, a)
}

// put makes an account one of the young; m.mu is held.
func (m *accounts) put(keyID string, a *account) {
	if m.weight >= maxWeight/2 {
		m.old, m.young, m.weight = m.young, map[string]*account{}, 0
	}
	if m.young[keyID] == nil {
		m.weight += a.weight()
	}
	m.young[keyID] = a
}

// weight is about how many octets an account takes.
func (a *account) weight() int {
	const fixed, perDomain = 500, 600
	return fixed + perDomain*len(a.head.Domains) + a.records.Weight()
}

// fits reports whether a request may be applied to the account as it is
// remembered: if it is the next one, and needs nothing else of the store.
func (a *account) fits(t *task) bool {
	h := &a.head
	return t.req.Seq == h.NextSeq && t.hash != h.LastHash && len(t.req.Elements) > 0 && !t.asks(nup.OpValidate, nup.OpRekey)
}
