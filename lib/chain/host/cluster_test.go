package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/disk"
	"namecast/lib/chain/replica"
	"namecast/lib/clock"
	"namecast/lib/link"
	"namecast/lib/private"
)

const (
	limit = 60 * time.Second // that tests wait for what has to come
	lease = 600 * time.Millisecond
)

// A cluster is nodes in this process, with a coordinator and a controller.
type cluster struct {
	t         testing.TB
	authority *ca.Authority
	coord     *coordinator
	nodes     map[string]*node
	log       *slog.Logger
	options   replica.Options
}

func newCluster(t testing.TB, replicas int, names ...string) *cluster {
	t.Helper()
	a, err := ca.New("c1", time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	out := io.Writer(io.Discard)
	if os.Getenv("HOST_LOG") != "" {
		out = os.Stderr
	}
	c := &cluster{
		t: t, authority: a, nodes: map[string]*node{},
		log: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	c.coord = newCoordinator(c, replicas)
	for _, name := range names {
		c.add(name)
	}
	return c
}

func (c *cluster) credentials(role ca.Role, id string) *link.Credentials {
	c.t.Helper()
	who, err := c.authority.NewIdentity(ca.Request{Name: ca.Name{Cluster: "c1", Role: role, ID: id}}, time.Now())
	if err != nil {
		c.t.Fatal(err)
	}
	path := c.t.TempDir() + "/identity"
	if err := private.Save(path, who.Text()); err != nil {
		c.t.Fatal(err)
	}
	creds, err := link.Load(path, func(err error) { c.t.Error(err) })
	if err != nil {
		c.t.Fatal(err)
	}
	return creds
}

// A node is a host with its folder, which outlasts it.
type node struct {
	*Host
	c     *cluster
	name  string
	dir   string
	addr  string
	creds *link.Credentials
	disk  *tap
	fence atomic.Pointer[Host] // the host as who controls sees it, from a goroutine of its own
	view  *view
	stop  context.CancelFunc
	done  chan struct{}
	err   error
}

// add makes a node, and starts it.
func (c *cluster) add(name string) *node {
	c.t.Helper()
	n := &node{c: c, name: name, dir: c.t.TempDir() + "/db", creds: c.credentials(ca.Node, name), addr: "127.0.0.1:0"}
	c.nodes[name] = n
	n.start()
	c.t.Cleanup(func() { n.end() })
	return n
}

// start starts the node's process, so to speak.
func (n *node) start() {
	t := n.c.t
	t.Helper()
	l, err := net.Listen("tcp", n.addr)
	if err != nil {
		t.Fatal(err)
	}
	n.addr = l.Addr().String()
	d, err := disk.Open(n.dir, disk.Options{Memory: 48 << 20, Written: func(id chain.ID, seq uint64) { n.Host.Written(id, seq) }})
	if err != nil {
		t.Fatal(err)
	}
	n.disk = &tap{Disk: d, failed: make(chan struct{})}
	n.view = &view{c: n.c.coord, name: n.name}
	n.Host, err = New(Config{
		Name: n.name, Addr: n.addr, Zone: "z" + n.name, Disk: n.disk, Coordinator: n.view, Listener: l,
		Credentials: n.creds, Log: n.c.log, Replica: n.c.options,
	})
	if err != nil {
		t.Fatal(err)
	}
	n.fence.Store(n.Host)
	ctx, stop := context.WithCancel(context.Background())
	n.stop, n.done = stop, make(chan struct{})
	go func() {
		defer close(n.done)
		n.err = n.Run(ctx)
	}()
}

// end ends the node as a signal to terminate does. It can be started again.
func (n *node) end() {
	n.c.t.Helper()
	n.stop()
	await(n.c.t, "end of node "+n.name, n.done)
	if err := n.disk.Disk.Close(); err != nil {
		n.c.t.Error(err)
	}
}

// kill ends the node without a word to the coordinator.
func (n *node) kill() {
	n.c.t.Helper()
	n.view.cut(true)
	n.end()
}

// chain is how the node stands in a chain; zero while it is not registered.
func (n *node) chain(id chain.ID) ChainStatus {
	if all := n.Status().Chains; all != nil {
		return all[id]
	}
	return ChainStatus{}
}

// A tap is a disk that can fail.
type tap struct {
	*disk.Disk
	once   sync.Once
	failed chan struct{}
	broken brokenDisk
}

type brokenDisk struct {
	mu  sync.Mutex
	err error // of reading
}

var errBroken = errors.New("the disk is broken")

func (d *tap) Storage(id chain.ID) Storage { return &tapped{d.Disk.Storage(id), d} }

func (d *tap) Failed() <-chan struct{} { return d.failed }

func (d *tap) Err() error { return errBroken }

func (d *tap) Flush() error {
	select {
	case <-d.failed:
		return errBroken
	default:
		return d.Disk.Flush()
	}
}

func (d *tap) breakWrites() { d.once.Do(func() { close(d.failed) }) }

func (d *tap) breakReads() {
	d.broken.mu.Lock()
	defer d.broken.mu.Unlock()
	d.broken.err = errBroken
}

type tapped struct {
	*disk.Storage
	tap *tap
}

func (s *tapped) Err() error {
	s.tap.broken.mu.Lock()
	defer s.tap.broken.mu.Unlock()
	if s.tap.broken.err != nil {
		return s.tap.broken.err
	}
	return s.Storage.Err()
}

// until waits for a condition.
func (c *cluster) until(what string, is func() bool) {
	c.t.Helper()
	for end := clock.Boot() + limit; !is(); {
		if clock.Boot() > end {
			buf := make([]byte, 1<<18)
			c.t.Fatalf("%s: not after %v\n%s\n%s", what, limit, c.tell(), buf[:runtime.Stack(buf, os.Getenv("HOST_STACK") != "")])
		}
		clock.Sleep(context.Background(), 2*time.Millisecond)
	}
}

// tell says how the cluster stands.
func (c *cluster) tell() string {
	s := ""
	for _, n := range c.nodes {
		st := n.Status()
		s += fmt.Sprintf("%s#%d lease %v", n.name, st.Incarnation, st.Lease)
		for i, x := range st.Chains {
			if i == 0 || x.Why != "" && len(s) < 4000 {
				s += fmt.Sprintf(" [%d %s epoch %d of %v, recruit %v: %d/%d/%d %q]", i, x.Role, x.Epoch, x.Members, x.Recruit, x.Last, x.Durable, x.Committed, x.Why)
			}
		}
		s += "\n"
	}
	return s
}

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
