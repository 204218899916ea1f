package plan

import (
	"fmt"
	"slices"
	"strings"

	"namecast/lib/chain"
)

// Explain says in one line why a chain does not have all the members that it
// should, or one on a node that is drained, and what comes next; "" if neither is so.
// Whether its members also act is for their replicas to say, see replica.Status.
func Explain(row chain.Row, f Facts, c *Cluster) string {
	p := newPlanner(c, map[string]int{})
	var dead, drained []chain.Member
	for _, m := range row.Members {
		if !p.serves(m, row, f) {
			dead = append(dead, m)
		} else if p.node(m.Node).Drain {
			drained = append(drained, m)
		}
	}
	some := fmt.Sprintf("%d of %d members", len(row.Members)-len(dead), p.Replicas)
	switch {
	case len(row.Members) == 0:
		return "it has no row"
	case len(dead) == len(row.Members):
		return p.explainDead(row, f)
	case len(dead) > 0:
		return fmt.Sprintf("%s: %s does not serve, and is to be removed", some, names(dead))
	}
	if s, ok := p.part(row, f); ok {
		return fmt.Sprintf("%s: %s is to be removed, as %s", some, s.Member.Node, s.Why)
	}
	switch {
	case len(row.Members) > p.Replicas:
		return fmt.Sprintf("%s: %s is to be removed", some, p.surplus(row).Node)
	case len(row.Members) < p.Replicas:
		return some + ": " + p.explainShort(row, f)
	case len(drained) > 0:
		return fmt.Sprintf("%s, of which %s is drained: %s", some, names(drained), p.explainShort(row, f))
	}
	return ""
}

// explainDead says for whom a chain waits of which no member serves.
func (p planner) explainDead(row chain.Row, f Facts) string {
	if s, ok := p.restart(row, f); ok {
		return fmt.Sprintf("no member serves: %s is to take it up again", s.Member.Node)
	}
	var away, without []chain.Member
	for _, m := range row.Members {
		if n := p.node(m.Node); n.Live && n.Inc > m.Inc {
			without = append(without, m)
		} else {
			away = append(away, m)
		}
	}
	switch {
	case len(away) == 0:
		return fmt.Sprintf("no member serves: %s came back without the data, and nobody else has all of it", names(without))
	case len(without) > 0:
		return fmt.Sprintf("no member serves: it waits for %s, as %s came back without the data", names(away), names(without))
	}
	return fmt.Sprintf("no member serves: it waits for one of %s to come back", names(away))
}

// explainShort says what a chain waits for that is to have another member.
func (p planner) explainShort(row chain.Row, f Facts) string {
	if r := row.Recruit; !r.IsZero() {
		now := Report{row.Epoch, r}
		n := p.node(r.Node)
		switch {
		case !n.Live || n.Inc != r.Inc || n.Drain || f.Stalled == now || !p.deaf(row, r.Node).IsZero():
			return fmt.Sprintf("%s, which was recruited, is to be dropped", r.Node)
		case f.Ready == now:
			return fmt.Sprintf("%s has caught up, and is to become one", r.Node)
		}
		return r.Node + " copies"
	}
	if names := p.awaits(row, f); len(names) > 0 {
		return "it waits for " + strings.Join(names, ", ") + ", which may be back soon"
	}
	if n, ok := p.choose(row, f); ok {
		return n.Name + " is to be recruited, in its turn"
	}
	rested := f
	rested.Avoid = nil
	if n, ok := p.choose(row, rested); ok {
		return n.Name + " made no progress as its recruit, and is tried again later"
	}
	for _, n := range p.Nodes {
		if m := p.deaf(row, n.Name); p.free(row, n) && !m.IsZero() {
			return fmt.Sprintf("%s could be recruited, but it and %s do not hear each other", n.Name, m.Node)
		}
	}
	return "there are too few nodes: no other could be recruited"
}

// awaits are the names of the nodes that have the chain's data and may be back soon.
func (p planner) awaits(row chain.Row, f Facts) []string {
	var out []string
	for _, n := range p.Nodes {
		if n.Expected && !n.Live && !n.Drain && f.Held[n.Name] != 0 && row.Node(n.Name).IsZero() {
			out = append(out, n.Name)
		}
	}
	slices.Sort(out)
	return out
}
