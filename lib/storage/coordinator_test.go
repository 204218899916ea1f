package storage

import (
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/plan"
	"namecast/lib/coord"
)

// What the status explains is told from the picture as the controller sees it: who has
// ended, who may be back soon, and who does not hear whom.
func TestExplained(t *testing.T) {
	const now, await = time.Hour, 10 * time.Second
	row := chain.Row{Epoch: 7, Members: []chain.Member{{Node: "a", Inc: 1}, {Node: "b", Inc: 1}}}
	held := map[chain.ID]coord.Holding{0: {Inc: 1}}
	for _, c := range []struct {
		name    string
		members int
		change  func(p *coord.Picture)
		want    string
	}{
		{"whole", 2, func(*coord.Picture) {}, ""},
		{"one has ended", 2, func(p *coord.Picture) { p.Nodes[1].Ended = 1 }, "1 of 2 members: b does not serve, and is to be removed"},
		{"one was here just now", 3, func(p *coord.Picture) { p.Nodes[2].Renewed = now - await + 1 },
			"2 of 3 members: it waits for c, which may be back soon"},
		{"one is away for long", 3, func(p *coord.Picture) { p.Nodes[2].Renewed = now - await },
			"2 of 3 members: there are too few nodes: no other could be recruited"},
		{"two do not hear each other", 2, func(p *coord.Picture) { p.Nodes[0].Silent = []string{"b"} },
			"2 of 2 members: b is to be removed, as it and a do not hear each other"},
		{"the controller is with one of them", 2, func(p *coord.Picture) { p.Nodes[0].Silent, p.Controller = []string{"b"}, "b" },
			"2 of 2 members: a is to be removed, as it and b do not hear each other"},
		{"one hangs", 2, func(p *coord.Picture) {
			p.Reports = map[chain.ID]coord.Reports{0: {Silent: plan.Report{Epoch: 7, Member: row.Tail()}}}
		}, "2 of 2 members: b is to be removed, as it does not answer a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &coord.Picture{Settings: coord.Settings{Replicas: c.members}}
			for _, name := range []string{"a", "b", "c"} {
				p.Nodes = append(p.Nodes, coord.Node{Name: name, Inc: 1, Live: name != "c", Renewed: now, Held: held})
			}
			c.change(p)
			if got := plan.Explain(row, facts(p, 0), cluster(p, now, await)); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
