package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/chain/replica"
	"namecast/lib/clock"
)

// controlled has a controller at work until the test's end.
func (c *cluster) controlled() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.coord.control(ctx)
	}()
	c.t.Cleanup(func() { cancel(); <-done })
}

// row is a chain's.
func (k *coordinator) row(id chain.ID) chain.Row {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.rows[id]
}

// whole waits until every chain has so many members, none of which is out of date.
func (c *cluster) whole(members int) {
	c.t.Helper()
	c.until("all chains whole", func() bool {
		c.coord.mu.Lock()
		defer c.coord.mu.Unlock()
		for _, r := range c.coord.rows {
			if len(r.Members) != members || !r.Recruit.IsZero() {
				return false
			}
			for _, m := range r.Members {
				if c.coord.incs[m.Node] != m.Inc || c.coord.live[m.Node] != m.Inc {
					return false
				}
			}
		}
		return true
	})
}

// TestKilled: a node dies without a word. Its chains go on after the lease, without
// it, and have three members again when it is back; what was acknowledged is there.
func TestKilled(t *testing.T) {
	c := newCluster(t, 3, "n1", "n2", "n3")
	c.coord.create()
	c.controlled()
	u := c.user("u1")
	conn := u.to(c.nodes["n1"], frame.ClassClient)
	const chains = 24
	for id := range chain.ID(chains) {
		u.mustPut(c, conn, id, "before", "value")
	}
	c.nodes["n2"].kill()
	for id := range chain.ID(chains) {
		u.mustPut(c, conn, id, "meanwhile", "value")
	}
	if c.coord.waits == 0 {
		t.Error("the lease was not waited for")
	}
	c.nodes["n2"].start()
	c.whole(3)
	at := u.to(c.nodes["n2"], frame.ClassClient)
	for id := range chain.ID(chains) {
		for _, key := range []string{"before", "meanwhile"} {
			if got := u.mustRead(c, at, id, key); got != "value" {
				t.Errorf("chain %d at the new n2: %s is %q", id, key, got)
			}
		}
		u.mustPut(c, at, id, "after", "value")
	}
}

// TestEnded: a node that is told to end leaves its chains at once.
func TestEnded(t *testing.T) {
	c := newCluster(t, 3, "n1", "n2", "n3")
	c.coord.create()
	c.controlled()
	u := c.user("u1")
	conn := u.to(c.nodes["n1"], frame.ClassClient)
	for id := range chain.ID(chain.Chains) {
		u.mustPut(c, conn, id, "key", "value")
	}
	c.nodes["n3"].end()
	if err := c.nodes["n3"].err; err != nil {
		t.Error(err)
	}
	for id := range chain.ID(chain.Chains) {
		u.mustPut(c, conn, id, "key", "again")
	}
	if c.coord.waits > 0 {
		t.Errorf("%d leases were waited for", c.coord.waits)
	}
	c.nodes["n3"].start()
	c.whole(3)
}

// TestCopied: a node that never had a chain gets a copy of its state, while the
// chain is written to.
func TestCopied(t *testing.T) {
	c := newCluster(t, 2, "n1", "n2")
	c.options = replica.Options{Keep: 8, Chunk: 16 << 10}
	c.coord.create()
	c.controlled()
	u := c.user("u1")
	conn := u.to(c.nodes["n1"], frame.ClassClient)
	const keys, size = 400, 2000
	value := strings.Repeat("x", size)
	for i := range keys {
		u.mustPut(c, conn, 0, fmt.Sprintf("key %d", i), value)
	}
	c.coord.mu.Lock()
	c.coord.replicas = 3
	c.coord.mu.Unlock()
	c.add("n3")
	for i := 0; len(c.coord.row(0).Members) < 3; i++ {
		u.mustPut(c, conn, 0, "meanwhile", fmt.Sprint(i))
	}
	last := u.mustPut(c, conn, 0, "meanwhile", "last")
	at := u.to(c.nodes["n3"], frame.ClassClient)
	c.until("n3 serving", func() bool { return c.nodes["n3"].life.Load().serves(0) })
	if got := u.mustRead(c, at, 0, "meanwhile"); got != "last" {
		t.Errorf("at the new member: %q", got)
	}
	for i := range keys {
		if got := u.mustRead(c, at, 0, fmt.Sprintf("key %d", i)); got != value {
			t.Fatalf("key %d at the new member: %d octets", i, len(got))
		}
	}
	if st := c.nodes["n3"].chain(0); st.First <= 1 || st.Last < last {
		t.Errorf("the new member has the log from %d to %d: no copy was made", st.First, st.Last)
	}
}

