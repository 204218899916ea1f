package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/replica"
	"namecast/lib/clock"
)

// follows has a client follow until stop is called, which tells why it has ended.
func follows(t *testing.T, k *Client, to Follower) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.Follow(ctx, to) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return await(t, "end of Follow", ended)
	})
	t.Cleanup(func() { stop() })
	return stop
}

// current waits until a mirror has all that was committed at the call.
func current(t *testing.T, k *Client) {
	t.Helper()
	began := clock.Boot()
	eventually(t, "fresh copy", func() bool {
		stale, _ := k.MaxStale()
		return stale < clock.Boot()-began
	})
}

// same checks that a mirror has exactly what a disk has.
func (c *cluster) same(m *mirror, node string) {
	c.t.Helper()
	c.nodes[node].kill() // so that nothing changes
	for id, disk := range c.nodes[node].disks {
		at, hash := disk.State()
		snap := disk.Snapshot()
		items := map[string]chain.Item{}
		for _, it := range snap.Items(nil, 1<<30) {
			items[string(it.Key)] = it
		}
		snap.Close()
		got := m.chains[id]
		equal := maps.EqualFunc(items, got.items, func(a, b chain.Item) bool {
			return a.Version == b.Version && bytes.Equal(a.Value, b.Value)
		})
		if got.at != at || got.hash != hash || !equal {
			c.t.Errorf("chain %d: copy at LSN %d with %d items, disk at %d with %d", id, got.at, len(got.items), at, len(items))
		}
	}
}

// TestFollow: records of all chains come, at once and later, and freshness is told.
func TestFollow(t *testing.T) {
	c := newCluster(t, "n1", "n2", "n3")
	k := c.client("a", nil)
	if d, _ := k.MaxStale(); d != Never {
		t.Errorf("stale %s before anything", d)
	}
	for i := range 100 {
		write(t, k, chain.ID(i%10), key(i), "1")
	}
	g := &gatherer{mirror: newMirror(t)}
	stop := follows(t, k, g)
	current(t, k)
	if err := k.Follow(t.Context(), g); !errors.Is(err, ErrFollowing) {
		t.Errorf("twice: %v", err)
	}
	lsn := write(t, k, 200, "k", "new")
	eventually(t, "new record", func() bool { v, at := g.get(200, "k"); return v == "new" && at == lsn })
	current(t, k)
	if s := k.Stats(); s.Copies != 0 || s.Records != 101 || s.Subscriptions != chain.Chains {
		t.Errorf("%+v", s)
	}
	if d := k.Stale(200); d <= 0 || d > limit {
		t.Errorf("stale %s", d)
	}
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("Follow: %v", err)
	}
	t.Logf("at most %d chains at once", g.most)
	c.same(g.mirror, "n2")
}

// TestFollowCopies: what the log does not reach back to comes as a copy, few at a
// time; a Follower that was away goes on where it was.
func TestFollowCopies(t *testing.T) {
	c := newClusterOf(t, replica.Options{Keep: 16, Chunk: 100}, "n1", "n2", "n3")
	k := c.client("a", func(cfg *Config) { cfg.Copies = 2 })
	const chains = 20
	for i := range chains * 40 {
		write(t, k, chain.ID(i%chains), key(i), "some value")
	}
	m := newMirror(t)
	stop := follows(t, k, m)
	current(t, k)
	if s := k.Stats(); s.Copies < chains || m.most > 2 {
		t.Errorf("%+v, %d copies at a time", s, m.most)
	}
	stop()
	copies := k.Stats().Copies
	for i := range chains {
		write(t, k, chain.ID(i), key(i), "while it was away")
	}
	for i := range 60 {
		write(t, k, 0, key(i), "more than the log has")
	}
	stop = follows(t, k, m)
	current(t, k)
	if s := k.Stats(); s.Copies != copies+1 {
		t.Errorf("%d copies, had %d", s.Copies, copies)
	}
	stop()
	c.same(m, "n1")
}

