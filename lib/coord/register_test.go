package coord

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/clock"
)

func TestRegister(t *testing.T) {
	t.Parallel()
	m := single(t)
	c := dial(t, Config{Member: m, Settings: Settings{Replicas: 2}})
	held := map[chain.ID]Holding{
		0:   {Inc: 4, LSN: 17, Row: chain.Row{Epoch: 9, Members: []chain.Member{{Node: "n1", Inc: 4}, {Node: "n2", Inc: 2}}, Recruit: chain.Member{Node: "n3", Inc: 1}, Restored: 4}},
		255: {Inc: 1},
	}
	before := clock.Boot()
	r, err := c.Register(within(t), Node{Name: "n1", Addr: "192.0.2.1:5", Zone: "a/b", Pin: "p", Held: held, Inc: 77, Drain: true})
	must(t, err)
	if r.Inc() != 1 || r.Settings() != (Settings{2, 1500 * time.Millisecond}) {
		t.Fatalf("incarnation %d, settings %v", r.Inc(), r.Settings())
	}
	until(t, "the node is in the picture", func() bool { return len(c.Picture().Nodes) == 1 })
	n := c.Picture().Nodes[0]
	h := held[0]
	h.Row.Chain = 0
	want := Node{Name: "n1", Addr: "192.0.2.1:5", Zone: "a/b", Pin: "p", Inc: 1, Held: held, Live: true, Renewed: n.Renewed, Renewal: n.Renewal}
	if !reflect.DeepEqual(n, want) {
		t.Errorf("the node is %+v\nwant %+v", n, want)
	}
	if n.Renewed < before || n.Renewed > clock.Boot() || n.Renewal == 0 {
		t.Errorf("renewed at %v by number %d, registered after %v", n.Renewed, n.Renewal, before)
	}
	if got := c.Picture().Settings; got != r.Settings() {
		t.Errorf("settings are %v", got)
	}
	changed := c.Changed()
	must(t, r.Renew(within(t)))
	until(t, "the renewal is in the picture", func() bool { return c.Picture().Nodes[0].Renewal > n.Renewal })
	if c.Picture().Nodes[0].Renewed <= n.Renewed {
		t.Error("the renewal was not seen later")
	}
	select {
	case <-changed:
		t.Error("a renewal is told as another change")
	default:
	}
	must(t, r.End(within(t)))
	until(t, "the end is in the picture", func() bool { n = c.Picture().Nodes[0]; return !n.Live })
	if n.Ended != 1 || n.Renewal != 0 {
		t.Errorf("after its end the node is %+v", n)
	}
	is(t, r.Renew(within(t)), ErrLapsed)
	is(t, r.End(within(t)), ErrLapsed)
	if again := register(t, c, "n1"); again.Inc() != 2 {
		t.Errorf("the next incarnation is %d", again.Inc())
	}
}

// A number is above those on the node's disk, also where the coordinator has lost what
// it knew, and then well above.
func TestRegisterAbove(t *testing.T) {
	t.Parallel()
	c := dial(t, Config{Member: single(t)})
	for _, x := range []struct{ above, want chain.Incarnation }{{0, 1}, {1, 2}, {41, 41 + aboveMargin}, {7, 42 + aboveMargin}} {
		r, err := c.Register(within(t), Node{Name: "n1", Above: x.above})
		must(t, err)
		if r.Inc() != x.want {
			t.Errorf("above %d: %d, want %d", x.above, r.Inc(), x.want)
		}
	}
}

