// Package update is the update server of a node: the way of an update from a
// datagram to a reply.
//
// A datagram is parsed and limited; budgets, the account, the admission rule
// and the sequence number are checked; then the signature, which costs most;
// then domains are proved, the request is applied to the account and the change
// is committed; then the reply leaves. Packets that have come together go
// together, as a group: signatures cost what they cost, but a group needs one call
// to receive, one write to the disk, and one call to reply. Everything that the
// network can make it hold is bounded: past a bound, packets are dropped and
// counted, and the client sends the same packet again.
package update

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/zone"
)

// A Config is what an update server is made of.
type Config struct {
	Store       store.Store
	Base        rr.Name // the service's name: the base domain
	Log         *slog.Logger
	Quota       zone.Quota
	MaxElements int // elements in a request; 0 is no limit
	Budgets     Budgets
	Admission   Admission
	Prover      Prover                                    // nil: only Granted
	Granted     func(domain rr.Name, account string) bool // domains that need no proof; may be nil
	Now         func() time.Time                          // time.Now, or a test's clock
}

// A Server takes updates.
type Server struct {
	Config
	Count    Counters
	budgets  budgets
	admit    atomic.Pointer[Admission] // Config.Admission, and what came after it
	accounts *accounts
	unlogged atomic.Uint64 // new accounts since the log told of one

	mu       sync.Mutex
	underway map[[sha256.Size]byte]bool // packets, by their hashes
	waiting  chan struct{}              // one token for each request that waits for the network
	work     sync.WaitGroup             // workers, and requests that wait
}

// maxWaiting is how many requests wait for answers of the network at once. Each
// holds no more than its packet.
const maxWaiting = 1024

// New makes a server.
func New(c Config) *Server {
	s := &Server{
		Config:   c,
		budgets:  newBudgets(c.Budgets),
		accounts: newAccounts(),
		underway: map[[sha256.Size]byte]bool{},
		waiting:  make(chan struct{}, maxWaiting),
	}
	s.SetAdmission(c.Admission)
	return s
}

// SetAdmission changes the rule for new accounts while the server runs.
func (s *Server) SetAdmission(a Admission) { s.admit.Store(&a) }

func (s *Server) admission() Admission { return *s.admit.Load() }

// Serve reads datagrams from conns until ctx ends, then answers those it has
// and closes the sockets. An error is that of a socket.
func (s *Server) Serve(ctx context.Context, conns ...*net.UDPConn) (err error) {
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	var workers []*worker
	for _, c := range conns {
		list, err := s.newWorkers(ctx, c)
		if err != nil {
			return fmt.Errorf("serve updates: %w", err)
		}
		workers = append(workers, list...)
	}
	errs := make(chan error, len(workers))
	for _, w := range workers {
		s.work.Go(func() { errs <- w.serve() })
	}
	stop := context.AfterFunc(ctx, func() {
		for _, c := range conns {
			c.SetReadDeadline(time.Unix(1, 0)) // wakes the readers; replies still leave
		}
	})
	defer stop()
	s.work.Wait()
	close(errs)
	for e := range errs {
		if e != nil {
			err = errors.Join(err, fmt.Errorf("serve updates: %w", e))
		}
	}
	return err
}
