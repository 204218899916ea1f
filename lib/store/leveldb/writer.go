package leveldb

import (
	"context"
	"fmt"
	"sync/atomic"

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

// A request is steps that wait for the writer, or, if alone is set, a function
// that has the database to itself.
type request struct {
	steps []waiting
	alone func(*writer) error
	taken atomic.Bool // by the writer, or by a caller who no longer waits
	err   error       // of alone, or of the whole batch
	done  chan struct{}
}

// A waiting is a step with its outcome.
type waiting struct {
	step step
	pos  store.Position
	err  error
}

// submit brings a step to the writer and waits for the outcome.
func (db *DB) submit(ctx context.Context, s step) (store.Position, error) {
	if err := db.own(); err != nil {
		return 0, err
	}
	w := []waiting{{step: s}}
	err := db.send(ctx, &request{steps: w, done: make(chan struct{})})
	if err == nil {
		err = w[0].err
	}
	if err != nil {
		return 0, err
	}
	return w[0].pos, nil
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
	w.batch = batch{w: w, heads: make(map[string]headMark), seen: make(map[string][]byte), places: make(map[uint8]Place)}
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
	for r != nil {
		if r.alone != nil {
			if len(w.taken) > 0 {
				w.held = r
				break
			}
			w.alone(r)
			return
		}
		w.add(r)
		if w.batch.steps >= maxBatchSteps || w.batch.octets >= maxBatchOctets {
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

// add puts steps into the batch, or answers if none of them can be.
func (w *writer) add(r *request) {
	if !r.taken.CompareAndSwap(false, true) {
		return
	}
	before := w.batch.steps
	if r.err = w.db.Err(); r.err == nil {
		for i := range r.steps {
			r.steps[i].err = w.batch.add(r.steps[i].step)
			r.steps[i].pos = w.batch.state.Position
		}
	}
	if w.batch.steps == before {
		close(r.done)
		return
	}
	w.taken = append(w.taken, r)
}

// flush writes the batch and answers everything in it.
func (w *writer) flush() {
	err := w.write()
	for _, r := range w.taken {
		r.err = err
		for i := range r.steps {
			if s := &r.steps[i]; err == nil && s.err == nil {
				w.db.changed(s.step.touched(), w.state.Position)
			}
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
