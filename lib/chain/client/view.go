package client

import (
	"math/rand/v2"
	"slices"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/clock"
)

// A view is the chain table as the client has it, prepared for use. It does not
// change.
type view struct {
	table   chain.Table
	rows    []chain.Row // by chain, or none
	members [][]near    // by chain, the nearest first
	former  map[chain.ID][]former
	peers   []*peer // of all sites
	next    chan struct{}
}

// near is a member and how far it is.
type near struct {
	*peer
	distance int
	zone     string
}

// A former is a node that has been a member of a chain until not long ago.
type former struct {
	*peer
	until time.Duration // when it is forgotten, since boot
}

// wellFormed reports whether a table has a row for each chain, or none at all.
func wellFormed(t chain.Table) bool {
	if len(t.Rows) != 0 && len(t.Rows) != chain.Chains {
		return false
	}
	for i, row := range t.Rows {
		if row.Chain != chain.ID(i) || len(row.Members) == 0 {
			return false
		}
	}
	return true
}

// newView prepares a table that comes after another one. c.mu is locked.
func (c *Client) newView(t chain.Table, old *view) *view {
	t.ID = 0
	v := &view{table: t, rows: t.Rows, next: make(chan struct{}), former: map[chain.ID][]former{}}
	zones := map[string]string{}
	for _, s := range t.Sites {
		zones[s.Node] = s.Zone
		v.peers = append(v.peers, c.peer(s.Node))
	}
	for _, row := range t.Rows {
		var members []near
		for _, m := range row.Members {
			members = append(members, near{c.peer(m.Node), distance(c.config.Zone, zones[m.Node]), zones[m.Node]})
		}
		slices.SortStableFunc(members, func(a, b near) int { return a.distance - b.distance })
		v.members = append(v.members, members)
		if len(old.members) > 0 {
			v.remember(row, old)
		}
	}
	return v
}

// remember takes down who is no member any more.
func (v *view) remember(row chain.Row, old *view) {
	now := clock.Boot()
	for _, m := range old.members[row.Chain] {
		if row.Node(m.name).IsZero() {
			v.former[row.Chain] = append(v.former[row.Chain], former{m.peer, now + goneFor})
		}
	}
	for _, f := range old.former[row.Chain] {
		if row.Node(f.name).IsZero() && f.until > now && old.distance(row.Chain, f.name) == nowhere {
			v.former[row.Chain] = append(v.former[row.Chain], f)
		}
	}
}

// peer finds or makes what is known of a node. c.mu is locked.
func (c *Client) peer(node string) *peer {
	p := c.peers[node]
	if p == nil {
		p = &peer{name: node}
		c.peers[node] = p
	}
	return p
}

// adopt takes a table that a node has sent, if it is news.
func (c *Client) adopt(t chain.Table) {
	now := clock.Boot()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.told {
		c.told = true
		signal(c.adopted)
	}
	old := c.view.Load()
	switch have := old.table.Revision; {
	case t.Revision == have:
		c.vouched = now
		return
	case t.Revision < have && now-c.vouched < oldRevision || !wellFormed(t):
		return
	}
	c.vouched = now
	c.view.Store(c.newView(t, old))
	close(old.next)
	c.forget(t)
	signal(c.adopted)
}

// forget drops nodes that are neither in the table nor connected. c.mu is locked.
func (c *Client) forget(t chain.Table) {
	in := map[string]bool{}
	for _, s := range t.Sites {
		in[s.Node] = true
	}
	for _, row := range t.Rows {
		for _, m := range row.Members {
			in[m.Node] = true
		}
	}
	for name, p := range c.peers {
		if !in[name] && !p.up() {
			delete(c.peers, name)
		}
	}
}

// refresh has the table asked for, soon.
func (c *Client) refresh() { signal(c.wanted) }

// signal wakes who waits on a channel with one place.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// askTable asks some of the connected nodes for the table; what they answer is
// taken when it comes. One may know less than another, or not answer.
func (c *Client) askTable(nodes int) {
	c.counts.tables.Add(1)
	q := chain.TableQuery{Have: c.view.Load().table.Revision}
	all := c.net.Conns()
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, conn := range all {
		if conn.Peer.Class != frame.ClassClient || nodes == 0 {
			continue
		}
		nodes--
		q.ID = c.lastID.Add(1)
		conn.Send(chain.Envelope{Body: q}) // who cannot be asked now is not needed: it is asked again
	}
}

// pick chooses the member of a chain to be asked next, none of those that were
// asked already: a good one before one that is shunned, the nearest, and of two
// equally near ones that with less to do. If no member is connected it is another
// node, which passes the request on. nil if there is none.
func (v *view) pick(id chain.ID, asked []*peer) *peer {
	if len(v.members) == 0 {
		return nil
	}
	if p := choose(v.members[id], asked, (*peer).good); p != nil {
		return p
	}
	if p := choose(v.members[id], asked, (*peer).up); p != nil {
		return p
	}
	return v.gateway(asked)
}

// gateway is any connected node.
func (v *view) gateway(asked []*peer) *peer {
	if len(v.peers) == 0 {
		return nil
	}
	at := rand.IntN(len(v.peers))
	for i := range v.peers {
		p := v.peers[(at+i)%len(v.peers)]
		if p.up() && !slices.Contains(asked, p) {
			return p
		}
	}
	return nil
}

// choose takes, of the nearest members for which a condition holds, the one of two
// that has fewer requests under way.
func choose(members []near, asked []*peer, fit func(*peer) bool) *peer {
	var fits [8]*peer
	n, distance := 0, 0
	for _, m := range members {
		if n > 0 && m.distance > distance || n == len(fits) {
			break
		}
		if fit(m.peer) && !slices.Contains(asked, m.peer) {
			fits[n], distance = m.peer, m.distance
			n++
		}
	}
	if n == 0 {
		return nil
	}
	a := rand.IntN(n)
	if n == 1 {
		return fits[0]
	}
	b := (a + 1 + rand.IntN(n-1)) % n
	if fits[b].flying.Load() < fits[a].flying.Load() {
		return fits[b]
	}
	return fits[a]
}

// pause is a wait that doubles.
type pause time.Duration

func (p *pause) next() time.Duration {
	*p = min(max(2**p, pause(leastPause)), pause(mostPause))
	return time.Duration(*p)
}
