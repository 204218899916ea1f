package craq

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/client"
	"namecast/lib/store"
	"namecast/lib/store/mirror"
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
type Options = mirror.Options

// A Store keeps accounts in the storage, with a replica in a folder. Open makes it.
type Store struct {
	*mirror.Mirror
	chain  Chain
	waits  waits
	unread atomic.Uint64
}

var _ store.Store = (*Store)(nil)

// noteRestore is the note in the replica of a restore.
const noteRestore = "restore"

// Open opens the replica in the folder dir, makes it if it is not there, and
// begins to follow the storage. The errors are those of leveldb.Open.
func Open(dir string, c Chain, o Options) (*Store, error) {
	m, err := mirror.Open(dir, o)
	if err != nil {
		return nil, err
	}
	s := &Store{Mirror: m, chain: c}
	s.waits.init()
	for id := range chain.Chains {
		s.waits.places[id] = chain.LSN(s.DB.Place(uint8(id)).LSN)
	}
	if err := s.loadMark(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.Go(s.follow)
	if !s.IsComplete() {
		s.Go(s.awaitComplete)
	}
	return s, nil
}

// completeEvery is how often it is looked at whether the first copy is complete.
const completeEvery = 20 * time.Millisecond

// awaitComplete notes that the replica has had everything.
func (s *Store) awaitComplete(ctx context.Context) {
	tick := time.NewTicker(completeEvery)
	defer tick.Stop()
	for s.Stale() == client.Never {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
	if err := s.Complete(ctx); err != nil {
		s.Fail(err)
	}
}

// follow keeps the replica current until the store is closed.
func (s *Store) follow(ctx context.Context) {
	err := s.chain.Follow(ctx, follower{s, ctx})
	if ctx.Err() == nil {
		s.Fail(fmt.Errorf("follow the storage: %w", err))
	}
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
