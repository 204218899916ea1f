package coord

import (
	"testing"
	"time"

	"namecast/lib/chain"
)

// A script gives a state changes, at times of its own.
type script struct {
	t   *testing.T
	s   *state
	rev int64
	v   *view
}

func newScript(t *testing.T) *script { return &script{t: t, s: newState(), v: &view{}} }

// put applies a key's new value at a time in milliseconds.
func (p *script) put(ms int, key, value string) {
	p.t.Helper()
	p.rev++
	p.tell(ms, key, cell{value, p.rev})
}

func (p *script) tell(ms int, key string, v cell) {
	p.t.Helper()
	now := time.Duration(ms) * time.Millisecond
	p.s.told(now)
	if err := p.s.apply(key, v, now); err != nil {
		p.t.Fatal(err)
	}
	p.v = p.s.view(p.v)
}

func (p *script) renewed(ms int, name string, want int) {
	p.t.Helper()
	n, _ := p.v.Node(name)
	if got := n.Renewed; got != time.Duration(want)*time.Millisecond {
		p.t.Errorf("after %d ms, %s was renewed at %v, want %d ms", ms, name, got, want)
	}
}

// While nothing is heard of anybody, that is the coordinator's fault; one of whom nothing
// is heard while others are is silent itself.
func TestLull(t *testing.T) {
	t.Parallel()
	p := newScript(t)
	for _, name := range []string{"n1", "n2", "n3"} {
		p.put(1000, preNode+name, `{"inc":1}`)
		p.put(1000, preLive+name, "1")
	}
	p.put(1400, preLive+"n1", "1")
	p.put(1800, preLive+"n1", "1")
	p.renewed(1800, "n1", 1800)
	p.renewed(1800, "n2", 1000) // others were heard of
	p.put(4000, preLive+"n1", "1")
	for _, name := range []string{"n1", "n2", "n3"} {
		p.renewed(4000, name, 4000)
	}
	p.put(4400, preLive+"n2", "1")
	p.put(4800, preLive+"n2", "1")
	p.renewed(4800, "n2", 4800)
	p.renewed(4800, "n3", 4000) // it has some time yet
	p.put(5199, preLive+"n2", "1")
	p.renewed(5199, "n3", 4000)
	p.put(5200, preLive+"n2", "1")
	p.renewed(5200, "n3", 1000)
	p.renewed(5200, "n1", 4000)
	p.tell(5300, preLive+"n2", cell{})
	p.renewed(5300, "n2", 5200)
}

// Of a node that is not registered, no lull makes it seem to have been.
func TestLullGone(t *testing.T) {
	t.Parallel()
	p := newScript(t)
	p.put(1000, preNode+"n1", `{"inc":1}`)
	p.put(1000, preLive+"n1", "1")
	p.tell(1100, preLive+"n1", cell{})
	p.put(9000, preTokenX, "x")
	p.renewed(9000, "n1", 1000)
	p.put(9001, preNode+"n1", `{"inc":2}`)
	p.put(9002, preLive+"n1", "2")
	p.renewed(9002, "n1", 9002)
	if n, _ := p.v.Node("n1"); !n.Live || n.Inc != 2 {
		t.Errorf("the node is %+v", n)
	}
}

const preTokenX = preToken + "x"

// Epochs of a table only grow, and one that is being made can be begun anew.
func TestRows(t *testing.T) {
	t.Parallel()
	p := newScript(t)
	for i := range chain.ID(chain.Chains) {
		p.put(1, keyChain(i), `{"epoch":1,"members":["n1#1"]}`)
	}
	p.put(2, keyChain(0), `{"epoch":1,"members":["n2#1"]}`)
	if len(p.v.Rows) != 0 {
		t.Error("a table is shown that is not there yet")
	}
	p.put(3, keyTable, tableMade)
	if len(p.v.Rows) != chain.Chains || p.v.Rows[0].Members[0].Node != "n2" {
		t.Fatalf("%d rows, the first %+v", len(p.v.Rows), p.v.Rows[0])
	}
	old := p.v
	is(t, p.s.apply(keyChain(0), cell{`{"epoch":1,"members":["n3#1"]}`, 9999}, 0), ErrBad)
	p.put(4, keyChain(0), `{"epoch":3,"members":["n3#1"],"recruit":"n1#4","restored":2}`)
	want := chain.Row{Epoch: 3, Members: []chain.Member{{Node: "n3", Inc: 1}}, Recruit: chain.Member{Node: "n1", Inc: 4}, Restored: 2}
	if got := p.v.Rows[0]; textMember(got.Recruit) != "n1#4" || got.Epoch != 3 || got.Restored != 2 || got.Tail() != want.Tail() {
		t.Errorf("the row is %+v", got)
	}
	if old.Rows[0].Epoch != 1 {
		t.Error("an old picture has changed")
	}
}
