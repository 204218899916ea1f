package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vishvananda/netlink"

	"namecast/lib/clock"
	"namecast/lib/peer"
	"namecast/lib/peer/group"
	"namecast/lib/resolve/system"
	"namecast/lib/resolve/upstream"
)

// How often what the machine knows of its network is looked at when nothing tells of a
// change.
const (
	lookAgain = 5 * time.Second
	lookSoon  = time.Second // while the network has no identity
)

// When something has changed, the router has some time to show its card, before the
// machine is taken to be where it was: that of three questions of the kernel's, or at the
// start, when programs wait, of two.
const (
	routerWithin = 3200 * time.Millisecond
	routerFirst  = 1200 * time.Millisecond
	routerStep   = 20 * time.Millisecond
)

// comeBack is within what time a network is the same as before it was left.
const comeBack = time.Minute

// A site is the network that the machine is in, and its name servers.
type site struct {
	net     uint64
	sure    bool   // it is known, and not only assumed
	on      string // prefixes of the links
	servers []upstream.Server
	split   []system.Split
}

// A track is where the machine has been.
type track struct {
	last         site
	known, noted networkNote // the last network with an identity; the same on the disk
	passed       stay
}

// A stay is when the machine was last in a network before which there was no portal.
type stay struct {
	net uint64
	at  time.Duration
}

// keepNetwork tells the loop which network and name servers there are, at once and when
// that changes.
func (d *daemon) keepNetwork(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var routes sync.WaitGroup
	defer routes.Wait()
	routes.Go(func() { d.followRoutes(ctx) })
	t := &track{known: d.rememberedNetwork()}
	t.noted = t.known
	for first, changed := true, true; ; first = false {
		now := d.lookOn(ctx, first, changed, func() site { return d.look(t.last, t.known) })
		d.follow(ctx, t, now, first)
		if first {
			close(d.settled)
		}
		d.watchInstalled()
		if timer.Reset(lookAgain); !now.sure {
			knock()
			timer.Reset(lookSoon)
		}
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
			changed = true
		case <-timer.C:
			changed = false
		}
	}
}

// follow puts a site in force, if it is another than before, and remembers it.
func (d *daemon) follow(ctx context.Context, t *track, now site, first bool) {
	if t.last.net != 0 && t.last.net == t.known.id {
		if t.known.portal = d.captive(ctx); !t.known.portal {
			t.passed = stay{t.last.net, d.now()}
		}
	}
	if first || !now.same(t.last) {
		d.settle(ctx, now, d.joins(now, t.known, t.passed))
		t.last = now
	} else {
		_ = d.loop.call(ctx, func() { d.loop.proveAnew(false) }) // the error is that the daemon ends
	}
	if now.net != 0 {
		t.known = networkNote{now.net, now.on, d.captive(ctx)}
	}
	if t.known != t.noted {
		d.rememberNetwork(t.known)
		t.noted = t.known
	}
}

// lookOn looks, and when something has changed, again for a while until the router is
// found, if there is one: nothing of the network that the machine may have come to is to
// be taken for the last one's, nor the other way around, though their addresses be the
// same.
func (d *daemon) lookOn(ctx context.Context, first, changed bool, look func() site) site {
	now, within := look(), routerWithin
	switch {
	case first:
		within = routerFirst
	case !changed:
		return now
	}
	for until := time.Now().Add(within); !now.sure && time.Now().Before(until); now = look() {
		if !knock() || !clock.Sleep(ctx, routerStep) {
			break
		}
	}
	return now
}

// joins tells whether a portal may be before a site, as it may before any network other
// than the one that the machine was in, and before that as long as none was passed, or it
// is only assumed that this is it. The machine may come back to one that it has just
// left: an address is taken away and another given.
func (d *daemon) joins(s site, known networkNote, passed stay) bool {
	switch {
	case known.id == 0:
		return false
	case s.net == known.id:
		return known.portal || !s.sure
	case s.net != 0:
		d.forgetLoops()
	}
	return s.net != passed.net || d.now()-passed.at > comeBack
}

// captive tells whether a portal may be before the network still.
func (d *daemon) captive(ctx context.Context) (is bool) {
	_ = d.loop.call(ctx, func() { is = d.loop.node.Captive() }) // the error is that the daemon ends
	return is
}

