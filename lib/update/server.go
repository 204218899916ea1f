// Package update is the update server of a node: the way of an update from a
// datagram to a reply.
//
// A datagram is parsed and limited; budgets, the account, the admission rule
// and the sequence number are checked; then the signature, which costs most;
// then domains are proved, the request is applied to the account and the change
// is committed; then the reply leaves. Everything that the network can make it
// hold is bounded: past a bound, packets are dropped and counted, and the client
// sends the same packet again.
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

	"namecast/lib/nup"
	"namecast/lib/rr"
	"namecast/lib/sock"
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
	Count   Counters
	budgets budgets
	admit   atomic.Pointer[Admission] // Config.Admission, and what came after it

	busy chan struct{} // one token for each request under way
	mu   sync.Mutex
	at   map[[32]byte]bool // packets under way
	work sync.WaitGroup
}

// maxBusy is how many requests are worked on at once. Each waits for its
// signature's turn, for a commit, or for a look-up; none holds more than its
// packet.
const maxBusy = 1024

// New makes a server.
func New(c Config) *Server {
	s := &Server{
		Config:  c,
		budgets: newBudgets(c.Budgets),
		busy:    make(chan struct{}, maxBusy),
		at:      map[[32]byte]bool{},
	}
	s.SetAdmission(c.Admission)
	return s
}

// SetAdmission changes the rule for new accounts while the server runs.
func (s *Server) SetAdmission(a Admission) { s.admit.Store(&a) }

func (s *Server) admission() Admission { return *s.admit.Load() }

// Serve reads datagrams from conns until ctx ends, then answers those it has
// and closes the sockets. An error is that of a socket.
func (s *Server) Serve(ctx context.Context, conns ...*net.UDPConn) error {
	errs := make(chan error, len(conns))
	for _, c := range conns {
		go func() { errs <- s.read(ctx, c) }()
	}
	stop := context.AfterFunc(ctx, func() {
		for _, c := range conns {
			c.SetReadDeadline(time.Unix(1, 0)) // wakes the readers; replies still leave
		}
	})
	var err error
	for range conns {
		err = errors.Join(err, <-errs)
	}
	stop()
	s.work.Wait()
	for _, c := range conns {
		c.Close()
	}
	return err
}

// read takes datagrams from one socket.
func (s *Server) read(ctx context.Context, c *net.UDPConn) error {
	buf := make([]byte, nup.MaxPacket+1)
	for {
		var back sock.Back
		n, err := sock.Receive(c, buf, &back)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("read updates on %s: %w", c.LocalAddr(), err)
		case err == nil: // otherwise an ICMP error about an earlier reply
			s.dispatch(ctx, c, buf[:n], back)
		}
	}
}

// dispatch starts work on a datagram unless there is too much of it, or the
// same datagram is being worked on: then its reply is on the way.
func (s *Server) dispatch(ctx context.Context, c *net.UDPConn, b []byte, back sock.Back) {
	if len(b) < len(nup.Magic) || string(b[:len(nup.Magic)]) != nup.Magic {
		s.Count.NotNUP.Add(1)
		return
	}
	select {
	case s.busy <- struct{}{}:
	default:
		s.Count.Overload.Add(1)
		return
	}
	packet := append([]byte(nil), b...)
	id := sha256.Sum256(packet)
	if !s.begin(id) {
		<-s.busy
		s.Count.Duplicate.Add(1)
		return
	}
	s.work.Go(func() {
		defer func() { s.end(id); <-s.busy }()
		// What was begun is finished, also when the server is told to stop.
		if reply := s.Handle(context.WithoutCancel(ctx), packet, back.To()); reply != nil {
			// A reply that cannot be sent is a lost one: the client asks again.
			_ = sock.Reply(c, reply, &back)
		}
	})
}

func (s *Server) begin(id [32]byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at[id] {
		return false
	}
	s.at[id] = true
	return true
}

func (s *Server) end(id [32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.at, id)
}
