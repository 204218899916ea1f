package group

import (
	"net/netip"
	"slices"
	"time"

	"namecast/lib/peer/packet"
)

// A claim is a boot of a node that has said Hello and not yet answered a Ping. Until
// it does, what was known of the node stays as it is.
type claim struct {
	boot      uint64
	window    window
	link      int
	addr      netip.AddrPort // where the Hello came from
	hello     packet.Hello
	at        time.Duration // when
	challenge [8]byte
	sent      time.Duration
	tries     int
	due       time.Duration
	waits     bool // for the member that has its address to answer
	greeted   bool // it has this node's Hello, for it answered that
}

// Tries to reach a candidate, each after twice the time of the one before.
const (
	maxTries = 4
	firstTry = 250 * time.Millisecond
)

// The answers of all to one multicast, and Hellos to the addresses of a list, are spread
// so that they do not come at once: by so much for each member, within limits.
const (
	spread    = 2 * time.Millisecond
	minSpread = 100 * time.Millisecond
	maxSpread = time.Second
)

// spread gives a delay for an answer to a multicast.
func (g *Group) spread() time.Duration {
	return g.within(min(max(minSpread, spread*time.Duration(g.Size())), maxSpread))
}

// takeHello takes a Hello from an address that it names.
func (g *Group) takeHello(n *node, a arrival, h *packet.Hello) Reason {
	if !slices.Contains(h.Addrs, a.from) {
		return Address
	}
	if n != nil {
		if w := n.windowOf(a.m.Boot); w != nil {
			if r := w.take(g.now, a.m.Seq); r != Taken {
				return r
			}
		} else if n.over(a.m) {
			return Replayed
		}
	}
	if n != nil && !n.talk.take(g.now, talkOfPeer) || !g.talk.take(g.now, talkOfAll) {
		return Budget
	}
	if packet.CheckHello(a.m) != nil {
		return Signature
	}
	a.noted(g.now)
	if n != nil && n.proven && n.boot == a.m.Boot {
		g.hears(n, a)
		if n.member {
			if a.all {
				g.greet(n.id)
			}
			g.learn(n, a.link, h)
			g.stillThere(n)
			if h.Members == number(n.id) { // it is alone: it has lost its members, this one too
				return g.candidate(n, a, h)
			}
			return Taken
		}
	}
	return g.candidate(n, a, h)
}

// over tells whether a message is of a boot that is over, and not newer than what was
// heard of it.
func (n *node) over(m *packet.Message) bool {
	return slices.ContainsFunc(n.past, func(p pastBoot) bool { return p.boot == m.Boot && m.Seq <= p.top })
}

// stillThere looks after a suspect member that was heard.
func (g *Group) stillThere(n *node) {
	if n.suspect || n.path() != nil && !n.path().proven {
		g.poke(n)
	}
}

// candidate begins, or renews, a claim. One that is being tried is not displaced.
func (g *Group) candidate(n *node, a arrival, h *packet.Hello) Reason {
	if n == nil {
		if all, there := g.claims(a.from.Addr()); all >= maxClaims || there >= maxClaimsThere {
			return Budget
		}
		if n = g.meet(a.m.From); n == nil {
			return Budget
		}
	}
	if c := n.claim; c != nil {
		if c.boot == a.m.Boot {
			c.hello, c.at = *h, g.now
			c.greeted = c.greeted || a.m.To == g.self
			return Taken
		}
		if g.now-c.at < 4*time.Second {
			return Budget
		}
	}
	n.claim = &claim{boot: a.m.Boot, window: newWindow(a.m.Seq), link: a.link.Index, addr: a.from, hello: *h, at: g.now,
		challenge: [8]byte(g.random(8)), greeted: a.m.To == g.self}
	n.key = a.m.Key
	wait := time.Duration(0)
	if a.all {
		wait = g.spread()
	}
	g.at(&n.claim.due, g.now+wait)
	if wait == 0 {
		g.try(n)
		g.wake = min(g.wake, n.claim.due)
	}
	return Taken
}

// claims counts candidates, and those at an address.
func (g *Group) claims(at netip.Addr) (all, there int) {
	for _, n := range g.list {
		if n.claim != nil {
			all++
			if n.claim.addr.Addr() == at {
				there++
			}
		}
	}
	return all, there
}

// try sends a candidate a Ping, and a Hello since it may not know this node, or gives
// it up.
func (g *Group) try(n *node) {
	c := n.claim
	l := g.link(c.link)
	if c.tries >= maxTries || l == nil {
		n.claim = nil
		return
	}
	if !g.vacant(n) {
		return
	}
	if !c.greeted || c.tries > 0 {
		g.unicast(n, c.link, c.addr, g.hello(l), 0)
	}
	g.unicast(n, c.link, c.addr, &packet.Ping{Challenge: c.challenge}, 0)
	c.sent = g.now
	c.due = g.now + firstTry<<c.tries
	c.tries++
}

