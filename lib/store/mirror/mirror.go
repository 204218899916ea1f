// Package mirror is what stores have in common that keep their accounts elsewhere,
// in storage that nodes share, and have a replica of all of it in a local database
// of package leveldb. Whatever is read is read from the replica, and never waits for
// the network; how changes get to the storage, and from there to the replica, is the
// store's own business.
package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"namecast/lib/store"
	"namecast/lib/store/leveldb"
)

// Options of a mirror.
type Options struct {
	// Service is the name of the storage, for which the replica is made.
	Service string
	// Replica is how the local database is opened; its Follow is the mirror's own.
	// Its Changed is called for what any node has changed.
	Replica leveldb.Options
	// Log gets a line for each event; nil is none.
	Log *slog.Logger
}

// A Mirror is a replica at work. Open makes it.
type Mirror struct {
	DB  *leveldb.DB
	Dir string
	Log *slog.Logger

	complete  atomic.Bool // the replica had everything once
	completed chan struct{}
	suspended atomic.Bool // the storage is being restored

	ctx     context.Context // of all work
	end     context.CancelCauseFunc
	failed  chan struct{} // closed when the store cannot go on
	work    sync.WaitGroup
	changes sync.WaitGroup

	mu     sync.Mutex
	closed bool
	err    error
}

// noteComplete is the note in the replica that it had everything once.
const noteComplete = "complete"

// Open opens the replica in the folder dir, and makes it if it is not there. The
// errors are those of leveldb.Open.
func Open(dir string, o Options) (*Mirror, error) {
	o.Replica.Follow = o.Service
	db, err := leveldb.Open(dir, o.Replica)
	if err != nil {
		return nil, err
	}
	m := &Mirror{DB: db, Dir: dir, Log: o.Log, completed: make(chan struct{}), failed: make(chan struct{})}
	if m.Log == nil {
		m.Log = slog.New(slog.DiscardHandler)
	}
	note, err := db.Note(noteComplete)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	m.ctx, m.end = context.WithCancelCause(context.Background())
	if note != nil {
		m.setComplete()
	}
	return m, nil
}

// Go runs f, which is to end with its context, until the mirror is closed.
func (m *Mirror) Go(f func(context.Context)) { m.work.Go(func() { f(m.ctx) }) }

func (m *Mirror) setComplete() {
	m.complete.Store(true)
	close(m.completed)
}

// Complete notes, the first time that it is called, that the replica has had all
// that the storage has. It is for one goroutine.
func (m *Mirror) Complete(ctx context.Context) error {
	if m.complete.Load() {
		return nil
	}
	if err := m.DB.Keep(ctx, leveldb.Note{Name: noteComplete, Value: []byte{1}}); err != nil {
		return err
	}
	m.setComplete()
	return nil
}

// IsComplete reports whether the replica has had all that the storage has.
func (m *Mirror) IsComplete() bool { return m.complete.Load() }

// Ready waits until the replica has had all that the storage has, once: before
// that it serves nothing. It returns at once if that was in an earlier run.
func (m *Mirror) Ready(ctx context.Context) error {
	select {
	case <-m.completed:
		return nil
	case <-m.failed:
		return m.Err()
	case <-m.ctx.Done():
		return m.closedError()
	case <-ctx.Done():
		return fmt.Errorf("%w: the first copy of the storage is not complete: %w", store.ErrUnavailable, ctx.Err())
	}
}

// Suspend has nothing served, or all again, while the storage is being restored.
// It reports whether that is new.
func (m *Mirror) Suspend(restoring bool) bool {
	was := m.suspended.Swap(restoring)
	if was != restoring {
		m.Log.Info("restoring the storage", "underway", restoring)
	}
	return was != restoring
}

// Restoring reports whether the storage is being restored.
func (m *Mirror) Restoring() bool { return m.suspended.Load() }

// Failed is closed when the replica can follow no more, or could not be written.
// What it has is served on, and gets old; the program is to exit.
func (m *Mirror) Failed() <-chan struct{} { return m.failed }

// Err tells why Failed is closed; nil if it is not.
func (m *Mirror) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// Fail ends all work, unless the mirror is closed anyway.
func (m *Mirror) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil && !m.closed {
		m.err = err
		close(m.failed)
		m.end(err)
	}
}

func (m *Mirror) closedError() error {
	return fmt.Errorf("%w: replica %q is closed", store.ErrUnavailable, m.Dir)
}

// Serves returns an error while there is nothing whole to serve.
func (m *Mirror) Serves() error {
	switch {
	case !m.complete.Load():
		return fmt.Errorf("%w: the first copy of the storage is not complete", store.ErrUnavailable)
	case m.suspended.Load():
		return fmt.Errorf("%w: the storage is being restored", store.ErrUnavailable)
	}
	return nil
}

// View is that of store.Store, from the replica.
func (m *Mirror) View() (store.View, error) {
	if err := m.Serves(); err != nil {
		return nil, err
	}
	return m.DB.View()
}

// Position is that of the replica; 0 if it is closed.
func (m *Mirror) Position() store.Position {
	v, err := m.DB.View()
	if err != nil {
		return 0
	}
	defer v.Release()
	return v.Position()
}

// Feed is that of store.Store, from the replica: the order of events is that in
// which they came here.
func (m *Mirror) Feed(ctx context.Context, after store.Position) iter.Seq2[store.Event, error] {
	return m.DB.Feed(ctx, after)
}

// Backup is that of store.Store, from the replica: each account is there as of
// one moment.
func (m *Mirror) Backup(ctx context.Context, w io.Writer) error {
	if err := m.Serves(); err != nil {
		return err
	}
	return m.DB.Backup(ctx, w)
}

// Absent reports whether there is surely no account of the name in the replica.
func (m *Mirror) Absent(account []byte) bool { return m.complete.Load() && m.DB.Absent(account) }

// AbsentDomain reports whether the domain surely has never been claimed, as far
// as the replica knows.
func (m *Mirror) AbsentDomain(domain []byte) bool {
	return m.complete.Load() && m.DB.AbsentDomain(domain)
}

// closeGrace is how long Close waits for changes under way before it gives them up.
const closeGrace = 2 * time.Second

// Close ends the work, after the changes under way, and closes the replica.
func (m *Mirror) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	m.mu.Unlock()
	give := time.AfterFunc(closeGrace, func() { m.end(m.closedError()) })
	m.changes.Wait()
	give.Stop()
	m.end(m.closedError())
	m.work.Wait()
	return m.DB.Close()
}

// Begin lets work on a change begin, unless there is nothing to work on; ctx
// ends with the mirror. The function is called when it is over.
func (m *Mirror) Begin(ctx context.Context) (context.Context, func(), error) {
	if ctx.Err() != nil {
		return nil, nil, fmt.Errorf("%w: %w", store.ErrUnavailable, ctx.Err())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return nil, nil, m.closedError()
	case m.err != nil:
		return nil, nil, fmt.Errorf("%w: %w", store.ErrUnavailable, m.err)
	}
	m.changes.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(m.ctx, func() { cancel(context.Cause(m.ctx)) })
	return ctx, func() {
		stop()
		cancel(nil)
		m.changes.Done()
	}, nil
}
