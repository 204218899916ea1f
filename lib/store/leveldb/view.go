package leveldb

import (
	"bytes"
	"errors"
	"iter"
	"strings"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/iterator"

	"namecast/lib/rr"
	"namecast/lib/store"
)

// A view reads a snapshot. It implements store.Contents.
type view struct {
	db   *DB
	snap *snapshot
	idle []iterator.Iterator // of this view, not in use
}

// View implements store.Store. The view costs next to nothing until it is read.
func (db *DB) View() (store.View, error) {
	v, err := db.view()
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (db *DB) view() (*view, error) {
	s, _, err := db.use()
	if err != nil {
		return nil, err
	}
	return &view{db: db, snap: s}, nil
}

func (v *view) Release() {
	if v.snap != nil {
		v.db.unuse(v.snap, v.idle)
		v.snap, v.idle = nil, nil
	}
}

// take gives an iterator over everything; put takes it back.
func (v *view) take() iterator.Iterator {
	if n := len(v.idle); n > 0 {
		it := v.idle[n-1]
		v.idle = v.idle[:n-1]
		return it
	}
	if it := v.db.spare(v.snap); it != nil {
		return it
	}
	return v.snap.NewIterator(nil, nil)
}

func (v *view) put(it iterator.Iterator) {
	if it.Error() != nil || v.snap == nil {
		it.Release()
		return
	}
	v.idle = append(v.idle, it)
}

// spare gives an iterator that an earlier view of the snapshot left, or nil.
func (db *DB) spare(s *snapshot) iterator.Iterator {
	db.mu.Lock()
	defer db.mu.Unlock()
	n := len(s.idle)
	if n == 0 {
		return nil
	}
	it := s.idle[n-1]
	s.idle = s.idle[:n-1]
	return it
}

func (v *view) Position() store.Position { return v.snap.state.Position }

// get gives what stands at a key, nil if nothing does.
func (v *view) get(prefix, name string) ([]byte, error) {
	if v.db.names.absent(prefix, name) {
		return nil, nil
	}
	b, err := v.snap.Get(joinKey(prefix, name), nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, v.db.readError(err)
	}
	return b, nil
}

func (v *view) Head(account string) (store.Head, error) {
	b, err := v.get(prefixHead, account)
	if err != nil {
		return store.Head{}, err
	}
	if b == nil {
		return store.Head{}, store.ErrNotFound
	}
	h, err := store.ParseHead(b)
	if err != nil {
		return store.Head{}, v.db.readError(err)
	}
	return h, nil
}

func (v *view) HeadByKey(keyID string) (store.Head, error) {
	h, err := v.headByKey(keyID)
	if err == nil {
		// Who asks so is about to change the account.
		v.db.marks.note(h.Account, headMark{h.Version, h.KeyID}, v.snap.state.Position)
	}
	return h, err
}

func (v *view) headByKey(keyID string) (store.Head, error) {
	h, err := v.Head(keyID)
	if !errors.Is(err, store.ErrNotFound) {
		return h, err
	}
	b, err := v.get(prefixKey, keyID)
	if err != nil {
		return store.Head{}, err
	}
	if b == nil {
		return store.Head{}, store.ErrNotFound
	}
	return v.Head(string(b))
}

func (v *view) Claim(domain rr.Name) (store.Claim, error) {
	b, err := v.get(prefixClaim, string(domain))
	if b == nil || err != nil {
		return store.Claim{}, err
	}
	c, err := store.ParseClaim(b)
	if err != nil {
		return store.Claim{}, v.db.readError(err)
	}
	return c, nil
}

// has reports whether there may be records of the account. A name with the
// octet that ends it would lead into another account's keys.
func (v *view) has(account string) bool {
	return account != "" && strings.IndexByte(account, endOctet) < 0 && !v.db.names.absent(prefixHead, account)
}

func (v *view) Node(account string, owner rr.Name) (sets []rr.Set, exists bool, err error) {
	if !v.has(account) {
		return nil, false, nil
	}
	var room [128]byte
	node := appendNode(room[:0], account, owner)
	it := v.take()
	defer v.put(it)
	owner = owner.Lower()
	for ok := it.Seek(node); ok; ok = it.Next() {
		rest, found := bytes.CutPrefix(it.Key(), node)
		if !found {
			break
		}
		exists = true
		if rest[0] != endOctet {
			break // below the name
		}
		if len(rest) != 3 {
			return nil, false, v.db.readError(errKey)
		}
		set, err := store.ParseRecords(it.Value(), owner, rr.Type(rest[1])<<8|rr.Type(rest[2]))
		if err != nil {
			return nil, false, v.db.readError(err)
		}
		sets = append(sets, set)
	}
	if err := it.Error(); err != nil {
		return nil, false, v.db.readError(err)
	}
	return sets, exists, nil
}

// scan yields the entries whose key has the prefix. What it yields is good until
// the next.
func (v *view) scan(prefix []byte) iter.Seq2[pair, error] {
	return func(yield func(pair, error) bool) {
		it := v.take()
		defer v.put(it)
		for ok := it.Seek(prefix); ok && bytes.HasPrefix(it.Key(), prefix); ok = it.Next() {
			if !yield(pair{it.Key(), it.Value()}, nil) {
				return
			}
		}
		if err := it.Error(); err != nil {
			yield(pair{}, v.db.readError(err))
		}
	}
}

// each yields what parse makes of the entries with the prefix.
func each[T any](v *view, prefix []byte, parse func(pair) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		for p, err := range v.scan(prefix) {
			if err != nil {
				yield(zero, err)
				return
			}
			t, err := parse(p)
			if err != nil {
				yield(zero, v.db.readError(err))
				return
			}
			if !yield(t, nil) {
				return
			}
		}
	}
}

func (v *view) Sets(account string, under rr.Name) iter.Seq2[rr.Set, error] {
	if !v.has(account) {
		return func(func(rr.Set, error) bool) {}
	}
	return each(v, appendNode(nil, account, under), func(p pair) (rr.Set, error) {
		_, owner, t, err := parseSetKey(p.key)
		if err != nil {
			return rr.Set{}, err
		}
		return store.ParseRecords(p.value, owner, t)
	})
}

func (v *view) Accounts() iter.Seq2[store.Head, error] {
	return each(v, []byte(prefixHead), func(p pair) (store.Head, error) { return store.ParseHead(p.value) })
}

// Claims implements store.Contents.
func (v *view) Claims() iter.Seq2[store.DomainClaim, error] {
	return each(v, []byte(prefixClaim), func(p pair) (store.DomainClaim, error) {
		c, err := store.ParseClaim(p.value)
		return store.DomainClaim{Domain: rr.Name(p.key[len(prefixClaim):]), Claim: c}, err
	})
}

// Keys implements store.Contents.
func (v *view) Keys() iter.Seq2[store.AccountKey, error] {
	return each(v, []byte(prefixKey), func(p pair) (store.AccountKey, error) {
		return store.AccountKey{KeyID: string(p.key[len(prefixKey):]), Account: string(p.value)}, nil
	})
}
