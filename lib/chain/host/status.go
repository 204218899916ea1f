package host

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
	"namecast/lib/clock"
	"namecast/lib/link"
)

// A Status is what an operator can be shown of a node.
type Status struct {
	Node, Addr, Zone string
	Incarnation      chain.Incarnation // 0 while it is not registered
	Age              time.Duration     // of the incarnation
	Lease            time.Duration     // for how long it is in force yet; negative if it has lapsed
	Waiting          int               // inputs that wait for the replicas
	Passed           int               // requests that were passed on and are not answered
	Halts            []Halt            // in the order of their chains
	Chains           []ChainStatus     // in the order of their chains
	Links            []LinkStatus      // in the order of their peers
}

// A ChainStatus is what an operator can be shown of a node's part in a chain.
type ChainStatus struct {
	Chain   chain.ID
	Role    string
	Epoch   chain.Epoch
	Place   int // in the row's members, 0 for the head, or -1
	Members []chain.Member
	Recruit chain.Member
	Active  bool // it is the tail, and commits
	// The log, as in replica.Status.
	First, Last, Durable, Committed, Follower chain.LSN
	Gated                                     bool
	Writes, Forwarded, Reads                  int // that wait for an answer
	Feeds, Copies                             int // subscriptions, and how many of them are sent a snapshot
	FeedLag                                   uint64
	Why                                       string // it does not serve all it is there for; "" if it does
	Counters                                  Counters
}

// A LinkStatus is a connection.
type LinkStatus struct {
	Peer        string // the name in its certificate
	Addr        string
	Class       string
	Incarnation chain.Incarnation
	Dialed      bool // from here
	Age         time.Duration
	Waiting     int // inputs that wait for the replicas
	Held        int // octets that wait outside of the queue
	Stats       link.Stats
}

// Status tells how the node stands. It asks the loops, which takes as long as what
// they have to do before.
func (h *Host) Status() Status {
	s := Status{Node: h.config.Name, Addr: h.config.Addr, Zone: h.config.Zone}
	h.mu.Lock()
	ended := h.ended
	now := clock.Boot()
	for _, x := range h.halts {
		if now-x.at > forgiven {
			continue
		}
		halt := *x
		halt.Ago = now - x.at
		s.Halts = append(s.Halts, halt)
	}
	h.mu.Unlock()
	slices.SortFunc(s.Halts, func(a, b Halt) int { return cmp.Compare(a.Chain, b.Chain) })
	if l := h.life.Load(); l != nil && l.self.Inc > ended {
		l.status(&s, now)
	}
	return s
}

// status is that of an incarnation.
func (l *life) status(s *Status, now time.Duration) {
	s.Incarnation, s.Age, s.Lease = l.self.Inc, now-l.began, time.Duration(l.until.Load())-now
	s.Chains = make([]ChainStatus, chain.Chains)
	waiting := make([]int, len(l.loops))
	for i, o := range l.loops {
		o.mu.Lock()
		waiting[i] = len(o.inputs)
		o.mu.Unlock()
		s.Waiting += waiting[i]
	}
	l.ask(func(o *loop) {
		for _, seat := range o.seats {
			s.Chains[seat.id] = seat.status()
		}
	})
	l.gateway.mu.Lock()
	s.Passed = len(l.gateway.waiting)
	l.gateway.mu.Unlock()
	l.peers.Range(func(_, at any) bool {
		s.Links = append(s.Links, at.(*peer).status())
		return true
	})
	slices.SortFunc(s.Links, func(a, b LinkStatus) int {
		return cmp.Or(strings.Compare(a.Peer, b.Peer), strings.Compare(a.Class, b.Class))
	})
}

func (s *seat) status() ChainStatus {
	st := s.rep.Status()
	c := ChainStatus{
		Chain: s.id, Role: st.Role.String(), Epoch: st.Row.Epoch, Place: st.Place, Active: st.Active,
		Members: st.Row.Members, Recruit: st.Row.Recruit,
		First: st.First, Last: st.Last, Durable: st.Durable, Committed: st.Committed, Follower: st.Follower,
		Gated: st.Gated, Writes: st.Writes, Forwarded: st.Forwarded, Reads: st.Reads,
		Feeds: len(st.Feeds), Why: st.Why, Counters: s.count.read(),
	}
	if s.halt != "" {
		c.Why = "stopped: " + s.halt
	}
	for _, f := range st.Feeds {
		if f.Copying {
			c.Copies++
			continue
		}
		c.FeedLag = max(c.FeedLag, uint64(st.Committed-min(f.Acked, st.Committed)))
	}
	if st.Role == replica.None {
		c.Why = ""
	}
	return c
}

func (p *peer) status() LinkStatus {
	p.outbox.mu.Lock()
	held := p.size
	p.outbox.mu.Unlock()
	of := p.conn.Peer
	return LinkStatus{
		Peer: of.Name.String(), Addr: of.Addr, Class: of.Class.String(), Incarnation: of.Incarnation, Dialed: of.Dialed,
		Age: time.Since(p.conn.Since), Waiting: int(p.waiting.Load()), Held: held, Stats: p.conn.Stats(),
	}
}

// Counters tells what the node has done in each chain since its process began. It
// asks nobody, and takes no time to speak of.
func (h *Host) Counters() []Counters {
	all := make([]Counters, chain.Chains)
	for i := range h.counts {
		all[i] = h.counts[i].read()
	}
	return all
}
