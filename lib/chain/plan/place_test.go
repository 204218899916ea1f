package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"namecast/lib/chain"
)

// cluster makes n nodes in a number of zones.
func cluster(n, zones, replicas int) *Cluster {
	c := &Cluster{Replicas: replicas, Copies: 24, Moves: 8}
	for i := range n {
		c.Nodes = append(c.Nodes, Node{Name: fmt.Sprintf("n%02d", i), Zone: fmt.Sprint(i % zones), Inc: 1, Live: true})
	}
	return c
}

// spread gives the smallest and the largest load of the nodes that count.
func spread(c *Cluster, rows []chain.Row) (least, most int) {
	load := Load(rows)
	least = 1 << 30
	for _, n := range c.Nodes {
		if n.Live && !n.Drain {
			least, most = min(least, load[n.Name]), max(most, load[n.Name])
		}
	}
	return least, most
}

// checkRows asserts that rows have as many members as there can be, each on
// another node and, if there are enough zones, in another zone.
func checkRows(t *testing.T, c *Cluster, rows []chain.Row) {
	t.Helper()
	zones, live := map[string]bool{}, 0
	for _, n := range c.Nodes {
		if n.Live && !n.Drain {
			zones[n.Zone] = true
			live++
		}
	}
	for _, row := range rows {
		inZone, onNode := map[string]int{}, map[string]int{}
		for _, m := range row.Members {
			inZone[newPlanner(c, nil).node(m.Node).Zone]++
			onNode[m.Node]++
		}
		if want := min(c.Replicas, live); len(row.Members) != want || len(onNode) != want {
			t.Errorf("chain %d: members %v, want %d", row.Chain, row.Members, want)
		}
		if want := min(len(zones), len(row.Members)); len(inZone) != want {
			t.Errorf("chain %d: members %v are in %d zones, want %d", row.Chain, row.Members, len(inZone), want)
		}
	}
}

func TestCreate(t *testing.T) {
	for _, c := range []struct{ nodes, zones, replicas int }{
		{1, 1, 3}, {2, 2, 3}, {3, 3, 3}, {5, 5, 3}, {6, 3, 3}, {7, 3, 3}, {9, 2, 3}, {40, 4, 3}, {5, 1, 1},
	} {
		cl := cluster(c.nodes, c.zones, c.replicas)
		rows, ok := Create(cl, chain.Chains)
		if !ok || len(rows) != chain.Chains {
			t.Fatalf("%+v: %d rows", c, len(rows))
		}
		checkRows(t, cl, rows)
		least, most := spread(cl, rows)
		t.Logf("%d nodes in %d zones, %d replicas: %d to %d chains a node", c.nodes, c.zones, c.replicas, least, most)
		if even := c.nodes%c.zones == 0; even && most-least > 1 {
			t.Errorf("%+v: %d to %d chains a node", c, least, most)
		}
	}
	if _, ok := Create(&Cluster{Nodes: nodes("A", changes{"A": down}), Replicas: 1}, 1); ok {
		t.Error("rows without a live node")
	}
}

// run carries out plans until there are none, and gives how many steps that took.
// Recruits are ready in the round after they were added.
func run(t *testing.T, c *Cluster, rows []chain.Row) int {
	t.Helper()
	for n, steps := 0, 0; n < 3000; n++ {
		planned := All(rows, func(id chain.ID) Facts {
			row := rows[id]
			return Facts{Ready: Report{row.Epoch, row.Recruit}}
		}, c)
		if len(planned) == 0 {
			return steps
		}
		copies, moves := 0, 0
		for _, s := range planned {
			checkStep(t, rows[s.Row.Chain], s)
			rows[s.Row.Chain] = s.Row
			steps++
		}
		for _, row := range rows {
			if row.Recruit.IsZero() {
				continue
			}
			copies++
			if len(row.Members) >= c.Replicas {
				moves++
			}
		}
		if copies > c.Copies || moves > c.Moves {
			t.Fatalf("%d chains are copied, %d of them to be placed better", copies, moves)
		}
	}
	t.Fatal("no end to it")
	return 0
}

// checkStep asserts that a step is one of those that there are.
func checkStep(t *testing.T, old chain.Row, s Step) {
	t.Helper()
	members := slices.Clone(old.Members)
	recruit := chain.Member{}
	switch s.Kind {
	case Remove:
		i := slices.Index(members, s.Member)
		if i < 0 || len(members) == 1 {
			t.Fatalf("%+v after %+v", s, old)
		}
		members = slices.Delete(members, i, i+1)
	case Add:
		if !old.Recruit.IsZero() || old.Node(s.Member.Node) != (chain.Member{}) {
			t.Fatalf("%+v after %+v", s, old)
		}
		recruit = s.Member
	case Promote:
		members = append(members, old.Recruit)
	case Restart:
		members = []chain.Member{s.Member}
	}
	if s.Row.Epoch != old.Epoch+1 || !slices.Equal(s.Row.Members, members) || s.Row.Recruit != recruit {
		t.Fatalf("%+v after %+v", s, old)
	}
}

// However nodes come and go, the chains end up whole and spread, and then there
// is nothing more to do.
func TestBalance(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 9))
			c := cluster(4+r.IntN(4), 2+r.IntN(3), 3)
			rows, _ := Create(c, 64)
			for range 6 {
				n := &c.Nodes[r.IntN(len(c.Nodes))]
				what := ""
				switch r.IntN(4) {
				case 0:
					c.Nodes = append(c.Nodes, Node{Name: fmt.Sprintf("x%d", len(c.Nodes)), Zone: fmt.Sprint(r.IntN(4)), Inc: 1, Live: true})
					what = "another node"
				case 1:
					n.Live = false
					what = n.Name + " fails"
				case 2:
					n.Drain = true
					what = n.Name + " is drained"
				case 3:
					n.Live, n.Drain = true, false
					n.Inc++
					what = n.Name + " restarts"
				}
				live := 0
				for _, n := range c.Nodes {
					if n.Live && !n.Drain {
						live++
					}
				}
				if live < 3 {
					return
				}
				steps := run(t, c, rows)
				least, most := spread(c, rows)
				t.Logf("%s: %d steps, then %d to %d chains a node", what, steps, least, most)
				checkRows(t, c, rows)
			}
		})
	}
}

// A node that joins takes its share of the chains, a few at a time.
func TestJoin(t *testing.T) {
	c := cluster(3, 3, 3)
	rows, _ := Create(c, chain.Chains)
	c.Nodes = append(c.Nodes, Node{Name: "new1", Zone: "0", Inc: 1, Live: true}, Node{Name: "new2", Zone: "1", Inc: 1, Live: true},
		Node{Name: "new3", Zone: "2", Inc: 1, Live: true})
	steps := run(t, c, rows)
	least, most := spread(c, rows)
	if most-least > 2 {
		t.Errorf("%d to %d chains a node after %d steps", least, most, steps)
	}
	if moved := Load(rows)["new1"] + Load(rows)["new2"] + Load(rows)["new3"]; steps != 3*moved {
		t.Errorf("%d steps to move %d replicas: add, promote and remove for each is %d", steps, moved, 3*moved)
	}
}
