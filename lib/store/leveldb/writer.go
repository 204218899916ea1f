package leveldb

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"

	"namecast/lib/store"
)

// How much goes into one batch at most; a single step may be larger.
const (
	maxBatchSteps  = 512
	maxBatchOctets = 4 << 20
)

// synced writes wait for the disk; the one writer has nothing to merge with.
var synced = &opt.WriteOptions{Sync: true, NoWriteMerge: true}

// A step is one change or claim on its way into a batch.
type step interface {
	// size is about how many octets it adds.
	size() int
	// write checks its condition and then, all or nothing, adds it to the batch.
	write(b *batch) error
	// touched says whose state it changes.
	touched() Touched
}

// A request is a step that waits for the writer, or, if alone is set, a function
// that has the database to itself.
type request struct {
	step  step
	alone func(*writer) error
	taken atomic.Bool // by the writer, or by a caller who no longer waits
	pos   store.Position
	err   error
	done  chan struct{}
}

// submit brings a step to the writer and waits for the outcome.
func (db *DB) submit(ctx context.Context, s step) (store.Position, error) {
	r := &request{step: s, done: make(chan struct{})}
	err := db.send(ctx, r)
	return r.pos, err
}

func (db *DB) send(ctx context.Context, r *request) error {
	gone := func() error { return fmt.Errorf("%w: waiting to write: %w", store.ErrUnavailable, ctx.Err()) }
	if ctx.Err() != nil {
		return gone()
	}
	select {
	case <-db.failed:
		return db.Err()
	case <-db.ending:
		return db.closedError()
	case <-ctx.Done():
		return gone()
	case db.queue <- r:
	}
	select {
	case <-r.done:
		return r.err
	case <-db.ended:
	case <-ctx.Done():
		if r.taken.CompareAndSwap(false, true) {
			return gone()
		}
	}
	return db.outcome(r)
}

// outcome waits for a request that the writer has taken, or left when it ended.
func (db *DB) outcome(r *request) error {
	select {
	case <-r.done:
		return r.err
	case <-db.ended:
	}
	select {
	case <-r.done:
		return r.err
	default:
		return db.closedError()
	}
}

// A writer is the goroutine that writes; what it holds is its alone.
type writer struct {
	db    *DB
	state state
	batch batch
	taken []*request // in the batch
	held  *request   // taken from the queue but not yet looked at
}

// run serves the queue until Close, and then what is still in it.
func (w *writer) run() {
	defer close(w.db.ended)
	w.batch = batch{w: w, seen: make(map[string][]byte)}
	for {
		var r *request
		if w.held != nil {
			r, w.held = w.held, nil
		} else {
			select {
			case r = <-w.db.queue:
			case <-w.db.ending:
				select {
				case r = <-w.db.queue:
				default:
					return
				}
			}
		}
		w.serve(r)
	}
}

// serve takes r and what waits behind it.
func (w *writer) serve(r *request) {
	w.batch.reset()
	w.taken = w.taken[:0]
	for octets := 0; r != nil; {
		if r.alone != nil {
			if len(w.taken) > 0 {
				w.held = r
				break
			}
			w.alone(r)
			return
		}
		w.add(r)
		octets += r.step.size()
		if len(w.taken) >= maxBatchSteps || octets >= maxBatchOctets {
			break
		}
		select {
		case r = <-w.db.queue:
		default:
			r = nil
		}
	}
	if len(w.taken) > 0 {
		w.flush()
	}
}

// add puts one step into the batch or answers it.
func (w *writer) add(r *request) {
	if !r.taken.CompareAndSwap(false, true) {
		return
	}
	if r.err = w.db.Err(); r.err == nil {
		r.err = r.step.write(&w.batch)
	}
	if r.err != nil {
		close(r.done)
		return
	}
	r.pos = w.batch.state.Position
	w.taken = append(w.taken, r)
}

// flush writes the batch and answers everything in it.
func (w *writer) flush() {
	err := w.write()
	for _, r := range w.taken {
		if r.err = err; err != nil {
			r.pos = 0
		} else {
			w.db.changed(r.step.touched(), w.state.Position)
		}
		close(r.done)
	}
	clear(w.taken)
}

func (w *writer) write() error {
	b := &w.batch
	if err := b.trim(); err != nil {
		return w.db.fail(err)
	}
	b.Put(keyState, b.state.append(nil))
	w.db.names.add(b.names...)
	if err := w.db.ldb.Write(&b.Batch, synced); err != nil {
		return w.db.fail(err)
	}
	w.state = b.state
	if err := w.db.renew(w.state); err != nil {
		return w.db.fail(err)
	}
	return nil
}

func (w *writer) alone(r *request) {
	if !r.taken.CompareAndSwap(false, true) {
		return
	}
	if r.err = w.db.Err(); r.err == nil {
		r.err = r.alone(w)
	}
	close(r.done)
}

// A batch is what the next write will hold.
type batch struct {
	leveldb.Batch
	w     *writer
	state state             // after the batch
	seen  map[string][]byte // what it puts at heads, keys and claims
	names []string          // keys for the directory
}

func (b *batch) reset() {
	b.Reset()
	b.state = b.w.state
	clear(b.seen)
	b.names = b.names[:0]
}

// get gives what stands at the key of a head, key or claim, the batch included;
// nil if nothing does.
func (b *batch) get(key []byte) ([]byte, error) {
	if v, ok := b.seen[string(key)]; ok {
		return v, nil
	}
	if b.w.db.names.absentKey(key) {
		return nil, nil
	}
	v, err := b.w.db.ldb.Get(key, nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, b.w.db.readError(err)
	}
	return v, nil
}

// set puts the value of a head, key or claim.
func (b *batch) set(key, value []byte, fresh bool) {
	b.Put(key, value)
	b.seen[string(key)] = value
	if fresh {
		b.names = append(b.names, string(key))
	}
}

// log gives the event its position.
func (b *batch) log(event []byte) {
	b.state.Position++
	b.state.Chain = b.state.Chain.next(event)
	value := append(append(make([]byte, 0, len(b.state.Chain)+len(event)), b.state.Chain[:]...), event...)
	b.state.LogBytes += uint64(len(value))
	b.Put(logKey(b.state.Position), value)
}
