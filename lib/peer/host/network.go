package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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

// A site is the network that the machine is in, and its name servers.
type site struct {
	net     uint64
	sure    bool   // it is known, and not only assumed
	on      string // prefixes of the links
	servers []upstream.Server
	split   []system.Split
}

// keepNetwork tells the loop which network and name servers there are, at once and when
// that changes.
func (d *daemon) keepNetwork(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	known := d.rememberedNetwork()
	var last site
	for first := true; ; first = false {
		now := d.look(last, known)
		if first || !now.same(last) {
			joined := now.net != 0 && known.id != 0 && now.net != known.id
			if joined {
				d.forgetLoops()
			}
			d.settle(ctx, now, joined)
			last = now
		}
		if first {
			close(d.settled)
		}
		if now.net != 0 && (now.net != known.id || now.on != known.on) {
			known = networkNote{now.net, now.on}
			d.rememberNetwork(known)
		}
		timer.Reset(lookAgain)
		if !now.sure {
			timer.Reset(lookSoon)
		}
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-timer.C:
		}
	}
}

// rouse has the network looked at now.
func (d *daemon) rouse() { raise(d.wake) }

// looped takes a name server out of use whose questions come back to this stub.
func (d *daemon) looped(server int) {
	d.notes.Warn("a name server leads back here, and is not asked any more", "number", server)
	s := d.loop.workers.servers[server].Server()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.loops == nil {
		d.loops = map[upstream.Server]bool{}
	}
	d.loops[s] = true
	d.rouse()
}

// forgetLoops gives all name servers another chance.
func (d *daemon) forgetLoops() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.loops = nil
}

// straight leaves out name servers that lead back here.
func (d *daemon) straight(list []upstream.Server) []upstream.Server {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(list), func(s upstream.Server) bool { return d.loops[s] })
}

// look finds out where the machine is. What cannot be read now is as it was, and before
// anything could be read, as it was when the machine was last in a network with these
// prefixes: the router may be what is dead.
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
	case last.net != 0:
		now.net = last.net
	case now.on != "" && now.on == known.on:
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

// same tells whether nothing has changed.
func (s site) same(o site) bool {
	return s.net == o.net && slices.Equal(s.servers, o.servers) &&
		slices.EqualFunc(s.split, o.split, func(a, b system.Split) bool {
			return a.Domain == b.Domain && slices.Equal(a.Servers, b.Servers)
		})
}

// settle puts a site in force.
func (d *daemon) settle(ctx context.Context, s site, joined bool) {
	clients := connect(s.servers)
	d.notes.Info("network", "id", fmt.Sprintf("%016x", s.net), "on", s.on, "servers", fmt.Sprint(s.servers), "split", len(s.split), "joined", joined)
	var old []*upstream.Client
	err := d.loop.call(ctx, func() {
		old = append(d.loop.workers.servers, d.loop.split.set(s.split)...)
		d.loop.workers.servers = clients
		d.loop.site = s.net
		d.loop.step(peer.Network{Net: s.net, Servers: len(clients), New: joined})
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
