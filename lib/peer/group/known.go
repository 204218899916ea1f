package group

import (
	"net/netip"
	"slices"
	"time"

	"namecast/lib/peer/packet"
)

// Limits of addresses at which members may be.
const (
	maxHints      = 1024
	maxRemembered = 64
)

// A hint is an address at which a member may be: it is sent a Hello now and then, and
// answers if it is one.
type hint struct {
	link   int
	addr   netip.AddrPort // without a zone
	due    time.Duration
	tries  int
	static bool // a person has given it: it is never given up
}

// hint notes an address of a link, to be asked after a delay, unless a member has it.
func (g *Group) hint(l *link, a netip.AddrPort, delay time.Duration, static bool) bool {
	zone := a.Addr().Zone()
	a = netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
	if zone != "" && zone != l.Name || !l.near(a.Addr()) || l.mine(a.Addr()) || a.Addr() == l.Broadcast || a.Port() == 0 {
		return false
	}
	same := func(h hint) bool { return h.link == l.Index && h.addr == a }
	if g.memberAt(l.Index, a) && !static || len(g.hints) >= maxHints || slices.ContainsFunc(g.hints, same) {
		return false
	}
	h := hint{link: l.Index, addr: a, static: static}
	g.at(&h.due, g.now+delay)
	g.hints = append(g.hints, h)
	return true
}

// memberAt tells whether a member, or a candidate, has an address.
func (g *Group) memberAt(link int, a netip.AddrPort) bool {
	return slices.ContainsFunc(g.list, func(n *node) bool {
		return n.member && n.at(link, a) != nil || n.claim != nil && n.claim.link == link && n.claim.addr == a
	})
}

// tendHints asks where it is time.
func (g *Group) tendHints() {
	g.hints = slices.DeleteFunc(g.hints, func(h hint) bool { return h.due <= g.now && !h.static && g.done(&h) })
	for i := range g.hints {
		if h := &g.hints[i]; h.due <= g.now {
			g.ask(h)
		}
		g.wake = min(g.wake, g.hints[i].due)
	}
}

// done tells whether a hint is of no more use.
func (g *Group) done(h *hint) bool {
	return h.tries >= maxTries || g.memberAt(h.link, h.addr)
}

// ask sends a Hello to an address.
func (g *Group) ask(h *hint) {
	h.due = g.now + g.about(time.Second<<min(h.tries, 3))
	h.tries++
	l := g.link(h.link)
	if l == nil || g.memberAt(h.link, h.addr) {
		h.due = g.now + g.interval()
		return
	}
	g.stats.Sent += g.seal(&packet.Message{Body: g.hello(l)}, h.link, h.addr)
}

// remember keeps the addresses of members for another run.
func (g *Group) remember(n *node) {
	p := n.path()
	if p == nil {
		return
	}
	l := g.link(p.link)
	if l == nil {
		return
	}
	a := zoned(p.addr, l.Name)
	g.remembered = slices.DeleteFunc(g.remembered, func(r netip.AddrPort) bool { return r == a })
	g.remembered = slices.Insert(g.remembered, 0, a)
	g.remembered = g.remembered[:min(len(g.remembered), maxRemembered)]
}

// Remembered gives addresses of members for Options.Remembered of the next run, the
// latest first, at most 64.
func (g *Group) Remembered() []netip.AddrPort { return slices.Clone(g.remembered) }

// A pull is the state of asking members for their lists.
type pull struct {
	from  packet.NodeID
	due   time.Duration
	set   bool
	pause time.Duration // until the next one, while nothing comes of it
	asked time.Duration // the last one
}

// Times between two lists that are asked for.
const (
	minPull = 500 * time.Millisecond
	maxPull = 5 * time.Minute
	pullFor = 2 * time.Second // for so long the answer is taken
)

// differs notes a member that knows another set of members, to be asked for it.
func (g *Group) differs(n *node) {
	g.pull.from = n.id
	if g.pull.set {
		return
	}
	g.pull.set = true
	g.at(&g.pull.due, max(g.now, g.pull.asked+g.pull.pause)+minPull+g.within(minPull))
}

// tendPull asks a member for its list when it is time.
func (g *Group) tendPull() {
	if !g.pull.set {
		return
	}
	if g.pull.due > g.now {
		g.wake = min(g.wake, g.pull.due)
		return
	}
	g.pull.set, g.pull.asked = false, g.now
	g.pull.pause = min(max(2*g.pull.pause, minPull), maxPull)
	n := g.nodes[g.pull.from]
	if n == nil || !n.member {
		return
	}
	if p := n.path(); p != nil {
		g.unicast(n, p.link, p.addr, &packet.Known{Want: true}, 0)
	}
}

// known gives the list, or takes it.
func (g *Group) known(n *node, a arrival, b *packet.Known) Reason {
	if a.all {
		return Elsewhere
	}
	if b.Want {
		return g.tell(n, a)
	}
	if g.pull.from != n.id || g.now-g.pull.asked > pullFor || g.pull.asked == 0 {
		return Useless
	}
	fresh := false
	for _, addr := range b.Addrs {
		fresh = g.hint(a.link, addr, g.spread(), false) || fresh
	}
	if fresh {
		g.pull.pause = 0
	}
	return Taken
}

// tell sends a member the addresses of the others on its link, once a second.
func (g *Group) tell(to *node, a arrival) Reason {
	if g.now < to.lists {
		return Budget
	}
	to.lists = g.now + time.Second*9/10
	var addrs []netip.AddrPort
	for _, n := range g.list {
		if !n.member || n.suspect || n == to {
			continue
		}
		if p := n.pathLike(a); p != nil {
			addrs = append(addrs, p.addr)
		}
	}
	for part := range slices.Chunk(addrs, packet.MaxKnown) {
		g.unicast(to, a.link.Index, a.from, &packet.Known{Addrs: part}, 0)
	}
	return Taken
}

// pathLike gives an address of the node on the link of an arrival, of the same family
// if there is one, or nil.
func (n *node) pathLike(a arrival) *path {
	var other *path
	for _, p := range n.paths {
		switch {
		case p.link != a.link.Index || !p.proven:
		case p.addr.Addr().Is4() == a.from.Addr().Is4():
			return p
		default:
			other = p
		}
	}
	return other
}
