package coord

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/plan"
	"namecast/lib/chain/replica"
	"namecast/lib/clock"
)

// next is the row after one, without its first member.
func next(r chain.Row) chain.Row {
	return chain.Row{Chain: r.Chain, Epoch: r.Epoch + 1, Members: r.Members[1:]}
}

// A deposed controller can do nothing, though it does not know that it is.
func TestDeposed(t *testing.T) {
	t.Parallel()
	m := single(t)
	c := dial(t, Config{Member: m})
	register(t, c, "n1")
	register(t, c, "n2")
	first := campaign(t, c, "n1")
	must(t, first.Create(within(t), table(1, "n1", "n2")))
	until(t, "there is a table", func() bool { return len(c.Picture().Rows) == chain.Chains })
	is(t, first.Create(within(t), table(1, "n1", "n2")), ErrTable)

	// One who takes the key, and whom the first does not hear of.
	deaf := &Term{c: c, name: "n1", rev: first.rev, done: make(chan struct{})}
	second, err := c.elect(t.Context(), "n2", first.rev)
	must(t, err)
	<-first.Done()
	n, _ := c.Picture().Node("n2")
	row := c.Picture().Rows[7]
	ok, err := deaf.Expel(within(t), "n2", n.Renewal)
	if is(t, err, ErrDeposed); ok {
		t.Error("a deposed controller has expelled a node")
	}
	<-deaf.Done()
	ok, err = deaf.Publish(within(t), row, next(row), nil)
	if is(t, err, ErrDeposed); ok {
		t.Error("a deposed controller has published a row")
	}
	is(t, deaf.Create(within(t), table(1, "n1", "n2")), ErrTable)
	if err := deaf.Resign(closed(deaf)); err != nil {
		t.Error(err)
	}
	if ok, err = second.Publish(within(t), row, next(row), nil); !ok || err != nil {
		t.Errorf("the elected controller has not published: %v, %v", ok, err)
	}
	must(t, second.Resign(within(t)))
	third := campaign(t, c, "n3")
	if _, err := second.Publish(within(t), c.Picture().Rows[8], next(row), nil); err == nil {
		t.Error("published after the end of the term")
	}
	until(t, "the picture names the controller", func() bool { return c.Picture().Controller == "n3" })
	must(t, third.Resign(within(t)))
}

// closed lets a term that was made by hand resign.
func closed(t *Term) context.Context {
	t.ended = make(chan struct{})
	close(t.ended)
	return context.Background()
}

func TestExpelAndPublish(t *testing.T) {
	t.Parallel()
	m := single(t)
	c := dial(t, Config{Member: m})
	r1, r2 := register(t, c, "n1"), register(t, c, "n2")
	term := campaign(t, c, "n1")
	must(t, term.Create(within(t), table(1, "n1", "n2")))
	until(t, "there is a table", func() bool { return len(c.Picture().Rows) == chain.Chains })
	row := c.Picture().Rows[3]
	gone := row.Members[:1]

	publish := func(was, now chain.Row, gone []chain.Member, want bool) {
		t.Helper()
		ok, err := term.Publish(within(t), was, now, gone)
		if err != nil || ok != want {
			t.Fatalf("published: %v, %v; want %v", ok, err, want)
		}
	}
	publish(row, next(row), gone, false) // n1 is registered
	n, _ := c.Picture().Node("n1")
	must(t, r1.Renew(within(t)))
	if ok, err := term.Expel(within(t), "n1", n.Renewal); ok || err != nil {
		t.Fatalf("expelled in spite of a renewal: %v, %v", ok, err)
	}
	until(t, "the renewal is seen", func() bool { n2, _ := c.Picture().Node("n1"); defer func() { n = n2 }(); return n2.Renewal > n.Renewal })
	if ok, err := term.Expel(within(t), "n1", n.Renewal); !ok || err != nil {
		t.Fatalf("not expelled: %v, %v", ok, err)
	}
	is(t, r1.Renew(within(t)), ErrLapsed)
	publish(row, next(row), gone, true) // whether or not that is in the picture
	publish(row, next(row), gone, false)
	until(t, "the row is there", func() bool { return c.Picture().Rows[3].Epoch == 2 })

	row = c.Picture().Rows[4]
	again := register(t, c, "n1")
	must(t, again.Renew(within(t)))
	publish(row, next(row), gone, true) // the newer one does not count
	row = c.Picture().Rows[5]
	publish(row, next(row), []chain.Member{{Node: "n1", Inc: again.Inc()}}, false)
	must(t, r2.Renew(within(t)))

	for _, bad := range []chain.Row{row, {Chain: 5, Epoch: 2}, {Chain: 6, Epoch: 2, Members: row.Members}} {
		_, err := term.Publish(within(t), row, bad, nil)
		is(t, err, ErrBad)
	}
}

