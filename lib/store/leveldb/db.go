package leveldb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/syndtr/goleveldb/leveldb"
	ldberrors "github.com/syndtr/goleveldb/leveldb/errors"
	"github.com/syndtr/goleveldb/leveldb/iterator"
	"github.com/syndtr/goleveldb/leveldb/storage"

	"namecast/lib/ldb"
	"namecast/lib/rr"
	"namecast/lib/store"
)

// maxWaiting is how many changes may wait for the writer before Commit blocks.
const maxWaiting = 1024

// A DB is a store in one goleveldb database. Open and OpenMemory make it.
type DB struct {
	name     string // for messages
	opts     Options
	ldb      *leveldb.DB
	files    storage.Storage
	names    *directory
	marks    *marks
	follower follower
	queue    chan *request
	failed   chan struct{} // closed when a write failed
	ending   chan struct{} // closed by Close
	ended    chan struct{} // closed when the writer is done
	users    sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	restoring bool
	err       error // why failed is closed
	current   *snapshot
	news      chan struct{} // closed when current is replaced
}

var _ store.Store = (*DB)(nil)

// A snapshot is a goleveldb snapshot that views share; the database's own use
// of the newest one counts as one.
type snapshot struct {
	*leveldb.Snapshot
	state state
	uses  int
	idle  []iterator.Iterator // ready for the next view
	given int                 // iterators given back since idle ones were released
}

// maxIdle is how many iterators a snapshot keeps for the next view: making one
// costs several times what a seek does. They read the tables that there were
// when they were made, so after idleUses uses they go: when nothing is written,
// no new snapshot ends them, and compactions make reading quicker.
const (
	maxIdle  = 8
	idleUses = 1024
)

// Failed is closed when a write to the database failed. The store then refuses
// every change, and the program is to exit and be started again: see "Writing"
// in the package comment.
func (db *DB) Failed() <-chan struct{} { return db.failed }

// Err tells why Failed is closed; nil if it is not.
func (db *DB) Err() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.err
}

// fail ends the store for writing.
func (db *DB) fail(err error) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.err == nil {
		db.err = fmt.Errorf("%w: write database %q: %w", store.ErrUnavailable, db.name, ldb.Plain(err))
		close(db.failed)
	}
	return db.err
}

// readError says in the store's terms why reading failed.
func (db *DB) readError(err error) error {
	kind := store.ErrUnavailable
	if errors.Is(err, store.ErrDamaged) || ldberrors.IsCorrupted(err) {
		kind = store.ErrDamaged
	}
	return fmt.Errorf("read database %q: %w: %w", db.name, kind, ldb.Plain(err))
}

func (db *DB) closedError() error {
	return fmt.Errorf("%w: database %q is closed", store.ErrUnavailable, db.name)
}

// use takes the newest snapshot and says when it is no longer the newest.
func (db *DB) use() (s *snapshot, news <-chan struct{}, err error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	switch {
	case db.closed:
		return nil, nil, db.closedError()
	case db.restoring:
		return nil, nil, fmt.Errorf("%w: database %q is being restored", store.ErrUnavailable, db.name)
	}
	db.users.Add(1)
	db.current.uses++
	return db.current, db.news, nil
}

// unuse gives a snapshot back, with iterators that the next view may have.
func (db *DB) unuse(s *snapshot, its []iterator.Iterator) {
	db.mu.Lock()
	for _, it := range its {
		if s == db.current && len(s.idle) < maxIdle {
			s.idle = append(s.idle, it)
		} else {
			it.Release()
		}
	}
	if s.given += len(its); s.given >= idleUses {
		s.given = 0
		s.releaseIdle()
	}
	db.drop(s)
	db.mu.Unlock()
	db.users.Done()
}

// drop ends one use of s; db.mu is held.
func (db *DB) drop(s *snapshot) {
	s.uses--
	if s != db.current || s.uses == 0 {
		s.releaseIdle()
	}
	if s.uses == 0 {
		s.Release()
	}
}

// releaseIdle lets the idle iterators go; db.mu is held.
func (s *snapshot) releaseIdle() {
	for _, it := range s.idle {
		it.Release()
	}
	s.idle = nil
}