// What a node says of its connections is there as long as its registration.
func TestSilent(t *testing.T) {
	t.Parallel()
	c := dial(t, Config{Member: single(t)})
	r := register(t, c, "n1")
	shows := func(want ...string) {
		t.Helper()
		until(t, "the picture shows it", func() bool {
			n, ok := c.Picture().Node("n1")
			return ok && slices.Equal(n.Silent, want)
		})
	}
	must(t, r.Silent(within(t), []string{"n3", "n2"}))
	shows("n2", "n3")
	must(t, r.Renew(within(t)))
	must(t, r.Silent(within(t), []string{"n2"}))
	shows("n2")
	must(t, r.Silent(within(t), nil))
	shows()
	is(t, r.Silent(within(t), []string{"no/name"}), ErrBad)
	must(t, r.Silent(within(t), []string{"n2"}))
	shows("n2")
	again := register(t, c, "n1")
	is(t, r.Silent(within(t), []string{"n3"}), ErrLapsed)
	until(t, "the next incarnation has said nothing", func() bool {
		n, _ := c.Picture().Node("n1")
		return n.Inc == again.Inc() && len(n.Silent) == 0
	})
	must(t, again.Silent(within(t), []string{"n4"}))
	shows("n4")
	must(t, again.End(within(t)))
	until(t, "it has ended", func() bool {
		n, _ := c.Picture().Node("n1")
		return !n.Live && len(n.Silent) == 0
	})
	is(t, again.Silent(within(t), nil), ErrLapsed)
}

func TestRegisterRace(t *testing.T) {
	t.Parallel()
	m := single(t)
	c := dial(t, Config{Member: m})
	const n = 8
	all := make([]*Registration, n)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i] = register(t, c, "n1") })
	}
	wg.Wait()
	seen := map[chain.Incarnation]bool{}
	for _, r := range all {
		if seen[r.Inc()] || r.Inc() > n {
			t.Errorf("incarnation %d", r.Inc())
		}
		seen[r.Inc()] = true
		if err := r.Renew(within(t)); r.Inc() == n {
			must(t, err)
		} else {
			is(t, err, ErrLapsed)
		}
	}
}

// A transaction that is late must not count up the number.
func TestRegisterLate(t *testing.T) {
	t.Parallel()
	m := single(t)
	c := dial(t, Config{Member: m})
	lease, err := c.grant(within(t), hintTTL)
	must(t, err)
	late := &Registration{c: c, name: "n1", lease: lease}
	keys := []string{preNode + "n1", keyCluster}
	cells, err := c.read(within(t), "read", keys...)
	must(t, err)
	ops, err := late.take(Node{Name: "n1"}, cells[0], cells[1])
	must(t, err)
	r := register(t, c, "n1")
	ok, _, _, err := c.try(within(t), "late", []guard{{keys[0], cells[0].rev}, {keys[1], cells[1].rev}}, ops...)
	if ok || err != nil {
		t.Fatalf("the late registration was done: %v, %v", ok, err)
	}
	must(t, r.Renew(within(t)))
}

func TestRenewAfterLostAnswer(t *testing.T) {
	t.Parallel()
	m := single(t)
	c := dial(t, Config{Member: m})
	r := register(t, c, "n1")
	lost := &Registration{c: c, name: r.name, inc: r.inc, lease: r.lease, rev: r.rev}
	must(t, lost.Renew(within(t)))
	must(t, r.Renew(within(t)))
	ended, cancel := context.WithCancel(within(t))
	cancel()
	err := r.Renew(ended)
	is(t, err, ErrUnavailable)
	is(t, err, context.Canceled)
	must(t, r.Renew(within(t)))
}

// A registration that nobody renews lapses, and one that is renewed does not.
func TestLapse(t *testing.T) {
	t.Parallel()
	m := single(t)
	const ttl = 2 * time.Second
	c := dialFor(t, Config{Member: m}, ttl)
	r := register(t, c, "n1")
	other := register(t, dialFor(t, Config{Member: m}, 2*ttl), "n2")
	began := clock.Boot()
	until(t, "one of two has lapsed", func() bool {
		if err := other.Renew(within(t)); err != nil && !errors.Is(err, ErrUnavailable) {
			t.Fatal(err)
		}
		n, _ := c.Picture().Node("n1")
		return n.Inc == 1 && !n.Live && clock.Boot() > began+5*ttl/2
	})
	is(t, r.Renew(within(t)), ErrLapsed)
	is(t, r.End(within(t)), ErrLapsed)
	if n, _ := c.Picture().Node("n1"); n.Ended != 0 {
		t.Errorf("incarnation %d has ended itself", n.Ended)
	}
	must(t, other.Renew(within(t)))
}

