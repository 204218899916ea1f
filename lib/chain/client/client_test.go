package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// TestWriteAndRead: over one node and over three, which all get some of it.
func TestWriteAndRead(t *testing.T) {
	for _, names := range [][]string{{"n1"}, {"n1", "n2", "n3"}} {
		c := newCluster(t, names...)
		k := c.client("a", nil)
		for id := range chain.ID(12) {
			lsn := write(t, k, id, "k", fmt.Sprint(id))
			if got := read(t, k, id, "k"); got != fmt.Sprint(id) {
				t.Errorf("chain %d has %q", id, got)
			}
			if k.Committed(id) < lsn {
				t.Errorf("chain %d: known to be committed is %d, written %d", id, k.Committed(id), lsn)
			}
		}
		o, err := k.Propose(within(t), 0, chain.Propose{
			Request: NewRequest(), Ops: put("k", "x"), Conds: []chain.Cond{{Kind: chain.AtVersion, Key: []byte("k"), Version: 99}},
		})
		if err != nil || o.Verdict != chain.Conflict || o.Version != 1 {
			t.Errorf("with a wrong version: %+v, %v", o, err)
		}
		if s := k.Stats(); s.Writes != 13 || s.Reads < 12 || s.WriteRepeats+s.ReadRepeats != 0 {
			t.Errorf("%d nodes: %+v", len(names), s)
		}
	}
}

