package client

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/replica"
	"namecast/lib/link"
	"namecast/lib/private"
)

// limit is how long tests wait for what has to come.
const limit = 30 * time.Second

// A cluster is nodes that serve in this process over real connections, with the
// chain table kept by hand. Its controller takes dead nodes out of rows and promotes
// recruits; the disks are in memory and outlive the nodes' lives.
type cluster struct {
	t         testing.TB
	authority *ca.Authority
	replicas  int

	mu       sync.Mutex
	revision uint64
	rows     []chain.Row
	nodes    map[string]*node
}

func newCluster(t testing.TB, names ...string) *cluster {
	t.Helper()
	return newClusterOf(t, replica.Options{}, names...)
}

func newClusterOf(t testing.TB, opt replica.Options, names ...string) *cluster {
	t.Helper()
	a, err := ca.New("c1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, authority: a, revision: 1, nodes: map[string]*node{}, replicas: len(names)}
	for _, name := range names {
		c.add(name).opt = opt
	}
	for id := range chain.Chains {
		row := chain.Row{Chain: chain.ID(id), Epoch: 1}
		for i := range names {
			name := names[(id+i)%len(names)]
			row.Members = append(row.Members, chain.Member{Node: name, Inc: 1})
		}
		c.rows = append(c.rows, row)
	}
	for _, name := range names {
		c.nodes[name].start()
	}
	return c
}

// add makes a node, which has an address and does not run yet.
func (c *cluster) add(name string) *node {
	n := newNode(c, name)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[name] = n
	c.revision++
	return n
}

// credentials makes a member and its file.
func (c *cluster) credentials(role ca.Role, id string) *link.Credentials {
	c.t.Helper()
	m, err := c.authority.NewIdentity(ca.Request{Name: ca.Name{Cluster: "c1", Role: role, ID: id}}, time.Now())
	if err != nil {
		c.t.Fatal(err)
	}
	path := c.t.TempDir() + "/identity"
	if err := private.Save(path, m.Text()); err != nil {
		c.t.Fatal(err)
	}
	creds, err := link.Load(path, func(err error) { c.t.Error(err) })
	if err != nil {
		c.t.Fatal(err)
	}
	return creds
}

// client makes a client that runs as long as the test.
func (c *cluster) client(name string, change func(*Config)) *Client {
	c.t.Helper()
	config := Config{Credentials: c.credentials(ca.Client, name)}
	for _, node := range c.names() {
		config.Addrs = append(config.Addrs, c.nodes[node].addr)
	}
	if change != nil {
		change(&config)
	}
	k := New(config)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	c.t.Cleanup(func() {
		cancel()
		await(c.t, "end of Run", ended)
	})
	return k
}

func (c *cluster) names() []string {
	var names []string
	for name := range c.nodes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// table is what nodes answer.
func (c *cluster) table() chain.Table {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := chain.Table{Revision: c.revision, Rows: slices.Clone(c.rows)}
	for _, name := range c.names() {
		n := c.nodes[name]
		t.Sites = append(t.Sites, chain.Site{Node: name, Addr: n.addr, Zone: n.zone, Live: n.running()})
	}
	return t
}

// change publishes new rows for the chains of which now gives another.
func (c *cluster) change(now func(chain.Row) (chain.Row, bool)) {
	c.mu.Lock()
	var changed []chain.Row
	for id := range c.rows {
		row, ok := now(c.rows[id])
		if !ok {
			continue
		}
		row.Epoch = c.rows[id].Epoch + 1
		c.rows[id] = row
		changed = append(changed, row)
	}
	c.revision++
	var running []*node
	for _, n := range c.nodes {
		if n.running() {
			running = append(running, n)
		}
	}
	c.mu.Unlock()
	for _, n := range running {
		n.configure(changed)
	}
}

// mesh tells all nodes where the others are.
func (c *cluster) mesh() {
	c.mu.Lock()
	defer c.mu.Unlock()
	where := map[string]string{}
	for name, n := range c.nodes {
		where[name] = n.addr
	}
	for _, n := range c.nodes {
		if n.running() {
			n.life.mesh.Set(where)
		}
	}
}

// remove takes a dead node out of all rows that have another member.
func (c *cluster) remove(name string) {
	c.change(func(row chain.Row) (chain.Row, bool) {
		keep := slices.DeleteFunc(slices.Clone(row.Members), func(m chain.Member) bool { return m.Node == name })
		changed := len(keep) < len(row.Members) && len(keep) > 0
		if changed {
			row.Members = keep
		}
		if row.Recruit.Node == name {
			row.Recruit, changed = chain.Member{}, true
		}
		return row, changed
	})
}

// recruit puts a running node behind the tail of all chains that it is not in; its
// tails report when it is to be promoted.
func (c *cluster) recruit(name string) {
	m := c.nodes[name].self()
	c.change(func(row chain.Row) (chain.Row, bool) {
		if row.Node(name).IsZero() && row.Recruit.IsZero() {
			row.Recruit = m
			return row, true
		}
		return row, false
	})
}

// promote makes a recruit the tail.
func (c *cluster) promote(id chain.ID, epoch chain.Epoch, m chain.Member) {
	c.change(func(row chain.Row) (chain.Row, bool) {
		if row.Chain != id || row.Epoch != epoch || row.Recruit != m {
			return row, false
		}
		row.Members = append(slices.Clone(row.Members), m)
		row.Recruit = chain.Member{}
		return row, true
	})
}

// full waits until all chains have as many members as there are to be.
func (c *cluster) full() {
	c.t.Helper()
	eventually(c.t, "promotion of all recruits", func() bool {
		for _, row := range c.table().Rows {
			if len(row.Members) < c.replicas {
				return false
			}
		}
		return true
	})
}

func listen(t testing.TB, addr string) net.Listener {
	t.Helper()
	for deadline := time.Now().Add(limit); ; runtime.Gosched() {
		l, err := net.Listen("tcp", addr)
		if err == nil {
			return l
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// await takes the next element of a channel.
func await[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(limit):
		buf := make([]byte, 1<<18)
		t.Fatalf("no %s after %s\n%s", what, limit, buf[:runtime.Stack(buf, true)])
		panic("unreachable")
	}
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("no %s after %s", what, limit)
		}
	}
}

// ctx is a context that ends when a test has waited too long.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func put(key, value string) []chain.Op {
	return []chain.Op{{Kind: chain.Put, Key: []byte(key), Value: []byte(value)}}
}

// write writes a key, and tells its version.
func write(t testing.TB, k *Client, id chain.ID, key, value string) chain.LSN {
	t.Helper()
	o, err := k.Propose(within(t), id, chain.Propose{Request: NewRequest(), Ops: put(key, value)})
	if err != nil || o.Verdict != chain.Applied {
		t.Fatalf("write of %s: %+v, %v", key, o, err)
	}
	return o.LSN
}

// read reads a key with a strong read.
func read(t testing.TB, k *Client, id chain.ID, key string) string {
	t.Helper()
	r, err := k.Read(within(t), id, chain.Read{Mode: chain.Strong, Keys: [][]byte{[]byte(key)}})
	if err != nil {
		t.Fatalf("read of %s: %v", key, err)
	}
	if !r.Values[0].Found {
		return "(none)"
	}
	return string(r.Values[0].Data)
}

func key(i int) string { return fmt.Sprintf("key %03d", i) }
