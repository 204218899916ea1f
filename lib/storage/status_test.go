package storage

import (
	"errors"
	"strings"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/host"
	"namecast/lib/coord"
)

// picture is a cluster of three nodes, one of which is gone.
func picture() *coord.Picture {
	p := &coord.Picture{Revision: 9, Settings: coord.Settings{Replicas: 3, Lease: 1500 * time.Millisecond}, Controller: "n1"}
	for _, name := range []string{"n1", "n2", "n3"} {
		p.Nodes = append(p.Nodes, coord.Node{Name: name, Addr: name + ":7153", Inc: 1, Live: name != "n3"})
	}
	for id := range chain.ID(chain.Chains) {
		row := chain.Row{Chain: id, Epoch: 2, Members: []chain.Member{{Node: "n1", Inc: 1}, {Node: "n2", Inc: 1}}}
		if id < 8 {
			row.Members = append(row.Members, chain.Member{Node: "n3", Inc: 1})
		}
		p.Rows = append(p.Rows, row)
	}
	return p
}

// TestStatusText: what is the same of several chains stands there once, and what a
// member has to say with it.
func TestStatusText(t *testing.T) {
	p := picture()
	c := Cluster{Name: "c", Replicas: 3, Wanted: wanted(p), Lease: p.Settings.Lease, Controller: "n1"}
	c.Nodes = []NodeStatus{
		{Name: "n1", Addr: "n1:7153", Zone: "a/1", Incarnation: 1, Live: true, Host: &host.Status{
			Age: time.Minute, Lease: time.Second, Chains: []host.ChainStatus{{Chain: 255, Why: "too few members to take writes"}},
		}},
		{Name: "n2", Addr: "n2:7153", Incarnation: 1, Live: true, Drain: true, Silent: time.Second, Err: "it does not answer"},
		{Name: "n3", Addr: "n3:7153", Incarnation: 1},
	}
	c.explain(p, cluster(p, time.Hour, 10*time.Second))
	var b strings.Builder
	if err := c.print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"cluster c: 3 nodes, chains of 3, lease 1.5s, controller n1\n",
		"node n1 n1:7153 zone=a/1 incarnation=1 chains=256: up 1m0s, lease 1s\n",
		"node n2 n2:7153 incarnation=1 chains=256 drained: registered, last heard of 1s ago, but it does not answer\n",
		"node n3 n3:7153 incarnation=1 chains=8: gone\n",
		"chains 0-7 on n1 n2 n3: ",
		"chains 8-254 on n1 n2: ",
		"chain 255 on n1 n2: ",
		"; n1: too few members to take writes\n",
		"\n0 of 256 chains fully serve\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestRanges(t *testing.T) {
	for want, list := range map[string][]chain.ID{
		"chain 7": {7}, "chains 1-3,7": {1, 2, 3, 7}, "chains 0,2": {0, 2}, "chains 254-255": {254, 255},
	} {
		if got := ranges(list); got != want {
			t.Errorf("%v: %q, want %q", list, got, want)
		}
	}
}

// TestSet: there is one setting, and another is the operator's mistake.
func TestSet(t *testing.T) {
	for _, s := range []string{"", "lease=1s", "replicas"} {
		if err := Set(t.Context(), t.TempDir(), s); !errors.Is(err, ErrConfig) {
			t.Errorf("%q: %v", s, err)
		}
	}
	if err := Set(t.Context(), t.TempDir(), "replicas=2"); !Transient(err) {
		t.Errorf("no daemon: %v", err)
	}
}
