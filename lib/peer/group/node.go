package group

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"namecast/lib/peer/packet"
)

// Limits of what is remembered, whatever comes in.
const (
	maxNodes  = 4096 // members, candidates, and those that have gone
	maxClaims = 1024 // candidates at the same time
	maxPast   = 4    // boots of a node that are over

	maxClaimsThere = 16 // candidates at one address
)

// A node is all that is remembered of one NodeID. A member that has gone stays for
// its windows' sake, until its place is needed.
type node struct {
	id     packet.NodeID
	rank   uint64 // hash of the id under the group's key
	proven bool   // it has had a boot
	boot   uint64
	born   time.Duration // when that was first proven
	window window
	past   []pastBoot
	claim  *claim
	paths  []*path
	key    int // of the group's keys: the one that it uses

	member  bool
	suspect bool
	since   time.Duration // that it is a member
	heard   time.Duration // the last message that was taken
	ping    time.Duration // when to send the next Ping
	calm    time.Duration // when to send one although all is well
	misses  int           // that it left unanswered since it was reached
	turn    int           // of its paths, for Pings

	hello   packet.Hello // the last one
	helloAt time.Duration

	asks, puts, answers, calls, talk bucket
	lists                            time.Duration // when it may have the list again
}

// A pastBoot is a life of a node that is over, and how far it was heard.
type pastBoot struct{ boot, top uint64 }

// A path is one address of a node.
type path struct {
	link      int
	addr      netip.AddrPort
	proven    bool // it has answered from there
	heard     time.Duration
	srtt      time.Duration
	fails     int // Pings and questions that were not answered since
	waiting   bool
	challenge [8]byte
	sent      time.Duration
}

// number is a NodeID as a number, of which digests are made.
func number(id packet.NodeID) uint64 { return binary.BigEndian.Uint64(id[:]) }

// meet gives the record of a NodeID, a new one if need be, or nil if there is no room.
func (g *Group) meet(id packet.NodeID) *node {
	if n := g.nodes[id]; n != nil {
		return n
	}
	if len(g.list) >= maxNodes {
		oldest := -1
		for i, n := range g.list {
			if !n.member && n.claim == nil && (oldest < 0 || n.heard < g.list[oldest].heard) {
				oldest = i
			}
		}
		if oldest < 0 {
			return nil
		}
		g.forget(g.list[oldest])
	}
	n := &node{id: id, rank: g.hash("node", id[:]), heard: g.now}
	g.nodes[id] = n
	g.list = append(g.list, n)
	return n
}

// forget drops a record of one that is not a member.
func (g *Group) forget(n *node) {
	if n == nil {
		return
	}
	delete(g.nodes, n.id)
	g.list = slices.DeleteFunc(g.list, func(o *node) bool { return o == n })
}

// join makes a node a member.
func (g *Group) join(n *node, addr netip.AddrPort) {
	if n.member {
		return
	}
	n.member, n.suspect, n.misses, n.since = true, false, 0, g.now
	g.count(n, 1)
	g.remember(n)
	g.events = append(g.events, Joined{n.id, addr})
}

// leave makes a member one that has gone.
func (g *Group) leave(n *node, why string) {
	n.member, n.suspect = false, false
	n.paths = nil
	n.window.timed = false // its clock may have stood still; a Pong is needed anyway
	g.count(n, -1)
	g.events = append(g.events, Left{n.id, why})
}

// count keeps what hangs on the set of members.
func (g *Group) count(n *node, by int) {
	g.members += by
	g.digest ^= number(n.id)
	g.change++
	g.seats = nil
	g.pull.pause = 0
}

// path is the node's address that is best to send to, or nil.
func (n *node) path() *path {
	if len(n.paths) == 0 {
		return nil
	}
	return slices.MinFunc(n.paths, func(a, b *path) int {
		if c := cmp.Compare(a.cost(), b.cost()); c != 0 {
			return c
		}
		return cmp.Compare(a.srtt, b.srtt)
	})
}

// cost orders paths: those that answer, those that are not known, those that fail.
func (p *path) cost() int {
	switch {
	case p.fails > 0:
		return 1 + p.fails
	case p.proven:
		return 0
	}
	return 1
}

// at gives the node's path with an address, or nil.
func (n *node) at(link int, addr netip.AddrPort) *path {
	for _, p := range n.paths {
		if p.link == link && p.addr == addr {
			return p
		}
	}
	return nil
}

// learn takes what a Hello says of its sender, and its addresses on the link.
func (g *Group) learn(n *node, l *link, h *packet.Hello) {
	if n.member && (n.hello.Net != h.Net || n.hello.Weight != h.Weight) {
		g.change++
	}
	if n.member && n.hello.Upstream != h.Upstream {
		g.events = append(g.events, Turned{n.id, h.Upstream})
	}
	n.hello, n.helloAt = *h, g.now
	g.seats = nil
	var paths []*path
	for _, p := range n.paths {
		if p.link != l.Index || slices.Contains(h.Addrs, p.addr) {
			paths = append(paths, p)
		}
	}
	n.paths = paths
	for _, a := range h.Addrs {
		if l.near(a.Addr()) && !l.mine(a.Addr()) && n.at(l.Index, a) == nil && len(n.paths) < 4*maxAddrs {
			n.paths = append(n.paths, &path{link: l.Index, addr: a})
		}
	}
	if n.member && len(n.paths) == 0 {
		g.leave(n, "no address")
	}
	if n.member && h.Members != g.digest {
		g.differs(n)
	}
}

