package serve

import (
	"encoding/binary"
	"iter"
	"slices"

	"namecast/lib/cache"
	"namecast/lib/rr"
	"namecast/lib/store"
)

// A witness notes which accounts and domains are read of a view. The position is
// not noted: answers show it in nothing but a serial.
type witness struct {
	store.View
	gens    *cache.Generations
	changes uint64   // before the view was opened
	slots   []uint32 // of what was read
	account string   // noted last
	room    [4]uint32
}

// witness makes one for a view that is opened after.
func (a *answers) witness() *witness {
	w := &witness{gens: a.gens, changes: a.changes.Load()}
	w.slots = w.room[:0]
	return w
}

// watch has the witness look at what is read of v, if anybody will ask.
func (w *witness) watch(v store.View) store.View {
	if v == nil || w.gens == nil {
		return v
	}
	w.View = v
	return w
}

func (w *witness) note(object string) {
	if slot := w.gens.Slot(object); !slices.Contains(w.slots, slot) {
		w.slots = append(w.slots, slot)
	}
}

func (w *witness) noteAccount(account string) {
	if account != w.account {
		w.account = account
		w.note(accountObject + account)
	}
}

// noteMissing notes what makes it known that a name does not exist, for what will
// not be read: the account of a name below the base domain. The owner of another
// domain is read in any case.
func (w *witness) noteMissing(name, base rr.Name) {
	rel, under := name.Cut(base)
	for under && rel != "" {
		if rel.Parent() == "" {
			w.noteAccount(rel.First())
		}
		rel = rel.Parent()
	}
}

// append appends the generations of what was read; it is not ok if that is too
// much to look at each time.
func (w *witness) append(b []byte) (_ []byte, ok bool) {
	if len(w.slots) > maxReads {
		return nil, false
	}
	b = append(b, byte(len(w.slots)))
	for _, slot := range w.slots {
		b = binary.BigEndian.AppendUint32(b, slot)
		b = binary.BigEndian.AppendUint32(b, w.gens.Now(slot))
	}
	return b, true
}

// Head implements store.View.
func (w *witness) Head(account string) (store.Head, error) {
	w.noteAccount(account)
	return w.View.Head(account)
}

// HeadByKey implements store.View.
func (w *witness) HeadByKey(keyID string) (store.Head, error) {
	w.slots = append(w.slots, make([]uint32, maxReads+1)...) // the account is not known before
	return w.View.HeadByKey(keyID)
}

// Node implements store.View.
func (w *witness) Node(account string, owner rr.Name) ([]rr.Set, bool, error) {
	w.noteAccount(account)
	return w.View.Node(account, owner)
}

// Sets implements store.View.
func (w *witness) Sets(account string, under rr.Name) iter.Seq2[rr.Set, error] {
	w.noteAccount(account)
	return w.View.Sets(account, under)
}

// Claim implements store.View.
func (w *witness) Claim(domain rr.Name) (store.Claim, error) {
	w.note(domainObject + string(domain))
	return w.View.Claim(domain)
}

// Accounts implements store.View.
func (w *witness) Accounts() iter.Seq2[store.Head, error] {
	w.slots = append(w.slots, make([]uint32, maxReads+1)...) // all there are
	return w.View.Accounts()
}
