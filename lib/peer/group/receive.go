package group

import (
	"net/netip"
	"slices"
	"time"

	"namecast/lib/peer"
	"namecast/lib/peer/packet"
)

// Receive takes a datagram. Events are peer.Received, Joined, Left, Turned and
// CloneSeen; also those that have happened since the last call. A datagram that is refused is counted
// and nothing else.
func (g *Group) Receive(now time.Duration, d Datagram) ([]any, []Send) {
	g.advance(now)
	g.stats.Received[g.receive(d)]++
	return g.Events(), g.flush()
}

// An arrival is a datagram that came from where it may.
type arrival struct {
	link *link
	from netip.AddrPort // without a zone
	all  bool           // by multicast or broadcast
	wide bool           // by broadcast
	m    *packet.Message
}

func (g *Group) receive(d Datagram) Reason {
	a, r := g.arrive(d)
	if r != Taken {
		return r
	}
	m, err := g.o.Keys.Open(d.Data)
	switch {
	case err != nil:
		return Sealed
	case m.From == g.self && m.Boot == g.o.Boot:
		return Own
	case m.To != g.self && m.To != packet.NodeID{}:
		return Elsewhere
	}
	a.m = m
	n := g.nodes[m.From]
	if h, ok := m.Body.(*packet.Hello); ok {
		return g.takeHello(n, a, h)
	}
	return g.takeMessage(n, a)
}

// arrive checks where a datagram came from and went to.
func (g *Group) arrive(d Datagram) (arrival, Reason) {
	l := g.link(d.Link)
	if l == nil {
		return arrival{}, NoLink
	}
	from := netip.AddrPortFrom(d.From.Addr().Unmap().WithZone(""), d.From.Port())
	to := d.To.Addr().Unmap().WithZone("")
	a := arrival{link: l, from: from}
	ttl := 255
	switch {
	case slices.Contains(g.groups, to):
		a.all = true
		if to.Is4() {
			ttl = 1
		}
	case to.IsValid() && to == l.Broadcast:
		a.all, a.wide = true, true
	case !l.mine(to):
		return a, Elsewhere
	}
	switch {
	case d.TTL != ttl:
		return a, Routed
	case !l.near(from.Addr()) || from.Addr() == l.Broadcast || from.Port() == 0:
		return a, OffLink
	}
	return a, Taken
}

// noted notes a multicast that was taken. Calls are not counted, so that there are
// Hellos also while many call.
func (a *arrival) noted(now time.Duration) {
	if !a.all {
		return
	}
	if !a.wide {
		a.link.heard = now
	}
	if _, call := a.m.Body.(*packet.Ask); !call {
		a.link.multicast(now)
	}
}

// takeMessage takes what is not a Hello.
func (g *Group) takeMessage(n *node, a arrival) Reason {
	if n == nil {
		return Stranger
	}
	w := n.windowOf(a.m.Boot)
	switch {
	case w == nil:
		return Stranger
	case n.proven && n.boot == a.m.Boot && !n.member && n.claim == nil:
		return g.revive(n, a)
	case !g.speaks(n, a):
		return Address
	}
	if r := w.take(g.now, a.m.Seq); r != Taken {
		if r == Late {
			return g.takeLate(n, a)
		}
		return r
	}
	a.noted(g.now)
	if a.m.Boot == n.boot && n.proven {
		g.hears(n, a)
		if n.member && !a.all {
			g.answered(n)
		}
	}
	return g.dispatch(n, a)
}

// windowOf is that of one of the node's boots, or nil.
func (n *node) windowOf(boot uint64) *window {
	switch {
	case n.proven && n.boot == boot:
		return &n.window
	case n.claim != nil && n.claim.boot == boot:
		return &n.claim.window
	}
	return nil
}

// speaks tells whether a message came from an address of the node's.
func (g *Group) speaks(n *node, a arrival) bool {
	if c := n.claim; c != nil && c.boot == a.m.Boot && c.link == a.link.Index && slices.Contains(c.hello.Addrs, a.from) {
		return true
	}
	return n.proven && n.boot == a.m.Boot && n.at(a.link.Index, a.from) != nil
}

// takeLate takes a Pong that is late by its number: it answers a challenge of a moment
// ago, so it is the clock that is off.
func (g *Group) takeLate(n *node, a arrival) Reason {
	if b, ok := a.m.Body.(*packet.Pong); ok && a.m.Seq > n.windowOf(a.m.Boot).top && g.pong(n, a, b) == Taken {
		return Taken
	}
	if n.member {
		g.poke(n)
	}
	return Late
}

// dispatch gives a new message from the node's address to whom it concerns.
func (g *Group) dispatch(n *node, a arrival) Reason {
	switch b := a.m.Body.(type) {
	case *packet.Ping:
		return g.pinged(n, a, b)
	case *packet.Pong:
		if !g.budget(&n.talk, talkOfPeer, &g.talk, talkOfAll) {
			return Budget
		}
		return g.pong(n, a, b)
	}
	if !n.proven || a.m.Boot != n.boot {
		return Stranger
	}
	if !n.member {
		return Stranger
	}
	switch b := a.m.Body.(type) {
	case *packet.Bye:
		g.leave(n, "bye: "+b.Reason)
		return Taken
	case *packet.Known:
		return g.known(n, a, b)
	}
	return g.hand(n, a)
}

// hand gives a message for the node itself to the caller.
func (g *Group) hand(n *node, a arrival) Reason {
	m, allowed := a.m, false
	if ask, ok := m.Body.(*packet.Ask); a.all && !(ok && ask.Any) {
		return Elsewhere // only such go to all
	}
	switch b := m.Body.(type) {
	case *packet.Ask:
		if b.Any {
			allowed = g.budget(&n.calls, callsOfPeer, &g.calls, callsOfAll)
			break
		}
		allowed = g.budget(&n.asks, asksOfPeer, &g.data, dataOfAll)
	case *packet.Put:
		allowed = g.budget(&n.puts, putsOfPeer, &g.data, dataOfAll)
	default:
		allowed = g.budget(&n.answers, answersOfPeer, &g.data, dataOfAll)
		if p := n.at(a.link.Index, a.from); p != nil {
			p.fails = 0
		}
	}
	if !allowed {
		return Budget
	}
	if _, ok := m.Body.(*packet.Fragment); ok {
		whole, err := g.fragments.Add(g.now, m)
		if err != nil {
			return Sealed
		}
		if whole == nil {
			return Taken
		}
		m = whole
	}
	g.events = append(g.events, peer.Received{From: m.From, ID: m.ID, Body: m.Body})
	return Taken
}

// budget takes from a peer's budget and that of all.
func (g *Group) budget(one *bucket, r rate, all *bucket, rAll rate) bool {
	return one.take(g.now, r) && all.take(g.now, rAll)
}