func TestDrainAndRemove(t *testing.T) {
	t.Parallel()
	m := single(t)
	c := dial(t, Config{Member: m})
	is(t, c.SetDrain(within(t), "n1", true), ErrNode)
	is(t, c.SetReplicas(within(t), 2), ErrNode)
	r := register(t, c, "n1")
	must(t, c.SetDrain(within(t), "n1", true))
	must(t, c.SetReplicas(within(t), 2))
	is(t, c.SetReplicas(within(t), 0), ErrBad)
	until(t, "the node drains", func() bool {
		n, ok := c.Picture().Node("n1")
		return ok && n.Drain && c.Picture().Settings.Replicas == 2
	})
	is(t, c.RemoveNode(within(t), "n1"), ErrInUse)
	must(t, r.End(within(t)))
	if again := register(t, c, "n1"); again.Inc() != 2 {
		t.Errorf("incarnation %d", again.Inc())
	} else {
		must(t, again.End(within(t)))
	}
	if n, _ := c.Picture().Node("n1"); !n.Drain {
		t.Error("the node does not drain any more")
	}
	must(t, c.RemoveNode(within(t), "n1"))
	until(t, "the node is gone", func() bool { return len(c.Picture().Nodes) == 0 })
	is(t, c.RemoveNode(within(t), "n1"), ErrNode)
	_, err := c.Register(within(t), Node{Name: "n1", Pin: "pin-n1"})
	is(t, err, ErrRemoved)
	joined, err := c.Register(within(t), Node{Name: "n1", Pin: "another"})
	must(t, err)
	if joined.Inc() != 3 {
		t.Errorf("incarnation %d after the node was removed", joined.Inc())
	}
}

func TestRegisterBad(t *testing.T) {
	t.Parallel()
	m := single(t)
	c := dial(t, Config{Member: m})
	for _, n := range []Node{
		{Name: ""}, {Name: "a/b"}, {Name: "n1", Held: map[chain.ID]Holding{256: {Inc: 1}}},
		{Name: "n1", Held: map[chain.ID]Holding{1: {}}},
		{Name: "n1", Held: map[chain.ID]Holding{1: {Inc: 1, Row: chain.Row{Epoch: 1}}}},
	} {
		_, err := c.Register(within(t), n)
		is(t, err, ErrBad)
	}
	_, err := c.client().Put(within(t), preNode+"n1", "{}")
	must(t, err)
	_, err = c.Register(within(t), Node{Name: "n1"})
	is(t, err, ErrBad)
}

// What cannot be read leaves the rest as it is.
func TestForeignValues(t *testing.T) {
	t.Parallel()
	m := single(t)
	c := dial(t, Config{Member: m})
	register(t, c, "n1")
	register(t, c, "n2")
	until(t, "the nodes are there", func() bool { return len(c.Picture().Nodes) == 2 })
	for key, value := range map[string]string{
		preNode + "n1": "x", preHeld + "n1": "[]", preChain + "999": "{}", preChain + "001": "{}", keyCluster: "{}",
		preReport + "001/none": "{}", prefix + "news/1": "x", preNode + "UPPER": "{}",
	} {
		_, err := c.client().Put(within(t), key, value)
		must(t, err)
	}
	must(t, c.SetDrain(within(t), "n2", true))
	until(t, "the other node drains", func() bool { n, _ := c.Picture().Node("n2"); return n.Drain })
	if n, ok := c.Picture().Node("n1"); !ok || !n.Live || c.Picture().Settings.Replicas != 3 {
		t.Errorf("the picture is %+v", c.Picture())
	}
	fresh := dial(t, Config{Member: m})
	if _, ok := fresh.Picture().Node("n2"); !ok {
		t.Errorf("the picture is %+v", fresh.Picture())
	}
}