// TestLapsed: a node whose registration is gone comes back as another incarnation,
// with its connections made anew.
func TestLapsed(t *testing.T) {
	c := newCluster(t, 2, "n1", "n2")
	c.coord.create()
	u := c.user("u1")
	conn := u.to(c.nodes["n1"], frame.ClassClient)
	u.mustPut(c, conn, 0, "key", "value")
	c.coord.lapse("n1")
	await(t, "end of the connection", u.downs)
	again := await(t, "connection", u.ups)
	if again.Peer.Incarnation != 2 {
		t.Errorf("the node is incarnation %d", again.Peer.Incarnation)
	}
	if st := c.nodes["n1"].Status(); st.Incarnation != 2 || st.Chains[0].Role != "none" {
		t.Errorf("the node is incarnation %d, %s in a row that knows it as another", st.Incarnation, st.Chains[0].Role)
	}
	c.controlled()
	c.whole(2)
	if got := u.mustRead(c, again, 0, "key"); got != "value" {
		t.Errorf("read %q", got)
	}
}

// TestCoordinatorAway: without the coordinator leases lapse, and strong reads are
// proved by asking all members; writes go on.
func TestCoordinatorAway(t *testing.T) {
	c := newCluster(t, 3, "n1", "n2", "n3")
	c.coord.create()
	u := c.user("u1")
	conn := u.to(c.nodes["n1"], frame.ClassClient)
	u.mustPut(c, conn, 0, "key", "1")
	for _, n := range c.nodes {
		n.view.cut(true)
	}
	for _, n := range c.nodes {
		c.until("end of the lease", func() bool { return n.Status().Lease < 0 })
	}
	u.mustPut(c, conn, 0, "key", "2")
	for _, n := range c.nodes {
		if n.name != "n1" {
			u.to(n, frame.ClassClient)
		}
		if got := u.mustRead(c, u.Conn(frame.ClassClient, n.name), 0, "key"); got != "2" {
			t.Errorf("at %s: %q", n.name, got)
		}
	}
	if n := c.nodes["n1"].Counters()[0].DirtyReads; n == 0 {
		t.Error("no read waited for proof")
	}
	for _, n := range c.nodes {
		n.view.cut(false)
		c.until("lease", func() bool { return n.Status().Lease > 0 })
	}
}

// TestFenced: a fence is answered here and from elsewhere; a replica that is left
// fenced makes the node come back.
func TestFenced(t *testing.T) {
	c := newCluster(t, 3, "n1", "n2", "n3")
	c.coord.create()
	n1, n2 := c.nodes["n1"], c.nodes["n2"]
	row := c.coord.row(0)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	m1, m2 := row.Node("n1"), row.Node("n2")
	for _, n := range []*node{n1, n2} {
		c.until("row and connection", func() bool {
			l := n.life.Load()
			return n.chain(0).Epoch == row.Epoch && l.nodes.get("n1") != l.nodes.get("n2")
		})
	}
	if err := n1.Fence(ctx, m1, 0, row.Epoch); err != nil {
		t.Error(err)
	}
	if err := n1.Fence(ctx, m2, 0, row.Epoch); err != nil {
		t.Error(err)
	}
	for _, n := range []*node{n1, n2} {
		if st := n.chain(0); st.Role != "fenced" || n.life.Load().serves(0) {
			t.Errorf("%s: %s", n.name, st.Role)
		}
	}
	if err := n1.Fence(ctx, chain.Member{Node: "n2", Inc: 7}, 0, 1); !errors.Is(err, ErrNotThere) {
		t.Errorf("an incarnation that there is not: %v", err)
	}
	if err := n1.Fence(ctx, chain.Member{Node: "n9", Inc: 1}, 0, 1); !errors.Is(err, ErrNotThere) {
		t.Errorf("a node that there is not: %v", err)
	}
	c.until("the fenced nodes back", func() bool { return n1.Status().Incarnation == 2 && n2.Status().Incarnation == 2 })
	if err := n1.Fence(ctx, m1, 0, row.Epoch); err != nil || c.nodes["n3"].Status().Incarnation != 1 {
		t.Errorf("an incarnation that has ended: %v; n3 is %d", err, c.nodes["n3"].Status().Incarnation)
	}
}

