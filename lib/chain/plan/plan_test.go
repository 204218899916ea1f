package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/chain"
)

func m(name string, inc chain.Incarnation) chain.Member { return chain.Member{Node: name, Inc: inc} }

// row makes the row of epoch 7 with members of incarnation 1.
func row(names ...string) chain.Row {
	r := chain.Row{Chain: 5, Epoch: 7}
	for _, n := range names {
		r.Members = append(r.Members, m(n, 1))
	}
	return r
}

// recruiting adds a recruit to a row.
func recruiting(r chain.Row, name string) chain.Row {
	r.Recruit = m(name, 1)
	return r
}

// nodes are live ones of incarnation 1, each in a zone of its own, but for changes.
func nodes(names string, change map[string]func(*Node)) []Node {
	var out []Node
	for _, c := range names {
		n := Node{Name: string(c), Zone: string(c), Inc: 1, Live: true}
		if f := change[n.Name]; f != nil {
			f(&n)
		}
		out = append(out, n)
	}
	return out
}

func down(n *Node)     { n.Live = false }
func missed(n *Node)   { n.Live, n.Expected = false, true }
func restarts(n *Node) { n.Inc = 2 }
func ended(n *Node)    { n.Live, n.Ended = false, 1 }
func drains(n *Node)   { n.Drain = true }

type changes = map[string]func(*Node)

