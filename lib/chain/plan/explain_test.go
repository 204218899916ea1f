package plan

import (
	"testing"

	"namecast/lib/chain"
)

func TestExplain(t *testing.T) {
	held := map[string]chain.Incarnation{"A": 1, "B": 1, "C": 1}
	for _, c := range []struct {
		name  string
		row   chain.Row
		facts Facts
		nodes []Node
		want  string
	}{
		{"all is well", row("A", "B", "C"), Facts{}, nodes("ABC", nil), ""},
		{"it is only placed better", recruiting(row("A", "B", "C"), "D"), Facts{}, nodes("ABCD", nil), ""},
		{"no row", chain.Row{}, Facts{}, nodes("A", nil), "it has no row"},
		{"one is silent", row("A", "B", "C"), Facts{}, nodes("ABC", changes{"B": down}),
			"2 of 3 members: B does not serve, and is to be removed"},
		{"one is fenced", row("A", "B", "C"), Facts{Fenced: Report{7, m("C", 1)}}, nodes("ABC", nil),
			"2 of 3 members: C does not serve, and is to be removed"},
		{"too many", row("A", "B", "C", "D"), Facts{}, nodes("ABCD", changes{"B": drains}), "4 of 3 members: B is to be removed"},
		{"one may be back", row("A", "B"), Facts{Held: held}, nodes("ABCD", changes{"C": missed}),
			"2 of 3 members: it waits for C, which may be back soon"},
		{"one is to be recruited", row("A", "B"), Facts{}, nodes("ABC", nil), "2 of 3 members: C is to be recruited, in its turn"},
		{"one copies", recruiting(row("A", "B"), "C"), Facts{}, nodes("ABC", nil), "2 of 3 members: C copies"},
		{"two do not hear each other", row("A", "B", "C"), Facts{}, nodes("ABC", changes{"B": silent("A")}),
			"3 of 3 members: B is to be removed, as it and A do not hear each other"},
		{"one hangs", row("A", "B", "C"), Facts{Silent: Report{7, m("C", 1)}}, nodes("ABC", nil),
			"3 of 3 members: C is to be removed, as it does not answer B"},
		{"one is cut off from its recruit", recruiting(row("A", "B"), "C"), Facts{}, nodes("ABC", changes{"A": silent("C")}),
			"2 of 3 members: C, which was recruited, is to be dropped"},
		{"one is cut off from who could be recruited", row("A", "B"), Facts{}, nodes("ABC", changes{"B": silent("C")}),
			"2 of 3 members: C could be recruited, but it and B do not hear each other"},
		{"one is ready", recruiting(row("A", "B"), "C"), Facts{Ready: Report{7, m("C", 1)}}, nodes("ABC", nil),
			"2 of 3 members: C has caught up, and is to become one"},
		{"a recruit stalls", recruiting(row("A", "B"), "C"), Facts{Stalled: Report{7, m("C", 1)}}, nodes("ABC", nil),
			"2 of 3 members: C, which was recruited, is to be dropped"},
		{"a recruit has stalled", row("A", "B"), Facts{Avoid: map[string]bool{"C": true}}, nodes("ABC", nil),
			"2 of 3 members: C made no progress as its recruit, and is tried again later"},
		{"too few nodes", row("A", "B"), Facts{}, nodes("ABC", changes{"C": drains}),
			"2 of 3 members: there are too few nodes: no other could be recruited"},
		{"one is drained", row("A", "B", "C"), Facts{}, nodes("ABCD", changes{"B": drains}),
			"3 of 3 members, of which B is drained: D is to be recruited, in its turn"},
		{"one is drained, and too few nodes", row("A", "B", "C"), Facts{}, nodes("ABC", changes{"B": drains}),
			"3 of 3 members, of which B is drained: there are too few nodes: no other could be recruited"},
		{"all are away", row("A", "B"), Facts{Held: held}, nodes("ABC", changes{"A": down, "B": down}),
			"no member serves: it waits for one of A, B to come back"},
		{"one came back without data", row("A", "B"), Facts{Held: map[string]chain.Incarnation{"A": 1}},
			nodes("ABC", changes{"A": down, "B": restarts}), "no member serves: it waits for A, as B came back without the data"},
		{"one came back with data", row("A", "B"), Facts{Held: held}, nodes("ABC", changes{"A": down, "B": restarts}),
			"no member serves: B is to take it up again"},
		{"all came back without data", row("A", "B"), Facts{}, nodes("ABC", changes{"A": restarts, "B": restarts}),
			"no member serves: A, B came back without the data, and nobody else has all of it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Explain(c.row, c.facts, &Cluster{Nodes: c.nodes, Replicas: 3}); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