// Another can be elected when nothing is heard of the controller's node but of others.
func TestFree(t *testing.T) {
	t.Parallel()
	old, fresh := 10*time.Second, 10*time.Second+silence+1
	with := func(holder string, nodes ...Node) *view {
		return &view{ctl: cell{holder, 5}, Picture: Picture{Nodes: nodes}}
	}
	none := with("", Node{Name: "n1", Live: true})
	none.ctl = cell{}
	for what, c := range map[string]struct {
		v    *view
		want bool
	}{
		"nobody":                {none, true},
		"its own older term":    {with("n2"), true},
		"not a node":            {with("x", Node{Name: "n2", Live: true, Renewed: fresh}), false},
		"heard of":              {with("n1", Node{Name: "n1", Live: true, Renewed: old + 1}, Node{Name: "n2", Live: true, Renewed: fresh}), false},
		"silent":                {with("n1", Node{Name: "n1", Live: true, Renewed: old}, Node{Name: "n2", Live: true, Renewed: fresh}), true},
		"silent and expelled":   {with("n1", Node{Name: "n1", Renewed: old}, Node{Name: "n2", Live: true, Renewed: fresh}), true},
		"silent like all":       {with("n1", Node{Name: "n1", Live: true, Renewed: old}, Node{Name: "n2", Live: true, Renewed: old}), false},
		"silent, others too":    {with("n1", Node{Name: "n1", Live: true, Renewed: old}, Node{Name: "n2", Renewed: fresh}), false},
		"the only one there is": {with("n1", Node{Name: "n1", Live: true, Renewed: fresh}), false},
	} {
		if got := c.v.free("n2"); got != c.want {
			t.Errorf("%s: free is %v", what, got)
		}
	}
}

// A controller's node of which nothing is heard does not keep the others from electing
// another, though its process keeps its key.
func TestSilentController(t *testing.T) {
	t.Parallel()
	m := single(t)
	c := dial(t, Config{Member: m})
	register(t, c, "n1")
	r2 := register(t, c, "n2")
	term := campaign(t, c, "n1")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	elected := make(chan *Term, 1)
	go func() {
		if other, err := c.Campaign(ctx, "n2"); err == nil {
			elected <- other
		}
	}()
	began := clock.Boot()
	var other *Term
	until(t, "another is elected", func() bool {
		if err := r2.Renew(within(t)); errors.Is(err, ErrLapsed) {
			r2 = register(t, c, "n2") // the machine is busy
		}
		select {
		case other = <-elected:
		case <-time.After(50 * time.Millisecond):
		}
		return other != nil
	})
	t.Logf("another was elected after %v", clock.Boot()-began)
	<-term.Done()
	cancel()
	<-other.ended
	// Whose context ended has given the key up.
	until(t, "there is no controller", func() bool { return c.Picture().Controller == "" })
}

