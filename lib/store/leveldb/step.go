package leveldb

import (
	"fmt"

	"namecast/lib/rr"
	"namecast/lib/store"
)

// A pair is a key and what to put there.
type pair struct{ key, value []byte }

// A change is a store.Change in the octets that the writer puts, made by the
// goroutine that brings it.
type change struct {
	account, keyID string
	from           uint64
	head, event    []byte
	put            []pair
	del            [][]byte
	octets         int
}

func newChange(c store.Change) *change {
	s := &change{
		account: c.Head.Account, keyID: c.Head.KeyID, from: c.From,
		head:  store.AppendHead(nil, c.Head),
		event: store.AppendEvent(nil, store.Event{Change: &c}),
	}
	for _, set := range c.Put {
		p := pair{appendSetKey(nil, s.account, set.Owner, set.Type), store.AppendRecords(nil, set)}
		s.put = append(s.put, p)
	}
	for _, k := range c.Delete {
		s.del = append(s.del, appendSetKey(nil, s.account, k.Owner, k.Type))
	}
	s.octets = len(s.head) + 2*len(s.event)
	return s
}

func (s *change) size() int { return s.octets }

func (s *change) touched() Touched { return Touched{Account: s.account} }

func (s *change) write(b *batch) error {
	key := joinKey(prefixHead, s.account)
	old, err := b.head(key)
	if err != nil {
		return err
	}
	if old.Version != s.from {
		return store.Conflict{Version: old.Version}
	}
	brought, err := s.brings(b, old)
	if err != nil {
		return err
	}
	if brought {
		b.set(joinKey(prefixKey, s.keyID), []byte(s.account), true)
	}
	b.set(key, s.head, s.from == 0)
	for _, p := range s.put {
		b.Put(p.key, p.value)
	}
	for _, k := range s.del {
		b.Delete(k)
	}
	b.log(s.event)
	return nil
}

// brings reports whether the change brings a key that is not the account's own
// name, or returns ErrKeyTaken if a key it brings is known.
func (s *change) brings(b *batch, old store.Head) (bool, error) {
	if s.from > 0 && s.keyID == old.KeyID {
		return false, nil
	}
	if s.from == 0 {
		// Creating the account takes its name, which another may have as a key.
		if err := b.free(prefixKey, s.account); err != nil || s.keyID == s.account {
			return false, err
		}
	}
	for _, prefix := range []string{prefixHead, prefixKey} {
		if err := b.free(prefix, s.keyID); err != nil {
			return false, err
		}
	}
	return true, nil
}

// free returns ErrKeyTaken if there is an entry.
func (b *batch) free(prefix, name string) error {
	v, err := b.get(joinKey(prefix, name))
	if err == nil && v != nil {
		err = fmt.Errorf("%w: %s", store.ErrKeyTaken, name)
	}
	return err
}

// head gives the head at key; an account that does not exist has the zero Head.
func (b *batch) head(key []byte) (store.Head, error) {
	v, err := b.get(key)
	if v == nil || err != nil {
		return store.Head{}, err
	}
	h, err := store.ParseHead(v)
	if err != nil {
		return store.Head{}, b.w.db.readError(err)
	}
	return h, nil
}

// A claim is a store.Claim in the octets that the writer puts.
type claim struct {
	domain            rr.Name
	from              uint64
	key, value, event []byte
}

func newClaim(domain rr.Name, from uint64, c store.Claim) *claim {
	return &claim{
		domain: domain,
		from:   from,
		key:    joinKey(prefixClaim, string(domain)),
		value:  store.AppendClaim(nil, c),
		event:  store.AppendEvent(nil, store.Event{Domain: domain, Claim: &c}),
	}
}

func (s *claim) size() int { return len(s.value) + 2*len(s.event) }

func (s *claim) touched() Touched { return Touched{Domain: s.domain} }

func (s *claim) write(b *batch) error {
	v, err := b.get(s.key)
	if err != nil {
		return err
	}
	var old store.Claim
	if v != nil {
		if old, err = store.ParseClaim(v); err != nil {
			return b.w.db.readError(err)
		}
	}
	if old.Version != s.from {
		return store.Conflict{Version: old.Version}
	}
	b.set(s.key, s.value, s.from == 0)
	b.log(s.event)
	return nil
}
