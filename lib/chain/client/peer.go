package client

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"namecast/lib/chain"
	"namecast/lib/clock"
	"namecast/lib/link"
)

// A peer is a node as the client knows it. It stays the same over tables.
type peer struct {
	name string
	conn atomic.Pointer[link.Conn] // of class client, or nil
	// flying counts requests that wait for an answer.
	flying atomic.Int64
	// shunned is until when, since boot, the node is asked only if there is no other,
	// and 0 if it is not: it has not answered a read. Each time in a row is twice as long.
	shunned atomic.Int64
	strikes atomic.Int32
	// failing: it was told that the node cannot be reached.
	failing atomic.Bool
}

// Times that a node is shunned.
const (
	leastShun = time.Second
	mostShun  = 8 * time.Second
)

// up reports whether the node is connected.
func (p *peer) up() bool { return p.conn.Load() != nil }

// good reports whether the node is connected and answers.
func (p *peer) good() bool {
	if !p.up() {
		return false
	}
	until := p.shunned.Load()
	return until == 0 || until < int64(clock.Boot())
}

// shun has others asked for a while. What it has not answered besides is no new
// reason.
func (p *peer) shun() {
	now := clock.Boot()
	if until := p.shunned.Load(); until > int64(now) {
		return
	}
	d := leastShun << min(p.strikes.Add(1)-1, 8)
	p.shunned.Store(int64(now + min(d, mostShun)))
}

// praise takes a node in again that has done as it was asked.
func (p *peer) praise() {
	if p.shunned.Load() != 0 {
		p.strikes.Store(0)
		p.shunned.Store(0)
	}
}

// distance tells how far one who is in the zone here is from one in another: 0 in
// the same zone, 1 in the same datacenter, else 2.
func distance(here, there string) int {
	datacenter := func(zone string) string {
		dc, _, _ := strings.Cut(zone, "/")
		return dc
	}
	switch {
	case here == "" || here == there:
		return 0
	case datacenter(here) == datacenter(there):
		return 1
	}
	return 2
}

// nearest chooses the sites to be connected to: the nearest, and of equally near
// ones others for each client.
func nearest(sites []chain.Site, zone, client string, most int) map[string]string {
	sum := func(node string) uint64 {
		h := fnv.New64a()
		h.Write([]byte(client + "\x00" + node))
		return h.Sum64()
	}
	sites = slices.DeleteFunc(slices.Clone(sites), func(s chain.Site) bool { return s.Addr == "" })
	slices.SortStableFunc(sites, func(a, b chain.Site) int {
		return cmp.Or(
			cmp.Compare(distance(zone, a.Zone), distance(zone, b.Zone)),
			cmp.Compare(sum(a.Node), sum(b.Node)),
		)
	})
	wanted := map[string]string{}
	for _, s := range sites[:min(len(sites), most)] {
		wanted[s.Node] = s.Addr
	}
	return wanted
}