func TestPlan(t *testing.T) {
	held := map[string]chain.Incarnation{"A": 1, "B": 1, "C": 1}
	restored := row("B")
	restored.Members = []chain.Member{m("B", 2)}
	restored.Restored = 1
	for _, c := range []struct {
		name  string
		row   chain.Row
		facts Facts
		nodes []Node
		want  Step // but for Why; epoch 8 follows
	}{
		{"all is well", row("A", "B", "C"), Facts{}, nodes("ABCD", nil), Step{}},
		{"the head is silent", row("A", "B", "C"), Facts{}, nodes("ABC", changes{"A": down}),
			Step{Kind: Remove, Member: m("A", 1), Row: row("B", "C"), Fence: []chain.Member{m("A", 1)}}},
		{"the middle has restarted", row("A", "B", "C"), Facts{}, nodes("ABC", changes{"B": restarts}),
			Step{Kind: Remove, Member: m("B", 1), Row: row("A", "C")}},
		{"the head has ended itself", row("A", "B", "C"), Facts{}, nodes("ABC", changes{"A": ended}),
			Step{Kind: Remove, Member: m("A", 1), Row: row("B", "C")}},
		{"it has ended itself, and is taken for live yet", row("A", "B", "C"), Facts{}, nodes("ABC", changes{"A": func(n *Node) { n.Ended = 1 }}),
			Step{Kind: Remove, Member: m("A", 1), Row: row("B", "C")}},
		{"one before it had ended itself", row("A", "B", "C"), Facts{}, nodes("ABC", changes{"A": func(n *Node) { n.Live, n.Inc, n.Ended = false, 2, 1 }}),
			Step{Kind: Remove, Member: m("A", 1), Row: row("B", "C")}},
		{"the tail is fenced", row("A", "B", "C"), Facts{Fenced: Report{7, m("C", 1)}}, nodes("ABC", nil),
			Step{Kind: Remove, Member: m("C", 1), Row: row("A", "B"), Fence: []chain.Member{m("C", 1)}}},
		{"it was fenced once", row("A", "B", "C"), Facts{Fenced: Report{6, m("C", 1)}}, nodes("ABC", nil), Step{}},
		{"a member is silent while another is recruited", recruiting(row("A", "B"), "C"), Facts{}, nodes("ABC", changes{"A": down}),
			Step{Kind: Remove, Member: m("A", 1), Row: row("B"), Fence: []chain.Member{m("A", 1)}}},

		{"too few", row("A", "B"), Facts{}, nodes("ABC", nil),
			Step{Kind: Add, Member: m("C", 1), Row: recruiting(row("A", "B"), "C")}},
		{"too few, and one who has the data may be back", row("A", "B"), Facts{Held: held}, nodes("ABCD", changes{"C": missed}), Step{}},
		{"too few, and one who has not may be back", row("A", "B"), Facts{}, nodes("ABCD", changes{"C": missed}),
			Step{Kind: Add, Member: m("D", 1), Row: recruiting(row("A", "B"), "D")}},
		{"too few, and one who has the data is back", row("A", "B"), Facts{Held: held}, nodes("ABDC", nil),
			Step{Kind: Add, Member: m("C", 1), Row: recruiting(row("A", "B"), "C")}},
		{"too few, and one that made no progress", row("A", "B"), Facts{Held: held, Avoid: map[string]bool{"C": true}}, nodes("ABCD", nil),
			Step{Kind: Add, Member: m("D", 1), Row: recruiting(row("A", "B"), "D")}},
		{"too few, and one alone that made no progress", row("A", "B"), Facts{Avoid: map[string]bool{"C": true}}, nodes("ABC", nil), Step{}},
		{"one, and fewer nodes than members wanted", row("A"), Facts{}, nodes("AB", nil),
			Step{Kind: Add, Member: m("B", 1), Row: recruiting(row("A"), "B")}},
		{"as many as there are nodes", row("A", "B"), Facts{}, nodes("AB", nil), Step{}},
		{"too few, and nobody else", row("A", "B"), Facts{}, nodes("ABC", changes{"C": drains}), Step{}},
		{"too many", row("A", "B", "C", "D"), Facts{}, nodes("ABCD", changes{"B": drains}),
			Step{Kind: Remove, Member: m("B", 1), Row: row("A", "C", "D"), Fence: []chain.Member{m("B", 1)}}},
		{"one is drained", row("A", "B", "C"), Facts{}, nodes("ABCD", changes{"B": drains}),
			Step{Kind: Add, Member: m("D", 1), Row: recruiting(row("A", "B", "C"), "D")}},

		{"the recruit copies", recruiting(row("A", "B"), "C"), Facts{Ready: Report{6, m("C", 1)}}, nodes("ABC", nil), Step{}},
		{"the recruit is ready", recruiting(row("A", "B"), "C"), Facts{Ready: Report{7, m("C", 1)}}, nodes("ABC", nil),
			Step{Kind: Promote, Member: m("C", 1), Row: row("A", "B", "C")}},
		{"the recruit is ready, but silent", recruiting(row("A", "B"), "C"), Facts{Ready: Report{7, m("C", 1)}},
			nodes("ABC", changes{"C": down}), Step{Kind: Drop, Member: m("C", 1), Row: row("A", "B")}},
		{"the recruit has restarted", recruiting(row("A", "B"), "C"), Facts{Ready: Report{7, m("C", 1)}},
			nodes("ABC", changes{"C": restarts}), Step{Kind: Drop, Member: m("C", 1), Row: row("A", "B")}},
		{"the recruit stalls", recruiting(row("A", "B"), "C"), Facts{Stalled: Report{7, m("C", 1)}}, nodes("ABC", nil),
			Step{Kind: Drop, Member: m("C", 1), Row: row("A", "B")}},
		{"the recruit is drained", recruiting(row("A", "B"), "C"), Facts{}, nodes("ABC", changes{"C": drains}),
			Step{Kind: Drop, Member: m("C", 1), Row: row("A", "B")}},

		{"all are silent", row("A", "B"), Facts{Held: held}, nodes("ABC", changes{"A": down, "B": down}), Step{}},
		{"all are silent and one is back", row("A", "B"), Facts{Held: held}, nodes("ABC", changes{"A": down, "B": restarts}),
			Step{Kind: Restart, Member: m("B", 2), Row: restored, Fence: []chain.Member{m("A", 1)}}},
		{"one is back without its data", row("A", "B"), Facts{Held: map[string]chain.Incarnation{"A": 1}},
			nodes("ABC", changes{"A": down, "B": restarts}), Step{}},
		{"one is back with data of before", row("A", "B"), Facts{Held: map[string]chain.Incarnation{"B": 3}},
			nodes("ABC", changes{"A": down, "B": restarts}), Step{}},
		{"it dies again before it has written", restored, Facts{Held: held}, nodes("ABC", changes{"B": func(n *Node) { n.Inc = 3 }}),
			Step{Kind: Restart, Member: m("B", 3), Row: chain.Row{Chain: 5, Members: []chain.Member{m("B", 3)}, Restored: 1}}},
		{"it dies again after that", restored, Facts{Held: map[string]chain.Incarnation{"B": 2}},
			nodes("ABC", changes{"B": func(n *Node) { n.Inc = 3 }}),
			Step{Kind: Restart, Member: m("B", 3), Row: chain.Row{Chain: 5, Members: []chain.Member{m("B", 3)}, Restored: 2}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := Plan(c.row, c.facts, &Cluster{Nodes: c.nodes, Replicas: 3}, map[string]int{})
			if ok != (c.want.Kind != 0) || ok && got.Why == "" {
				t.Errorf("ok is %v, why %q", ok, got.Why)
			}
			if ok {
				c.want.Row.Epoch, c.want.Why = 8, got.Why
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Restored stays with the head it belongs to, since that may not have seen it.
func TestRestoredStays(t *testing.T) {
	r := row("A")
	r.Restored = 4
	c := &Cluster{Nodes: nodes("AB", nil), Replicas: 2}
	s, _ := Plan(r, Facts{}, c, map[string]int{})
	if s.Kind != Add || s.Row.Restored != 4 {
		t.Errorf("%+v", s)
	}
	s, _ = Plan(s.Row, Facts{Ready: Report{8, m("B", 1)}}, c, map[string]int{})
	if s.Kind != Promote || s.Row.Restored != 4 {
		t.Errorf("%+v", s)
	}
	c.Nodes[0].Live = false
	s, _ = Plan(s.Row, Facts{}, c, map[string]int{})
	if s.Kind != Remove || s.Row.Restored != 0 {
		t.Errorf("%+v", s)
	}
}

// A lease that a slow clock measures is over when a fast clock has measured
// the wait.
func TestLeaseWait(t *testing.T) {
	lease := 1500 * time.Millisecond
	ends := time.Duration(float64(lease) / 0.95)
	waited := time.Duration(float64(LeaseWait(lease)) / 1.05)
	if waited < ends {
		t.Errorf("the lease lasts %v, the controller waits %v", ends, waited)
	}
}