// TestFollowCopyStops: a copy that makes no progress, and one whose sender dies, are
// dropped for others.
func TestFollowCopyStops(t *testing.T) {
	c := newClusterOf(t, replica.Options{Keep: 16, Chunk: 100}, "n1", "n2", "n3")
	k := c.client("a", func(cfg *Config) { cfg.Silence = 100 * time.Millisecond })
	const chains = 12
	for i := range chains * 40 {
		write(t, k, chain.ID(i%chains), key(i), "some value")
	}
	isEnd := func(m chain.Message) bool { _, is := m.(chain.SnapEnd); return is }
	c.nodes["n1"].lose(isEnd)
	c.nodes["n2"].lose(isEnd)
	m := newMirror(t)
	stop := follows(t, k, m)
	eventually(t, "dropped copies", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.aborts > 0
	})
	c.nodes["n1"].kill()
	c.remove("n1")
	current(t, k)
	stop()
	if m.copies != 0 {
		t.Errorf("%d copies are neither ended nor dropped", m.copies)
	}
	t.Logf("%d copies were dropped", m.aborts)
	c.same(m, "n2")
}

// TestFollowKills: the copy stays whole while nodes die and come back and everybody
// writes, and is never stale for long.
func TestFollowKills(t *testing.T) {
	c := newClusterOf(t, replica.Options{Keep: 64, Chunk: 4096}, "n1", "n2", "n3")
	k := c.client("a", nil)
	m := newMirror(t)
	stop := follows(t, k, m)
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				write(t, k, chain.ID(n%97), fmt.Sprintf("%d", i), fmt.Sprint(n))
			}
		})
	}
	current(t, k)
	for _, name := range []string{"n1", "n2"} {
		c.nodes[name].kill()
		c.remove(name)
		current(t, k)
		c.nodes[name].start()
		c.recruit(name)
		c.full()
		current(t, k)
	}
	cancel()
	writers.Wait()
	current(t, k)
	stop()
	t.Logf("%+v", k.Stats())
	c.same(m, "n3")
}

// TestFollowSilence: a member that does nothing any more is left for another.
func TestFollowSilence(t *testing.T) {
	c := newCluster(t, "n1", "n2", "n3")
	k := c.client("a", func(cfg *Config) { cfg.Silence = 300 * time.Millisecond })
	follows(t, k, newMirror(t))
	current(t, k)
	c.nodes["n2"].lose(func(m chain.Message) bool { return !isProposeReply(m) })
	before := k.Stats().Subscriptions
	eventually(t, "other members", func() bool { return k.Stats().Subscriptions > before })
	current(t, k)
	c.nodes["n2"].lose(func(chain.Message) bool { return false })
	current(t, k)
}

// TestFollowLost: a lost batch is found out, with the next and by the heartbeat.
func TestFollowLost(t *testing.T) {
	c := newCluster(t, "n1")
	k := c.client("a", func(cfg *Config) { cfg.Silence = 300 * time.Millisecond })
	m := newMirror(t)
	follows(t, k, m)
	current(t, k)
	isBatch := func(m chain.Message) bool { _, is := m.(chain.FeedBatch); return is }
	for range 2 {
		c.nodes["n1"].lose(isBatch)
		write(t, k, 5, "lost", "1")
		c.nodes["n1"].lose(func(chain.Message) bool { return false })
		lsn := write(t, k, 5, "k", "2")
		eventually(t, "records", func() bool { at, _ := m.Place(5); return at == lsn })
		c.nodes["n1"].lose(isBatch)
		lsn = write(t, k, 6, "lost", "1")
		c.nodes["n1"].lose(func(chain.Message) bool { return false })
		eventually(t, "records", func() bool { at, _ := m.Place(6); return at == lsn })
	}
}

// TestFollowFails: what the Follower returns ends Follow.
func TestFollowFails(t *testing.T) {
	c := newCluster(t, "n1")
	k := c.client("a", nil)
	m := newMirror(t)
	m.fail = errors.New("the disk is full")
	write(t, k, 1, "k", "v")
	if err := k.Follow(t.Context(), m); !errors.Is(err, m.fail) {
		t.Errorf("Follow: %v", err)
	}
}

