package host

import (
	"slices"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/chain/replica"
)

func TestSilenceLook(t *testing.T) {
	s := silence{}
	pic := &Picture{Nodes: []Node{{Name: "a", Addr: "x"}, {Name: "me", Addr: "x"}, {Name: "c", Addr: "x"}, {Name: "new"}, {Name: "b", Addr: "x"}}}
	there := map[string]bool{}
	look := func(at time.Duration, want ...string) {
		t.Helper()
		if got := s.look(time.Hour+at, "me", pic, func(n string) bool { return there[n] }); !slices.Equal(got, want) {
			t.Errorf("after %v: %v, want %v", at, got, want)
		}
	}
	ms := time.Millisecond
	look(0)
	look(1499 * ms)
	there["b"] = true
	look(1500*ms, "a", "c")
	there["b"], there["c"] = false, true
	look(1600*ms, "a")
	look(3000*ms, "a")
	look(3100*ms, "a", "b")
	pic = &Picture{Nodes: pic.Nodes[1:]} // a is removed
	look(3200*ms, "b")
	pic = &Picture{Nodes: append(pic.Nodes, Node{Name: "a", Addr: "x"})}
	look(3300*ms, "b")
}

// TestSilence: a node tells with whom it has no connection, also if the coordinator
// does not answer at first, and tells when it has one again, or is another incarnation.
func TestSilence(t *testing.T) {
	c := newCluster(t, 2, "n1", "n2")
	n1 := c.nodes["n1"]
	c.until("registered", func() bool { return n1.Status().Incarnation == 1 })
	says := func(want ...string) {
		t.Helper()
		c.until("what n1 says", func() bool {
			c.coord.mu.Lock()
			defer c.coord.mu.Unlock()
			return slices.Equal(c.coord.unheard["n1"], want)
		})
	}
	away := func(addr string) {
		c.coord.mu.Lock()
		defer c.coord.mu.Unlock()
		if addr == "" {
			delete(c.coord.nodes, "n9")
		} else {
			c.coord.nodes["n9"] = Node{Name: "n9", Addr: addr}
		}
		c.coord.change()
	}
	away("127.0.0.1:1")
	says("n9")
	n1.view.mu.Lock()
	n1.view.forgets = 3 // it is done, but not answered
	n1.view.mu.Unlock()
	away("")
	says()
	away("127.0.0.1:1")
	says("n9")
	c.coord.lapse("n1")
	c.until("another incarnation", func() bool { return n1.Status().Incarnation == 2 })
	away("")
	says()
}

// TestHangs: a member whose loops take nothing in is reported by its predecessor, as
// its node is heard; a node that is not connected is not.
func TestHangs(t *testing.T) {
	c := newCluster(t, 2)
	c.options = replica.Options{Stall: 400 * time.Millisecond, Retry: 20 * time.Millisecond}
	c.add("n1")
	c.add("n2")
	c.coord.create()
	row := c.coord.row(0)
	head, tail := c.nodes[row.Head().Node], c.nodes[row.Tail().Node]
	u := c.user("u1")
	conn := u.to(head, frame.ClassClient)
	u.mustPut(c, conn, 0, "key", "value")
	release := make(chan struct{})
	defer close(release)
	for _, o := range tail.life.Load().loops {
		o.put(input{do: func() { <-release }})
	}
	u.ask()
	conn.Send(chain.Envelope{Body: chain.Propose{
		ID: u.last, Request: chain.RequestID{1}, Ops: []chain.Op{{Kind: chain.Put, Key: []byte("key"), Value: []byte("x")}},
	}})
	c.until("report", func() bool {
		c.coord.mu.Lock()
		defer c.coord.mu.Unlock()
		f := c.coord.reports[0]
		return f != nil && f.Silent.Member == row.Tail() && f.Silent.Epoch == row.Epoch
	})
	l := head.life.Load()
	s := &seat{}
	about := func(m chain.Member) replica.Report { return replica.Report{Kind: replica.Silent, Member: m} }
	if l.loops[0].hangs(s, about(chain.Member{Node: "n9", Inc: 1})) || l.loops[0].hangs(s, about(chain.Member{Node: tail.name, Inc: 7})) {
		t.Error("one that is not there hangs")
	}
}

// TestRenewedAgain: a renewal that fails is tried again at once.
func TestRenewedAgain(t *testing.T) {
	c := newCluster(t, 1, "n1")
	v := c.nodes["n1"].view
	tried := func() []time.Duration {
		v.mu.Lock()
		defer v.mu.Unlock()
		return slices.Clone(v.tried)
	}
	c.until("renewals", func() bool { return len(tried()) > 0 })
	v.mu.Lock()
	v.renewals = 1
	from := len(v.tried)
	v.mu.Unlock()
	c.until("two renewals", func() bool { return len(tried()) >= from+2 })
	every := renewEvery(lease)
	if at := tried(); at[from+1]-at[from] > every/2 {
		t.Errorf("tried again after %v", at[from+1]-at[from])
	}
}

// TestAbove: a node registers with the newest incarnation that its disk knows, that
// of half a copy too; and where the chain begins anew, that is wiped.
func TestAbove(t *testing.T) {
	c := newCluster(t, 1, "n1")
	n := c.nodes["n1"]
	c.until("registered", func() bool { return n.Status().Incarnation == 1 })
	n.disk.Write(3, replica.Batch{
		Seq: 1, Sync: true, Meta: &replica.Meta{Inc: 41, Copying: true},
		Items: []chain.Item{{Key: []byte("key"), Value: []byte("half"), Version: 2}},
	})
	n.end()
	n.start()
	c.until("registered", func() bool { return n.Status().Incarnation == 2 })
	c.coord.mu.Lock()
	if above, held := c.coord.above["n1"], c.coord.nodes["n1"].Held; above != 41 || len(held) != 0 {
		t.Errorf("it registered above %d, with %v", above, held)
	}
	c.coord.mu.Unlock()
	c.coord.create()
	u := c.user("u1")
	conn := u.to(n, frame.ClassClient)
	c.until("serving", func() bool { return n.life.Load().serves(3) })
	u.mustPut(c, conn, 3, "other", "value")
	if got := u.mustRead(c, conn, 3, "other"); got != "value" {
		t.Errorf("read %q", got)
	}
	if _, found := n.disk.Storage(3).Get([]byte("key")); found {
		t.Error("half a copy is there yet")
	}
	if st := n.chain(3); st.Role != "serving" || st.Why != "" || len(n.Status().Halts) > 0 {
		t.Errorf("%+v", st)
	}
}
