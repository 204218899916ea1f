package leveldb

import (
	"hash/maphash"
	"sync"

	"namecast/lib/store"
)

// marks remember what the heads of accounts are that were read or written a
// short while ago, so that the writer, which must know what it writes over, need
// not read again what somebody has just read to make the change.
//
// An account has a place, which it shares with others, and a place has room for
// two of them. What the writer put there is what still is, because every change
// goes through it. What a view read may be out of date; it counts if the view
// had the last change of any account of the place in it.
type marks struct {
	seed   maphash.Seed
	mu     sync.Mutex
	places [markPlaces]markPlace
}

const markPlaces = 1 << 12

type markPlace struct {
	marks   [2]mark
	changed store.Position
}

// A mark is what an account's head is.
type mark struct {
	headMark
	account string
	at      store.Position // of the change, or of the view
	written bool           // by the writer, and not read
}

// A headMark is what the writer must know of a head. The zero one is that of an
// account that does not exist.
type headMark struct {
	version uint64
	keyID   string // the name of the account's key
}

func newMarks() *marks { return &marks{seed: maphash.MakeSeed()} }

func (m *marks) place(account string) *markPlace {
	return &m.places[maphash.String(m.seed, account)%markPlaces]
}

// note keeps what a view at a position has read.
func (m *marks) note(account string, h headMark, at store.Position) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.place(account).room(account)
	if old.account != account || !old.written && old.at < at {
		*old = mark{h, account, at, false}
	}
}

// change keeps what the writer puts at a position.
func (m *marks) change(account string, h headMark, at store.Position) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.place(account)
	p.changed = at
	*p.room(account) = mark{h, account, at, true}
}

// room gives where an account's mark stands or should go: in the place of the
// older one.
func (p *markPlace) room(account string) *mark {
	a, b := &p.marks[0], &p.marks[1]
	if a.account == account || b.account != account && a.at < b.at {
		return a
	}
	return b
}

// get gives what is known of an account as it is now. It is for the writer.
func (m *marks) get(account string) (headMark, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.place(account)
	k := p.room(account)
	return k.headMark, k.account == account && (k.written || k.at >= p.changed)
}