// vacant tells whether a candidate's address is no other member's, so that one who has
// the group's key is not as many members as he likes at one address. A member that is
// there has a second to answer a Ping; if it does, the claim ends.
func (g *Group) vacant(n *node) bool {
	c := n.claim
	var holder *node
	var p *path
	for _, o := range g.list {
		if q := o.at(c.link, c.addr); o != n && o.member && q != nil {
			holder, p = o, q
		}
	}
	switch {
	case holder == nil:
		return true
	case !c.waits:
		c.waits = true
		for _, q := range holder.paths {
			g.pingPath(holder, q)
		}
		c.due = g.now + time.Second
		return false
	case !p.waiting:
		n.claim = nil
		return false
	}
	holder.paths = slices.DeleteFunc(holder.paths, func(q *path) bool { return q.waiting })
	if len(holder.paths) == 0 {
		g.leave(holder, "another has its address")
	}
	return true
}

// revive asks a node again that has gone and is heard, from an address of its last
// Hello, without another one.
func (g *Group) revive(n *node, a arrival) Reason {
	if a.all || !slices.Contains(n.hello.Addrs, a.from) {
		return Address
	}
	if r := n.window.take(g.now, a.m.Seq); r != Taken {
		return r
	}
	if !n.talk.take(g.now, talkOfPeer) || !g.talk.take(g.now, talkOfAll) {
		return Budget
	}
	g.candidate(n, a, &n.hello)
	return Stranger
}

// pinged answers a Ping.
func (g *Group) pinged(n *node, a arrival, b *packet.Ping) Reason {
	if a.all {
		return Elsewhere
	}
	if !g.budget(&n.talk, talkOfPeer, &g.talk, talkOfAll) {
		return Budget
	}
	g.unicast(n, a.link.Index, a.from, &packet.Pong{Echo: b.Challenge, Seen: n.windowOf(a.m.Boot).top}, 0)
	return Taken
}

// pong takes the answer to a Ping: it proves an address, or a boot with it.
func (g *Group) pong(n *node, a arrival, b *packet.Pong) Reason {
	if a.all {
		return Elsewhere
	}
	c := n.claim
	if c != nil && c.boot == a.m.Boot && c.tries > 0 && c.link == a.link.Index && c.addr == a.from && b.Echo == c.challenge {
		c.window.prove(g.now, a.m.Seq)
		g.promote(n, a)
		return Taken
	}
	p := n.at(a.link.Index, a.from)
	if p == nil || !n.proven || n.boot != a.m.Boot || !n.member || !p.waiting || p.challenge != b.Echo {
		return Useless
	}
	n.window.prove(g.now, a.m.Seq)
	g.hears(n, a)
	p.answered(g.now - p.sent)
	g.answered(n)
	g.settled(n)
	return Taken
}

// answered takes a round trip time (RFC 6298 section 2, without the variance).
func (p *path) answered(rtt time.Duration) {
	if p.proven {
		rtt = (7*p.srtt + rtt) / 8
	}
	p.proven, p.waiting, p.fails, p.srtt = true, false, 0, rtt
}

// promote makes the claimed boot the node's, and the node a member.
func (g *Group) promote(n *node, a arrival) {
	c := n.claim
	n.claim = nil
	if n.id == g.self {
		g.cloned(n, c)
		return
	}
	if n.proven && n.boot != c.boot {
		n.end()
		if n.member {
			g.leave(n, "started anew")
		}
	}
	if !n.proven || n.boot != c.boot {
		n.boot, n.window, n.proven, n.born = c.boot, c.window, true, g.now
	} else {
		n.window.prove(g.now, a.m.Seq)
	}
	g.learn(n, a.link, &c.hello)
	g.hears(n, a)
	p := n.at(a.link.Index, a.from)
	if p == nil {
		return // its network was taken from the link meanwhile
	}
	p.answered(g.now - c.sent)
	g.join(n, a.from)
	g.settled(n)
	if c.hello.Members != g.digest {
		g.differs(n)
	}
}

// end remembers the present boot as one that is over.
func (n *node) end() {
	n.past = slices.DeleteFunc(n.past, func(p pastBoot) bool { return p.boot == n.boot })
	if len(n.past) == maxPast {
		n.past = slices.Delete(n.past, 0, 1)
	}
	n.past = append(n.past, pastBoot{n.boot, n.window.top})
}

// Of two clones the one that was started later takes a new key. What each knows of the
// other's start is off by the time on the way, so within closeStart their boots decide;
// and if both are still there after cloneTime, both take one.
const (
	closeStart = 2 * time.Second
	cloneTime  = 30 * time.Second
)

// cloned tells of another that lives with this node's key.
func (g *Group) cloned(n *node, c *claim) {
	if n.proven && n.boot != c.boot {
		n.end()
	}
	n.boot, n.window, n.proven, n.paths = c.boot, c.window, true, nil
	if !g.twin || g.now-g.twinSince > 10*cloneTime {
		g.twin, g.twinSince = true, g.now
	}
	mine, its := g.now-g.o.Started, c.hello.Started+g.now-c.at
	later := its > mine
	if off := its - mine; off < closeStart && -off < closeStart {
		later = g.o.Boot > c.boot
	}
	if g.now-g.twinSince > cloneTime {
		later = true
	}
	g.events = append(g.events, CloneSeen{Addr: c.addr, Self: later})
}
