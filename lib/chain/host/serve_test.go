package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/clock"
	"namecast/lib/link"
)

// without finds a chain that a node is not a member of.
func (c *cluster) without(name string) chain.ID {
	c.t.Helper()
	for _, r := range c.coord.rows {
		if r.Node(name).IsZero() {
			return r.Chain
		}
	}
	c.t.Fatalf("%s is in all chains", name)
	return 0
}

// TestDirtyReads: while a counter is written, strong reads of it at every member
// never go back, whoever answers; some of them have to wait for proof.
func TestDirtyReads(t *testing.T) {
	c := newCluster(t, 3, "n1", "n2", "n3")
	c.coord.create()
	writer, reader := c.user("u1"), c.user("u2")
	conn := writer.to(c.nodes["n1"], frame.ClassClient)
	writer.mustPut(c, conn, 0, "counter", "0")
	var at []*link.Conn
	for _, n := range c.nodes {
		at = append(at, reader.to(n, frame.ClassClient))
	}
	acked := writer.counting(conn, 300)
	reads, last := 0, 0
	for open := true; open; reads++ {
		floor := last
		for more := true; more; {
			select {
			case n, ok := <-acked:
				floor, more, open = max(floor, n), ok, ok
			default:
				more = false
			}
		}
		got, err := strconv.Atoi(reader.mustRead(c, at[reads%3], 0, "counter"))
		if err != nil || got < floor {
			t.Fatalf("read %d after %d was acknowledged or read: %v", got, floor, err)
		}
		last = got
	}
	dirty := uint64(0)
	for _, n := range c.nodes {
		dirty += n.Counters()[0].DirtyReads
	}
	if t.Logf("%d reads, %d of them dirty", reads, dirty); dirty == 0 {
		t.Error("no read was dirty")
	}
}

// counting counts a key up to a number, and gives each as it is acknowledged.
func (u *user) counting(conn *link.Conn, to int) <-chan int {
	acked := make(chan int, to)
	u.all.Go(func() {
		defer close(acked)
		for i := 1; i <= to; i++ {
			if u.put(conn, 0, 1, "counter", strconv.Itoa(i)).Status == chain.Done {
				acked <- i
			}
		}
	})
	return acked
}

// TestGateway: a node passes on what it does not serve, and says when there is
// nobody to pass it to.
func TestGateway(t *testing.T) {
	c := newCluster(t, 2, "n1", "n2", "n3", "n4")
	c.coord.create()
	u := c.user("u1")
	n1 := c.nodes["n1"]
	conn := u.to(n1, frame.ClassClient)
	id := c.without("n1")
	u.mustPut(c, conn, id, "key", "value")
	for _, mode := range []chain.Mode{chain.Strong, chain.Bounded, chain.Eventual} {
		if r := u.read(conn, id, mode, "key"); r.Status != chain.Done || string(r.Values[0].Data) != "value" {
			t.Errorf("mode %d: %+v", mode, r)
		}
	}
	if n := n1.Counters()[id]; n.PassedOn < 4 || n.Reads > 0 {
		t.Errorf("counted %+v", n)
	}
	u.send(conn, id, chain.Subscribe{ID: 1 << 40})
	if e := await(t, "end of the feed", u.feed); e.Body != (chain.FeedEnd{ID: 1 << 40}) {
		t.Errorf("a feed that is not here: %+v", e)
	}
	for _, m := range c.coord.rows[id].Members {
		c.nodes[m.Node].kill()
		defer c.nodes[m.Node].start() // for the end of the test
	}
	c.until("nobody to pass to", func() bool { return u.read(conn, id, chain.Strong, "key").Status == chain.NotServing })
	if r := u.put(conn, id, 0, "key", "value"); r.Status != chain.NotHead {
		t.Errorf("a write: %+v", r)
	}
}

// TestGatewayLost: of a write that was passed on to a node which ends, nobody knows
// what became; a read can be asked of another.
func TestGatewayLost(t *testing.T) {
	c := newCluster(t, 1, "n1", "n2")
	c.coord.create()
	g := c.nodes["n1"].life.Load
	id := c.without("n1")
	c.until("connection", func() bool { return g() != nil && g().nodes.get("n2") != nil })
	a := &answers{got: make(chan chain.Message, 4)}
	gw := g().gateway
	to := g().nodes.get("n2")
	gw.note(passed{client: a, chain: id, to: to, write: true, deadline: never}, 71)
	gw.note(passed{client: a, chain: id, to: to, deadline: never}, 72)
	gw.answered(&peer{}, chain.Envelope{Body: chain.ReadReply{ID: 2, Status: chain.Done}})
	c.nodes["n2"].kill()
	defer c.nodes["n2"].start()
	got := []chain.Message{await(t, "answer", a.got), await(t, "answer", a.got)}
	for _, m := range got {
		switch m := m.(type) {
		case chain.ProposeReply:
			if m.ID != 71 || m.Status != chain.Unknown {
				t.Errorf("%+v", m)
			}
		case chain.ReadReply:
			if m.ID != 72 || m.Status != chain.NotServing {
				t.Errorf("%+v", m)
			}
		}
	}
}

