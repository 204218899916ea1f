package leveldb

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/util"
)

// A directory knows, without reading the disk, which accounts, keys and domains
// the database surely does not hold, so that names nobody has cost nothing.
//
// It holds a 32-bit hash of every name, with a seed that nobody outside knows;
// two names that share one cost a needless read, which of a million names one in
// four thousand does. Names are never removed from a store, and a name is added
// before the batch that brings it is written: so the directory always covers
// more than any view does, and "absent" is true in every view. Until the names
// that were there at the start are loaded, nothing is absent.
//
// Reading takes no lock: the hashes stand in a table of words that are written
// once, from zero, and a larger table takes the place of a full one when
// everything is in it.
type directory struct {
	seeds  [3]maphash.Seed // of accounts, keys, domains
	table  atomic.Pointer[hashTable]
	ready  atomic.Bool
	loaded chan struct{} // closed when load returns

	mu    sync.Mutex // adding
	count int        // hashes in the table
}

// A hashTable has a power of two of words, each a hash or zero. A hash stands at
// the place that its top bits give, or in the next free one after it.
type hashTable struct {
	words []uint32
	shift uint // hash>>shift is the place
}

// firstTable is the binary logarithm of the first table's size.
const firstTable = 10

func newHashTable(log uint) *hashTable {
	return &hashTable{words: make([]uint32, 1<<log), shift: 32 - log}
}

// place gives where the hash stands or, if it does not, where it would go.
func (t *hashTable) place(sum uint32) (i uint32, found bool) {
	mask := uint32(len(t.words) - 1)
	for i = sum >> t.shift; ; i = (i + 1) & mask {
		switch atomic.LoadUint32(&t.words[i]) {
		case sum:
			return i, true
		case 0:
			return i, false
		}
	}
}

// grown gives a table of twice the size with the same hashes.
func (t *hashTable) grown() *hashTable {
	next := newHashTable(32 - t.shift + 1)
	for _, sum := range t.words {
		if sum != 0 {
			i, _ := next.place(sum)
			next.words[i] = sum
		}
	}
	return next
}

func newDirectory() *directory {
	d := &directory{loaded: make(chan struct{})}
	for i := range d.seeds {
		d.seeds[i] = maphash.MakeSeed()
	}
	d.table.Store(newHashTable(firstTable))
	return d
}

// seed gives the seed for names with a prefix.
func (d *directory) seed(prefix byte) maphash.Seed {
	switch prefix {
	case prefixHead[0]:
		return d.seeds[0]
	case prefixKey[0]:
		return d.seeds[1]
	}
	return d.seeds[2]
}

// short makes the hash that is kept; zero is none.
func short(sum uint64) uint32 { return max(uint32(sum>>32), 1) }

func (d *directory) hash(prefix, name string) uint32 {
	return short(maphash.String(d.seed(prefix[0]), name))
}

// hashKey gives the hash of a head's, key's or claim's name by its key.
func (d *directory) hashKey(key []byte) uint32 {
	return short(maphash.Bytes(d.seed(key[0]), key[len(prefixHead):]))
}

// absent reports whether there is surely no such name.
func (d *directory) absent(prefix, name string) bool { return d.lacks(d.hash(prefix, name)) }

// absentKey is absent for the key of a head, key or claim.
func (d *directory) absentKey(key []byte) bool { return d.lacks(d.hashKey(key)) }

func (d *directory) lacks(sum uint32) bool {
	if !d.ready.Load() {
		return false
	}
	_, found := d.table.Load().place(sum)
	return !found
}

// Absent reports whether there is surely no account of the name, a lower-case
// label, now. That it is false says nothing.
func (db *DB) Absent(account []byte) bool {
	return db.names.lacks(short(maphash.Bytes(db.names.seeds[0], account)))
}

// AbsentDomain reports whether the domain, in lower-case wire form, surely has
// never been claimed. That it is false says nothing.
func (db *DB) AbsentDomain(domain []byte) bool {
	return db.names.lacks(short(maphash.Bytes(db.names.seeds[2], domain)))
}

// add makes the names of keys known.
func (d *directory) add(keys ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range keys {
		d.insert(d.hash(k[:2], k[2:]))
	}
}

// insert puts a hash into the table; d.mu is held.
func (d *directory) insert(sum uint32) {
	t := d.table.Load()
	i, found := t.place(sum)
	if found {
		return
	}
	if d.count++; d.count > len(t.words)/4*3 {
		t = t.grown()
		i, _ = t.place(sum)
		d.table.Store(t)
	}
	atomic.StoreUint32(&t.words[i], sum)
}

// The loading works for about two milliseconds, a batch of names, and rests for
// one. On a single processor those who answer would else wait up to 60 ms for
// the scheduler to take it from the loading.
const (
	loadBatch = 4096
	loadRest  = time.Millisecond
)

// load adds what the snapshot holds and makes the directory ready. It stops
// early, leaving it unready, when stop is closed or on an error, which whoever
// reads the same entries will meet too.
func (d *directory) load(snap *leveldb.Snapshot, stop <-chan struct{}) {
	defer close(d.loaded)
	defer snap.Release()
	for _, prefix := range []string{prefixHead, prefixKey, prefixClaim} {
		if !d.loadPrefix(snap, prefix, stop) {
			return
		}
	}
	d.ready.Store(true)
}

func (d *directory) loadPrefix(snap *leveldb.Snapshot, prefix string, stop <-chan struct{}) bool {
	it := snap.NewIterator(util.BytesPrefix([]byte(prefix)), uncached)
	defer it.Release()
	sums := make([]uint32, 0, loadBatch)
	for it.Next() {
		if sums = append(sums, d.hashKey(it.Key())); len(sums) < loadBatch {
			continue
		}
		d.insertAll(sums)
		sums = sums[:0]
		select {
		case <-stop:
			return false
		case <-time.After(loadRest):
		}
	}
	d.insertAll(sums)
	return it.Error() == nil
}

func (d *directory) insertAll(sums []uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range sums {
		d.insert(s)
	}
}
