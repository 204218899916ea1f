package mysql

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
	"namecast/lib/store/mirror"
)

// Options of a store.
type Options struct {
	Address  Address
	Password string
	// Service is what the zones are made of for PowerDNS.
	Service Service
	// Replica is how the local database is opened; its Follow is the store's own.
	// Its Changed is called for what any node has changed.
	Replica leveldb.Options
	// Keep is how many changes the table of changes keeps at least; 0 is 200,000.
	// A node that was away for more of them makes its replica anew.
	Keep uint64
	// Log gets a line for each event; nil is none.
	Log *slog.Logger
}

// defaultKeep is how many changes are kept.
const defaultKeep = 200_000

// Never is the staleness of a replica that was not current in this run.
const Never = time.Duration(1<<63 - 1)

// A Store keeps accounts in a database, with a replica in a folder. Open makes it.
type Store struct {
	*mirror.Mirror
	db      *database
	service Service
	keep    uint64

	jobs chan *job
	kept *job // that did not fit into the last transaction; of the goroutine of commits

	trouble atomic.Pointer[error] // why the last transaction failed, if it was by no other's fault

	told    teller      // of the goroutine that follows
	looked  atomic.Bool // the tables are known to be this service's
	marks   marks
	kicked  chan struct{}
	closing sync.Once
	current atomic.Int64 // when the replica was last known to have everything, nanoseconds since began; 0 is never
	count   counters
}

// counters count what the store does.
type counters struct{ transactions, retries, records, copies, failures atomic.Uint64 }

// Stats are numbers since the store was opened.
type Stats struct {
	Transactions uint64 // that were committed
	Retries      uint64 // that were made again
	Records      uint64 // changes that the replica has followed
	Copies       uint64 // times that the replica was made anew
	Failures     uint64 // times that the table of changes could not be read
}

// Stats tells what the store did.
func (s *Store) Stats() Stats {
	c := &s.count
	return Stats{c.transactions.Load(), c.retries.Load(), c.records.Load(), c.copies.Load(), c.failures.Load()}
}

var _ store.Store = (*Store)(nil)

// openTime is how long Open tries to reach the database.
const openTime = 5 * time.Second

// Open opens the replica in the folder dir, makes it if it is not there, and begins
// to follow the database. A database that cannot be reached now is no error: what
// the replica has is served. ErrFormat, ErrOtherUse and others say that its tables
// are not what they should be.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{service: o.Service, keep: o.Keep, jobs: make(chan *job, maxJobs), kicked: make(chan struct{}, 1), told: newTeller()}
	if s.keep == 0 {
		s.keep = defaultKeep
	}
	var err error
	if s.db, err = open(o.Address, o.Password); err != nil {
		return nil, err
	}
	s.Mirror, err = mirror.Open(dir, mirror.Options{Service: Follows(o.Service.Base), Replica: o.Replica, Log: o.Log})
	if err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	ctx, cancel := context.WithTimeout(context.Background(), openTime)
	defer cancel()
	switch err := s.look(ctx); {
	case err == nil:
	case passing(err):
		s.Log.Error("the database cannot be reached", "err", cause(err))
	default:
		return nil, errors.Join(fmt.Errorf("database %q: %w", o.Address.Database, cause(err)), s.Mirror.Close(), s.db.Close())
	}
	s.marks.reached(s.DB.Place(feed).LSN)
	s.Go(s.commits)
	s.Go(s.follow)
	s.Go(s.trim)
	return s, nil
}

// Follows is the name that the replica of a service in a database is made for.
func Follows(base rr.Name) string { return "mysql " + base.Lower().String() }

// look refuses a database that is not this service's, or not of this program, and
// has its zones say what the service says. Once it has succeeded it does nothing.
func (s *Store) look(ctx context.Context) error {
	if s.looked.Load() {
		return nil
	}
	if err := checkSchema(ctx, s.db.DB); err != nil {
		return err
	}
	if err := sameDomain(ctx, s.db.DB, s.service.Base); err != nil {
		return err
	}
	err := s.settle(ctx)
	s.looked.Store(err == nil)
	return err
}

// Stale is for how long the replica may have missed changes: the time since it
// was last known to have everything; Never if it was not in this run.
func (s *Store) Stale() time.Duration {
	at := s.current.Load()
	if at == 0 {
		return Never
	}
	return max(0, time.Since(began)-time.Duration(at))
}

// began is what the times of [Store.current] count from, by the monotonic clock.
var began = time.Now()

// Close implements store.Store.
func (s *Store) Close() error {
	err := s.Mirror.Close()
	s.closing.Do(s.untell)
	return errors.Join(err, s.db.Close())
}

// counted counts a transaction that was tried.
func (s *Store) counted(err error) {
	if err != nil {
		s.count.retries.Add(1)
		if n := number(err); passing(err) && n != deadlock && n != lockWait {
			why := cause(err)
			if s.trouble.Swap(&why) == nil {
				s.Log.Error("changes cannot be committed, they are tried again", "err", why)
			}
		}
		return
	}
	s.count.transactions.Add(1)
	if s.trouble.Swap(nil) != nil {
		s.Log.Info("changes can be committed again")
	}
}

// marks are those who wait for the replica to have something.
type marks struct {
	mu   sync.Mutex
	lsn  uint64        // what the replica has
	news chan struct{} // closed when it has more; nil if nobody waits
}

// reached tells that the replica has everything up to an LSN.
func (m *marks) reached(lsn uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lsn = lsn
	if m.news != nil {
		close(m.news)
		m.news = nil
	}
}

// reach waits until the replica has everything up to an LSN, or ctx ends.
func (m *marks) reach(ctx context.Context, lsn uint64) error {
	for {
		m.mu.Lock()
		if m.lsn >= lsn {
			m.mu.Unlock()
			return nil
		}
		if m.news == nil {
			m.news = make(chan struct{})
		}
		news := m.news
		m.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
