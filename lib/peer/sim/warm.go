package sim

import (
	"maps"
	"slices"
	"time"

	"namecast/lib/peer/keep"
)

// A hold is what a node keeps of a name.
type hold struct {
	base   time.Duration // when the name server gave the answer
	asked  time.Duration // when an own client last asked
	put    time.Duration // when it was last given to owners
	origin int32         // who had it of the name server
	first  bool          // which is this node
	wanted bool          // an own client has asked
	shared time.Duration // when the first owner gave it, in share mode; 0: it did not
}

// A past is what all nodes keep after the days in which the name server answered. It is
// worked out from the trace by the rules of guard mode: a fresh answer that a name
// server gave is given again; else the name server is asked, and the answer given to the
// owners, unless it was within Suppress and says the same. In share mode it is the first
// owner that asks, who renews nothing before its time here.
type past struct {
	c     Config
	w     *world
	g     *group
	holds []map[int32]hold
	names [][]int32 // of holds, in order
	until time.Duration
}

// live makes the past of a trace up to a time.
func live(c Config, w *world, g *group, t *Trace) *past {
	p := &past{c: c, w: w, g: g, holds: make([]map[int32]hold, c.Nodes)}
	for i := range p.holds {
		p.holds[i] = make(map[int32]hold)
	}
	for t.peek() < c.Warm {
		at, node, name := t.Next()
		p.lookup(at, node, name)
	}
	for _, h := range p.holds {
		p.names = append(p.names, slices.Sorted(maps.Keys(h)))
	}
	p.until = c.Warm
	return p
}

// lookup is one of a client.
func (p *past) lookup(at time.Duration, node int, name int32) {
	life := time.Duration(p.w.life(name)) * time.Second
	h := p.holds[node][name]
	h.asked, h.wanted = at, true
	p.holds[node][name] = h
	if h.fresh(at, life) || p.share(at, node, name, life) {
		return
	}
	p.learn(at, node, name, life)
}

// fresh reports whether what a node keeps answers its own clients.
func (h hold) fresh(at, life time.Duration) bool {
	return (h.first || h.shared > 0 && at < h.shared+peerTTL) && at-h.base < life
}

// peerTTL is how long what a member gave is taken as fresh.
const peerTTL = 300 * time.Second

// share has the first owner of the name asked, in share mode, and reports whether that
// is another node.
func (p *past) share(at time.Duration, node int, name int32, life time.Duration) bool {
	if !p.c.Share || p.c.Solo {
		return false
	}
	owners := p.owners(name)
	owner := int(owners[0])
	if owner == node {
		return false
	}
	if had, ok := p.holds[owner][name]; !ok || at-had.base >= life {
		p.learn(at, owner, name, life)
	}
	if len(owners) > 1 && int(owners[1]) == node {
		return true // it was given it as an owner
	}
	h := p.holds[node][name]
	given := p.holds[owner][name]
	h.base, h.origin, h.first, h.shared, h.put = given.base, given.origin, false, at, 0
	p.holds[node][name] = h
	return true
}

// learn has a node ask the name server, and give the answer to the owners.
func (p *past) learn(at time.Duration, node int, name int32, life time.Duration) {
	h, had := p.holds[node][name]
	news := !had || !h.first || p.w.version(name, h.base) != p.w.version(name, at)
	h.base, h.first, h.origin, h.shared = at, true, int32(node), 0
	if news || h.put == 0 || at-h.put >= p.c.suppress() {
		h.put = at
		p.give(at, node, name, life)
	}
	p.holds[node][name] = h
}

// give gives an answer to the owners of the name.
func (p *past) give(at time.Duration, node int, name int32, life time.Duration) {
	if p.c.Solo {
		return
	}
	for _, o := range p.owners(name) {
		if int(o) == node {
			continue
		}
		h := p.holds[o][name]
		if h.first && at-h.base-life < p.c.stale()/2 {
			continue // it has it of the name server itself
		}
		h.base, h.first, h.origin, h.shared = at, false, int32(node), 0
		p.holds[o][name] = h
	}
}

func (p *past) owners(name int32) []int16 {
	best := p.g.owners(name)
	return best[:min(p.c.owners(), len(best))]
}

// cache makes an empty cache.
func (c Config) cache() *keep.Cache {
	return keep.New(keep.Options{
		Entries: c.Entries, MaxStale: c.stale(), Window: max(24*time.Hour, c.stale()),
		Members: c.Nodes, Owners: c.owners(),
	})
}

// fill puts into a cache what a node has.
func (p *past) fill(node int, c *keep.Cache) {
	for _, name := range p.names[node] {
		h := p.holds[node][name]
		e := p.entry(node, name, h)
		if h.wanted {
			c.Asked(h.asked, e.Key)
		}
		// What is too old by now, or kept for nothing, is refused.
		_ = c.Put(p.until, e)
	}
}

// entry is what a node keeps of a name.
func (p *past) entry(node int, name int32, h hold) *keep.Entry {
	t := p.w.at(name, h.base)
	e := &keep.Entry{
		Key: keep.Key{Net: network, Name: t.info.Name, Type: t.info.Type}, Brief: t.info.Brief, Msg: t.msg,
		Base: h.base, Origin: p.g.ids[h.origin], From: p.g.ids[h.origin], First: h.first, Agreed: h.first,
		Rank: -1, Put: h.put,
	}
	if p.c.Solo {
		return e
	}
	if h.shared > 0 {
		e.From, e.Agreed = p.g.ids[p.owners(name)[0]], true
		e.MinTTL = min(e.MinTTL, uint32((h.shared-h.base+peerTTL)/time.Second))
	}
	at := 0
	for k, o := range p.owners(name) {
		if int(o) == node {
			e.Rank = int8(k)
		} else if h.put != 0 {
			e.PutTo[at] = p.g.ids[o]
			at++
		}
	}
	return e
}
