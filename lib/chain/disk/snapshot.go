package disk

import (
	"bytes"
	"errors"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/util"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// A copy of a whole chain is not to drive what is read often out of memory.
var passing = &opt.ReadOptions{DontFillCache: true}

// A snapshot is the state of a chain in a picture of the database. Errors of
// reading are the storage's.
type snapshot struct {
	s    *Storage
	ldb  *leveldb.Snapshot // nil if there was an error
	from place
}

// Snapshot implements replica.Storage.
func (s *Storage) Snapshot() replica.Snapshot {
	p := &snapshot{s: s, from: empty(0)}
	snap, err := s.d.ldb.GetSnapshot()
	if err != nil {
		s.keep(err)
		return p
	}
	p.ldb = snap
	b, err := snap.Get(appendChain(nil, kindPlace, s.l.id), nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return p // nothing was ever written
	}
	if err == nil {
		var ok bool
		if p.from, ok = parsePlace(b); !ok {
			err = formError(appendChain(nil, kindPlace, s.l.id))
		}
	}
	if err != nil {
		s.keep(err)
		p.Close()
	}
	return p
}

// State implements replica.Snapshot.
func (p *snapshot) State() (chain.LSN, chain.Hash) { return p.from.state, p.from.hash }

// Close implements replica.Snapshot. It can be called more than once.
func (p *snapshot) Close() {
	if p.ldb != nil {
		p.ldb.Release()
		p.ldb = nil
	}
}

// each calls do with the entries of a kind from a key on, until it gives false.
func (p *snapshot) each(kind byte, from []byte, do func(key, value []byte) bool) {
	if p.ldb == nil {
		return
	}
	limit := appendPrefix(nil, kind, p.s.l.id, p.from.gen+1)
	it := p.ldb.NewIterator(&util.Range{Start: from, Limit: limit}, passing)
	defer it.Release()
	for it.Next() {
		if !do(it.Key(), it.Value()) {
			break
		}
	}
	if err := it.Error(); err != nil {
		p.s.keep(err)
	}
}

// Items implements replica.Snapshot.
func (p *snapshot) Items(after []byte, size int) []chain.Item {
	from := appendItem(nil, p.s.l.id, p.from.gen, after)
	if after != nil {
		from = append(from, 0) // the first key behind it
	}
	var items []chain.Item
	p.each(kindItem, from, func(key, value []byte) bool {
		it, ok := parseItem(key[prefixSize:], value)
		if !ok {
			p.s.keep(formError(key))
			return false
		}
		if size -= len(it.Key) + len(it.Value); size < 0 && len(items) > 0 {
			return false
		}
		it.Key, it.Value = bytes.Clone(it.Key), bytes.Clone(it.Value)
		items = append(items, it)
		return true
	})
	return items
}

// Remembered implements replica.Snapshot.
func (p *snapshot) Remembered(after chain.LSN, n int) []chain.Remembered {
	from := appendLSN(nil, kindOrder, p.s.l.id, p.from.gen, max(after+1, p.from.forgot))
	var requests []chain.Remembered
	p.each(kindOrder, from, func(key, value []byte) bool {
		if len(requests) >= n {
			return false
		}
		q, ok := parseRemembered(value)
		if !ok {
			p.s.keep(formError(key))
			return false
		}
		requests = append(requests, q)
		return true
	})
	return requests
}
