package plan

import (
	"cmp"
	"fmt"
	"strings"

	"namecast/lib/chain"
)

// RecoverMargin is by how much the epoch of a row that is made anew is above all
// that were seen: whoever knows rows that nobody has told of may be that far ahead,
// and yet takes the new one for newer.
const RecoverMargin = 1000

// A Holding is what a node's disk has of a chain, whole.
type Holding struct {
	Inc chain.Incarnation // the one that wrote it
	Row chain.Row         // the last that it installed, or the zero Row
	LSN chain.LSN         // the last of its log
}

// Holdings are those of nodes, by their names, when they registered last.
type Holdings map[string]map[chain.ID]Holding

// Consent is what the operator accepts, knowing that it may lose writes that
// were acknowledged.
type Consent struct {
	// Stale data is of a node that had left the chain before its last row, or had
	// not come in yet. It is used where there is none better.
	Stale bool
	// Empty is to begin chains anew of which nobody has anything.
	Empty bool
}

// A Finding is what is to be known about a chain that was recovered, or was not.
type Finding struct {
	Chain chain.ID
	Kind  FindingKind
	Node  string // whose data it is, or ""
	Why   string // one line
}

// A FindingKind says how much is in doubt.
type FindingKind uint8

// The kinds of findings.
const (
	// Alone: a member of the last row that is known has the chain, so it has all
	// that was committed with it. Others of that row are not there, and may have
	// gone on without it.
	Alone FindingKind = iota + 1
	// Stale: only nodes that were not in the last row have anything.
	Stale
	// Empty: nobody has anything.
	Empty
)

func (k FindingKind) String() string {
	return [...]string{"none", "alone", "stale", "empty"}[k]
}

// Recover makes the rows of n chains, numbered from 0, from what nodes have on
// their disks, for when the chain table is lost. Of each chain the last row
// counts that any disk tells of. A live member of it has all that was committed
// while it was in: each takes the chain up again as its only member, that with
// the longest log; see chain.Row.Restored. If every member of that row is there,
// nothing is in doubt: the row after it would have had one of them, and nothing
// was committed in it before that one had installed it.
//
// Chains without a row, for want of consent, are in the findings.
func Recover(c *Cluster, held Holdings, n int, consent Consent) (rows []chain.Row, found []Finding) {
	r := recovery{planner: newPlanner(c, map[string]int{}), held: held}
	for _, of := range held {
		for _, h := range of {
			r.top = max(r.top, h.Row.Epoch)
		}
	}
	for id := range chain.ID(n) {
		row, f := r.chain(id, consent)
		if len(row.Members) > 0 {
			rows = append(rows, row)
			r.load[row.Head().Node]++
		}
		if f.Kind != 0 {
			found = append(found, f)
		}
	}
	return rows, found
}

// A recovery makes rows, counting what each node gets.
type recovery struct {
	planner
	held Holdings
	top  chain.Epoch // the highest of all chains
}

// chain recovers one chain.
func (r recovery) chain(id chain.ID, consent Consent) (chain.Row, Finding) {
	f := Finding{Chain: id}
	last := chain.Row{Chain: id}
	for _, of := range r.held {
		if h := of[id]; h.Row.Epoch > last.Epoch {
			last = h.Row
		}
	}
	best, ok := r.best(id, last, true)
	if ok {
		if others := r.missing(id, last); others != "" {
			f.Kind, f.Node = Alone, best.Name
			f.Why = fmt.Sprintf("of the members in epoch %d %s is there and not %s, which may have gone on alone", last.Epoch, best.Name, others)
		}
		return r.restart(id, last, best), f
	}
	best, ok = r.best(id, last, false)
	if ok {
		h := r.held[best.Name][id]
		f.Kind, f.Node = Stale, best.Name
		f.Why = fmt.Sprintf("no member in epoch %d is there; %s has what it had in epoch %d", last.Epoch, best.Name, h.Row.Epoch)
		if !consent.Stale {
			return chain.Row{}, f
		}
		return r.restart(id, last, best), f
	}
	f.Kind, f.Why = Empty, "nobody that is there has anything of it"
	if last.Epoch > 0 {
		f.Why += fmt.Sprintf("; its members in epoch %d were %s", last.Epoch, names(last.Members))
	}
	if !consent.Empty {
		return chain.Row{}, f
	}
	return r.anew(id), f
}

// anew makes the row with which a chain begins without anything, or the zero Row if
// there is no node for it.
func (r recovery) anew(id chain.ID) chain.Row {
	row := chain.Row{Chain: id, Epoch: r.top + RecoverMargin}
	n, ok := r.choose(row, Facts{})
	if !ok {
		return chain.Row{}
	}
	row.Members = []chain.Member{{Node: n.Name, Inc: n.Inc}}
	return row
}

// belongs reports whether a node's data is that of a member of a row, or of the
// one that the row's head restarted from.
func belongs(row chain.Row, name string, h Holding) bool {
	m := row.Node(name)
	return !m.IsZero() && (m.Inc == h.Inc || m == row.Head() && row.Restored != 0 && row.Restored == h.Inc)
}

// best finds the live node whose data is the newest, of those that will do: members
// of one row by the ends of their logs, others by their rows first. A process
// whose incarnation is not newer than its data cannot vouch for it.
func (r recovery) best(id chain.ID, last chain.Row, members bool) (best Node, ok bool) {
	var had Holding
	for _, n := range r.Nodes {
		h := r.held[n.Name][id]
		if h.Inc == 0 || !n.Live || n.Inc <= h.Inc || members && !belongs(last, n.Name, h) {
			continue
		}
		log, row := cmp.Compare(h.LSN, had.LSN), cmp.Compare(h.Row.Epoch, had.Row.Epoch)
		newer := cmp.Or(row, log)
		if members {
			newer = cmp.Or(log, row)
		}
		if !ok || newer > 0 {
			best, had, ok = n, h, true
		}
	}
	return best, ok
}

// missing names the members of a row whose data is not there.
func (r recovery) missing(id chain.ID, row chain.Row) string {
	var out []chain.Member
	for _, m := range row.Members {
		n := r.node(m.Node)
		if h := r.held[m.Node][id]; !n.Live || n.Inc <= h.Inc || !belongs(row, m.Node, h) {
			out = append(out, m)
		}
	}
	return names(out)
}

// restart makes the row with which a node takes a chain up again.
func (r recovery) restart(id chain.ID, last chain.Row, n Node) chain.Row {
	return chain.Row{
		Chain: id, Epoch: last.Epoch + RecoverMargin, Members: []chain.Member{{Node: n.Name, Inc: n.Inc}},
		Restored: r.held[n.Name][id].Inc,
	}
}

// names lists the nodes of members.
func names(members []chain.Member) string {
	out := make([]string, len(members))
	for i, m := range members {
		out[i] = m.Node
	}
	return strings.Join(out, ", ")
}