// followRoutes has the network looked at whenever a default route comes or goes: often
// that is some time after an address has.
func (d *daemon) followRoutes(ctx context.Context) {
	for {
		news := make(chan netlink.RouteUpdate, newsUp)
		if err := netlink.RouteSubscribe(news, ctx.Done()); err != nil {
			d.notes.once("news of routes", err.Error())
			return
		}
		for u := range news {
			if u.Gw != nil && prefixOf(u.Dst).Bits() == 0 {
				d.rouse()
			}
		}
		d.rouse() // there were more than the socket holds
		if !clock.Sleep(ctx, lookSoon) {
			return
		}
	}
}

// rouse has the network looked at now.
func (d *daemon) rouse() { raise(d.wake) }

// look finds out where the machine is. What cannot be read now is as it was when the
// machine was last in a network with these prefixes: the router may be what is dead.
// Without a link it is nowhere, so that nothing of the network that it comes to next is
// taken for the last one's.
func (d *daemon) look(last site, known networkNote) site {
	links, err := findLinks(d.plan.Links)
	if err == nil && len(links) == 0 {
		err = errNoLink
	}
	now := site{servers: d.straight(d.plan.servers), on: prefixes(links)}
	var net uint64
	if err == nil {
		net, err = networkID(d.machine, d.plan.Links)
	}
	switch {
	case err == nil:
		now.net, now.sure = net, true
	case overlap(now.on, known.on):
		now.net = known.id
	}
	if err != nil {
		d.notes.once("network", err.Error())
	}
	if !d.plan.auto {
		return now
	}
	found, err := d.machine.Servers()
	if err != nil {
		d.notes.once("name servers", err.Error())
		now.servers, now.split = last.servers, found.Split
		return now
	}
	now.servers, now.split = d.straight(found.Servers), found.Split
	return now
}

// errNoLink: the machine is in no network.
var errNoLink = errors.New("no link is up")

// prefixes are the networks of links, in one word.
func prefixes(links []group.Link) string {
	var list []string
	for _, l := range links {
		for _, p := range l.Addrs {
			if !p.Addr().IsLinkLocalUnicast() {
				list = append(list, p.Masked().String())
			}
		}
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), ",")
}

// overlap tells whether two lists of prefixes have one in common.
func overlap(a, b string) bool {
	list := strings.Split(b, ",")
	return slices.ContainsFunc(strings.Split(a, ","), func(p string) bool { return p != "" && slices.Contains(list, p) })
}

// same tells whether nothing has changed.
func (s site) same(o site) bool {
	return s.net == o.net && slices.Equal(s.servers, o.servers) &&
		slices.EqualFunc(s.split, o.split, sameSplit)
}

// settle puts a site in force.
func (d *daemon) settle(ctx context.Context, s site, joined bool) {
	clients := connect(s.servers)
	d.notes.Info("network", "id", fmt.Sprintf("%016x", s.net), "on", s.on, "servers", fmt.Sprint(s.servers), "split", len(s.split), "joined", joined)
	var old []*upstream.Client
	err := d.loop.call(ctx, func() {
		old = append(d.loop.workers.servers, d.loop.split.set(s.net, s.split)...)
		d.loop.workers.servers = clients
		d.loop.site = s.net
		d.loop.step(peer.Network{Net: s.net, Servers: len(clients), New: joined, Secret: splitNames(s.split)})
		d.loop.prove(s.servers)
	})
	if err != nil {
		old = clients
	}
	for _, c := range old {
		c.Close()
	}
}

// connect makes the clients of servers. Those that are known by name only have their
// addresses from the first that is known by its address.
func connect(servers []upstream.Server) []*upstream.Client {
	clients := make([]*upstream.Client, len(servers))
	first := slices.IndexFunc(servers, func(s upstream.Server) bool { return s.Addr.Addr().IsValid() })
	var o upstream.Options
	if first >= 0 {
		clients[first] = upstream.New(servers[first], o)
		o.Lookup = clients[first].Addresses
	}
	for i, s := range servers {
		if i != first {
			clients[i] = upstream.New(s, o)
		}
	}
	return clients
}
