package leveldb

import (
	"fmt"

	"namecast/lib/rr"
	"namecast/lib/store"
)

// A pair is a key and what to put there.
type pair struct{ key, value []byte }

// A pad gives many pieces of octets room in one allocation.
type pad []byte

// free gives the room that is left, for an append.
func (p pad) free() []byte { return p[len(p):] }

// keep takes what was appended to free, and makes a piece of it. If the room
// did not reach, the append has found its own.
func (p *pad) keep(b []byte) []byte {
	if len(b) <= cap(*p)-len(*p) {
		*p = (*p)[:len(*p)+len(b)]
	}
	return b[:len(b):len(b)]
}

// padRoom is about how many octets a small change takes.
const padRoom = 640

// A change is a store.Change in the octets that the writer puts, made by the
// goroutine that brings it.
type change struct {
	account, keyID string
	from           uint64
	head           []byte // part of entry
	entry          []byte // room for the chain, and the event
	put            []pair
	del            [][]byte
	one            [1]pair // room for put
}

// fill makes the octets.
func (s *change) fill(c *store.Change, p *pad) {
	s.account, s.keyID, s.from = c.Head.Account, c.Head.KeyID, c.From
	b, start, end := store.AppendChange(append(p.free(), make([]byte, len(chain{}))...), c)
	s.entry = p.keep(b)
	s.head = s.entry[start:end]
	s.put = s.one[:0]
	for _, set := range c.Put {
		key := p.keep(appendSetKey(p.free(), s.account, set.Owner, set.Type))
		s.put = append(s.put, pair{key, p.keep(store.AppendRecords(p.free(), set))})
	}
	for _, k := range c.Delete {
		s.del = append(s.del, p.keep(appendSetKey(p.free(), s.account, k.Owner, k.Type)))
	}
}

func (s *change) size() int { return len(s.head) + 2*len(s.entry) }

func (s *change) touched() Touched { return Touched{Account: s.account} }

func (s *change) write(b *batch) error {
	old, err := b.head(s.account)
	if err != nil {
		return err
	}
	if old.version != s.from {
		return store.Conflict{Version: old.version}
	}
	brought, err := s.brings(b, old)
	if err != nil {
		return err
	}
	if brought {
		b.set(prefixKey, s.keyID, []byte(s.account), true)
	}
	b.setHead(s.account, s.head, headMark{s.from + 1, s.keyID})
	for _, p := range s.put {
		b.Put(p.key, p.value)
	}
	for _, k := range s.del {
		b.Delete(k)
	}
	b.log(s.entry)
	return nil
}

// brings reports whether the change brings a key that is not the account's own
// name, or returns ErrKeyTaken if a key it brings is known.
func (s *change) brings(b *batch, old headMark) (bool, error) {
	if s.from > 0 && s.keyID == old.keyID {
		return false, nil
	}
	if s.from == 0 {
		// Creating the account takes its name, which another may have as a key.
		if err := b.free(s.account); err != nil || s.keyID == s.account {
			return false, err
		}
	}
	switch other, err := b.head(s.keyID); {
	case err != nil:
		return false, err
	case other.version > 0:
		return false, taken(s.keyID)
	}
	return true, b.free(s.keyID)
}

// free returns ErrKeyTaken if a rekey brought the key.
func (b *batch) free(keyID string) error {
	v, err := b.get(prefixKey, keyID)
	if err == nil && v != nil {
		err = taken(keyID)
	}
	return err
}

func taken(keyID string) error { return fmt.Errorf("%w: %s", store.ErrKeyTaken, keyID) }

// A claim is a store.Claim in the octets that the writer puts.
type claim struct {
	domain       rr.Name
	from         uint64
	value, entry []byte // as those of a change
}

func newClaim(domain rr.Name, from uint64, c store.Claim) *claim {
	event := store.Event{Domain: domain, Claim: &c}
	return &claim{
		domain: domain,
		from:   from,
		value:  store.AppendClaim(nil, c),
		entry:  store.AppendEvent(make([]byte, len(chain{})), event),
	}
}

func (s *claim) size() int { return len(s.value) + 2*len(s.entry) }

func (s *claim) touched() Touched { return Touched{Domain: s.domain} }

func (s *claim) write(b *batch) error {
	v, err := b.get(prefixClaim, string(s.domain))
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
	b.set(prefixClaim, string(s.domain), s.value, s.from == 0)
	b.log(s.entry)
	return nil
}
