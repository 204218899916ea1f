package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/chain"
)

// at makes the row of an epoch.
func at(epoch chain.Epoch, members ...chain.Member) chain.Row {
	return chain.Row{Chain: 0, Epoch: epoch, Members: members}
}

func TestRecover(t *testing.T) {
	last := at(7, m("A", 1), m("B", 1), m("C", 1))
	older := at(5, m("D", 1), m("A", 1), m("B", 1))
	restored := at(9, m("A", 2))
	restored.Restored = 1
	anew := func(h Holding, row chain.Row, inc chain.Incarnation, name string) chain.Row {
		return chain.Row{Epoch: row.Epoch + RecoverMargin, Members: []chain.Member{m(name, inc)}, Restored: h.Inc}
	}
	type found struct {
		Kind FindingKind
		Node string
	}
	h := func(inc chain.Incarnation, row chain.Row, lsn chain.LSN) Holding { return Holding{inc, row, lsn} }
	again := func(n *Node) { n.Inc = 5 }
	live := changes{"A": again, "B": again, "C": again, "D": again}
	for _, c := range []struct {
		name    string
		held    map[string]Holding
		nodes   []Node
		consent Consent
		row     chain.Row
		found   found
	}{
		{"all are there, and the longest log counts", map[string]Holding{"A": h(1, last, 40), "B": h(1, last, 42), "C": h(1, last, 41)},
			nodes("ABCD", live), Consent{}, anew(h(1, last, 42), last, 5, "B"), found{}},
		{"one who died before it saw the row is a member all the same",
			map[string]Holding{"A": h(1, last, 40), "B": h(1, at(6, m("A", 1), m("B", 1)), 50), "C": h(1, last, 41)},
			nodes("ABCD", live), Consent{}, anew(h(1, last, 50), last, 5, "B"), found{}},
		{"one is missing", map[string]Holding{"A": h(1, last, 40), "C": h(1, last, 41)},
			nodes("ABCD", live), Consent{}, anew(h(1, last, 41), last, 5, "C"), found{Alone, "C"}},
		{"one is not live", map[string]Holding{"A": h(1, last, 40), "B": h(1, last, 44), "C": h(1, last, 41)},
			nodes("ABCD", changes{"A": again, "B": down, "C": again}), Consent{}, anew(h(1, last, 41), last, 5, "C"), found{Alone, "C"}},
		{"who left before does not count, however long its log",
			map[string]Holding{"A": h(1, last, 40), "B": h(1, last, 40), "C": h(1, last, 40), "D": h(1, older, 99)},
			nodes("ABCD", live), Consent{}, anew(h(1, last, 40), last, 5, "A"), found{}},
		{"a row that only a stale disk knows is the last one",
			map[string]Holding{"A": h(1, at(6, m("A", 1)), 40), "D": h(3, at(9, m("A", 1), m("B", 2)), 30)},
			nodes("ABCD", live), Consent{}, anew(h(1, at(9), 40), at(9), 5, "A"), found{Alone, "A"}},
		{"a head that restarted the chain and has written nothing", map[string]Holding{"A": h(1, last, 40), "B": h(1, restored, 41)},
			nodes("ABCD", live), Consent{}, anew(h(1, last, 40), restored, 5, "A"), found{}},
		{"an older incarnation of a member is stale", map[string]Holding{"A": h(1, at(7, m("A", 3)), 40)},
			nodes("ABCD", live), Consent{}, chain.Row{}, found{Stale, "A"}},
		{"a process that is not newer than its data", map[string]Holding{"A": h(5, at(7, m("A", 5)), 40)},
			nodes("ABCD", live), Consent{true, false}, chain.Row{}, found{Empty, ""}},
		{"only stale data, with consent: the newest row counts", map[string]Holding{"D": h(1, older, 99), "C": h(1, at(6, m("C", 2)), 1)},
			nodes("ABCD", live), Consent{Stale: true}, anew(h(1, last, 1), at(6), 5, "C"), found{Stale, "C"}},
		{"consent to empty chains is none to stale data", map[string]Holding{"D": h(1, older, 99), "A": h(0, last, 0)},
			nodes("ABCD", live), Consent{Empty: true}, chain.Row{}, found{Stale, "D"}},
		{"nobody has anything", nil, nodes("ABCD", live), Consent{}, chain.Row{}, found{Empty, ""}},
		{"nobody has anything, with consent", nil, nodes("A", live), Consent{Empty: true},
			at(RecoverMargin, m("A", 5)), found{Empty, ""}},
		{"nobody who is there, with consent", map[string]Holding{"A": h(1, last, 9), "B": h(1, last, 9), "C": h(1, last, 9)},
			nodes("ABCD", changes{"A": down, "B": down, "C": down}), Consent{true, true}, at(7+RecoverMargin, m("D", 1)), found{Empty, ""}},
		{"no node", nil, nil, Consent{true, true}, chain.Row{}, found{Empty, ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			held := Holdings{}
			for name, h := range c.held {
				held[name] = map[chain.ID]Holding{0: h}
			}
			rows, findings := Recover(&Cluster{Nodes: c.nodes, Replicas: 3}, held, 1, c.consent)
			var got chain.Row
			if len(rows) > 0 {
				got = rows[0]
			}
			if diff := cmp.Diff(c.row, got); diff != "" {
				t.Errorf("row (-want +got):\n%s", diff)
			}
			var f found
			if len(findings) > 0 {
				f = found{findings[0].Kind, findings[0].Node}
				t.Log(findings[0].Kind, findings[0].Why)
			}
			if f != c.found {
				t.Errorf("found %+v, want %+v", f, c.found)
			}
		})
	}
}

// A recovered table becomes whole again by the usual steps.
func TestRecoverAll(t *testing.T) {
	c := cluster(5, 5, 3)
	rows, _ := Create(c, chain.Chains)
	held := Holdings{}
	for _, row := range rows {
		for _, m := range row.Members {
			if held[m.Node] == nil {
				held[m.Node] = map[chain.ID]Holding{}
			}
			held[m.Node][row.Chain] = Holding{Inc: m.Inc, Row: row, LSN: 3}
		}
	}
	for i := range c.Nodes {
		c.Nodes[i].Inc = 2
	}
	got, found := Recover(c, held, chain.Chains, Consent{})
	if len(got) != chain.Chains || len(found) != 0 {
		t.Fatalf("%d rows, %d findings", len(got), len(found))
	}
	for i, row := range got {
		if row.Epoch <= rows[i].Epoch+RecoverMargin/2 || len(row.Members) != 1 || row.Restored != 1 {
			t.Fatalf("%+v after %+v", row, rows[i])
		}
	}
	run(t, c, got)
	checkRows(t, c, got)
}
