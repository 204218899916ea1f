package craq

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/client"
	"namecast/lib/chain/disk"
	"namecast/lib/chain/host"
	"namecast/lib/chain/plan"
	"namecast/lib/chain/replica"
	"namecast/lib/link"
	"namecast/lib/private"
)

// nodes are real nodes of the storage, in this process, with a coordinator in
// memory that never changes its mind.
type nodes struct {
	t         testing.TB
	authority *ca.Authority
	log       *slog.Logger
	addrs     []string
	clients   int

	mu      sync.Mutex
	picture *host.Picture
	changed chan struct{}
	heard   map[string]chain.Incarnation
}

func newNodes(t testing.TB, n int, o replica.Options) *nodes {
	t.Helper()
	authority, err := ca.New("test", time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	out := io.Discard
	if os.Getenv("CRAQ_LOG") != "" {
		out = os.Stderr
	}
	c := &nodes{
		t: t, authority: authority, log: slog.New(slog.NewTextHandler(out, nil)),
		picture: &host.Picture{}, changed: make(chan struct{}), heard: map[string]chain.Incarnation{},
	}
	for i := range n {
		c.start(fmt.Sprintf("n%d", i), o)
	}
	for {
		changed := c.Changed() // before the picture is looked at: no change is missed
		if len(c.Picture().Nodes) == n {
			break
		}
		<-changed
	}
	plans := &plan.Cluster{Replicas: n}
	for name, inc := range c.heard {
		plans.Nodes = append(plans.Nodes, plan.Node{Name: name, Zone: name, Inc: inc, Live: true})
	}
	rows, ok := plan.Create(plans, chain.Chains)
	if !ok {
		t.Fatal("no table")
	}
	c.change(func(p *host.Picture) { p.Rows = rows })
	return c
}

func (c *nodes) credentials(role ca.Role, id string) *link.Credentials {
	c.t.Helper()
	who, err := c.authority.NewIdentity(ca.Request{Name: ca.Name{Cluster: "test", Role: role, ID: id}}, time.Now())
	if err != nil {
		c.t.Fatal(err)
	}
	path := filepath.Join(c.t.TempDir(), "identity")
	if err := private.Save(path, who.Text()); err != nil {
		c.t.Fatal(err)
	}
	l, err := link.Load(path, func(err error) { c.t.Error(err) })
	if err != nil {
		c.t.Fatal(err)
	}
	return l
}

// start runs a node until the test's end.
func (c *nodes) start(name string, o replica.Options) {
	c.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	var h *host.Host
	d, err := disk.Open(filepath.Join(c.t.TempDir(), "db"), disk.Options{
		Memory: 64 << 20, Written: func(id chain.ID, seq uint64) { h.Written(id, seq) },
	})
	if err != nil {
		c.t.Fatal(err)
	}
	h, err = host.New(host.Config{
		Name: name, Addr: l.Addr().String(), Zone: name, Disk: hostDisk{d}, Coordinator: c, Listener: l,
		Credentials: c.credentials(ca.Node, name), Log: c.log, Replica: o,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.addrs = append(c.addrs, l.Addr().String())
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	c.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			c.t.Errorf("%s: %v", name, err)
		}
		if err := d.Close(); err != nil {
			c.t.Error(err)
		}
	})
}

type hostDisk struct{ *disk.Disk }

func (d hostDisk) Storage(id chain.ID) host.Storage { return d.Disk.Storage(id) }

// client gives a client of the storage, which runs until the test's end.
func (c *nodes) client() *client.Client {
	c.clients++
	k := client.New(client.Config{Credentials: c.credentials(ca.Client, fmt.Sprintf("c%d", c.clients)), Addrs: c.addrs, Log: c.log})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := k.Run(ctx); err != nil && ctx.Err() == nil {
			c.t.Error(err)
		}
	}()
	c.t.Cleanup(func() { stop(); <-done })
	return k
}

func (c *nodes) change(f func(p *host.Picture)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := *c.picture
	p.Nodes = append([]host.Node(nil), p.Nodes...)
	f(&p)
	p.Revision++
	c.picture = &p
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *nodes) Picture() *host.Picture {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.picture
}

func (c *nodes) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

func (c *nodes) Register(_ context.Context, n host.Node) (host.Registration, error) {
	c.change(func(p *host.Picture) {
		c.heard[n.Name]++
		n.Live, n.Held = true, nil
		p.Nodes = append(p.Nodes, n)
	})
	return registered{}, nil
}

func (c *nodes) Report(context.Context, chain.ID, replica.Report) error { return nil }

type registered struct{}

func (registered) Inc() chain.Incarnation                 { return 1 }
func (registered) Lease() time.Duration                   { return 5 * time.Second }
func (registered) Renew(context.Context) (bool, error)    { return true, nil }
func (registered) Silent(context.Context, []string) error { return nil }
func (registered) End(context.Context) error              { return nil }
