package plan

import (
	"cmp"
	"hash/fnv"
	"slices"

	"namecast/lib/chain"
)

// Create makes the first rows of n chains, numbered from 0, on the live nodes
// that are not drained. ok is false if there is none.
func Create(c *Cluster, n int) (rows []chain.Row, ok bool) {
	p := newPlanner(c, map[string]int{})
	for id := range n {
		row := chain.Row{Chain: chain.ID(id), Epoch: 1}
		for range c.Replicas {
			n, ok := p.choose(row, Facts{})
			if !ok {
				break
			}
			row.Members = append(row.Members, chain.Member{Node: n.Name, Inc: n.Inc})
			p.load[n.Name]++
		}
		if len(row.Members) == 0 {
			return nil, false
		}
		rows = append(rows, row)
	}
	return rows, true
}

// Load counts the chains that each node takes part in.
func Load(rows []chain.Row) map[string]int {
	load := map[string]int{}
	for _, row := range rows {
		for _, m := range row.Members {
			load[m.Node]++
		}
		if !row.Recruit.IsZero() {
			load[row.Recruit.Node]++
		}
	}
	return load
}

// All gives the next steps of a whole table. First come chains with the fewest
// members, as far as Cluster.Copies allows, and then, as far as Cluster.Moves
// does, those that are only to be placed better.
func All(rows []chain.Row, facts func(chain.ID) Facts, c *Cluster) []Step {
	p := newPlanner(c, Load(rows))
	var steps []Step
	var short, drained, calm []chain.Row
	for _, row := range rows {
		s, ok := p.plan(row, facts(row.Chain))
		switch {
		case ok && s.Kind == Add && len(row.Members) < c.Replicas:
			short = append(short, row)
		case ok && s.Kind == Add:
			drained = append(drained, row)
		case ok:
			p.count(s)
			steps = append(steps, s)
		case row.Recruit.IsZero() && len(row.Members) == c.Replicas:
			calm = append(calm, row)
		}
	}
	slices.SortStableFunc(short, func(a, b chain.Row) int { return cmp.Compare(len(a.Members), len(b.Members)) })
	copies, moves := p.room(rows)
	added := p.adds(short, facts, copies)
	moves = min(moves, copies-len(added))
	moved := p.adds(drained, facts, moves)
	moved = append(moved, p.balance(calm, moves-len(moved))...)
	return slices.Concat(steps, added, moved)
}

// room is how many recruits there may be more, and how many of those where
// there are members enough.
func (p planner) room(rows []chain.Row) (copies, moves int) {
	copies, moves = p.Copies, p.Moves
	for _, row := range rows {
		recruits := !row.Recruit.IsZero()
		if recruits {
			copies--
		}
		if len(row.Members) > p.Replicas || recruits && len(row.Members) == p.Replicas {
			moves--
		}
	}
	return copies, moves
}

// adds plans the chains given, as far as there is room. Each is planned again,
// since those before it have changed what the nodes hold.
func (p planner) adds(rows []chain.Row, facts func(chain.ID) Facts, room int) (steps []Step) {
	for _, row := range rows[:min(len(rows), max(room, 0))] {
		if s, ok := p.plan(row, facts(row.Chain)); ok {
			p.count(s)
			steps = append(steps, s)
		}
	}
	return steps
}

// balance moves chains of those given, as far as there is room.
func (p planner) balance(rows []chain.Row, room int) (steps []Step) {
	for ; room > 0; room-- {
		s, i := p.move(rows)
		if i < 0 {
			break
		}
		p.count(s)
		rows = slices.Delete(rows, i, i+1)
		steps = append(steps, s)
	}
	return steps
}

// count takes in what a step does to what the nodes hold.
func (p planner) count(s Step) {
	switch s.Kind {
	case Add:
		p.load[s.Member.Node]++
	case Remove, Drop:
		p.load[s.Member.Node]--
	}
}

