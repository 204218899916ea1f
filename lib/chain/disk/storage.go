package disk

import (
	"errors"
	"fmt"

	"github.com/syndtr/goleveldb/leveldb"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// A Storage is what a replica reads of its chain. It is for one goroutine at a
// time, which looks at Err after it has used it.
type Storage struct {
	d   *Disk
	l   *line
	key []byte
	err error
}

var _ replica.Storage = (*Storage)(nil)

// Storage gives what a replica of the chain reads. Each replica has its own.
func (d *Disk) Storage(id chain.ID) *Storage { return &Storage{d: d, l: &d.chains[id]} }

// Err is the first error of reading; ErrDamaged among others. After one, what
// was read means nothing, and the process is to end.
func (s *Storage) Err() error { return s.err }

// keep keeps an error.
func (s *Storage) keep(err error) {
	if s.err == nil {
		s.err = fmt.Errorf("read chain %d of database %q: %w", s.l.id, s.d.name, told(err))
	}
}

// get reads the entry under s.key.
func (s *Storage) get() ([]byte, bool) {
	b, err := s.d.ldb.Get(s.key, nil)
	if err == nil {
		return b, true
	}
	if !errors.Is(err, leveldb.ErrNotFound) {
		s.keep(err)
	}
	return nil, false
}

// form keeps the error of an entry that has not the form that is written here.
func (s *Storage) form(ok bool) bool {
	if !ok {
		s.keep(formError(s.key))
	}
	return ok
}

func formError(key []byte) error {
	return fmt.Errorf("%w: the entry %x has an unknown form", ErrDamaged, key)
}

// Meta implements replica.Storage.
func (s *Storage) Meta() replica.Meta { return s.l.shown.Load().meta }

// State implements replica.Storage.
func (s *Storage) State() (chain.LSN, chain.Hash) {
	now := s.l.shown.Load()
	return now.state, now.hash
}

// Log implements replica.Storage.
func (s *Storage) Log() (first, last chain.LSN) {
	now := s.l.shown.Load()
	return now.first, now.last
}

// Record implements replica.Storage.
func (s *Storage) Record(lsn chain.LSN) (chain.Record, bool) {
	now := s.l.shown.Load()
	if lsn < now.first || lsn > now.last {
		return chain.Record{}, false
	}
	s.key = appendLSN(s.key[:0], kindRecord, s.l.id, now.gen, lsn)
	b, ok := s.get()
	if !ok {
		return chain.Record{}, false
	}
	rec, ok := parseRecord(lsn, b)
	return rec, s.form(ok)
}

// Get implements replica.Storage. The item's key is the one that was asked for;
// its value is shared with others and not to be changed.
func (s *Storage) Get(key []byte) (chain.Item, bool) {
	s.key = appendItem(s.key[:0], s.l.id, s.l.shown.Load().gen, key)
	e, ok, changes := s.d.cache.get(s.key)
	if !ok {
		if e, ok = s.read(key); !ok {
			return chain.Item{}, false
		}
		s.d.cache.put(s.key, e, changes)
	}
	if !e.found {
		return chain.Item{}, false
	}
	return chain.Item{Key: key, Value: e.value, Version: e.version}, true
}

// read reads the item under s.key from the database. It gives false if it cannot.
func (s *Storage) read(key []byte) (cached, bool) {
	b, found := s.get()
	if !found {
		return cached{}, s.err == nil
	}
	it, ok := parseItem(key, b)
	return cached{value: it.Value, version: it.Version, found: true}, s.form(ok)
}

// Outcome implements replica.Storage.
func (s *Storage) Outcome(q chain.RequestID) (chain.Outcome, bool) {
	now := s.l.shown.Load()
	if !now.sieve.mayHave(&q) {
		return chain.Outcome{}, false
	}
	s.key = appendRequest(s.key[:0], s.l.id, now.gen, q)
	b, ok := s.get()
	if !ok {
		return chain.Outcome{}, false
	}
	o, ok := parseOutcome(b)
	return o, s.form(ok)
}
