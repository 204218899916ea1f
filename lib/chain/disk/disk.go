package disk

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/storage"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
	"namecast/lib/ldb"
)

// A Disk keeps what the replicas of a node have of their chains. Open makes it.
// Its methods can be called from any goroutine.
type Disk struct {
	name    string // for messages
	opts    Options
	ldb     *leveldb.DB
	files   storage.Storage
	cache   *cache
	chains  [chain.Chains]line
	doubts  []Doubt
	count   counters
	failed  chan struct{} // closed when a write failed
	closing chan struct{} // closed by Close
	wiped   chan struct{} // tells the remover that a generation is to go
	wake    chan struct{} // tells the committer that something waits
	running sync.WaitGroup

	mu     sync.Mutex
	closed bool
	err    error // why failed is closed
	queue  queue
}

// A line is one chain on the disk.
type line struct {
	id    chain.ID
	shown atomic.Pointer[standing] // what can be read

	removed uint32 // generations below are gone; the remover's

	// The rest is the committer's. All but next is about the write that it makes.
	next    standing
	inUse   bool
	wiped   bool
	written uint64             // the last batch
	fresh   []chain.Remembered // that are not in the database yet
}

// show lets be read what the committer has come to.
func (l *line) show() {
	now := l.next
	l.shown.Store(&now)
}

// Failed is closed when a write failed, for whatever reason. Nothing is written
// any more, and the process is to exit and start again: what is on the disk only
// a new opening can tell.
func (d *Disk) Failed() <-chan struct{} { return d.failed }

// Err tells why Failed is closed; nil if it is not.
func (d *Disk) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// fail ends the writing.
func (d *Disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue.drop()
	if d.err == nil {
		d.err = fmt.Errorf("write database %q: %w", d.name, told(err))
		close(d.failed)
	}
}

// Held gives what the chains have noted about themselves, without those that
// never did: to register with, and to rebuild the chain table from. What a chain
// holds whole is that of [replica.Meta.Held].
func (d *Disk) Held() map[chain.ID]replica.Meta {
	held := make(map[chain.ID]replica.Meta)
	for i := range d.chains {
		if meta := d.chains[i].shown.Load().meta; meta.Inc != 0 {
			held[chain.ID(i)] = meta
		}
	}
	return held
}

// State is where the applied state of a chain stands on the disk.
func (d *Disk) State(id chain.ID) (chain.LSN, chain.Hash) {
	s := d.chains[id].shown.Load()
	return s.state, s.hash
}

// Doubts are the chains whose data was found at opening not to hold together.
func (d *Disk) Doubts() []Doubt { return d.doubts }

// Stats count what was written since the opening.
type Stats struct {
	Batches uint64        // of replicas
	Records uint64        // of logs
	Octets  uint64        // of keys and values
	Writes  uint64        // to the database, each with one fsync
	Time    time.Duration // that they took
	Waiting int           // batches that wait now
}

// counters are Stats while they are counted.
type counters struct{ batches, records, octets, writes, time atomic.Uint64 }

// Stats gives the counts as they are now.
func (d *Disk) Stats() Stats {
	d.mu.Lock()
	waiting := d.queue.len()
	d.mu.Unlock()
	c := &d.count
	return Stats{
		Batches: c.batches.Load(), Records: c.records.Load(), Octets: c.octets.Load(),
		Writes: c.writes.Load(), Time: time.Duration(c.time.Load()), Waiting: waiting,
	}
}

// Close writes what still waits, and ends. After it nothing can be written or
// read; the storages that were given out keep an error when they are used. Calls
// after the first return nil.
func (d *Disk) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	close(d.closing)
	d.mu.Unlock()
	d.running.Wait()
	if err := errors.Join(ldb.Close(d.ldb, d.Err() != nil), d.files.Close()); err != nil {
		return fmt.Errorf("close database %q: %w", d.name, ldb.Plain(err))
	}
	return nil
}
