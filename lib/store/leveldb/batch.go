package leveldb

import (
	"errors"

	"github.com/syndtr/goleveldb/leveldb"

	"namecast/lib/store"
)

// A batch is what the next write will hold.
type batch struct {
	leveldb.Batch
	w       *writer
	state   state               // after the batch
	steps   int                 // in it
	octets  int                 // about how many they add
	heads   map[string]headMark // what it puts at heads, by account
	seen    map[string][]byte   // what it puts at keys and claims
	names   []string            // keys for the directory
	places  map[uint8]Place     // of the chains it follows
	touched []Touched           // by what it follows
	key     []byte              // room for a key
}

func (b *batch) reset() {
	b.Reset()
	b.state, b.steps, b.octets = b.w.state, 0, 0
	clear(b.heads)
	clear(b.seen)
	b.names = b.names[:0]
	clear(b.places)
	b.touched = b.touched[:0]
}

// add puts in a step whose condition holds.
func (b *batch) add(s step) error {
	if err := s.write(b); err != nil {
		return err
	}
	b.steps++
	b.octets += s.size()
	return nil
}

// head gives what stands at an account's head, the batch included.
func (b *batch) head(account string) (headMark, error) {
	if m, ok := b.heads[account]; ok {
		return m, nil
	}
	if m, ok := b.w.db.marks.get(account); ok {
		return m, nil
	}
	v, err := b.read(b.join(prefixHead, account))
	if v == nil || err != nil {
		return headMark{}, err
	}
	h, err := store.ParseHead(v)
	if err != nil {
		return headMark{}, b.w.db.readError(err)
	}
	return headMark{h.Version, h.KeyID}, nil
}

// setHead puts an account's head, which leaves it as the mark says.
func (b *batch) setHead(account string, value []byte, m headMark) {
	key := b.join(prefixHead, account)
	b.Put(key, value)
	b.heads[account] = m
	b.w.db.marks.change(account, m, b.state.Position+1)
	if m.version == 1 {
		b.names = append(b.names, string(key))
	}
}

// get gives what stands at a key's or a claim's entry, the batch included; nil
// if nothing does.
func (b *batch) get(prefix, name string) ([]byte, error) {
	key := b.join(prefix, name)
	if v, ok := b.seen[string(key)]; ok {
		return v, nil
	}
	return b.read(key)
}

// set puts the value of a key or a claim.
func (b *batch) set(prefix, name string, value []byte, fresh bool) {
	key := b.join(prefix, name)
	b.Put(key, value)
	b.seen[string(key)] = value
	if fresh {
		b.names = append(b.names, string(key))
	}
}

// join makes a key that is good until the next.
func (b *batch) join(prefix, name string) []byte {
	b.key = append(append(b.key[:0], prefix...), name...)
	return b.key
}

// read gives what the database has at the key of a head, key or claim; nil if
// nothing.
func (b *batch) read(key []byte) ([]byte, error) {
	if b.w.db.names.absentKey(key) {
		return nil, nil
	}
	return b.value(key)
}

// value gives what the database has at any key; nil if nothing.
func (b *batch) value(key []byte) ([]byte, error) {
	v, err := b.w.db.ldb.Get(key, nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, b.w.db.readError(err)
	}
	return v, nil
}

// log gives an event its position. The event stands in entry behind room for
// its chain.
func (b *batch) log(entry []byte) {
	b.state.Position++
	b.state.Chain = b.state.Chain.link(entry)
	b.state.LogBytes += uint64(len(entry))
	b.key = appendLogKey(b.key[:0], b.state.Position)
	b.Put(b.key, entry)
}
