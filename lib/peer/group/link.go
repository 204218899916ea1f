package group

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// A Link is a network interface on which members may be.
type Link struct {
	Index     int
	Name      string
	Addrs     []netip.Prefix // its addresses with their networks
	Broadcast netip.Addr     // of IPv4; the zero Addr if there is none
	Multicast bool           // it can do that
}

// hellosPerSecond is how many multicasts there may be on a link, of all members
// together; a node that has heard so many in a second waits.
const hellosPerSecond = 8

// maxAddrs is how many addresses of each family a node tells on a link.
const maxAddrs = 4

// A link is a Link, and what has been heard on it.
type link struct {
	Link
	addrs  []netip.AddrPort // that are told to others
	v6, v4 bool             // of them
	due    time.Duration    // the next Hello
	turn   int              // Hellos so far
	again  time.Duration    // when remembered addresses are asked again
	heard  time.Duration    // the last multicast of another node; at first since when it is up
	recent [hellosPerSecond]time.Duration
	next   int // of recent, a ring
}

// Links tells the interfaces that there are now, and whenever one comes, goes or has
// other addresses. One that was taken away and made again has another index.
func (g *Group) Links(now time.Duration, links []Link) []Send {
	g.advance(now)
	old := g.links
	g.links = nil
	for _, l := range links {
		at := slices.IndexFunc(old, func(o *link) bool { return o.Index == l.Index && o.Name == l.Name })
		if at < 0 {
			g.linkUp(l)
			continue
		}
		g.linkStays(old[at], l)
		old = slices.Delete(old, at, at+1)
	}
	slices.SortFunc(g.links, func(a, b *link) int { return cmp.Compare(a.Index, b.Index) })
	for _, l := range old {
		g.linkDown(l)
	}
	return g.flush()
}

func (g *Group) linkUp(l Link) {
	n := &link{Link: l, heard: g.now, again: g.now}
	for i := range n.recent {
		n.recent[i] = g.now - time.Second
	}
	n.addrs, n.v6, n.v4 = told(l, g.o.Port)
	g.links = append(g.links, n)
	g.at(&n.due, g.now+g.within(firstHello))
	for _, a := range g.o.Static {
		g.hint(n, a, 0, true)
	}
}

// linkStays takes what is new of a link; the others learn of new addresses soon.
func (g *Group) linkStays(l *link, now Link) {
	g.links = append(g.links, l)
	addrs, v6, v4 := told(now, g.o.Port)
	same := slices.Equal(addrs, l.addrs) && l.Multicast == now.Multicast && l.Broadcast == now.Broadcast
	l.Link, l.addrs, l.v6, l.v4 = now, addrs, v6, v4
	if same {
		return
	}
	g.at(&l.due, min(l.due, g.now+g.within(firstHello)))
	for _, a := range g.o.Static {
		g.hint(l, a, 0, true)
	}
}

func (g *Group) linkDown(l *link) {
	g.hints = slices.DeleteFunc(g.hints, func(h hint) bool { return h.link == l.Index })
	for _, n := range slices.Clone(g.list) {
		n.paths = slices.DeleteFunc(n.paths, func(p *path) bool { return p.link == l.Index })
		if n.claim != nil && n.claim.link == l.Index {
			n.claim = nil
		}
		if n.member && len(n.paths) == 0 {
			g.leave(n, "its link is gone")
		}
		if !n.proven && n.claim == nil {
			g.forget(n)
		}
	}
}

// told picks the addresses at which others reach a node on a link: all of IPv4, and
// of IPv6 the link-local ones, which do not change; others only if there is none.
func told(l Link, port uint16) (addrs []netip.AddrPort, v6, v4 bool) {
	var local, global, old []netip.Addr
	for _, p := range l.Addrs {
		switch a := p.Addr().Unmap().WithZone(""); {
		case a.Is4():
			old = append(old, a)
		case a.IsLinkLocalUnicast():
			local = append(local, a)
		default:
			global = append(global, a)
		}
	}
	if local == nil {
		local = global
	}
	local, old = local[:min(len(local), maxAddrs)], old[:min(len(old), maxAddrs)]
	for _, a := range slices.Concat(local, old) {
		addrs = append(addrs, netip.AddrPortFrom(a, port))
	}
	return addrs, len(local) > 0, len(old) > 0
}

// link gives the link of an index, or nil.
func (g *Group) link(index int) *link {
	for _, l := range g.links {
		if l.Index == index {
			return l
		}
	}
	return nil
}

// near tells whether an address is in a network of the link.
func (l *link) near(a netip.Addr) bool {
	if a.IsMulticast() || a.IsUnspecified() {
		return false
	}
	for _, p := range l.Addrs {
		if network(p).Contains(a) {
			return true
		}
	}
	return false
}

// network is the network that an address with its prefix is in.
func network(p netip.Prefix) netip.Prefix {
	a := p.Addr().Unmap().WithZone("")
	return netip.PrefixFrom(a, p.Bits()).Masked()
}

// mine tells whether an address is the node's own on the link.
func (l *link) mine(a netip.Addr) bool {
	return slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return p.Addr().Unmap().WithZone("") == a })
}

// multicast notes one that was sent or heard.
func (l *link) multicast(now time.Duration) {
	l.recent[l.next] = now
	l.next = (l.next + 1) % len(l.recent)
}

// room tells whether n more multicasts may go out now.
func (l *link) room(now time.Duration, n int) bool {
	return n == 0 || l.recent[(l.next+n-1)%len(l.recent)] <= now-time.Second
}

// quiet tells whether multicast seems not to work on the link, or nobody is there.
func (l *link) quiet(now, interval time.Duration) bool {
	return now-l.heard > max(10*time.Second, 3*interval)
}
