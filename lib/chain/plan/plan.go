// Package plan is the controller's mind: what the next row of a chain should
// be, from the row there is and what is known of nodes. It is pure, and makes
// only steps that are safe at any time, however wrong what is known may be:
//
//	remove   a member, from any place: it is gone, or cut off from another one
//	add      a recruit after the tail
//	drop     the recruit
//	promote  a recruit that its tail has reported ready, to tail
//	restart  a chain of which every member has died, from one member's disk
//
// Who hears whom is told by the nodes, and is no proof of anything: it says only whom
// a chain can do without, see hearing.
//
// Never is a member put in the middle, the order changed, or a second recruit
// added. A step says which members must be fenced before its row is published:
// proved to serve no more. The proof is one of these:
//
//   - the node answered a Fence for the epoch;
//   - a newer incarnation of the node has registered, which it does only when
//     the older one has ended;
//   - the node said that this incarnation has ended, which it does last;
//   - the node's registration is gone, so that no renewal succeeds any more, and
//     [LeaseWait] has passed since the last renewal that did succeed was
//     seen. It was sent before it was seen, and the lease counts from then.
//     The registration must be deleted only if its last renewal is the one seen.
//
// That a registration is gone proves nothing in itself: the lease that the
// last renewal gave may go on.
//
// The row is published in one transaction that holds only if the chain's row is
// still the one that was planned from, the controller is still the elected one,
// and none of the nodes whose registration was deleted has it back.
package plan

import (
	"fmt"
	"slices"
	"time"

	"namecast/lib/chain"
)

// LeaseWait is how long a controller waits, by its own clock, after it has seen
// the last renewal of a node whose leases last for the given time. It allows for
// two clocks that run 5 % wrong in opposite directions, and 50 ms for what a
// clock's reading is late.
func LeaseWait(lease time.Duration) time.Duration {
	return lease*105/95 + 50*time.Millisecond
}

// A Node is what the controller knows of a node.
type Node struct {
	Name string
	// Zone is what may fail together; "" is a zone too. Of one with a slash the
	// part before it is a datacenter, see [Datacenter].
	Zone string
	Inc  chain.Incarnation // the newest that has registered
	Live bool              // it is heard of, as far as the coordinator can tell
	// Ended is the newest incarnation that ended itself and said so: it serves no
	// more. 0 if none did.
	Ended chain.Incarnation
	// Expected: it is not heard of, but for so short a time that its chains wait
	// for it rather than recruit another node.
	Expected bool
	Drain    bool // it is to hold nothing; what it holds moves away
	// Silent are the nodes with which it has had no connection for a while, as it
	// says, though they have registered.
	Silent []string
}

// Facts are what the controller knows of one chain beside its row.
type Facts struct {
	// Held is, by the name of a node, the incarnation whose data of the chain is
	// whole on its disk; see replica.Meta.Held.
	Held map[string]chain.Incarnation
	// Avoid are the names of nodes that are not to be recruited for now, since
	// they made no progress as recruits of this chain.
	Avoid map[string]bool
	// The last reports of each kind; see replica.Report.
	Ready, Stalled, Fenced, Silent Report
}

// A Report is one that a replica made about a member in an epoch.
type Report struct {
	Epoch  chain.Epoch
	Member chain.Member
}

// A Kind is what a step does.
type Kind uint8

// The kinds of steps.
const (
	Remove Kind = iota + 1
	Add
	Drop
	Promote
	Restart
)

func (k Kind) String() string {
	return [...]string{"none", "remove", "add", "drop", "promote", "restart"}[k]
}

// A Step is the next row of a chain.
type Step struct {
	Kind   Kind
	Member chain.Member // whom it is about
	Row    chain.Row
	// Fence is who must be proved to serve no more before the row is published.
	Fence []chain.Member
	// Force: if one of those does not answer a Fence, its registration is to be
	// deleted, though it is heard of.
	Force bool
	Why   string
}

// A Cluster is the nodes, and what is wanted of them.
type Cluster struct {
	Nodes    []Node
	Replicas int    // members that a chain should have
	By       string // the controller's node, or ""
	// Copies is how many chains may have a recruit at a time, and Moves how many of
	// those may be chains that have enough members, and get one to empty a
	// node that is drained or to balance what the nodes hold.
	Copies, Moves int
}

// A planner plans steps one after the other, counting what each node holds.
type planner struct {
	*Cluster
	hearing
	named map[string]Node
	spot  map[string]spot
	load  map[string]int
}

func newPlanner(c *Cluster, load map[string]int) planner {
	p := planner{c, hear(c.Nodes), make(map[string]Node, len(c.Nodes)), spots(c.Nodes), load}
	for _, n := range c.Nodes {
		p.named[n.Name] = n
	}
	return p
}

// node finds a node by name, or gives the zero Node.
func (p planner) node(name string) Node { return p.named[name] }

// Plan gives the next step of one chain, if it needs one. load is how many
// chains each node takes part in, by name.
func Plan(row chain.Row, f Facts, c *Cluster, load map[string]int) (Step, bool) {
	return newPlanner(c, load).plan(row, f)
}