// TestFollowNear: a feed is moved to a nearer member when there is one.
func TestFollowNear(t *testing.T) {
	c := newCluster(t, "n1", "n2")
	c.mu.Lock()
	c.nodes["n1"].zone, c.nodes["n2"].zone = "here", "there"
	c.mu.Unlock()
	n1 := c.nodes["n1"]
	n1.kill()
	c.remove("n1")
	k := c.client("a", func(cfg *Config) { cfg.Zone = "here" })
	follows(t, k, newMirror(t))
	current(t, k)
	n1.start()
	c.recruit("n1")
	c.full()
	feeds := make(chan int, 1)
	eventually(t, "a nearer feed", func() bool {
		n1.life.inputs <- func() {
			n := 0
			for _, r := range n1.life.reps {
				n += len(r.Status().Feeds)
			}
			feeds <- n
		}
		return await(t, "count", feeds) >= maxMoves
	})
}

// TestNothingIsLeft: no goroutine outlives Run and Follow.
func TestNothingIsLeft(t *testing.T) {
	c := newCluster(t, "n1", "n2")
	write(t, c.client("b", nil), 0, "k", "1") // after which all is up
	eventually(t, "connections", func() bool {
		return len(c.nodes["n1"].life.net.Conns()) == 2 && len(c.nodes["n2"].life.net.Conns()) == 2
	})
	before := runtime.NumGoroutine()
	config := Config{Credentials: c.credentials(ca.Client, "a"), Addrs: []string{c.nodes["n1"].addr, "127.0.0.1:1"}}
	k := New(config)
	ctx, stop := context.WithCancel(t.Context())
	ends := make(chan error, 2)
	go func() { ends <- k.Run(ctx) }()
	go func() { ends <- k.Follow(ctx, newMirror(t)) }()
	current(t, k)
	stop()
	for range 2 {
		if err := await(t, "end", ends); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	eventually(t, "end of goroutines", func() bool { return runtime.NumGoroutine() <= before })
}

// TestInSync: it waits for all subscribers of all members, and tells who is behind.
func TestInSync(t *testing.T) {
	c := newCluster(t, "n1", "n2", "n3")
	a, b := c.client("a", nil), c.client("b", nil)
	ma, mb := newMirror(t), newMirror(t)
	follows(t, a, ma)
	stop := follows(t, b, mb)
	current(t, a)
	current(t, b)
	lsn := write(t, a, 9, "k", "1")
	if err := a.InSync(within(t), 9, lsn); err != nil {
		t.Error(err)
	}
	for name, m := range map[string]*mirror{"a": ma, "b": mb} {
		if v, at := m.get(9, "k"); v != "1" || at != lsn {
			t.Errorf("%s has %q at %d", name, v, at)
		}
	}
	hold := make(chan struct{})
	mb.mu.Lock()
	mb.hold = hold
	mb.mu.Unlock()
	lsn = write(t, a, 9, "k", "2")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := a.InSync(ctx, 9, lsn)
	if !errors.Is(err, ErrBehind) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("b has not applied it: %v", err)
	}
	t.Log(err)
	synced := make(chan error, 1)
	go func() { synced <- a.InSync(within(t), 9, lsn) }()
	close(hold)
	if err := await(t, "InSync", synced); err != nil {
		t.Error(err)
	}
	stop()
}

// TestInSyncFormer: a subscriber that has gone lately counts, also where only a node
// that is no member any more knows of it.
func TestInSyncFormer(t *testing.T) {
	c := newCluster(t, "n1", "n2")
	c.mu.Lock()
	c.nodes["n1"].zone, c.nodes["n2"].zone = "x", "y"
	c.revision++
	c.mu.Unlock()
	a, b := c.client("a", nil), c.client("b", func(cfg *Config) { cfg.Zone = "y" })
	stop := follows(t, b, newMirror(t))
	current(t, b)
	stop()
	lsn := write(t, a, 9, "k", "1")
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		err := a.InSync(ctx, 9, lsn)
		cancel()
		if !errors.Is(err, ErrBehind) || !strings.Contains(err.Error(), "b has 0") {
			t.Errorf("b has gone: %v", err)
		}
		c.remove("n2") // which goes on running
		eventually(t, "the new row", func() bool { return a.Table().Rows[9].Node("n2").IsZero() })
	}
}
