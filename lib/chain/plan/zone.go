package plan

import (
	"cmp"
	"slices"
	"strings"

	"namecast/lib/chain"
)

// Datacenter is the one that a zone is in: what is before the first slash of it,
// as in "fra/rack7", or the zone itself where there is none.
func Datacenter(zone string) string {
	dc, _, _ := strings.Cut(zone, "/")
	return dc
}

// An ill is what is not as it should be in the placing of a chain's members, from
// the worst to the least: members that fail together, then the way a
// write takes. A chain whose members of one datacenter follow each other has it
// cross each boundary once, and once back; and as the tail is with some of the
// others, those ask it what is committed without leaving the place.
type ill struct {
	zones   int // pairs of members in one zone
	centers int // pairs of members in one datacenter
	returns int // members that begin a datacenter's second run, or a later one
}

func (a ill) compare(b ill) int {
	return cmp.Or(cmp.Compare(a.zones, b.zones), cmp.Compare(a.centers, b.centers), cmp.Compare(a.returns, b.returns))
}

// better says what b is better in than a.
func (a ill) better(b ill) string {
	switch {
	case b.zones < a.zones:
		return "two members share a zone"
	case b.centers < a.centers:
		return "the members are in fewer datacenters than they could be"
	}
	return "the chain comes back to a datacenter that it has left"
}

// A spot is where a node is: numbers for its zone and its datacenter.
type spot struct{ zone, center int }

// spots numbers zones and datacenters, "" with 0. To compare numbers is quicker, and
// a table asks for many.
func spots(nodes []Node) map[string]spot {
	zones, centers := map[string]int{"": 0}, map[string]int{"": 0}
	number := func(of map[string]int, name string) int {
		if _, ok := of[name]; !ok {
			of[name] = len(of)
		}
		return of[name]
	}
	out := make(map[string]spot, len(nodes))
	for _, n := range nodes {
		out[n.Name] = spot{number(zones, n.Zone), number(centers, Datacenter(n.Zone))}
	}
	return out
}

// at is where members are, in their order. Those on nodes that are drained do not
// count, nor does the one given.
func (p planner) at(members []chain.Member, but chain.Member, into []spot) []spot {
	for _, m := range members {
		if m != but && !p.node(m.Node).Drain {
			into = append(into, p.spot[m.Node])
		}
	}
	return into
}

// ills judges members in their order, without the one given.
func (p planner) ills(members []chain.Member, but chain.Member) ill {
	var room [8]spot
	at := p.at(members, but, room[:0])
	var out ill
	for i, s := range at {
		seen := false
		for _, before := range at[:i] {
			if before.zone == s.zone {
				out.zones++
			}
			if before.center == s.center {
				out.centers++
				seen = true
			}
		}
		if seen && at[i-1].center != s.center {
			out.returns++
		}
	}
	return out
}

// with are the ills of a row that a node has been added to.
func (p planner) with(row chain.Row, n Node) ill {
	return p.ills(p.grown(row, n).Members, chain.Member{})
}

// order puts the members of a first row in order, so that each datacenter is one
// run. The one with most members comes last, since who is near the tail asks it
// at least cost; else it differs from chain to chain which one does.
func (p planner) order(row chain.Row) {
	count := map[string]int{}
	for _, m := range row.Members {
		count[Datacenter(p.node(m.Node).Zone)]++
	}
	slices.SortStableFunc(row.Members, func(a, b chain.Member) int {
		x, y := Datacenter(p.node(a.Node).Zone), Datacenter(p.node(b.Node).Zone)
		return cmp.Or(
			cmp.Compare(count[x], count[y]),
			cmp.Compare(score(row.Chain, x), score(row.Chain, y)),
			cmp.Compare(x, y),
		)
	})
}
