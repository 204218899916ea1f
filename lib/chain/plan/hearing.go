package plan

import (
	"fmt"

	"namecast/lib/chain"
)

// A hearing is which live nodes have connections with each other. A connection needs
// both, so one that misses it speaks for the other too.
type hearing struct {
	cut     map[[2]string]bool // pairs that have none, each in both orders
	missing map[string]int     // of how many a node is cut off
	live    int
}

// hear works out who hears whom, of the nodes that the coordinator hears of.
func hear(nodes []Node) hearing {
	h := hearing{}
	live := make(map[string]bool, len(nodes))
	for i := range nodes {
		if nodes[i].Live {
			h.live++
			live[nodes[i].Name] = true
		}
	}
	for i := range nodes {
		n := &nodes[i]
		for _, other := range n.Silent {
			if n.Live && live[other] && other != n.Name && h.hears(n.Name, other) {
				h.separate(n.Name, other)
			}
		}
	}
	return h
}

func (h *hearing) separate(a, b string) {
	if h.cut == nil {
		h.cut, h.missing = map[[2]string]bool{}, map[string]int{}
	}
	h.cut[[2]string{a, b}], h.cut[[2]string{b, a}] = true, true
	h.missing[a]++
	h.missing[b]++
}

// hears reports whether two nodes hear each other, as far as is known.
func (h *hearing) hears(a, b string) bool { return !h.cut[[2]string{a, b}] }

// alone reports whether a node is cut off from most of the others.
func (h *hearing) alone(name string) bool { return 2*h.missing[name] > h.live-1 }

// deaf is the first member of a row that a node does not hear, or nobody. A member
// needs its neighbours to write, and the tail to read; and as the newest member is
// the tail, a recruit needs all.
func (p planner) deaf(row chain.Row, name string) chain.Member {
	for _, m := range row.Members {
		if !p.hears(m.Node, name) {
			return m
		}
	}
	return chain.Member{}
}

// part removes a member that another one needs and does not hear, though the
// coordinator hears both: the chain would stand still for as long as that lasts.
func (p planner) part(row chain.Row, f Facts) (Step, bool) {
	last := len(row.Members) - 1
	for i := range max(last, 0) {
		m := row.Members[i]
		for _, j := range []int{i + 1, last} {
			other := row.Members[j]
			if p.hears(m.Node, other.Node) {
				continue
			}
			goes, stays := p.outcast(m, other), m
			if goes == m {
				stays = other
			}
			return p.force(row, goes, fmt.Sprintf("it and %s do not hear each other", stays.Node)), true
		}
	}
	if i := row.Index(f.Silent.Member); i > 0 && f.Silent.Epoch == row.Epoch {
		return p.force(row, f.Silent.Member, fmt.Sprintf("it does not answer %s", row.Members[i-1].Node)), true
	}
	return Step{}, false
}

// force removes a member that is heard of, whether or not it answers a Fence.
func (p planner) force(row chain.Row, m chain.Member, why string) Step {
	s := p.remove(row, m, why)
	s.Force = true
	return s
}

// outcast picks one of two members that do not hear each other: that which is cut
// off from more nodes, since it speaks for itself in that. If that is the same, it
// is the one that the controller's node does not hear, so that the other is
// not fenced while this one has to be waited for; else it is the successor.
func (p planner) outcast(m, successor chain.Member) chain.Member {
	a, b := p.missing[m.Node], p.missing[successor.Node]
	if a > b || a == b && p.By == successor.Node {
		return m
	}
	return successor
}