// answers takes answers.
type answers struct{ got chan chain.Message }

func (a *answers) answer(e chain.Envelope) { a.got <- e.Body }

// TestFeed: a subscriber gets every change; the node tells how far
// it is, but not while those who followed before may be on their way back, and for a
// while after it has gone.
func TestFeed(t *testing.T) {
	c := newCluster(t, 2, "n1", "n2")
	c.coord.create()
	writer, u := c.user("u1"), c.user("serve1")
	n1 := c.nodes["n1"]
	conn := writer.to(n1, frame.ClassClient)
	for i := range 5 {
		writer.mustPut(c, conn, 3, fmt.Sprint("key ", i), "value")
	}
	feed := u.to(n1, frame.ClassFeed)
	const id = 1 << 40
	u.send(feed, 3, chain.Subscribe{ID: id, After: 99, Hash: chain.Hash{1}})
	u.send(feed, 3, chain.FeedEnd{ID: id})
	u.send(feed, 3, chain.Subscribe{ID: id + 1})
	u.records(id+1, 5)
	u.send(feed, 3, chain.FeedAck{ID: id + 1, LSN: 5})
	began := n1.life.Load().began
	sync := func() (subs []chain.Subscriber) {
		c.until("answer", func() bool { // none at first: see returning
			n, w := writer.ask()
			writer.send(conn, 3, chain.SyncQuery{ID: n})
			select {
			case m := <-w:
				subs = m.(chain.SyncReply).Subscribers
				return true
			case <-time.After(100 * time.Millisecond):
				return false
			}
		})
		if up := clock.Boot() - began; up < returning {
			t.Fatalf("the node said who follows %v after it had begun", up)
		}
		return subs
	}
	c.until("acknowledged", func() bool { return slices.Equal(sync(), []chain.Subscriber{{Name: "serve1", LSN: 5}}) })
	u.send(feed, 3, chain.FeedPing{ID: id + 1, Ping: 8})
	if m := await(t, "heartbeat", u.feed).Body.(chain.FeedHeartbeat); m.Ping != 8 || m.LSN < 5 {
		t.Errorf("heartbeat %+v", m)
	}
	u.stop()
	c.until("gone", func() bool {
		s := sync()
		return len(s) == 1 && s[0].Name == "serve1" && s[0].LSN == 5 && s[0].Gone > 0
	})
	n1.life.Load().ask(func(o *loop) { // half a minute later
		for _, s := range o.seats {
			for _, sub := range s.subs {
				sub.left -= remembered
			}
		}
	})
	c.until("forgotten", func() bool { return len(sync()) == 0 })
}

// records takes a subscription's records, from the first up to an LSN.
func (u *user) records(id uint64, to chain.LSN) {
	u.t.Helper()
	for lsn := chain.LSN(0); lsn < to; {
		m := await(u.t, "changes", u.feed).Body.(chain.FeedBatch)
		if m.ID != id || m.Records[0].LSN != lsn+1 {
			u.t.Fatalf("after %d: %+v", lsn, m)
		}
		lsn = m.Records[len(m.Records)-1].LSN
	}
}

// TestFeedEnds: at the end of an incarnation its subscribers are told, and it still
// knows them afterwards.
func TestFeedEnds(t *testing.T) {
	c := newCluster(t, 1, "n1")
	c.coord.create()
	u := c.user("serve1")
	n1 := c.nodes["n1"]
	feed := u.to(n1, frame.ClassFeed)
	u.send(feed, 3, chain.Subscribe{ID: 1 << 40})
	c.until("subscribed", func() bool { return n1.chain(3).Feeds == 1 })
	c.coord.lapse("n1")
	if e := await(t, "end of the feed", u.feed); e.Body != (chain.FeedEnd{ID: 1 << 40}) {
		t.Errorf("got %+v", e)
	}
	c.until("next incarnation", func() bool { return n1.Status().Incarnation == 2 })
	var subs []chain.Subscriber
	n1.life.Load().ask(func(o *loop) {
		if o == n1.life.Load().loop(3) {
			subs = o.subscribers(o.seat(3))
		}
	})
	if len(subs) != 1 || subs[0].Name != "serve1" || subs[0].Gone == 0 {
		t.Errorf("it knows %+v", subs)
	}
}

