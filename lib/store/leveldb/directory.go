package leveldb

import (
	"hash/maphash"
	"sync"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/util"
)

// A directory knows, without reading the disk, which accounts, keys and domains
// the database surely does not hold, so that names nobody has cost nothing.
//
// It holds a 64-bit hash of every name; two names that share one cost a needless
// read. Names are never removed from a store, and a name is added before the
// batch that brings it is written: so the directory always covers more than any
// view does, and "absent" is true in every view. Until the names that were
// there at the start are loaded, nothing is absent.
type directory struct {
	seed   maphash.Seed
	mu     sync.RWMutex
	hashes map[uint64]struct{}
	ready  bool
	loaded chan struct{} // closed when load returns
}

// loadBatch is how many names are put in under one lock.
const loadBatch = 1024

func newDirectory() *directory {
	return &directory{seed: maphash.MakeSeed(), hashes: make(map[uint64]struct{}), loaded: make(chan struct{})}
}

func (d *directory) hash(prefix, name string) uint64 {
	var h maphash.Hash
	h.SetSeed(d.seed)
	h.WriteString(prefix)
	h.WriteString(name)
	return h.Sum64()
}

// absent reports whether there is surely no such name.
func (d *directory) absent(prefix, name string) bool {
	sum := d.hash(prefix, name)
	d.mu.RLock()
	defer d.mu.RUnlock()
	_, ok := d.hashes[sum]
	return d.ready && !ok
}

// add makes the names of keys known.
func (d *directory) add(keys ...string) {
	sums := make([]uint64, len(keys))
	for i, k := range keys {
		sums[i] = d.hash(k[:2], k[2:])
	}
	d.insert(sums)
}

func (d *directory) insert(sums []uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range sums {
		d.hashes[s] = struct{}{}
	}
}

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
	d.mu.Lock()
	d.ready = true
	d.mu.Unlock()
}

func (d *directory) loadPrefix(snap *leveldb.Snapshot, prefix string, stop <-chan struct{}) bool {
	it := snap.NewIterator(util.BytesPrefix([]byte(prefix)), &opt.ReadOptions{DontFillCache: true})
	defer it.Release()
	sums := make([]uint64, 0, loadBatch)
	for it.Next() {
		sums = append(sums, d.hash(prefix, string(it.Key()[len(prefix):])))
		if len(sums) < loadBatch {
			continue
		}
		select {
		case <-stop:
			return false
		default:
		}
		d.insert(sums)
		sums = sums[:0]
	}
	d.insert(sums)
	return it.Error() == nil
}
