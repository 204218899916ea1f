package sim

import (
	"namecast/lib/chain"
	"namecast/lib/chain/internal/memory"
	"namecast/lib/chain/replica"
)

// A disk keeps batches. What was not synced when the node crashes is lost, but
// for as much of it as chance lets through. What can be read is the storage.
type disk struct {
	*memory.Storage
	journal []replica.Batch
	shown   int // batches that can be read
	synced  int
}

func newDisk() *disk { return &disk{Storage: memory.New()} }

// show makes batches readable up to a number of them.
func (d *disk) show(n int) {
	for ; d.shown < n; d.shown++ {
		d.Apply(&d.journal[d.shown])
	}
}

// crash loses the batches after the first n.
func (d *disk) crash(n int) {
	d.journal = d.journal[:n]
	d.Storage, d.shown, d.synced = memory.New(), 0, n
	d.show(n)
}

// inc is the incarnation that wrote last.
func (d *disk) inc() chain.Incarnation { return d.Meta().Inc }

// holds reports whether the log that can be read, or the state, has the record
// of an LSN with a hash.
func (d *disk) holds(lsn chain.LSN, hash chain.Hash) bool {
	if rec, ok := d.Record(lsn); ok {
		return rec.Hash == hash
	}
	first, _ := d.Log()
	state, _ := d.State()
	return lsn < first && lsn <= state
}

// find looks for a record, also among what cannot be read yet.
func (d *disk) find(lsn chain.LSN) (chain.Record, bool) {
	for i := len(d.journal) - 1; i >= d.shown; i-- {
		for j := range d.journal[i].Records {
			if rec := d.journal[i].Records[j]; rec.LSN == lsn {
				return rec, true
			}
		}
	}
	return d.Record(lsn)
}

// durable reports whether a record is synced.
func (d *disk) durable(lsn chain.LSN, hash chain.Hash) bool {
	for i := d.synced; i < len(d.journal); i++ {
		for j := range d.journal[i].Records {
			if rec := &d.journal[i].Records[j]; rec.LSN == lsn && rec.Hash == hash {
				return false
			}
		}
	}
	return d.holds(lsn, hash)
}