// renew makes what is in the database now the newest snapshot.
func (db *DB) renew(st state) error {
	snap, err := db.ldb.GetSnapshot()
	if err != nil {
		return err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	old := db.current
	db.current = &snapshot{Snapshot: snap, state: st, uses: 1}
	if old != nil {
		db.drop(old)
	}
	close(db.news)
	db.news = make(chan struct{})
	return nil
}

// Close ends the store: commits under way are finished, feeds end, and when the
// last view is released the database is closed. Calls after the first wait for
// nothing and return nil.
func (db *DB) Close() error {
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		return nil
	}
	db.closed = true
	close(db.ending)
	db.mu.Unlock()
	<-db.ended
	db.users.Wait()
	db.mu.Lock()
	db.drop(db.current)
	db.mu.Unlock()
	if err := errors.Join(ldb.Close(db.ldb, db.Err() != nil), db.files.Close()); err != nil {
		return fmt.Errorf("close database %q: %w", db.name, ldb.Plain(err))
	}
	return nil
}

// start makes the open database serve.
func (db *DB) start(st state) error {
	db.failed, db.ending, db.ended = make(chan struct{}), make(chan struct{}), make(chan struct{})
	db.queue = make(chan *request, maxWaiting)
	db.news = make(chan struct{})
	db.names, db.marks = newDirectory(), newMarks()
	if err := db.renew(st); err != nil {
		return err
	}
	snap, err := db.ldb.GetSnapshot()
	if err != nil {
		return err
	}
	db.users.Add(1)
	go func() {
		defer db.users.Done()
		db.names.load(snap, db.ending)
	}()
	go (&writer{db: db, state: st}).run()
	return nil
}

// own returns an error if the database follows a service's storage: then it
// takes changes from there alone.
func (db *DB) own() error {
	if db.opts.Follow == "" {
		return nil
	}
	return fmt.Errorf("%w: database %q follows the storage of service %q", store.ErrUnavailable, db.name, db.opts.Follow)
}

// Commit implements store.Store. It wraps store.ErrBadChange for a change that
// store.Change.Check refuses. If ctx ends before the writer takes the change,
// nothing happens and the error wraps store.ErrUnavailable and that of ctx; once
// it is taken Commit waits for the outcome.
func (db *DB) Commit(ctx context.Context, c store.Change) (store.Position, error) {
	if err := c.Check(); err != nil {
		return 0, err
	}
	p := make(pad, 0, padRoom)
	s := new(change)
	s.fill(&c, &p)
	return db.submit(ctx, s)
}

// CommitAll is Commit for many changes, in their order, in one call and, unless
// they are very large, with one fsync. Each stands for itself: at its place in
// what is returned is nil or the error that Commit would give.
func (db *DB) CommitAll(ctx context.Context, changes []store.Change) []error {
	errs := make([]error, len(changes))
	for done := 0; done < len(changes); {
		done += db.commitSome(ctx, changes[done:], errs[done:])
	}
	return errs
}

// commitSome commits as many of the changes as make one batch, sets their
// errors, and gives their number.
func (db *DB) commitSome(ctx context.Context, changes []store.Change, errs []error) int {
	n := min(len(changes), maxBatchSteps)
	made, steps := make([]change, n), make([]waiting, 0, n)
	p := make(pad, 0, n*padRoom)
	of := make([]*error, 0, n) // where a step's error goes
	for i, octets := 0, 0; i < n; i++ {
		if errs[i] = changes[i].Check(); errs[i] != nil {
			continue
		}
		made[i].fill(&changes[i], &p)
		steps, of = append(steps, waiting{step: &made[i]}), append(of, &errs[i])
		if octets += made[i].size(); octets >= maxBatchOctets {
			n = i + 1
		}
	}
	if len(steps) == 0 {
		return n
	}
	err := db.own()
	if err == nil {
		err = db.send(ctx, &request{steps: steps, done: make(chan struct{})})
	}
	for i := range steps {
		if *of[i] = err; err == nil {
			*of[i] = steps[i].err
		}
	}
	return n
}

// SetClaim implements store.Store, with the errors of Commit.
func (db *DB) SetClaim(ctx context.Context, domain rr.Name, from uint64, c store.Claim) (store.Position, error) {
	if err := c.Check(domain, from); err != nil {
		return 0, err
	}
	return db.submit(ctx, newClaim(domain, from, c))
}

// heartbeat is how often a feed says that it is current.
const heartbeat = time.Second
