package speaker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"namecast/lib/route"
)

var (
	// ErrForeign: the prefix is not one that this node may announce.
	ErrForeign = errors.New("not a prefix of this node")
	// ErrStuck: the library does not answer.
	ErrStuck = errors.New("BGP does not answer")
)

const (
	tick       = time.Second      // between looks at the library, which must answer
	retryAfter = 10 * time.Minute // a neighbour that sent too many prefixes
	// steady is how long a session has to be established for its neighbour to be
	// spoken to again at once when it ends: a router that was restarted is not to wait
	// for the library's pause, and one that ends each session soon is.
	steady = 5 * time.Second
)

// A Route is how a prefix should be announced. The zero Route is not.
type Route struct {
	Is    route.Condition // route.Announced, route.Drained; all else is withdrawn
	Attrs route.Attrs
}

// announced tells whether neighbours are to know the route.
func (r Route) announced() bool { return r.Is == route.Announced || r.Is == route.Drained }

// equal tells whether a neighbour would see no difference.
func (r Route) equal(other Route) bool {
	if !r.announced() || !other.announced() {
		return r.announced() == other.announced()
	}
	return r.Is == other.Is && r.Attrs.Equal(other.Attrs)
}

// A Peer is a neighbour and how the session with it is.
type Peer struct {
	Addr netip.Addr
	Is   route.Condition
}

// count says in how many sessions a prefix is announced, of those that carry its
// family.
type count struct{ out, of int }

// A Speaker speaks with all neighbours. Its methods may be called by many
// goroutines and do not wait for the library, but for Close.
type Speaker struct {
	config Config
	lib    *library
	kick   chan struct{} // something is to be done
	stop   context.CancelFunc
	done   chan struct{}

	busy atomic.Int64 // since when a call of the library has not returned, in ns; 0 is none

	mu     sync.Mutex
	wishes map[netip.Prefix]Route
	peers  map[netip.Addr]route.Condition
	since  map[netip.Addr]time.Time // when a session was established
	ended  map[netip.Addr]bool      // a steady session has ended
	counts map[netip.Prefix]count

	// These belong to the goroutine of run.
	present map[netip.Prefix]Route
	down    map[netip.Addr]time.Time // since when a neighbour is not spoken to
}

// New starts a speaker: fallback prefixes are announced at once, and nothing else. A
// neighbour that cannot be reached is no error.
func New(ctx context.Context, c Config) (*Speaker, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	s := &Speaker{
		config: c, kick: make(chan struct{}, 1), done: make(chan struct{}),
		wishes: map[netip.Prefix]Route{}, peers: map[netip.Addr]route.Condition{}, counts: map[netip.Prefix]count{},
		since: map[netip.Addr]time.Time{}, ended: map[netip.Addr]bool{},
		present: map[netip.Prefix]Route{}, down: map[netip.Addr]time.Time{},
	}
	for _, n := range c.Neighbors {
		s.peers[n.Addr] = route.Idle
	}
	for _, p := range c.Fallback {
		s.wishes[p] = Route{Is: route.Announced}
	}
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	lib, err := start(ctx, c, s.peerIs)
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("start BGP: %w", err)
	}
	s.lib = lib
	go s.run(ctx)
	s.wake()
	return s, nil
}

// Set says how a prefix should be announced. The error is ErrForeign for one that is
// not in Config.Prefixes.
func (s *Speaker) Set(p netip.Prefix, r Route) error {
	if !slices.Contains(s.config.Prefixes, p) {
		return fmt.Errorf("%w: %s", ErrForeign, p)
	}
	s.mu.Lock()
	changed := !s.wishes[p].equal(r)
	s.wishes[p] = r
	s.mu.Unlock()
	if changed {
		s.wake()
	}
	return nil
}

// Peers gives the neighbours in the order of the configuration.
func (s *Speaker) Peers() []Peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Peer, len(s.config.Neighbors))
	for i, n := range s.config.Neighbors {
		list[i] = Peer{n.Addr, s.peers[n.Addr]}
	}
	return list
}

// Out says to how many neighbours a prefix is announced (their Adj-RIB-Out), and how
// many there are with an established session that carries its family.
func (s *Speaker) Out(p netip.Prefix) (out, of int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[p].out, s.counts[p].of
}

// Stuck says for how long the library has not returned from a call; it is called at
// least once a second.
func (s *Speaker) Stuck(now time.Time) time.Duration {
	since := s.busy.Load()
	if since == 0 {
		return 0
	}
	return max(0, now.Sub(time.Unix(0, since)))
}

