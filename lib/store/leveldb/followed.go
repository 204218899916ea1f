package leveldb

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/syndtr/goleveldb/leveldb/util"

	"namecast/lib/store"
)

// errOrder: a record that does not follow from the one before it.
var errOrder = errors.New("record out of order")

// place gives how far a chain was followed, the batch included.
func (b *batch) place(chain uint8) Place {
	if p, ok := b.places[chain]; ok {
		return p
	}
	return b.w.db.Place(chain)
}

// setPlace puts a chain's place.
func (b *batch) setPlace(chain uint8, p Place) {
	b.places[chain] = p
	b.Put(placeKey(chain), p.append(nil))
}

// followed puts in what a record did.
func (b *batch) followed(f *Followed) error {
	if was := b.place(f.Chain); was == noPlace || f.Place.LSN != was.LSN+1 {
		return fmt.Errorf("follow chain %d: %w: LSN %d after %d", f.Chain, errOrder, f.Place.LSN, was.LSN)
	}
	b.setPlace(f.Chain, f.Place)
	if f.Change != nil {
		if err := b.followChange(f); err != nil {
			return err
		}
	}
	if f.Claim != nil {
		if err := b.followClaim(f); err != nil {
			return err
		}
	}
	b.notes(f.Notes)
	return b.rebase(f.Base)
}

func (b *batch) notes(list []Note) {
	for _, n := range list {
		if key := joinKey(prefixNote, n.Name); n.Value == nil {
			b.Delete(key)
		} else {
			b.Put(key, n.Value)
		}
	}
}

// followChange puts in what a record did to an account.
func (b *batch) followChange(f *Followed) error {
	var s change
	p := make(pad, 0, padRoom)
	s.fill(f.Change, &p)
	b.octets += s.size()
	for _, pair := range s.put {
		b.Put(pair.key, pair.value)
	}
	for _, k := range s.del {
		b.Delete(k)
	}
	b.keys(s.account, f.Keys)
	head := &f.Change.Head
	if head.Version == 0 {
		return nil
	}
	old, err := b.head(s.account)
	if err != nil {
		return err
	}
	b.hold(heldAccount, f, s.account, head.Version)
	b.putHead(s.account, s.head, old, headMark{head.Version, s.keyID})
	return b.step(old.version, head.Version, s.entry)
}

// putHead puts an account's head and knows its name from then on.
func (b *batch) putHead(account string, value []byte, old, now headMark) {
	b.setHead(account, value, now)
	if old.version == 0 && now.version != 1 {
		b.names = append(b.names, string(joinKey(prefixHead, account)))
	}
	b.touched = append(b.touched, Touched{Account: account})
}

// keys makes keys those of an account.
func (b *batch) keys(account string, list []string) {
	for _, k := range list {
		b.set(prefixKey, k, []byte(account), true)
	}
}

func (b *batch) followClaim(f *Followed) error {
	old, err := b.claim(string(f.Domain))
	if err != nil {
		return err
	}
	s := newClaim(f.Domain, f.Claim.Version-1, *f.Claim)
	b.octets += s.size()
	b.hold(heldClaim, f, string(f.Domain), f.Claim.Version)
	b.set(prefixClaim, string(f.Domain), s.value, old.Version == 0)
	b.touched = append(b.touched, Touched{Domain: f.Domain})
	return b.step(old.Version, f.Claim.Version, s.entry)
}

// claim gives what stands at a domain's claim, the batch included.
func (b *batch) claim(domain string) (store.Claim, error) {
	v, err := b.get(prefixClaim, domain)
	if v == nil || err != nil {
		return store.Claim{}, err
	}
	c, err := store.ParseClaim(v)
	if err != nil {
		return store.Claim{}, b.w.db.readError(err)
	}
	return c, nil
}

// hold keeps which record put a head or a claim.
func (b *batch) hold(kind byte, f *Followed, name string, version uint64) {
	b.Put(heldKey(nil, f.Chain, kind, name), appendHeld(nil, Held{f.Place.LSN, version}))
}

// step moves the position on by a step of an object's version: with an event if
// it is one.
func (b *batch) step(from, to uint64, entry []byte) error {
	if to == from+1 {
		b.log(entry)
		return nil
	}
	return b.jump(from, to)
}

// jump moves the position on by a step that is no event. The log then begins
// anew. A version that went back, as when a service's storage was made again
// from a backup, counts as one: what is served may be another.
func (b *batch) jump(from, to uint64) error {
	if err := b.dropLog(); err != nil {
		return err
	}
	n := uint64(1)
	if to > from {
		n = to - from
	}
	b.state.Position += store.Position(n)
	b.state.LogStart = b.state.Position + 1
	return nil
}

// dropLog takes all entries out of the log.
func (b *batch) dropLog() error {
	last := b.w.state.Position // on the disk
	if b.state.LogStart <= last {
		it := b.w.db.ldb.NewIterator(&util.Range{Start: logKey(b.state.LogStart), Limit: logKey(last + 1)}, uncached)
		defer it.Release()
		for it.Next() {
			b.Delete(it.Key())
		}
		if err := it.Error(); err != nil {
			return b.w.db.readError(err)
		}
	}
	for p := max(b.state.LogStart, last+1); p <= b.state.Position; p++ {
		b.Delete(logKey(p))
	}
	b.state.LogStart, b.state.LogBytes = b.state.Position+1, 0
	return nil
}

// rebase takes a new base of positions, which only grows.
func (b *batch) rebase(base uint64) error {
	if base == 0 {
		return nil
	}
	v, ok := b.seen[string(keyBase)]
	if !ok {
		var err error
		if v, err = b.value(keyBase); err != nil {
			return err
		}
	}
	old, _ := binary.Uvarint(v) // 0 if it is not there
	if base <= old {
		return nil
	}
	v = binary.AppendUvarint(nil, base)
	b.Put(keyBase, v)
	b.seen[string(keyBase)] = v
	return b.jump(old, base)
}
