package host

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/clock"
	"namecast/lib/link"
)

// TestStorm: while nodes are killed, told to end and lose their registrations,
// writers count up keys, each step on the condition of the one before. At the end
// every key is what its writer was told last, or what it asked for last.
func TestStorm(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	c := newCluster(t, 3, "n1", "n2", "n3", "n4")
	c.coord.create()
	c.controlled()
	const writers, lasts = 4, 8 * time.Second
	var all sync.WaitGroup
	var users []*user
	for range writers {
		u := c.user(fmt.Sprint("u", len(users)+1))
		for _, n := range c.nodes {
			u.to(n, frame.ClassClient)
		}
		users = append(users, u)
	}
	over := clock.Boot() + lasts
	steps := make([]int, writers)
	for i, u := range users {
		all.Go(func() { steps[i] = u.count(chain.ID(i*61), over) })
	}
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for clock.Boot() < over {
		c.nodes[fmt.Sprint("n", 1+rng.IntN(4))].trouble(rng.IntN(3))
		clock.Sleep(context.Background(), time.Duration(rng.IntN(int(lasts/8))))
	}
	all.Wait()
	c.whole(3)
	for i, n := range steps {
		if n == 0 {
			t.Errorf("writer %d has not got one step far (seed %d)", i, seed)
		}
	}
	t.Logf("steps %v, leases waited for %d, seed %d", steps, c.coord.waits, seed)
}

// trouble has one of three things happen to a node.
func (n *node) trouble(kind int) {
	n.c.t.Helper()
	switch kind {
	case 0:
		n.kill()
		n.start()
	case 1:
		n.end()
		n.start()
	case 2:
		n.c.coord.lapse(n.name)
	}
}

// any gives one of the connections that there are.
func (u *user) any() *link.Conn {
	all := u.Conns()
	if len(all) == 0 {
		return nil
	}
	return all[rand.IntN(len(all))]
}

// tryAsk sends a question over any connection, and gives its answer if it comes.
func (u *user) tryAsk(id chain.ID, ask func(n uint64) chain.Message) chain.Message {
	conn := u.any()
	if conn == nil {
		clock.Sleep(u.ctx, time.Millisecond)
		return nil
	}
	n, w := u.ask()
	if conn.Send(chain.Envelope{Chain: id, Body: ask(n)}) != nil {
		return nil
	}
	select {
	case m := <-w:
		return m
	case <-time.After(time.Second):
		return nil
	}
}

// count counts a key up until a time, and tells how far it got. Between the steps
// it reads the key, which must be as it was put.
func (u *user) count(id chain.ID, until time.Duration) int {
	key := []byte("counter")
	version := chain.LSN(0)
	for step := 1; ; step++ {
		m := chain.Propose{
			Request: request(), Base: version, Conds: []chain.Cond{{Kind: chain.AtVersion, Key: key, Version: version}},
			Ops: []chain.Op{{Kind: chain.Put, Key: key, Value: []byte(strconv.Itoa(step))}},
		}
		for {
			r, ok := u.tryAsk(id, func(n uint64) chain.Message { m.ID = n; return m }).(chain.ProposeReply)
			if ok && r.Status == chain.Done {
				if r.Outcome.Verdict != chain.Applied {
					u.t.Errorf("chain %d, step %d at version %d: %+v", id, step, version, r.Outcome)
					return step
				}
				version = r.Outcome.LSN
				break
			}
			if clock.Boot() > until+limit {
				u.t.Errorf("chain %d: no step %d", id, step)
				return step
			}
		}
		r, ok := u.tryAsk(id, func(n uint64) chain.Message { return chain.Read{ID: n, Mode: chain.Strong, Keys: [][]byte{key}} }).(chain.ReadReply)
		if ok && r.Status == chain.Done && (r.Values[0].Version != version || string(r.Values[0].Data) != strconv.Itoa(step)) {
			u.t.Errorf("chain %d: read %+v after step %d at version %d", id, r.Values[0], step, version)
		}
		if clock.Boot() > until {
			return step
		}
	}
}
