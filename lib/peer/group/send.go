package group

import (
	"net/netip"
	"slices"
	"time"

	"namecast/lib/peer"
	"namecast/lib/peer/packet"
)

// maxCalls is how many members are called one by one where multicast does not work.
const maxCalls = 32

// Send seals what the node says to a member, or to all. Nothing is sent to one that is
// not a member, and nothing that does not fit into its datagrams.
func (g *Group) Send(now time.Duration, s peer.Send) []Send {
	g.advance(now)
	if s.All {
		for _, l := range g.links {
			g.call(l, s)
		}
		return g.flush()
	}
	if n := g.nodes[s.To]; n != nil && n.member {
		if p := n.path(); p != nil {
			g.unicast(n, p.link, p.addr, s.Body, s.ID)
		}
	}
	return g.flush()
}

// call sends to all members on a link; where no multicast is heard, by broadcast, or
// to some of them one by one.
func (g *Group) call(l *link, s peer.Send) {
	to := g.callAddrs(l)
	for _, a := range to {
		g.multicast(l, a, s.Body, s.ID)
	}
	if !l.quiet(g.now, g.interval()) || len(to) > 0 && to[len(to)-1] == l.Broadcast {
		return
	}
	g.oneByOne(l, s.Body, s.ID)
}

// oneByOne sends to some members on a link by unicast.
func (g *Group) oneByOne(l *link, body packet.Body, id uint64) {
	calls := 0
	for _, n := range g.list {
		if p := n.path(); n.member && p.link == l.Index && calls < maxCalls {
			g.unicast(n, p.link, p.addr, body, id)
			calls++
		}
	}
}

// callAddrs is where a message to all goes on a link: to the families that it takes to
// reach every member on it.
func (g *Group) callAddrs(l *link) []netip.Addr {
	var to []netip.Addr
	var only6, only4 bool
	for _, n := range g.list {
		if n.member {
			six, four := n.families(l.Index)
			only6, only4 = only6 || six && !four, only4 || four && !six
		}
	}
	if l.Multicast && l.v6 && (only6 || !only4 || !l.v4) {
		to = append(to, g.v6)
	}
	if l.Multicast && l.v4 && (only4 || !l.v6) {
		to = append(to, g.v4)
	}
	if l.v4 && l.Broadcast.IsValid() && (!l.Multicast || l.quiet(g.now, g.interval())) {
		to = append(to, l.Broadcast)
	}
	return to
}

// families tells by which protocols a node is reached on a link.
func (n *node) families(link int) (six, four bool) {
	for _, p := range n.paths {
		if p.link == link {
			six, four = six || p.addr.Addr().Is6(), four || p.addr.Addr().Is4()
		}
	}
	return six, four
}

// unicast seals a message to a node, under the key that it uses.
func (g *Group) unicast(n *node, link int, to netip.AddrPort, body packet.Body, id uint64) {
	m := &packet.Message{To: n.id, ID: id, Key: n.key, Body: body}
	if ask, ok := body.(*packet.Ask); ok && ask.Any {
		m.To = packet.NodeID{}
	}
	g.stats.Sent += g.seal(m, link, to)
}

// multicast seals a message to all on a link, under each key that it takes to be
// understood by every member.
func (g *Group) multicast(l *link, to netip.Addr, body packet.Body, id uint64) {
	for _, key := range g.spoken() {
		at := to
		if six, four := g.o.Keys.GroupOf(key); to == g.v6 {
			at = six
		} else if to == g.v4 {
			at = four
		}
		sent := g.seal(&packet.Message{ID: id, Key: key, Body: body}, l.Index, netip.AddrPortFrom(at, g.o.Port))
		g.stats.Multicast += sent
		if _, call := body.(*packet.Ask); sent > 0 && !call {
			l.multicast(g.now)
		}
	}
	if _, ok := body.(*packet.Hello); ok {
		g.greet(g.self)
	}
}

// spoken are the numbers of the newest key and of those that members use who have shown
// no newer one: while the key is being changed, some machines have the old one only.
func (g *Group) spoken() []int {
	keys := []int{0}
	for _, n := range g.list {
		if n.member && !slices.Contains(keys, n.key) {
			keys = append(keys, n.key)
		}
	}
	return keys
}

// seal numbers and seals a message, and says how many datagrams it takes.
func (g *Group) seal(m *packet.Message, link int, to netip.AddrPort) uint64 {
	g.seq = max(g.seq+1, uint64(max(0, g.now-g.o.Started).Microseconds()))
	m.From, m.Boot, m.Seq = g.self, g.o.Boot, g.seq
	if _, ok := m.Body.(*packet.Hello); ok {
		if packet.SignHello(m, g.o.Key) != nil {
			return 0
		}
	}
	data, err := g.o.Keys.Seal(m, g.o.Rand)
	if err != nil {
		g.stats.TooBig++
		return 0
	}
	g.seq += uint64(len(data) - 1)
	for _, d := range data {
		g.stats.SentOctets += uint64(len(d))
		g.out = append(g.out, Send{Link: link, To: to, Data: d})
	}
	return uint64(len(data))
}