// TestTable: the table is told once, and again when it has changed.
func TestTable(t *testing.T) {
	c := newCluster(t, 2, "n1", "n2")
	c.coord.create()
	u := c.user("u1")
	conn := u.to(c.nodes["n1"], frame.ClassClient)
	query := func(have uint64) chain.Table {
		n, w := u.ask()
		u.send(conn, 0, chain.TableQuery{ID: n, Have: have})
		return await(t, "table", w).(chain.Table)
	}
	all := query(0)
	if len(all.Rows) != chain.Chains || len(all.Sites) != 2 || all.Sites[0] != (chain.Site{Node: "n1", Addr: c.nodes["n1"].addr, Zone: "zn1", Live: true}) {
		t.Fatalf("%d rows, sites %+v", len(all.Rows), all.Sites)
	}
	c.coord.mu.Lock()
	c.coord.change() // of what is not in the table
	c.coord.mu.Unlock()
	if same := query(all.Revision); same.Revision != all.Revision || same.Rows != nil || same.Sites != nil {
		t.Errorf("what is had already: revision %d after %d, %d rows", same.Revision, all.Revision, len(same.Rows))
	}
	row := c.coord.row(7)
	row.Epoch++
	c.coord.set(row)
	if next := query(all.Revision); next.Revision <= all.Revision || next.Rows[7].Epoch != row.Epoch {
		t.Errorf("after a change: revision %d after %d", next.Revision, all.Revision)
	}
}

// TestAsk: an operator is told the status.
func TestAsk(t *testing.T) {
	c := newCluster(t, 1, "n1")
	c.coord.create()
	u := c.user("u1")
	conn := u.to(c.nodes["n1"], frame.ClassClient)
	u.mustPut(c, conn, 5, "key", "value")
	ask := func(what string) chain.Told {
		n, w := u.ask()
		u.send(conn, 0, chain.Ask{ID: n, What: what})
		return await(t, "answer", w).(chain.Told)
	}
	told := ask("status")
	var s Status
	if err := json.Unmarshal(told.Text, &s); err != nil || !told.OK {
		t.Fatalf("%v, %v: %s", told.OK, err, told.Text)
	}
	if x := s.Chains[5]; s.Node != "n1" || s.Incarnation != 1 || s.Lease <= 0 || x.Role != "serving" || !x.Active || x.Committed != 1 ||
		x.Counters.Verdicts[chain.Applied] != 1 || len(s.Links) != 1 || s.Links[0].Peer != "nc://c1/client/u1" {
		t.Errorf("%s", told.Text)
	}
	if told := ask("the time"); told.OK || !strings.Contains(string(told.Text), "status") {
		t.Errorf("%v %s", told.OK, told.Text)
	}
}

// TestStrangers: a node that the coordinator does not know takes no part, but may
// ask as one that is about to join; one whose key is another is refused.
func TestStrangers(t *testing.T) {
	c := newCluster(t, 1, "n1")
	c.coord.create()
	n1 := c.nodes["n1"]
	for _, x := range []struct {
		name  string
		class frame.Class
	}{{"n0", frame.ClassChain}, {"n0", frame.ClassFeed}, {"n1", frame.ClassClient}, {"n1", frame.ClassFeed}} {
		u := c.member(ca.Node, x.name)
		u.all.Go(func() { u.Keep(u.ctx, x.class, n1.name, n1.addr) })
		var bye frame.Bye
		if err := await(t, "refusal", u.failed); !errors.As(err, &bye) || bye.Code != frame.ByeRefused {
			t.Errorf("%s for class %s: %v", x.name, x.class, err)
		}
		u.stop()
	}
	joins := c.member(ca.Node, "n0")
	conn := joins.to(n1, frame.ClassClient)
	n, w := joins.ask()
	joins.send(conn, 0, chain.TableQuery{ID: n})
	if table := await(t, "table", w).(chain.Table); len(table.Sites) != 1 {
		t.Errorf("who joins is told %+v", table.Sites)
	}
	joins.send(conn, 0, chain.Read{ID: 7, Mode: chain.Strong, Keys: [][]byte{[]byte("key")}})
	var bye frame.Bye
	if err := await(t, "end", joins.downs); !errors.As(err, &bye) || bye.Code != frame.ByeRefused {
		t.Errorf("a read of who joins: %v", err)
	}
	joins.stop()
}

// TestBreaksRules: a client that says what is not a client's loses its connection.
func TestBreaksRules(t *testing.T) {
	c := newCluster(t, 1, "n1")
	c.coord.create()
	n1 := c.nodes["n1"]
	c.until("serving", func() bool { return n1.chain(0).Role == "serving" })
	for _, m := range []chain.Message{chain.Fence{ID: 1, Epoch: 1 << 60}, chain.Hello{}, chain.Told{}} {
		u := c.user("u1")
		u.send(u.to(n1, frame.ClassClient), 0, m)
		var bye frame.Bye
		if err := await(t, "end", u.downs); !errors.As(err, &bye) || bye.Code != frame.ByeBroken {
			t.Errorf("%T: %v", m, err)
		}
		u.stop()
	}
	if role := n1.chain(0).Role; role != "serving" {
		t.Errorf("the replica is %s", role)
	}
}
