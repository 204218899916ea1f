package plan

import (
	"cmp"
	"hash/fnv"
	"slices"

	"namecast/lib/chain"
)

// Create makes the first rows of n chains, numbered from 0, on the live nodes
// that are not drained: as many members as there should be, or as there are nodes.
// ok is false if there is none.
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
		p.order(row)
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
// does, those that are only to be placed better. What the nodes hold is not
// balanced while a chain is to get back what it lost: that changes what they hold.
func All(rows []chain.Row, facts func(chain.ID) Facts, c *Cluster) []Step {
	p := newPlanner(c, Load(rows))
	var steps []Step
	var short, drained, calm []chain.Row
	hurt := false
	for _, row := range rows {
		f := facts(row.Chain)
		s, ok := p.plan(row, f)
		switch {
		case ok && s.Kind == Add && len(row.Members) < c.Replicas:
			short = append(short, row)
		case ok && s.Kind == Add:
			drained = append(drained, row)
		case ok:
			p.count(s)
			steps = append(steps, s)
			hurt = hurt || s.Kind == Remove && len(row.Members) <= c.Replicas
		case row.Recruit.IsZero() && len(row.Members) == c.Replicas:
			calm = append(calm, row)
		default:
			hurt = hurt || len(row.Members) < c.Replicas && len(p.awaits(row, f)) > 0
		}
	}
	slices.SortStableFunc(short, func(a, b chain.Row) int { return cmp.Compare(len(a.Members), len(b.Members)) })
	copies, moves := p.room(rows)
	added := p.adds(short, facts, copies)
	moves = min(moves, copies-len(added))
	moved := p.adds(drained, facts, moves)
	if !hurt && len(short) == 0 {
		moved = append(moved, p.balance(calm, moves-len(moved))...)
	}
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
// member in, and of a datacenter that it has few in, if possible; then one that has
// the chain's data from before; then one in the tail's datacenter rather than
// in one that the chain has left; then the one that holds least.
func (p planner) choose(row chain.Row, f Facts) (Node, bool) {
	best, found := Node{}, false
	for _, n := range p.Nodes {
		if f.Avoid[n.Name] || !p.may(row, n) {
			continue
		}
		if !found || p.compare(row, f, n, best) < 0 {
			best, found = n, true
		}
	}
	return best, found
}

// may reports whether a node can be added to a chain: it is free, and hears those
// with whom it has to do.
func (p planner) may(row chain.Row, n Node) bool {
	return p.free(row, n) && !p.alone(n.Name) && p.deaf(row, n.Name).IsZero()
}

// free reports whether a node could be added to a chain as far as it alone goes.
func (p planner) free(row chain.Row, n Node) bool {
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
	x, y := p.with(row, a), p.with(row, b)
	return cmp.Or(
		cmp.Compare(x.zones, y.zones),
		cmp.Compare(x.centers, y.centers),
		cmp.Compare(holds(a), holds(b)),
		cmp.Compare(x.returns, y.returns),
		cmp.Compare(p.load[a.Name], p.load[b.Name]),
		cmp.Compare(score(row.Chain, a.Name), score(row.Chain, b.Name)),
		cmp.Compare(a.Name, b.Name),
	)
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
// without whom the rest is placed best, then the one on the node that holds most.
func (p planner) surplus(row chain.Row) chain.Member {
	best, rest := row.Members[0], p.ills(row.Members, row.Members[0])
	for _, m := range row.Members[1:] {
		left := p.ills(row.Members, m)
		c := left.compare(rest)
		if drains := p.node(m.Node).Drain; drains != p.node(best.Node).Drain {
			c = 1
			if drains {
				c = -1
			}
		}
		if c == 0 {
			c = cmp.Compare(p.load[best.Node], p.load[m.Node])
		}
		if c < 0 || c == 0 && score(row.Chain, m.Node) > score(row.Chain, best.Node) {
			best, rest = m, left
		}
	}
	return best
}

// move finds a chain, of those given, with a node to move it to: first where
// its members would be placed better, then from a node that holds more by two or
// more. It adds the recruit; when that is promoted, surplus finds who goes.
func (p planner) move(rows []chain.Row) (Step, int) {
	for i, row := range rows {
		if s, ok := p.improve(row); ok {
			return s, i
		}
	}
	best, bestAt, gain := Node{}, -1, 1
	for i, row := range rows {
		most := p.heaviest(row)
		for _, n := range p.Nodes {
			if most-p.load[n.Name] <= gain {
				continue
			}
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

// improve finds a node with which a chain would be placed better than it is, and
// of those the one with which it is best, or that holds least.
func (p planner) improve(row chain.Row) (Step, bool) {
	now := p.ills(row.Members, chain.Member{})
	if now == (ill{}) {
		return Step{}, false
	}
	var room [8]spot
	useless := room[:0] // nodes of one spot are alike in this
	best, least, found := Node{}, now, false
	for _, n := range p.Nodes {
		at := p.spot[n.Name]
		if !p.may(row, n) || slices.Contains(useless, at) {
			continue
		}
		grown := p.grown(row, n)
		then := p.ills(grown.Members, p.surplus(grown))
		if then.compare(now) >= 0 {
			useless = append(useless, at)
			continue
		}
		if c := then.compare(least); c < 0 || c == 0 && found && p.load[n.Name] < p.load[best.Name] {
			best, least, found = n, then, true
		}
	}
	return p.add(row, best, now.better(least)), found
}

// grown is a row with a node as another member.
func (p planner) grown(row chain.Row, n Node) chain.Row {
	row.Members = append(slices.Clip(row.Members), chain.Member{Node: n.Name, Inc: n.Inc})
	return row
}

// heaviest is what that member's node holds which holds most.
func (p planner) heaviest(row chain.Row) int {
	most := 0
	for _, m := range row.Members {
		most = max(most, p.load[m.Node])
	}
	return most
}

// gain is by how much a node holds less than the one it would relieve: that
// which surplus picks once it is a member. The chain is placed no worse then,
// since surplus could pick the node itself.
func (p planner) gain(row chain.Row, n Node) int {
	if !p.may(row, n) {
		return 0
	}
	goes := p.surplus(p.grown(row, n))
	if goes.Node == n.Name {
		return 0
	}
	return p.load[goes.Node] - p.load[n.Name]
}