func TestCreateAndRebuild(t *testing.T) {
	t.Parallel()
	m := single(t)
	c := dial(t, Config{Member: m})
	r, err := c.Register(within(t), Node{Name: "n1", Held: map[chain.ID]Holding{3: {Inc: 1}}})
	must(t, err)
	until(t, "the node is there", func() bool { return len(c.Picture().Nodes) == 1 })
	term := campaign(t, c, "n1")
	is(t, term.Create(within(t), table(1, "n1")), ErrHeld)
	must(t, r.End(within(t)))
	register(t, c, "n1")
	until(t, "the node holds nothing", func() bool { return len(c.Picture().Nodes[0].Held) == 0 })
	is(t, term.Create(within(t), table(1, "n1")[1:]), ErrBad)

	// A table that was begun, and whose maker comes too late.
	mark, err := c.beginTable(within(t), "create", []guard{{keyCtl, term.rev}})
	must(t, err)
	_, err = c.client().Put(within(t), keyChain(9), encode(textRow(table(5, "n9")[9])))
	must(t, err)
	must(t, c.Rebuild(within(t), table(2, "n1")))
	late := clientv3.OpPut(keyChain(9), "late")
	is(t, c.hold(within(t), "late", []guard{{keyTable, mark}}, late), ErrTable)
	until(t, "there is a table", func() bool { return len(c.Picture().Rows) == chain.Chains })
	if row := c.Picture().Rows[9]; row.Members[0] != (chain.Member{Node: "n1", Inc: 2}) {
		t.Errorf("the row is %+v", row)
	}
	is(t, c.Rebuild(within(t), table(2, "n1")), ErrTable)
	is(t, term.Create(within(t), table(2, "n1")), ErrTable)
	is(t, c.RemoveNode(within(t), "n1"), ErrInUse)

	// Rows whose mark somebody has deleted are not written over.
	_, err = c.client().Delete(within(t), keyTable)
	must(t, err)
	is(t, c.Rebuild(within(t), table(2, "n1")), ErrTable)
	until(t, "no table is shown", func() bool { return len(c.Picture().Rows) == 0 })
}

func TestReport(t *testing.T) {
	t.Parallel()
	m := single(t)
	c := dial(t, Config{Member: m})
	who := chain.Member{Node: "n2", Inc: 3}
	for _, kind := range []replica.ReportKind{replica.Ready, replica.Stalled, replica.Fenced, replica.Silent} {
		must(t, c.Report(within(t), 200, replica.Report{Epoch: chain.Epoch(kind), Kind: kind, Member: who}))
	}
	in := func(e chain.Epoch) plan.Report { return plan.Report{Epoch: e, Member: who} }
	want := Reports{Ready: in(1), Stalled: in(2), Fenced: in(3), Silent: in(4)}
	until(t, "the reports are there", func() bool { return c.Picture().Reports[200] == want })
	was := c.Picture()
	must(t, c.Report(within(t), 200, replica.Report{Epoch: 1, Kind: replica.Ready, Member: who}))
	must(t, c.Report(within(t), 201, replica.Report{Epoch: 1, Kind: replica.Ready, Member: who}))
	until(t, "another report is there", func() bool { return len(c.Picture().Reports) == 2 })
	if now := c.Picture(); now.Revision != was.Revision+1 || len(was.Reports) != 1 {
		t.Errorf("revision %d after %d; the older picture has reports about %d chains", now.Revision, was.Revision, len(was.Reports))
	}
	is(t, c.Report(within(t), 200, replica.Report{Epoch: 1, Kind: 9, Member: who}), ErrBad)
	is(t, c.Report(within(t), 256, replica.Report{Epoch: 1, Kind: replica.Ready, Member: who}), ErrBad)
}

func TestSpend(t *testing.T) {
	t.Parallel()
	m := single(t)
	c := dial(t, Config{Member: m})
	a, b := sha256.Sum256([]byte("a")), sha256.Sum256([]byte("b"))
	end := time.Now().Add(time.Minute)
	must(t, c.Spend(within(t), "VKUVA2ETTHDP6TDA2Y54TZUFG6", a, end))
	must(t, c.Spend(within(t), "VKUVA2ETTHDP6TDA2Y54TZUFG6", a, end))
	is(t, c.Spend(within(t), "VKUVA2ETTHDP6TDA2Y54TZUFG6", b, end), ca.ErrSpent)
	must(t, c.Spend(within(t), "nonce2", b, time.Now().Add(-time.Hour)))
	is(t, c.Spend(within(t), strings.Repeat("n", 129), b, end), ErrBad)
	results := make(chan error, 8)
	for i := range cap(results) {
		go func() { results <- c.Spend(within(t), "nonce3", sha256.Sum256([]byte{byte(i)}), end) }()
	}
	spent := 0
	for range cap(results) {
		if err := <-results; err == nil {
			spent++
		} else {
			is(t, err, ca.ErrSpent)
		}
	}
	if spent != 1 {
		t.Errorf("a token was spent for %d requests", spent)
	}
}
