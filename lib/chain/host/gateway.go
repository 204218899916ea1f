package host

import (
	"context"
	"strings"
	"sync"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
	"namecast/lib/clock"
)

// The bounds of requests that are passed on.
const (
	maxPassed  = 16384
	passedTime = 6 * time.Second // a replica gives up before
)

// A gateway passes reads and writes of chains that this node does not serve on to a
// member, and the answers back. Both go in epoch 0 over the connection of class
// chain: that is the epoch of who takes no part.
type gateway struct {
	life *life

	mu      sync.Mutex
	last    uint64 // ID
	ended   bool
	waiting map[uint64]passed
}

// passed is a request that was passed on.
type passed struct {
	client   answerer
	chain    chain.ID
	id       uint64 // the client's
	to       *peer
	write    bool
	deadline time.Duration
}

func newGateway(l *life) *gateway { return &gateway{life: l, waiting: map[uint64]passed{}} }

// serves reports whether this node's replica answers requests.
func (l *life) serves(id chain.ID) bool {
	return replica.Role(l.roles[id].Load()) == replica.Serving
}

// pass passes a request on; false if there is nobody to pass it to.
func (g *gateway) pass(client answerer, e chain.Envelope) bool {
	write := false
	if _, ok := e.Body.(chain.Propose); ok {
		write = true
	}
	to := g.member(e.Chain, write)
	if to == nil {
		return false
	}
	p := passed{client: client, chain: e.Chain, to: to, write: write, deadline: clock.Boot() + passedTime}
	var id uint64
	switch m := e.Body.(type) {
	case chain.Propose:
		id = g.note(p, m.ID)
		m.ID = id
		e.Body = m
	case chain.Read:
		id = g.note(p, m.ID)
		m.ID = id
		e.Body = m
	}
	if id == 0 {
		return false
	}
	g.life.host.counts[e.Chain].passedOn.Add(1)
	e.Epoch = 0
	if to.send(e) != nil {
		g.give(id, chain.NotServing)
	}
	return true
}

// note takes down a request, and gives it a number; 0 if there are too many.
func (g *gateway) note(p passed, id uint64) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) >= maxPassed || g.ended {
		return 0
	}
	g.last++
	p.id = id
	g.waiting[g.last] = p
	return g.last
}

// member chooses whom a request is passed to: a write to the head, a read to any
// member, of this datacenter before others.
func (g *gateway) member(id chain.ID, write bool) *peer {
	pic := g.life.host.config.Coordinator.Picture()
	if pic == nil || int(id) >= len(pic.Rows) {
		return nil
	}
	if pic.Rows[id].Index(g.life.self) >= 0 {
		return nil // this node is about to serve it, or has been fenced
	}
	members := pic.Rows[id].Members
	g.mu.Lock()
	turn := int(g.last)
	g.mu.Unlock()
	var best *peer
	for i := range members {
		m := members[i]
		if !write {
			m = members[(i+turn)%len(members)]
		}
		p := g.life.nodes.get(m.Node)
		if p == nil || p.conn.Peer.Incarnation != m.Inc {
			continue
		}
		if write || g.near(pic, m.Node) {
			return p
		}
		if best == nil {
			best = p
		}
	}
	return best
}

// near tells whether a node is in this node's datacenter, the first part of its
// zone.
func (g *gateway) near(pic *Picture, node string) bool {
	mine, _, _ := strings.Cut(g.life.host.config.Zone, "/")
	for i := range pic.Nodes {
		if n := &pic.Nodes[i]; n.Name == node {
			theirs, _, _ := strings.Cut(n.Zone, "/")
			return theirs == mine
		}
	}
	return false
}

// take takes a request out, if it waits for that peer, or for anybody if it is nil.
func (g *gateway) take(id uint64, from *peer) (passed, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p, ok := g.waiting[id]
	if !ok || from != nil && p.to != from {
		return passed{}, false
	}
	delete(g.waiting, id)
	return p, true
}

// answered passes an answer back.
func (g *gateway) answered(from *peer, e chain.Envelope) {
	switch m := e.Body.(type) {
	case chain.ProposeReply:
		if p, ok := g.take(m.ID, from); ok && p.write {
			m.ID = p.id
			p.client.answer(chain.Envelope{Chain: p.chain, Body: m})
		}
	case chain.ReadReply:
		if p, ok := g.take(m.ID, from); ok && !p.write {
			m.ID = p.id
			p.client.answer(chain.Envelope{Chain: p.chain, Body: m})
		}
	}
}

// give answers a request that will get no other answer.
func (g *gateway) give(id uint64, s chain.Status) {
	p, ok := g.take(id, nil)
	switch {
	case !ok:
	case p.write:
		p.client.answer(chain.Envelope{Chain: p.chain, Body: chain.ProposeReply{ID: p.id, Status: s}})
	default:
		p.client.answer(chain.Envelope{Chain: p.chain, Body: chain.ReadReply{ID: p.id, Status: s}})
	}
}

// giveAll answers those for which a condition holds: of a write nobody knows what
// became, and a read can be asked of another.
func (g *gateway) giveAll(when func(*passed) bool) {
	g.mu.Lock()
	writes := map[uint64]bool{}
	for id, p := range g.waiting {
		if when(&p) {
			writes[id] = p.write
		}
	}
	g.mu.Unlock()
	for id, write := range writes {
		if write {
			g.give(id, chain.Unknown)
		} else {
			g.give(id, chain.NotServing)
		}
	}
}

// lost gives up what waits for a connection that has ended.
func (g *gateway) lost(to *peer) { g.giveAll(func(p *passed) bool { return p.to == to }) }

// run gives up what has waited for too long, until the context ends.
func (g *gateway) run(ctx context.Context) {
	for clock.Sleep(ctx, passedTime/8) {
		now := clock.Boot()
		g.giveAll(func(p *passed) bool { return p.deadline <= now })
	}
}

// stop gives up all, and takes nothing more.
func (g *gateway) stop() {
	g.mu.Lock()
	g.ended = true
	g.mu.Unlock()
	g.giveAll(func(*passed) bool { return true })
}