// TestBadRequests: what no chain will take is told at once.
func TestBadRequests(t *testing.T) {
	c := newCluster(t, "n1")
	k := c.client("a", nil)
	for name, f := range map[string]func() error{
		"a write of nothing": func() error { _, err := k.Propose(within(t), 0, chain.Propose{}); return err },
		"a chain too many": func() error {
			_, err := k.Propose(within(t), chain.Chains, chain.Propose{Ops: put("k", "v")})
			return err
		},
		"to read it":    func() error { _, err := k.Read(within(t), chain.Chains, chain.Read{}); return err },
		"to wait on it": func() error { return k.InSync(within(t), chain.Chains, 1) },
		"to read too much": func() error {
			big := strings.Repeat("x", chain.MaxItem-10)
			write(t, k, 0, "k", big)
			q := chain.Read{Mode: chain.Strong, Keys: [][]byte{[]byte("k"), []byte("k"), []byte("k")}}
			_, err := k.Read(within(t), 0, q)
			return err
		},
	} {
		if err := f(); !errors.Is(err, ErrBadRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNobody: without a node a write surely has no effect; a context's end is told.
func TestNobody(t *testing.T) {
	c := newCluster(t, "n1")
	k := c.client("a", func(cfg *Config) { cfg.Addrs = []string{"127.0.0.1:1"} })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := k.Propose(ctx, 0, chain.Propose{Request: NewRequest(), Ops: put("k", "v")})
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("write: %v", err)
	}
	if _, err := k.Read(ctx, 0, chain.Read{Mode: chain.Strong}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("read: %v", err)
	}
	if _, err := k.Ask(ctx, "n1", "name"); !errors.Is(err, ErrNode) {
		t.Errorf("ask: %v", err)
	}
	if err := k.InSync(ctx, 0, 1); !errors.Is(err, ErrBehind) {
		t.Errorf("in sync: %v", err)
	}
}

// lose has replies of a kind get lost as long as the condition holds.
func (n *node) lose(when func(chain.Message) bool) { n.swallow.Store(&when) }

func isProposeReply(m chain.Message) bool { _, is := m.(chain.ProposeReply); return is }
func isReadReply(m chain.Message) bool    { _, is := m.(chain.ReadReply); return is }

// TestUnknown: a write whose answer is lost is not known to have taken effect, and
// repeating it does not do it again.
func TestUnknown(t *testing.T) {
	c := newCluster(t, "n1")
	k := c.client("a", nil)
	first := write(t, k, 7, "k", "1")
	c.nodes["n1"].lose(isProposeReply)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	m := chain.Propose{
		Request: NewRequest(), Base: first, Ops: put("k", "2"),
		Conds: []chain.Cond{{Kind: chain.AtVersion, Key: []byte("k"), Version: first}},
	}
	_, err := k.Propose(ctx, 7, m)
	if !errors.Is(err, ErrUnknown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("without an answer: %v", err)
	}
	c.nodes["n1"].lose(func(chain.Message) bool { return false })
	o, err := k.Propose(within(t), 7, m)
	if err != nil || o.Verdict != chain.Applied || o.LSN != first+1 {
		t.Errorf("again: %+v, %v", o, err)
	}
	if got := read(t, k, 7, "k"); got != "2" {
		t.Errorf("there is %q", got)
	}
}

// TestAsk: an operator's question, and one that a node does not know.
func TestAsk(t *testing.T) {
	c := newCluster(t, "n1", "n2")
	k := c.client("a", nil)
	if text, err := k.Ask(within(t), "n2", "name"); err != nil || string(text) != "n2" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := k.Ask(within(t), "n2", "nonsense"); !errors.Is(err, ErrNode) {
		t.Errorf("nonsense: %v", err)
	}
	eventually(t, "connection with both", func() bool { return k.Connected() == 2 && k.Table().Revision > 0 })
	if table := k.Table(); len(table.Rows) != chain.Chains || len(table.Sites) != 2 {
		t.Errorf("table of %d rows, %d sites", len(table.Rows), len(table.Sites))
	}
}

// TestWrongTable: a client whose table names a wrong head, or a node that has gone,
// finds the right one; a table that does not hold together is not taken.
func TestWrongTable(t *testing.T) {
	c := newCluster(t, "n1", "n2", "n3")
	old := c.table()
	for _, n := range c.nodes {
		n.frozen.Store(&old)
	}
	k := c.client("a", nil)
	write(t, k, 0, "k", "1")
	c.change(func(row chain.Row) (chain.Row, bool) { // the head goes, by the hand of the test
		row.Members = row.Members[1:]
		return row, true
	})
	write(t, k, 0, "k", "2") // through members, which know the head
	if got := read(t, k, 0, "k"); got != "2" {
		t.Errorf("there is %q", got)
	}
	bad := c.table()
	bad.Revision += 100
	bad.Rows = bad.Rows[:100]
	for _, n := range c.nodes {
		n.frozen.Store(&bad)
	}
	k.refresh()
	write(t, k, 0, "k", "3")
	for _, n := range c.nodes {
		n.frozen.Store(nil)
	}
	k.refresh()
	eventually(t, "the new table", func() bool { return k.Table().Revision >= c.table().Revision })
	if len(k.Table().Rows[0].Members) != 2 {
		t.Errorf("row %+v", k.Table().Rows[0])
	}
}

// TestKills: writers count under a condition while nodes die and come back, with
// answers that get lost: each count is there once.
func TestKills(t *testing.T) {
	c := newCluster(t, "n1", "n2", "n3")
	k := c.client("a", nil)
	lossy := func(m chain.Message) bool { return isProposeReply(m) && rand.IntN(20) == 0 }
	for _, n := range c.nodes {
		n.lose(lossy)
	}
	ctx, stop := context.WithCancel(within(t))
	defer stop()
	var all sync.WaitGroup
	const writers = 6
	counts := make([]int, writers)
	for i := range writers {
		all.Go(func() { counts[i] = count(ctx, t, k, chain.ID(i)) })
	}
	for _, name := range []string{"n1", "n2", "n3"} {
		before := k.Stats().Writes
		eventually(t, "writes", func() bool { return k.Stats().Writes > before+60 })
		c.nodes[name].kill()
		c.remove(name)
		before = k.Stats().Writes
		eventually(t, "writes with two nodes", func() bool { return k.Stats().Writes > before+60 })
		c.nodes[name].start()
		c.recruit(name)
		c.full()
	}
	stop()
	all.Wait()
	for i, n := range counts {
		if got := read(t, k, chain.ID(i), "count"); got != fmt.Sprint(n) {
			t.Errorf("writer %d has counted to %d, and there is %s", i, n, got)
		}
	}
	t.Logf("counts %v, %+v", counts, k.Stats())
}

// count counts up until the context ends, each number under the condition that the
// one before is there, and tells how far it came for sure.
func count(ctx context.Context, t *testing.T, k *Client, id chain.ID) int {
	version := chain.LSN(0)
	for n := 1; ; n++ {
		m := chain.Propose{
			Request: NewRequest(), Ops: put("count", fmt.Sprint(n)),
			Conds: []chain.Cond{{Kind: chain.AtVersion, Key: []byte("count"), Version: version}},
		}
		if ctx.Err() != nil {
			return n - 1
		}
		o, err := k.Propose(within(t), id, m)
		if err != nil || o.Verdict != chain.Applied {
			t.Errorf("count %d of chain %d: %+v, %v", n, id, o, err)
			return n - 1
		}
		version = o.LSN
	}
}

// TestPaused: while a head does nothing but keep its connections, reads go on, and
// writes do when the controller has taken it out.
func TestPaused(t *testing.T) {
	c := newCluster(t, "n1", "n2", "n3")
	k := c.client("a", nil)
	write(t, k, 0, "k", "1") // of which n1 is the head
	eventually(t, "connections", func() bool { return k.Connected() == 3 })
	resume := c.nodes["n1"].pause()
	defer resume()
	for range 5 {
		if got := read(t, k, 0, "k"); got != "1" {
			t.Errorf("there is %q", got)
		}
	}
	wrote := make(chan error, 1)
	go func() {
		_, err := k.Propose(within(t), 0, chain.Propose{Request: NewRequest(), Ops: put("k", "2")})
		wrote <- err
	}()
	eventually(t, "repetition", func() bool { return k.Stats().WriteRepeats > 0 })
	c.remove("n1")
	if err := await(t, "outcome", wrote); err != nil {
		t.Error(err)
	}
	if got := read(t, k, 0, "k"); got != "2" {
		t.Errorf("there is %q", got)
	}
}

// TestMoves: a node that comes back at another address is found, even if all do.
func TestMoves(t *testing.T) {
	c := newCluster(t, "n1", "n2")
	k := c.client("a", nil)
	write(t, k, 3, "k", "1")
	eventually(t, "connections", func() bool { return k.Connected() == 2 })
	n2 := c.nodes["n2"]
	n2.kill()
	c.remove("n2")
	l := listen(t, "127.0.0.1:0")
	c.mu.Lock()
	n2.addr = l.Addr().String()
	c.mu.Unlock()
	l.Close()
	n2.start()
	c.recruit("n2")
	c.full()
	eventually(t, "connections", func() bool { return k.Connected() == 2 })
	if got := read(t, k, 3, "k"); got != "1" {
		t.Errorf("there is %q", got)
	}
}

// TestHedge: a member that does not answer costs a read little, and later ones
// nothing.
func TestHedge(t *testing.T) {
	c := newCluster(t, "n1", "n2", "n3")
	k := c.client("a", nil)
	write(t, k, 0, "k", "1")
	eventually(t, "connections", func() bool { return k.Connected() == 3 })
	c.nodes["n2"].lose(isReadReply)
	for range 50 {
		if got := read(t, k, 0, "k"); got != "1" {
			t.Errorf("there is %q", got)
		}
	}
	if s := k.Stats(); s.ReadRepeats > 5 {
		t.Errorf("%+v", s)
	}
}

// TestNearest: reads go to the nearest member that works.
func TestNearest(t *testing.T) {
	c := newCluster(t, "n1", "n2", "n3")
	c.mu.Lock()
	c.nodes["n1"].zone, c.nodes["n2"].zone, c.nodes["n3"].zone = "x/1", "y/1", "y/2"
	c.revision++
	c.mu.Unlock()
	var asked sync.Map
	for name, n := range c.nodes {
		n.lose(func(m chain.Message) bool {
			if isReadReply(m) {
				asked.Store(name, true)
			}
			return false
		})
	}
	k := c.client("a", func(cfg *Config) { cfg.Zone = "y/2" })
	write(t, k, 0, "k", "1")
	for _, want := range []string{"n3", "n2", "n1"} {
		eventually(t, "connections", func() bool { return k.Connected() == len(k.Table().Sites) || want != "n3" })
		asked.Clear()
		for range 20 {
			read(t, k, 0, "k")
		}
		asked.Range(func(name, _ any) bool {
			if name != want {
				t.Errorf("%s was asked, want %s", name, want)
			}
			return true
		})
		if want != "n1" {
			c.nodes[want].kill()
			c.remove(want)
			eventually(t, "end of the connection", func() bool { return !k.find(want).up() })
			eventually(t, "the new row", func() bool { return k.Table().Rows[0].Node(want).IsZero() })
		}
	}
}

func TestDistance(t *testing.T) {
	for _, x := range []struct {
		here, there string
		want        int
	}{
		{"", "x/1", 0}, {"x/1", "x/1", 0}, {"x/1", "x/2", 1}, {"x/1", "x", 1}, {"x/1", "y/1", 2}, {"x", "y", 2}, {"x", "", 2},
	} {
		if got := distance(x.here, x.there); got != x.want {
			t.Errorf("from %q to %q: %d, want %d", x.here, x.there, got, x.want)
		}
	}
}

// TestNearestSites: of more nodes than there may be connections, the nearest.
func TestNearestSites(t *testing.T) {
	sites := []chain.Site{
		{Node: "a", Addr: "1", Zone: "x"}, {Node: "b", Addr: "2", Zone: "y"}, {Node: "c", Zone: "y"}, {Node: "d", Addr: "4", Zone: "y"},
	}
	got := nearest(sites, "y", "me", 2)
	if len(got) != 2 || got["b"] != "2" || got["d"] != "4" {
		t.Errorf("%v", got)
	}
}

// TestExpired: a client that has known a chain long ago learns where it is, and its
// write is done.
func TestExpired(t *testing.T) {
	c := newClusterOf(t, replica.Options{Window: 8, Keep: 8}, "n1")
	a, b := c.client("a", nil), c.client("b", nil)
	write(t, a, 0, "k", "1")
	for i := range 20 {
		write(t, b, 0, "k", fmt.Sprint(i))
	}
	write(t, a, 0, "k", "last")
	m := chain.Propose{Request: NewRequest(), Base: 1, Ops: put("k", "late")}
	if o, err := a.Propose(within(t), 0, m); err != nil || o.Verdict != chain.Expired {
		t.Errorf("with an old base of its own: %+v, %v", o, err)
	}
	if got := read(t, b, 0, "k"); got != "last" {
		t.Errorf("there is %q", got)
	}
}