// tend does what is due for a node.
func (g *Group) tend(n *node) {
	if c := n.claim; c != nil {
		if c.due <= g.now {
			g.try(n)
		}
		if n.claim != nil {
			g.wake = min(g.wake, c.due)
		} else if !n.proven {
			g.forget(n)
			return
		}
	}
	if !n.member {
		return
	}
	if g.now-n.heard >= 3*g.interval() {
		g.leave(n, "silent")
		return
	}
	if n.ping <= g.now {
		g.check(n)
	}
	g.wake = min(g.wake, n.ping, n.heard+3*g.interval())
}

// heardOn is when a node was last heard on a link.
func (n *node) heardOn(link int) time.Duration {
	var heard time.Duration
	for _, p := range n.paths {
		if p.link == link {
			heard = max(heard, p.heard)
		}
	}
	return heard
}

// hears notes a message of a node's present boot that was taken. What goes to all is
// said under older keys too; that is no sign that the node has no newer one.
func (g *Group) hears(n *node, a arrival) {
	n.heard = g.now
	if !a.all || a.m.Key < n.key {
		n.key = a.m.Key
	}
	if p := n.at(a.link.Index, a.from); p != nil {
		p.heard = g.now
	}
}

// check sends a Ping to a member if it is time: when it has been silent, on the link by
// which it is spoken to, for one and a half intervals, and now and then to measure and to know its other addresses. Once it
// leaves one unanswered, all its addresses are tried.
func (g *Group) check(n *node) {
	if best := n.path(); n.misses == 0 && best != nil && !best.waiting && best.proven {
		if when := min(n.calm, n.heardOn(best.link)+g.interval()*3/2); when > g.now {
			n.ping = when
			return
		}
	}
	if best := n.path(); best != nil && best.waiting {
		g.missed(n)
	}
	for _, p := range n.paths {
		if p.waiting {
			p.fails++
		}
	}
	best := n.path()
	n.turn++
	for i, p := range n.paths {
		if n.misses > 0 || !best.proven || p == best || i == n.turn%len(n.paths) {
			g.pingPath(n, p)
		}
	}
	n.ping = g.now + time.Second<<min(n.misses, 3)
}

// poke has a Ping sent soon, if none was a moment ago.
func (g *Group) poke(n *node) {
	var last time.Duration
	for _, p := range n.paths {
		last = max(last, p.sent)
	}
	n.calm = g.now
	g.at(&n.ping, min(n.ping, max(g.now, last+time.Second)))
}

// pingPath sends a Ping to one address.
func (g *Group) pingPath(n *node, p *path) {
	p.challenge = [8]byte(g.random(8))
	p.waiting, p.sent = true, g.now
	g.unicast(n, p.link, p.addr, &packet.Ping{Challenge: p.challenge}, 0)
}

// settled sets a member's next Ping after a Pong.
func (g *Group) settled(n *node) {
	n.calm = g.now + g.about(max(time.Minute, 2*time.Second*time.Duration(g.Size())))
	g.at(&n.ping, min(n.calm, g.now+g.interval()*3/2))
}

// A Member is another node of the group.
type Member struct {
	ID          packet.NodeID
	Addrs       []netip.AddrPort // the best first; link-local ones have their link's name as zone
	Links       []string         // their links' names
	SRTT        time.Duration    // smoothed round trip time to the first address
	Since       time.Duration    // when it became a member
	Heard       time.Duration    // its last message
	Suspect     bool             // it does not answer
	Weight      uint8
	Net         uint64
	Upstream    packet.UpstreamState
	UpstreamFor time.Duration
	Counters    packet.Counters
	Entries     uint32
	Version     uint16
	Started     time.Duration // how long ago
}

// Members gives the members in the order of their NodeIDs, the node itself not among
// them.
func (g *Group) Members() []Member {
	var ms []Member
	for _, n := range g.list {
		if n.member {
			ms = append(ms, g.describe(n))
		}
	}
	slices.SortFunc(ms, func(a, b Member) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return ms
}

func (g *Group) describe(n *node) Member {
	h := &n.hello
	m := Member{ID: n.id, Since: n.since, Heard: n.heard, Suspect: n.suspect, Weight: h.Weight, Net: h.Net,
		Upstream: h.Upstream, UpstreamFor: h.UpstreamFor + g.now - n.helloAt, Counters: h.Counters,
		Entries: h.Entries, Version: h.Version, Started: h.Started + g.now - n.helloAt}
	best := n.path()
	if best == nil {
		return m
	}
	m.SRTT = best.srtt
	for _, p := range append([]*path{best}, n.paths...) {
		if l := g.link(p.link); l != nil && (p != best || m.Addrs == nil) {
			m.Addrs = append(m.Addrs, zoned(p.addr, l.Name))
			m.Links = append(m.Links, l.Name)
		}
	}
	return m
}

// zoned gives a link-local address the name of its link as zone.
func zoned(a netip.AddrPort, link string) netip.AddrPort {
	if a.Addr().Is6() && a.Addr().IsLinkLocalUnicast() {
		return netip.AddrPortFrom(a.Addr().WithZone(link), a.Port())
	}
	return a
}