// Close withdraws everything, ends the sessions, and waits until the neighbours have
// been told, at most so long. The error is ErrStuck if they may not have been: the
// end of the process will tell them.
func (s *Speaker) Close(within time.Duration) error {
	limit := time.NewTimer(within)
	defer limit.Stop()
	s.stop()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-s.done
		s.lib.close()
	}()
	select {
	case <-stopped:
		return nil
	case <-limit.C:
		return fmt.Errorf("%w within %s", ErrStuck, within)
	}
}

// wake has run look at what is to be done.
func (s *Speaker) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// peerIs is told the state of a session by the library.
func (s *Speaker) peerIs(addr netip.Addr, is route.Condition) {
	s.mu.Lock()
	before, known := s.peers[addr]
	if known {
		s.peers[addr] = is
	}
	switch {
	case is == route.Established:
		s.since[addr] = time.Now()
		delete(s.ended, addr)
	case before == route.Established && is != route.Down:
		s.ended[addr] = time.Since(s.since[addr]) >= steady
	}
	s.mu.Unlock()
	if !known || before == is {
		return
	}
	if is == route.Established || before == route.Established || is == route.Down {
		s.config.Log.Info("session", "neighbour", addr, "is", is)
	}
	s.wake()
}

// run is the one goroutine that changes routes.
func (s *Speaker) run(ctx context.Context) {
	defer close(s.done)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		s.call(func() {
			s.apply()
			s.renew()
			s.count()
			s.retry(time.Now())
		})
		if s.config.Changed != nil {
			s.config.Changed()
		}
		select {
		case <-ctx.Done():
			return
		case <-s.kick:
		case <-ticker.C:
		}
	}
}

// call notes the time that f takes, which calls the library.
func (s *Speaker) call(f func()) {
	s.busy.Store(time.Now().UnixNano())
	defer s.busy.Store(0)
	f()
}

// apply makes true what is wished; what is to be withdrawn comes first.
func (s *Speaker) apply() {
	s.mu.Lock()
	wishes := maps.Clone(s.wishes)
	s.mu.Unlock()
	for _, announced := range []bool{false, true} {
		for p, r := range wishes {
			if r.announced() != announced || r.equal(s.present[p]) {
				continue
			}
			if err := s.lib.set(p, r); err != nil {
				s.config.Log.Error("change a route", "prefix", p, "to", r.Is, "error", err)
				continue
			}
			s.present[p] = r
		}
	}
}

// renew speaks again to neighbours whose steady session has ended.
func (s *Speaker) renew() {
	for _, n := range s.config.Neighbors {
		s.mu.Lock()
		ended := s.ended[n.Addr] && s.peers[n.Addr] != route.Established
		s.mu.Unlock()
		if !ended {
			continue
		}
		if err := s.lib.renew(n); err != nil {
			s.config.Log.Error("speak to a neighbour again", "neighbour", n.Addr, "error", err)
			continue
		}
		s.mu.Lock()
		delete(s.ended, n.Addr)
		s.mu.Unlock()
	}
}

// count asks what each neighbour is told.
func (s *Speaker) count() {
	counts := map[netip.Prefix]count{}
	for _, peer := range s.Peers() {
		if peer.Is != route.Established {
			continue
		}
		out := s.lib.out(peer.Addr)
		i := slices.IndexFunc(s.config.Neighbors, func(n Neighbor) bool { return n.Addr == peer.Addr })
		for _, p := range slices.Concat(s.config.Prefixes, s.config.Fallback) {
			if !s.config.Neighbors[i].carries(p) {
				continue
			}
			c := counts[p]
			c.of++
			if out[p] {
				c.out++
			}
			counts[p] = c
		}
	}
	s.mu.Lock()
	s.counts = counts
	s.mu.Unlock()
}

// retry speaks again to neighbours that had sent too many prefixes.
func (s *Speaker) retry(now time.Time) {
	for _, peer := range s.Peers() {
		since, is := s.down[peer.Addr]
		switch {
		case peer.Is != route.Down:
			delete(s.down, peer.Addr)
		case !is:
			s.down[peer.Addr] = now
			s.config.Log.Error("neighbour sent too many prefixes: its session is closed", "neighbour", peer.Addr, "until", now.Add(retryAfter))
		case now.Sub(since) > retryAfter:
			s.down[peer.Addr] = now
			if err := s.lib.enable(peer.Addr); err != nil {
				s.config.Log.Error("speak to a neighbour again", "neighbour", peer.Addr, "error", err)
			}
		}
	}
}