func (p planner) plan(row chain.Row, f Facts) (Step, bool) {
	var dead []chain.Member
	for _, m := range row.Members {
		if !p.serves(m, row, f) {
			dead = append(dead, m)
		}
	}
	switch {
	case len(dead) == len(row.Members):
		return p.restart(row, f)
	case len(dead) > 0:
		return p.remove(row, dead[0], "it is not heard of"), true
	}
	if s, ok := p.part(row, f); ok {
		return s, true
	}
	if !row.Recruit.IsZero() {
		return p.tend(row, f)
	}
	return p.shape(row, f)
}

// next is the row after row, with the same members and without a recruit.
func next(row chain.Row) chain.Row {
	n := row
	n.Epoch++
	n.Members = slices.Clone(row.Members)
	n.Recruit = chain.Member{}
	return n
}

// serves reports whether a member is heard of, and is not fenced.
func (p planner) serves(m chain.Member, row chain.Row, f Facts) bool {
	n := p.node(m.Node)
	return n.Live && n.Inc == m.Inc && n.Ended < m.Inc && f.Fenced != Report{row.Epoch, m}
}

// unproved are those members that are not known to have ended: neither have they
// said so, nor has a newer incarnation of the node registered.
func (p planner) unproved(members []chain.Member) []chain.Member {
	var out []chain.Member
	for _, m := range members {
		if n := p.node(m.Node); n.Inc <= m.Inc && n.Ended < m.Inc {
			out = append(out, m)
		}
	}
	return out
}

// restart takes up a chain of which no member is left, from the disk of one of
// them: all that was ever committed is on each. The node has come back as a new
// incarnation, and its disk is as the member left it.
func (p planner) restart(row chain.Row, f Facts) (Step, bool) {
	for i, m := range row.Members {
		n, held := p.node(m.Node), f.Held[m.Node]
		// A head that restarted the chain may have died before it wrote anything.
		whole := held == m.Inc || i == 0 && row.Restored != 0 && held == row.Restored
		if held == 0 || !whole || !n.Live || n.Inc <= m.Inc {
			continue
		}
		s := Step{Kind: Restart, Member: chain.Member{Node: n.Name, Inc: n.Inc}, Row: next(row), Why: "every member has died"}
		s.Row.Members = []chain.Member{s.Member}
		s.Row.Restored = held
		s.Fence = p.unproved(row.Members)
		return s, true
	}
	return Step{}, false
}

// remove takes a member out. The recruit goes too, since it hung on what is the
// tail no more or may be so; it is added again, and has what it had.
func (p planner) remove(row chain.Row, m chain.Member, why string) Step {
	s := Step{Kind: Remove, Member: m, Row: next(row), Fence: p.unproved([]chain.Member{m}), Why: why}
	if m == row.Head() {
		s.Row.Restored = 0
	}
	s.Row.Members = slices.DeleteFunc(s.Row.Members, func(x chain.Member) bool { return x == m })
	return s
}

// tend drops or promotes the recruit, or waits for it.
func (p planner) tend(row chain.Row, f Facts) (Step, bool) {
	now := Report{row.Epoch, row.Recruit}
	n := p.node(row.Recruit.Node)
	drop := Step{Kind: Drop, Member: row.Recruit, Row: next(row)}
	switch {
	case !n.Live || n.Inc != row.Recruit.Inc:
		drop.Why = "it is not heard of"
	case n.Drain:
		drop.Why = "its node is drained"
	case !p.deaf(row, n.Name).IsZero():
		drop.Why = fmt.Sprintf("it and %s do not hear each other", p.deaf(row, n.Name).Node)
	case f.Ready == now:
		s := Step{Kind: Promote, Member: row.Recruit, Row: next(row), Why: "it has caught up"}
		s.Row.Members = append(s.Row.Members, row.Recruit)
		return s, true
	case f.Stalled == now:
		drop.Why = "it makes no progress"
	default:
		return Step{}, false
	}
	return drop, true
}

// shape brings a chain of living members nearer to what it should be: as many
// as wanted, none on a node that is drained.
func (p planner) shape(row chain.Row, f Facts) (Step, bool) {
	stay := 0
	for _, m := range row.Members {
		if !p.node(m.Node).Drain {
			stay++
		}
	}
	switch {
	case len(row.Members) > p.Replicas:
		m := p.surplus(row)
		return p.remove(row, m, "the chain has more members than it should"), true
	case stay >= p.Replicas:
		return Step{}, false
	case len(p.awaits(row, f)) > 0:
		return Step{}, false
	}
	n, ok := p.choose(row, f)
	if !ok {
		return Step{}, false
	}
	return p.add(row, n, "the chain has fewer members than it should"), true
}

// add makes a node the recruit.
func (p planner) add(row chain.Row, n Node, why string) Step {
	s := Step{Kind: Add, Member: chain.Member{Node: n.Name, Inc: n.Inc}, Row: next(row), Why: why}
	s.Row.Recruit = s.Member
	return s
}
