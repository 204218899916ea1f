package group

import (
	"crypto/ed25519"
	"net/netip"
	"time"

	"namecast/lib/peer/packet"
)

// firstHello is within what time of its coming up a link has the first Hello: they
// do not all come at once when the power is back.
const firstHello = time.Second

// perHello makes the interval: with N members they send N/interval Hellos a second,
// no more than 6, of some 300 octets each.
const (
	minInterval = 5 * time.Second
	perHello    = time.Second / 6
)

// interval is the time between a node's Hellos.
func (g *Group) interval() time.Duration {
	return max(minInterval, time.Duration(g.Size())*perHello)
}

// announce sends a Hello on a link, if the others leave room for it.
func (g *Group) announce(l *link) {
	to := g.audience(l)
	if !l.room(g.now, len(to)) {
		l.due = g.now + g.within(g.interval()/2) + time.Second/4
		return
	}
	l.due = g.now + g.about(g.interval())
	l.turn++
	for _, a := range to {
		g.multicast(l, a, g.hello(l), 0)
	}
	if l.quiet(g.now, g.interval()) && g.now >= l.again || l.turn == 1 {
		l.again = g.now + time.Minute
		for _, a := range g.remembered {
			g.hint(l, a, time.Second+g.within(time.Second), false)
		}
	}
}

// audience is where a Hello goes: to the group, of IPv6 and IPv4 in turn and both at
// first, and to the broadcast address while nobody is heard.
func (g *Group) audience(l *link) []netip.Addr {
	var to []netip.Addr
	if l.Multicast {
		if l.v6 && (!l.v4 || l.turn == 0 || l.turn%2 == 1) {
			to = append(to, g.v6)
		}
		if l.v4 && (!l.v6 || l.turn%2 == 0) {
			to = append(to, g.v4)
		}
	}
	if l.v4 && l.Broadcast.IsValid() && (!l.Multicast || l.quiet(g.now, g.interval())) {
		to = append(to, l.Broadcast)
	}
	return to
}

// hello makes the Hello for a link.
func (g *Group) hello(l *link) *packet.Hello {
	return &packet.Hello{
		Key:         [32]byte(g.o.Key.Public().(ed25519.PublicKey)),
		Addrs:       l.addrs,
		Weight:      g.o.weight(),
		Net:         g.status.Net,
		Upstream:    g.status.Upstream,
		UpstreamFor: g.status.UpstreamFor + g.now - g.said,
		Counters:    g.status.Counters,
		Entries:     g.status.Entries,
		Members:     g.digest,
		Version:     g.o.Version,
		Started:     max(0, g.now-g.o.Started),
	}
}

// Bye tells the others that the node goes, and why in a few words.
func (g *Group) Bye(now time.Duration, why string) []Send {
	g.advance(now)
	g.bye(why)
	return g.flush()
}

func (g *Group) bye(why string) {
	b := &packet.Bye{Reason: why}
	for _, l := range g.links {
		to := g.callAddrs(l)
		if !l.room(g.now, len(to)) { // when all go at the same time, the rest find out
			g.oneByOne(l, b, 0)
			continue
		}
		for _, a := range to {
			g.multicast(l, a, b, 0)
		}
	}
}
