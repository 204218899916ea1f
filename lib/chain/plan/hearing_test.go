package plan

import (
	"slices"
	"testing"

	"namecast/lib/chain"
)

// silent has a node say that it has no connection with others.
func silent(others ...string) func(*Node) {
	return func(n *Node) { n.Silent = others }
}

// Of two members that do not hear each other one goes, though both are heard of.
func TestSilent(t *testing.T) {
	abc := row("A", "B", "C")
	for _, c := range []struct {
		name  string
		row   chain.Row
		facts Facts
		nodes []Node
		by    string
		want  string // who is removed, or ""
	}{
		{"both say so", abc, Facts{}, nodes("ABC", changes{"A": silent("B"), "B": silent("A")}), "C", "B"},
		{"the one says so", abc, Facts{}, nodes("ABC", changes{"A": silent("B")}), "C", "B"},
		{"the other says so", abc, Facts{}, nodes("ABC", changes{"B": silent("A")}), "C", "B"},
		{"the controller is with the successor", abc, Facts{}, nodes("ABC", changes{"B": silent("A")}), "B", "A"},
		{"the controller is with the other", abc, Facts{}, nodes("ABC", changes{"B": silent("A")}), "A", "B"},
		{"a head that is cut off from more", abc, Facts{}, nodes("ABCD", changes{"A": silent("B", "D")}), "C", "A"},
		{"a head of which others say so", abc, Facts{}, nodes("ABCD", changes{"B": silent("A"), "C": silent("A")}), "A", "A"},
		{"a head that says so of all", abc, Facts{}, nodes("ABC", changes{"A": silent("B", "C")}), "A", "A"},
		{"a middle that says so of all", abc, Facts{}, nodes("ABC", changes{"B": silent("A", "C")}), "B", "B"},
		{"a tail that the head does not hear", abc, Facts{}, nodes("ABC", changes{"A": silent("C")}), "B", "C"},
		{"two that have nothing to do with each other", row("A", "B", "C", "D"), Facts{}, nodes("ABCD", changes{"A": silent("C")}), "B", ""},
		{"one that has no part in the chain", abc, Facts{}, nodes("ABCD", changes{"A": silent("D")}), "C", ""},
		{"one that is not there any more", abc, Facts{}, nodes("ABC", changes{"A": silent("D", "A")}), "C", ""},
		{"the last member", row("A"), Facts{}, nodes("AB", changes{"A": silent("B")}), "B", ""},
		{"one that hangs", abc, Facts{Silent: Report{7, m("C", 1)}}, nodes("ABC", nil), "C", "C"},
		{"one that hung once", abc, Facts{Silent: Report{6, m("C", 1)}}, nodes("ABC", nil), "C", ""},
		{"the head cannot be the one that hangs", abc, Facts{Silent: Report{7, m("A", 1)}}, nodes("ABC", nil), "C", ""},
		{"a cut says more than that one hangs", abc, Facts{Silent: Report{7, m("B", 1)}}, nodes("ABC", changes{"A": silent("B", "C")}), "C", "A"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := &Cluster{Nodes: c.nodes, Replicas: len(c.row.Members), By: c.by}
			s, ok := Plan(c.row, c.facts, cl, map[string]int{})
			if !ok && c.want == "" {
				return
			}
			if s.Kind != Remove || s.Member.Node != c.want || !s.Force || !slices.Equal(s.Fence, []chain.Member{s.Member}) || s.Why == "" {
				t.Fatalf("%+v, want %q removed", s, c.want)
			}
			checkStep(t, c.row, s)
		})
	}
}

// One that is gone is not waited for to be heard: he is removed as such.
func TestSilentAndGone(t *testing.T) {
	c := &Cluster{Nodes: nodes("ABC", changes{"A": silent("B"), "B": down}), Replicas: 3}
	s, ok := Plan(row("A", "B", "C"), Facts{}, c, map[string]int{})
	if !ok || s.Member.Node != "B" || s.Force {
		t.Errorf("%+v", s)
	}
}

// Nobody is recruited who does not hear those he has to do with, or hardly anybody.
func TestSilentRecruit(t *testing.T) {
	ab := row("A", "B")
	for _, c := range []struct {
		name  string
		row   chain.Row
		facts Facts
		nodes []Node
		kind  Kind
		who   string
	}{
		{"another is chosen", ab, Facts{Held: map[string]chain.Incarnation{"C": 1}}, nodes("ABCD", changes{"A": silent("C")}), Add, "D"},
		{"there is no other", ab, Facts{}, nodes("ABC", changes{"C": silent("A")}), 0, ""},
		{"it hears hardly anybody", ab, Facts{},
			nodes("ABCDEF", changes{"C": silent("D", "E", "F"), "D": drains, "E": drains, "F": drains}), 0, ""},
		{"it is cut off while it copies", recruiting(ab, "C"), Facts{}, nodes("ABC", changes{"C": silent("A")}), Drop, "C"},
		{"it is ready, and cut off", recruiting(ab, "C"), Facts{Ready: Report{7, m("C", 1)}}, nodes("ABC", changes{"B": silent("C")}), Drop, "C"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := Plan(c.row, c.facts, &Cluster{Nodes: c.nodes, Replicas: 3}, map[string]int{})
			if s.Kind != c.kind || s.Member.Node != c.who {
				t.Errorf("%v %v, want %v of %s: %s", s.Kind, s.Member, c.kind, c.who, s.Why)
			}
		})
	}
}

// However many cuts there are, a table comes to rest: each chain keeps a member, and
// of those it keeps none needs one that it does not hear.
func TestSilentRests(t *testing.T) {
	for _, cuts := range [][][2]int{{{0, 1}}, {{0, 1}, {2, 3}}, {{0, 1}, {0, 2}, {0, 3}, {0, 4}}, {{0, 1}, {0, 2}, {1, 2}, {3, 4}}} {
		c := cluster(5, 5, 3)
		rows, _ := Create(c, chain.Chains)
		for _, cut := range cuts {
			c.Nodes[cut[0]].Silent = append(c.Nodes[cut[0]].Silent, c.Nodes[cut[1]].Name)
		}
		steps := run(t, c, rows)
		p := newPlanner(c, nil)
		least := 3
		for _, row := range rows {
			least = min(least, len(row.Members))
			if s, ok := p.part(row, Facts{}); ok {
				t.Errorf("cuts %v: %+v is left", cuts, s)
			}
		}
		t.Logf("cuts %v: %d steps, at least %d members", cuts, steps, least)
		if least < 1 || len(cuts) == 1 && least < 3 {
			t.Errorf("cuts %v: a chain has %d members", cuts, least)
		}
		for i := range c.Nodes {
			c.Nodes[i].Silent = nil
		}
		run(t, c, rows)
		checkRows(t, c, rows)
	}
}
