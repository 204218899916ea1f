package craq

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

	"namecast/lib/chain"
	"namecast/lib/chain/client"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
)

// A Chain is what the store needs of the storage; *client.Client is one. Whoever
// made it runs it.
type Chain interface {
	Propose(context.Context, chain.ID, chain.Propose) (chain.Outcome, error)
	Read(context.Context, chain.ID, chain.Read) (chain.ReadReply, error)
	Follow(context.Context, client.Follower) error
	InSync(context.Context, chain.ID, chain.LSN) error
	Stale(chain.ID) time.Duration
	MaxStale() (time.Duration, chain.ID)
}

// Options of a store.
type Options struct {
	// Service is the name of the storage's cluster, for which the replica is made.
	Service string
	// Replica is how the local database is opened; its Follow is the store's own.
	// Its Changed is called for what any node has changed.
	Replica leveldb.Options
	// Log gets a line for each event; nil is none.
	Log *slog.Logger
}

// A Store keeps accounts in the storage, with a replica in a folder. Open makes it.
type Store struct {
	chain Chain
	db    *leveldb.DB
	dir   string
	log   *slog.Logger
	waits waits

	complete  atomic.Bool // the replica had all chains once
	completed chan struct{}
	restoring atomic.Bool // the chains are being restored
	unread    atomic.Uint64

	ctx     context.Context // of all work
	end     context.CancelCauseFunc
	failed  chan struct{} // closed when the store cannot go on
	work    sync.WaitGroup
	commits sync.WaitGroup

	mu     sync.Mutex
	closed bool
	err    error
}

var _ store.Store = (*Store)(nil)

// Names of notes in the replica.
const (
	noteRestore  = "restore"
	noteComplete = "complete"
)

// Open opens the replica in the folder dir, makes it if it is not there, and
// begins to follow the storage. The errors are those of leveldb.Open.
func Open(dir string, c Chain, o Options) (*Store, error) {
	o.Replica.Follow = o.Service
	db, err := leveldb.Open(dir, o.Replica)
	if err != nil {
		return nil, err
	}
	s := &Store{chain: c, db: db, dir: dir, log: o.Log, completed: make(chan struct{}), failed: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.waits.init()
	for id := range chain.Chains {
		s.waits.places[id] = chain.LSN(db.Place(uint8(id)).LSN)
	}
	note, err := db.Note(noteComplete)
	if err == nil {
		err = s.loadMark()
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.ctx, s.end = context.WithCancelCause(context.Background())
	if note != nil {
		s.setComplete()
	}
	s.work.Go(s.follow)
	if note == nil {
		s.work.Go(s.awaitComplete)
	}
	return s, nil
}

func (s *Store) setComplete() {
	s.complete.Store(true)
	close(s.completed)
}

// Ready waits until the replica has had all that the storage has, once: before
// that it serves nothing. It returns at once if that was in an earlier run.
func (s *Store) Ready(ctx context.Context) error {
	select {
	case <-s.completed:
		return nil
	case <-s.failed:
		return s.Err()
	case <-s.ctx.Done():
		return s.closedError()
	case <-ctx.Done():
		return fmt.Errorf("%w: the first copy of the storage is not complete: %w", store.ErrUnavailable, ctx.Err())
	}
}

// completeEvery is how often it is looked at whether the first copy is complete.
const completeEvery = 20 * time.Millisecond

// awaitComplete notes that the replica has had everything.
func (s *Store) awaitComplete() {
	tick := time.NewTicker(completeEvery)
	defer tick.Stop()
	for s.Stale() == client.Never {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
	}
	if err := s.db.Keep(s.ctx, leveldb.Note{Name: noteComplete, Value: []byte{1}}); err != nil {
		s.fail(err)
		return
	}
	s.setComplete()
}

// follow keeps the replica current until the store is closed.
func (s *Store) follow() {
	err := s.chain.Follow(s.ctx, follower{s})
	if s.ctx.Err() == nil {
		s.fail(fmt.Errorf("follow the storage: %w", err))
	}
}

// Failed is closed when the replica can follow no more, or could not be written.
// What it has is served on, and gets old; the program is to exit.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// Err tells why Failed is closed; nil if it is not.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *Store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && !s.closed {
		s.err = err
		close(s.failed)
		s.end(err)
	}
}

func (s *Store) closedError() error {
	return fmt.Errorf("%w: replica %q is closed", store.ErrUnavailable, s.dir)
}

// serves returns an error while there is nothing whole to serve.
func (s *Store) serves() error {
	switch {
	case !s.complete.Load():
		return fmt.Errorf("%w: the first copy of the storage is not complete", store.ErrUnavailable)
	case s.restoring.Load():
		return fmt.Errorf("%w: the storage is being restored", store.ErrUnavailable)
	}
	return nil
}

// View implements store.Store, from the replica.
func (s *Store) View() (store.View, error) {
	if err := s.serves(); err != nil {
		return nil, err
	}
	return s.db.View()
}

// Feed implements store.Store: the order of events is that in which they came
// here, which is another at each node.
func (s *Store) Feed(ctx context.Context, after store.Position) iter.Seq2[store.Event, error] {
	return s.db.Feed(ctx, after)
}

// Backup implements store.Store, from the replica: each account is there as of
// one moment.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	if err := s.serves(); err != nil {
		return err
	}
	return s.db.Backup(ctx, w)
}

// Absent reports whether there is surely no account of the name in the replica.
func (s *Store) Absent(account []byte) bool { return s.complete.Load() && s.db.Absent(account) }

// AbsentDomain reports whether the domain surely has never been claimed, as far
// as the replica knows.
func (s *Store) AbsentDomain(domain []byte) bool {
	return s.complete.Load() && s.db.AbsentDomain(domain)
}

// Unread counts records and items of the storage that could not be read and are left
// out: a newer program has written them, or they are not a service's.
func (s *Store) Unread() uint64 { return s.unread.Load() }

// Stale is for how long the replica may have missed changes: the time since it
// was last known to have everything; client.Never if it was not in this run.
func (s *Store) Stale() time.Duration {
	d, _ := s.chain.MaxStale()
	return d
}

// InSync waits until every node that follows the storage has the account as the
// storage has it now. The error tells who has not when ctx ends.
func (s *Store) InSync(ctx context.Context, account string) error {
	id := chainOf(account)
	head, _, err := s.read(ctx, id, headKey(account))
	if err != nil || !head.Found {
		return err
	}
	return s.chain.InSync(ctx, id, head.Version)
}

// closeGrace is how long Close waits for commits under way before it gives them up.
const closeGrace = 2 * time.Second

// Close implements store.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	give := time.AfterFunc(closeGrace, func() { s.end(s.closedError()) })
	s.commits.Wait()
	give.Stop()
	s.end(s.closedError())
	s.work.Wait()
	return s.db.Close()
}

// begin lets work on a change begin, unless there is nothing to work on; ctx
// ends with the store. The function is called when it is over.
func (s *Store) begin(ctx context.Context) (context.Context, func(), error) {
	if ctx.Err() != nil {
		return nil, nil, fmt.Errorf("%w: %w", store.ErrUnavailable, ctx.Err())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, nil, s.closedError()
	case s.err != nil:
		return nil, nil, fmt.Errorf("%w: %w", store.ErrUnavailable, s.err)
	}
	s.commits.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.ctx, func() { cancel(context.Cause(s.ctx)) })
	return ctx, func() {
		stop()
		cancel(nil)
		s.commits.Done()
	}, nil
}