// TestHalted: a replica that stops for good is told of, and does not serve; the
// node comes back, later each time. The rows want data that is not there.
func TestHalted(t *testing.T) {
	c := newCluster(t, 2, "n1", "n2")
	c.coord.create()
	n1 := c.nodes["n1"]
	u := c.user("u1")
	u.mustPut(c, u.to(n1, frame.ClassClient), 1, "key", "value")
	c.coord.lapse("n1")
	for times := 1; times <= 2; times++ {
		inc := chain.Incarnation(1 + times)
		c.until("incarnation", func() bool { return n1.Status().Incarnation == inc })
		wrong := c.coord.row(1)
		wrong.Epoch += 2
		wrong.Members = []chain.Member{{Node: "n1", Inc: inc}}
		wrong.Restored = 99
		began := clock.Boot()
		c.coord.set(wrong)
		c.until("halt", func() bool {
			h := n1.Status().Halts
			return len(h) == 1 && h[0].Chain == 1 && h[0].Times == times
		})
		if st := n1.Status(); st.Incarnation == inc && (st.Chains[1].Role != "halted" || !strings.Contains(st.Chains[1].Why, "99")) {
			t.Errorf("the replica is %s: %s", st.Chains[1].Role, st.Chains[1].Why)
		}
		if err := c.nodes["n2"].Fence(t.Context(), wrong.Members[0], 1, wrong.Epoch); err != nil && !errors.Is(err, ErrNotThere) {
			t.Error(err)
		}
		c.until("the node back", func() bool { return n1.Status().Incarnation == inc+1 })
		if took, least := clock.Boot()-began, firstReturn<<(times-1); took < least {
			t.Errorf("back after %v, want %v", took, least)
		}
	}
	c.coord.mu.Lock()
	defer c.coord.mu.Unlock()
	if f := c.coord.reports[1]; f == nil || f.Fenced.Member.Node != "n1" {
		t.Errorf("the controller was told %+v", f)
	}
}

// TestDiskBroken: an error of the disk ends the node, and nothing is answered from
// what could not be read.
func TestDiskBroken(t *testing.T) {
	for name, does := range map[string]func(*tap){"write": (*tap).breakWrites, "read": (*tap).breakReads} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1, "n1")
			c.coord.create()
			u := c.user("u1")
			n := c.nodes["n1"]
			conn := u.to(n, frame.ClassClient)
			u.mustPut(c, conn, 0, "key", "value")
			does(n.disk)
			_, answer := u.ask()
			conn.Send(chain.Envelope{Body: chain.Read{ID: u.last, Mode: chain.Strong, Keys: [][]byte{[]byte("key")}}})
			await(t, "end of the node", n.done)
			if !errors.Is(n.err, errBroken) {
				t.Errorf("ended with %v", n.err)
			}
			if name == "read" && len(answer) > 0 {
				t.Errorf("answered %+v", <-answer)
			}
		})
	}
}

// TestRemoved: a node that was taken out of the cluster ends.
func TestRemoved(t *testing.T) {
	c := newCluster(t, 1, "n1")
	n := c.nodes["n1"]
	c.until("registered", func() bool { return n.Status().Incarnation == 1 })
	n.view.mu.Lock()
	n.view.removed = true
	n.view.mu.Unlock()
	c.coord.lapse("n1")
	await(t, "end of the node", n.done)
	if !errors.Is(n.err, ErrRemoved) {
		t.Errorf("ended with %v", n.err)
	}
}

// TestRequired: of three nodes, a chain that has only one left takes no writes,
// unless one is enough by the configuration.
func TestRequired(t *testing.T) {
	c := newCluster(t, 3, "n1", "n2", "n3")
	c.coord.create()
	u := c.user("u1")
	row := c.coord.row(0)
	head := c.nodes[row.Head().Node]
	conn := u.to(head, frame.ClassClient)
	u.mustPut(c, conn, 0, "key", "value")
	row.Epoch++
	row.Members = row.Members[:1]
	c.coord.set(row)
	c.until("refusal", func() bool { return u.put(conn, 0, 0, "key", "value").Status == chain.TooFew })
	if got := u.mustRead(c, conn, 0, "key"); got != "value" {
		t.Errorf("read %q", got)
	}
	for _, x := range []struct{ min, nodes, want int }{{0, 1, 1}, {0, 2, 1}, {0, 3, 2}, {0, 5, 2}, {1, 5, 1}, {3, 5, 3}} {
		if got := (&Config{MinReplicas: x.min}).required(x.nodes); got != x.want {
			t.Errorf("%d configured, of %d nodes: %d, want %d", x.min, x.nodes, got, x.want)
		}
	}
}
