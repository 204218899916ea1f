package plan

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"namecast/lib/chain"
)

// centers makes nodes of so many racks in each datacenter, one node a rack.
func centers(replicas int, racks ...int) *Cluster {
	c := &Cluster{Replicas: replicas, Copies: 24, Moves: 8}
	for dc, n := range racks {
		for rack := range n {
			name := fmt.Sprintf("%c%d", 'A'+dc, rack)
			c.Nodes = append(c.Nodes, Node{Name: name, Zone: fmt.Sprintf("dc%d/r%d", dc, rack), Inc: 1, Live: true})
		}
	}
	return c
}

// judge gives the ills of a row.
func judge(c *Cluster, row chain.Row) ill {
	return newPlanner(c, nil).ills(row.Members, chain.Member{})
}

// spreadOf is how few members of a chain can share a datacenter, and how few pairs
// of them, for nodes that number so many in each.
func spreadOf(members int, nodes []int) (pairs int) {
	in := make([]int, len(nodes))
	for range members {
		best := -1
		for i := range in {
			if in[i] < nodes[i] && (best < 0 || in[i] < in[best]) {
				best = i
			}
		}
		pairs += in[best]
		in[best]++
	}
	return pairs
}

func TestDatacenter(t *testing.T) {
	for zone, want := range map[string]string{"": "", "a": "a", "a/b": "a", "a/b/c": "a", "/b": "", "a/": "a"} {
		if got := Datacenter(zone); got != want {
			t.Errorf("%q is in %q, want %q", zone, got, want)
		}
	}
}

// The first chains have as few members in one datacenter as can be, those of
// one next to each other, and its own run last for the one with most.
func TestCreateCenters(t *testing.T) {
	for _, c := range []struct {
		replicas int
		racks    []int
	}{{3, []int{3, 3}}, {3, []int{1, 4}}, {3, []int{2, 2, 2}}, {5, []int{3, 3}}, {4, []int{2, 1, 3}}, {5, []int{5, 5, 1}}, {3, []int{4}}, {3, []int{1, 1}}} {
		cl := centers(c.replicas, c.racks...)
		rows, _ := Create(cl, chain.Chains)
		tails, want := map[string]int{}, spreadOf(len(rows[0].Members), c.racks)
		for _, row := range rows {
			if got := judge(cl, row); got != (ill{centers: want}) {
				t.Fatalf("%+v: %v has %+v, want %d pairs", c, row.Members, got, want)
			}
			count := map[string]int{}
			for _, m := range row.Members {
				count[m.Node[:1]]++
			}
			for dc, n := range count {
				if n > count[row.Tail().Node[:1]] {
					t.Errorf("%+v: %v has its tail not where most are, in %s", c, row.Members, dc)
				}
			}
			tails[row.Tail().Node[:1]]++
		}
		t.Logf("%+v: tails are in %v", c, tails)
	}
}

// A recruit comes where the chain has fewest; else to the tail's datacenter, not to
// one that the chain has left, unless it has the data.
func TestChooseCenter(t *testing.T) {
	c := centers(3, 3, 3)
	add := func(f Facts, names ...string) string {
		t.Helper()
		s, ok := Plan(row(names...), f, c, map[string]int{})
		if !ok || s.Kind != Add {
			t.Fatalf("%v: %+v", names, s)
		}
		return s.Member.Node
	}
	if got := add(Facts{}, "A0", "A1"); got[0] != 'B' {
		t.Errorf("to A, A comes %s", got)
	}
	if got := add(Facts{}, "A0", "B1"); got[0] != 'B' {
		t.Errorf("to A, B comes %s", got)
	}
	if got := add(Facts{}, "B0", "A1"); got[0] != 'A' {
		t.Errorf("to B, A comes %s", got)
	}
	if got := add(Facts{Held: map[string]chain.Incarnation{"A2": 1}}, "A0", "B1"); got != "A2" {
		t.Errorf("to A, B comes %s, where A2 has the data", got)
	}
}

// A chain that comes back to a datacenter is moved, if there is a node for it.
func TestOrderIsMended(t *testing.T) {
	c := centers(3, 3, 3)
	rows := []chain.Row{row("A0", "B0", "A1")}
	rows[0].Chain = 0
	steps := run(t, c, rows)
	if got := judge(c, rows[0]); got != (ill{centers: 1}) || steps != 3 {
		t.Errorf("after %d steps: %v has %+v", steps, rows[0].Members, got)
	}
	c = centers(3, 2, 1)
	rows = []chain.Row{row("A0", "B0", "A1")}
	rows[0].Chain = 0
	if steps := run(t, c, rows); steps != 0 {
		t.Errorf("without a node for it: %d steps to %v", steps, rows[0].Members)
	}
}

// However nodes of several datacenters come and go, with nodes enough the chains
// end up spread as far as can be, each datacenter one run, and then there
// is nothing more to do.
func TestBalanceCenters(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			racks := []int{3 + r.IntN(2), 3 + r.IntN(2)}
			if r.IntN(2) == 0 {
				racks = append(racks, 3)
			}
			c := centers(3, racks...)
			rows, _ := Create(c, 48)
			for range 5 {
				n := &c.Nodes[r.IntN(len(c.Nodes))]
				switch {
				case !n.Live || n.Drain:
					n.Live, n.Drain = true, false
					n.Inc++
				case r.IntN(2) == 0:
					n.Live = false
				default:
					n.Drain = true
				}
				free := make([]int, len(racks))
				for _, n := range c.Nodes {
					if n.Live && !n.Drain {
						free[n.Name[0]-'A']++
					}
				}
				all, spare := 0, true
				for _, n := range free {
					all += n
					spare = spare && n >= 3
				}
				if all < 3 {
					return
				}
				steps := run(t, c, rows)
				want := ill{centers: spreadOf(3, free)}
				for _, row := range rows {
					got := judge(c, row)
					if !spare { // there may be no node with which to mend the order
						got.returns = 0
					}
					if got != want {
						t.Errorf("%v free, %d steps: %v has %+v, want %+v", free, steps, row.Members, got, want)
					}
				}
			}
		})
	}
}

// What can be said of ills, whatever the row: a second run of a datacenter makes
// for pairs in it, and who shares a zone shares its datacenter.
func TestIlls(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		c := &Cluster{}
		var names []chain.Member
		dcs, last, runs := map[string]bool{}, "", 0
		for i := range 1 + r.IntN(6) {
			n := Node{Name: fmt.Sprint(i), Zone: fmt.Sprintf("%d/%d", r.IntN(3), r.IntN(2)), Inc: 1, Live: true}
			c.Nodes = append(c.Nodes, n)
			names = append(names, m(n.Name, 1))
			if dc := Datacenter(n.Zone); dc != last {
				last = dc
				dcs[dc] = true
				runs++
			}
		}
		got := judge(c, chain.Row{Members: names})
		if got.returns != runs-len(dcs) || got.zones > got.centers || got.returns > got.centers {
			t.Fatalf("%+v: %+v, %d runs of %d datacenters", c.Nodes, got, runs, len(dcs))
		}
	}
}
