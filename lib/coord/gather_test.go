package coord

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// A node that ends while hundreds of reports wait for a coordinator that does not
// answer waits for none of them, as their senders have gone.
func TestCloseForgets(t *testing.T) {
	t.Parallel()
	c, err := Dial(Config{Endpoints: []string{free(t)}})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for id := range chain.ID(chain.Chains) {
		all.Go(func() {
			err := c.Report(ctx, id, replica.Report{Epoch: 1, Kind: replica.Ready, Member: chain.Member{Node: "n1", Inc: 1}})
			is(t, err, ErrUnavailable)
		})
	}
	until(t, "they wait", func() bool {
		c.reports.mu.Lock()
		defer c.reports.mu.Unlock()
		return len(c.reports.waiting) > chain.Chains/2
	})
	cancel()
	all.Wait()
	began := time.Now()
	must(t, c.Close())
	if took := time.Since(began); took > 3*attempt {
		t.Errorf("the connection took %v to close", took)
	}
}

// Of writes that go together, those are done whose guards hold; and no more go together
// than etcd takes.
func TestGather(t *testing.T) {
	t.Parallel()
	c := dial(t, Config{Member: single(t)})
	r := register(t, c, "n1")
	live := guard{preLive + "n1", r.rev}
	var g gathering
	const writes = 300
	for i := range writes {
		w := &write{guards: []guard{live, {fmt.Sprint(prefix, "test/", i), 0}}, op: clientv3.OpPut(fmt.Sprint(prefix, "test/", i), "x")}
		if i%3 == 0 {
			w.guards[1].rev = 1 // it does not
		}
		if i%50 == 1 {
			w.guards = append(w.guards, guard{fmt.Sprint(prefix, "other/", i), 0})
		}
		g.waiting = append(g.waiting, w)
	}
	all := slices.Clone(g.waiting)
	for range (writes + together - 1) / together {
		batch := g.take()
		writeAll(within(t), c, "test", batch)
	}
	if len(g.waiting) > 0 {
		t.Errorf("%d writes wait yet", len(g.waiting))
	}
	for i, w := range all {
		if must(t, w.err); w.ok != (i%3 != 0) || !w.ok && (w.cells[0].rev != r.rev || w.cells[1].rev != 0) {
			t.Fatalf("write %d is done: %v; guards %+v, keys %+v", i, w.ok, w.guards, w.cells)
		}
	}
	for i := range 3 {
		many := &write{op: clientv3.OpPut(fmt.Sprint(prefix, "many/", i), "x")}
		for j := range 50 {
			many.guards = append(many.guards, guard{fmt.Sprint(prefix, "many/", i, "/", j), 0})
		}
		g.waiting = append(g.waiting, many)
	}
	if n := len(g.take()); n != 2 {
		t.Errorf("%d writes of 50 guards go together", n)
	}
}
