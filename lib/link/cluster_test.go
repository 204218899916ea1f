package link

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain/frame"
	"namecast/lib/private"
)

// limit is how long tests wait for what has to come.
const limit = 30 * time.Second

// A cluster is the authority that tests make members with.
type cluster struct {
	authority *ca.Authority
	made      time.Time
}

func newCluster(t testing.TB) *cluster {
	t.Helper()
	made := time.Now().Add(-100 * 24 * time.Hour)
	a, err := ca.New("c1", made)
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{a, made}
}

// identity makes a member.
func (c *cluster) identity(t testing.TB, role ca.Role, id string, life time.Duration) ca.Identity {
	t.Helper()
	m, err := c.authority.NewIdentity(ca.Request{Name: ca.Name{Cluster: "c1", Role: role, ID: id}, Life: life}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// credentials makes a node and its file.
func (c *cluster) credentials(t testing.TB, id string) *Credentials {
	t.Helper()
	return load(t, c.identity(t, ca.Node, id, 0))
}

func load(t testing.TB, id ca.Identity) *Credentials {
	t.Helper()
	path := t.TempDir() + "/identity"
	if err := private.Save(path, id.Text()); err != nil {
		t.Fatal(err)
	}
	creds, err := Load(path, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	return creds
}

// got is a frame that a member has handled.
type got struct {
	conn *Conn
	frame.Header
	body string
}

// A member is a net with its events.
type member struct {
	*Net
	t      *testing.T
	addr   string
	ups    chan *Conn
	downs  chan error
	frames chan got
	failed chan error
	stop   func() // ends all, and waits
	ctx    context.Context
	all    *sync.WaitGroup
}

// start makes a member, serving on a free port of the loopback interface.
func start(t *testing.T, creds *Credentials, change func(*Config)) *member {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{
		t: t, ctx: ctx, all: new(sync.WaitGroup),
		ups: make(chan *Conn, 1000), downs: make(chan error, 1000),
		frames: make(chan got, 100000), failed: make(chan error, 1000),
	}
	config := Config{
		Credentials: creds, Incarnation: 1,
		Handle: func(c *Conn, f frame.Frame) { m.frames <- got{c, f.Header, string(f.Body)} },
		Up:     func(c *Conn) { m.ups <- c },
		Down:   func(_ *Conn, err error) { m.downs <- err },
		Failed: func(_, _ string, err error) { m.failed <- err },
	}
	if change != nil {
		change(&config)
	}
	m.Net = New(config)
	m.addr = m.listen("127.0.0.1:0")
	m.stop = sync.OnceFunc(func() {
		cancel()
		done := make(chan struct{})
		go func() { m.all.Wait(); close(done) }()
		await(t, "end of all connections", done)
	})
	t.Cleanup(m.stop)
	return m
}

// listen serves on an address.
func (m *member) listen(addr string) string {
	m.t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		m.t.Fatal(err)
	}
	m.all.Go(func() {
		if err := m.Serve(m.ctx, l); err != nil {
			m.t.Error(err)
		}
	})
	return l.Addr().String()
}

// keeps keeps a connection with another member until stop is called.
func (m *member) keeps(class frame.Class, node, addr string) (stop func()) {
	ctx, cancel := context.WithCancel(m.ctx)
	m.all.Go(func() {
		if err := m.Keep(ctx, class, node, addr); !errors.Is(err, context.Canceled) {
			m.t.Errorf("Keep: %v", err)
		}
	})
	return cancel
}

// await takes the next element of a channel.
func await[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(limit):
		buf := make([]byte, 1<<16)
		t.Fatalf("no %s after %s\n%s", what, limit, buf[:runtime.Stack(buf, true)])
		panic("unreachable")
	}
}

// awaitError takes errors until one is the wanted.
func awaitError(t testing.TB, c <-chan error, want error) {
	t.Helper()
	for {
		err := await(t, want.Error(), c)
		if errors.Is(err, want) {
			return
		}
		t.Logf("also: %v", err)
	}
}