// choose finds the node to add to a chain: one of a zone that the chain has no
// member in, if possible; then one that has the chain's data from before; then
// the one that holds least.
func (p planner) choose(row chain.Row, f Facts) (Node, bool) {
	best, found := Node{}, false
	for _, n := range p.Nodes {
		if !p.may(row, n) {
			continue
		}
		if !found || p.compare(row, f, n, best) < 0 {
			best, found = n, true
		}
	}
	return best, found
}

// may reports whether a node can be added to a chain.
func (p planner) may(row chain.Row, n Node) bool {
	return n.Live && n.Inc != 0 && !n.Drain && row.Node(n.Name).IsZero() && row.Recruit.Node != n.Name
}

// compare orders nodes by how well they suit a chain, the better first.
func (p planner) compare(row chain.Row, f Facts, a, b Node) int {
	holds := func(n Node) int {
		if f.Held[n.Name] != 0 {
			return 0
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(p.inZone(row, a.Zone, ""), p.inZone(row, b.Zone, "")),
		cmp.Compare(holds(a), holds(b)),
		cmp.Compare(p.load[a.Name], p.load[b.Name]),
		cmp.Compare(score(row.Chain, a.Name), score(row.Chain, b.Name)),
		cmp.Compare(a.Name, b.Name),
	)
}

// inZone counts the members that stay and are in a zone, but for one.
func (p planner) inZone(row chain.Row, zone, except string) int {
	count := 0
	for _, m := range row.Members {
		if n := p.node(m.Node); m.Node != except && n.Zone == zone && !n.Drain {
			count++
		}
	}
	return count
}

// score spreads chains over nodes that suit them alike.
func score(id chain.ID, name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte{byte(id >> 8), byte(id)})
	h.Write([]byte(name))
	x := h.Sum64() // whose high bits hardly depend on what was written last
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}

// surplus finds the member to remove: one on a node that is drained, then one
// that shares its zone, then the one on the node that holds most.
func (p planner) surplus(row chain.Row) chain.Member {
	drained := func(m chain.Member) int {
		if p.node(m.Node).Drain {
			return 0
		}
		return 1
	}
	shared := func(m chain.Member) int { return p.inZone(row, p.node(m.Node).Zone, m.Node) }
	return slices.MinFunc(row.Members, func(a, b chain.Member) int {
		return cmp.Or(
			cmp.Compare(drained(a), drained(b)),
			cmp.Compare(shared(b), shared(a)),
			cmp.Compare(p.load[b.Node], p.load[a.Node]),
			cmp.Compare(score(row.Chain, b.Node), score(row.Chain, a.Node)),
		)
	})
}

// move finds a chain, of those given, with a node to move it to: first where
// two members share a zone and need not, then from a node that holds more by two
// or more. It adds the recruit; when that is promoted, surplus finds who goes.
func (p planner) move(rows []chain.Row) (Step, int) {
	for i, row := range rows {
		if n, ok := p.choose(row, Facts{}); ok && p.crowded(row) && p.inZone(row, n.Zone, "") == 0 {
			return p.add(row, n, "two members share a zone"), i
		}
	}
	best, bestAt, gain := Node{}, -1, 1
	for i, row := range rows {
		for _, n := range p.Nodes {
			if g := p.gain(row, n); g > gain {
				best, bestAt, gain = n, i, g
			}
		}
	}
	if bestAt < 0 {
		return Step{}, -1
	}
	return p.add(rows[bestAt], best, "its node holds less than another"), bestAt
}

// gain is by how much a node holds less than the one it would relieve: that
// which surplus picks once it is a member.
func (p planner) gain(row chain.Row, n Node) int {
	if !p.may(row, n) {
		return 0
	}
	grown := next(row)
	grown.Members = append(grown.Members, chain.Member{Node: n.Name, Inc: n.Inc})
	goes := p.surplus(grown)
	if goes.Node == n.Name {
		return 0
	}
	return p.load[goes.Node] - p.load[n.Name]
}

// crowded reports whether two members share a zone.
func (p planner) crowded(row chain.Row) bool {
	for _, m := range row.Members {
		if p.inZone(row, p.node(m.Node).Zone, m.Node) > 0 {
			return true
		}
	}
	return false
}
