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

// While nothing is heard of anybody, that is the coordinator's fault, and the controller's
// node is given time to be heard of again; if nothing is heard of it while others are, it
// is silent itself. Whatever there is of that, who was renewed when stays as it is.
func TestLull(t *testing.T) {
	t.Parallel()
	p := newScript(t)
	p.put(1000, keyCtl, "n1")
	for _, name := range []string{"n1", "n2", "n3"} {
		p.put(1000, preNode+name, `{"inc":1}`)
		p.put(1000, preLive+name, "1")
	}
	free := func(ms int, name string, want bool) {
		t.Helper()
		p.put(ms, preLive+name, "1")
		p.renewed(ms, name, ms)
		if got := p.v.free("n3"); got != want {
			t.Errorf("after %d ms the controller's place is free: %v", ms, got)
		}
	}
	for ms := 1400; ms < 2000; ms += 200 {
		free(ms, "n2", false)
	}
	free(2000, "n3", false)
	free(2001, "n3", true)
	free(2100, "n1", false)
	p.renewed(2100, "n2", 1800)
	free(4000, "n2", false) // nothing was told for long
	p.renewed(4000, "n1", 2100)
	p.renewed(4000, "n3", 2001)
	free(4300, "n3", false)
	free(4500, "n2", false)
	free(4501, "n2", true)
	free(4600, "n1", false)
	free(5000, "n3", false)
	free(5400, "n2", false)
	free(5600, "n3", false)
	free(5601, "n3", true)
	p.tell(5700, preLive+"n2", cell{})
	p.renewed(5700, "n2", 5400)
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
