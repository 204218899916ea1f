package leveldb

import (
	"encoding/binary"
	"fmt"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/util"

	"namecast/lib/store"
)

// maxTrim is how many log entries one batch removes at most; so no batch takes
// much longer than another.
const maxTrim = 256

// uncached reads leave the block cache to those who ask for records.
var uncached = &opt.ReadOptions{DontFillCache: true}

// trim removes the oldest entries from the log when it has grown over its
// bounds. It lets some gather, so that most batches have nothing to remove.
func (b *batch) trim() error {
	o := &b.w.db.opts
	if b.state.LogStart > b.w.state.Position {
		return nil // all that is on the disk goes already
	}
	// The end of what is on the disk: what the batch itself adds stays.
	held := b.w.state.Position + 1 - b.w.state.LogStart
	slack := min(uint64(o.Log)/16, maxTrim)
	if uint64(held) <= uint64(o.Log)+slack && b.state.LogBytes <= uint64(o.LogBytes) {
		return nil
	}
	r := &util.Range{Start: logKey(b.state.LogStart), Limit: logKey(b.w.state.Position + 1)}
	it := b.w.db.ldb.NewIterator(r, uncached)
	defer it.Release()
	for n := 0; n < maxTrim && it.Next(); n++ {
		if uint64(held) <= uint64(o.Log) && b.state.LogBytes <= uint64(o.LogBytes) {
			break
		}
		b.Delete(it.Key())
		b.state.LogStart++
		b.state.LogBytes -= min(b.state.LogBytes, uint64(len(it.Value())))
		held--
	}
	return it.Error()
}

// reader is what the log is read from: the database or a snapshot of it.
type reader interface {
	leveldb.Reader
}

// checkLog verifies that the log holds from and all after it up to the state's
// position, without a gap, each entry chained to the one before, and that the
// last has the state's chain.
func checkLog(db reader, st state, from store.Position) error {
	from = max(from, st.LogStart)
	if from > st.Position {
		return nil
	}
	it := db.NewIterator(&util.Range{Start: logKey(from), Limit: after([]byte(prefixLog))}, uncached)
	defer it.Release()
	next := from
	var last chain
	for it.Next() {
		c, event, err := parseLog(it.Value())
		if err != nil {
			return err
		}
		if p := position(it.Key()); p != next {
			return fmt.Errorf("%w: log goes from position %d to %d", store.ErrDamaged, next-1, p)
		}
		if next > from && c != last.next(event) {
			return fmt.Errorf("%w: log entry %d does not follow from the one before", store.ErrDamaged, next)
		}
		last, next = c, next+1
	}
	if err := it.Error(); err != nil {
		return err
	}
	if next != st.Position+1 || last != st.Chain {
		return fmt.Errorf("%w: log ends at position %d, the database at %d", store.ErrDamaged, next-1, st.Position)
	}
	return nil
}

// position reads the key of a log entry; 0 is never one.
func position(key []byte) store.Position {
	if len(key) != len(prefixLog)+8 {
		return 0
	}
	return store.Position(binary.BigEndian.Uint64(key[len(prefixLog):]))
}
