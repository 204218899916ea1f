package coord

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain"
)

// limit is how long a test waits for anything.
const limit = 20 * time.Second

// within gives a context that ends with the test's patience.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// until waits for something to become true.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// single starts a member that is alone.
func single(t testing.TB) *Member {
	t.Helper()
	m, err := StartMember(within(t), MemberConfig{Name: "n1", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// dial makes a Coord that runs until the test ends, and has a picture. Nothing of it
// lapses by itself, however busy the machine is.
func dial(t testing.TB, config Config) *Coord {
	t.Helper()
	return dialFor(t, config, time.Minute)
}

// dialFor is dial with registrations that lapse without renewals.
func dialFor(t testing.TB, config Config, ttl time.Duration) *Coord {
	t.Helper()
	c, err := Dial(config)
	if err != nil {
		t.Fatal(err)
	}
	c.ttl = ttl
	run(t, c)
	until(t, "there is a picture", func() bool { return c.Picture().Revision != 0 })
	return c
}

// run runs a Coord until the test ends.
func run(t testing.TB, c *Coord) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

// register registers a node that lives on this machine.
func register(t testing.TB, c *Coord, name string) *Registration {
	t.Helper()
	var r *Registration
	until(t, "node "+name+" is registered", func() (done bool) {
		var err error
		r, err = c.Register(within(t), Node{Name: name, Addr: "127.0.0.1:1", Zone: "z-" + name, Pin: "pin-" + name})
		if err != nil && !errors.Is(err, ErrUnavailable) {
			t.Fatal(err)
		}
		return err == nil
	})
	return r
}

// campaign has a controller elected until the test ends.
func campaign(t testing.TB, c *Coord, name string) *Term {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	timer := time.AfterFunc(limit, cancel)
	term, err := c.Campaign(ctx, name)
	timer.Stop()
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		<-term.ended
	})
	return term
}

// table is a first chain table on some nodes.
func table(inc chain.Incarnation, nodes ...string) []chain.Row {
	rows := make([]chain.Row, chain.Chains)
	for i := range rows {
		rows[i] = chain.Row{Chain: chain.ID(i), Epoch: 1}
		for _, n := range nodes {
			rows[i].Members = append(rows[i].Members, chain.Member{Node: n, Inc: inc})
		}
	}
	return rows
}

// A cluster makes identities.
type cluster struct {
	dir       string
	authority *ca.Authority
}

func newCluster(t testing.TB, name string) *cluster {
	t.Helper()
	a, err := ca.New(name, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{t.TempDir(), a}
}

// identity makes one, and its file.
func (c *cluster) identity(t testing.TB, role ca.Role, id string) (string, func() ca.Identity) {
	t.Helper()
	name := ca.Name{Cluster: c.authority.Cluster(), Role: role, ID: id}
	one, err := c.authority.NewIdentity(ca.Request{Name: name, Hosts: []string{"127.0.0.1", loopback}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(c.dir, id+".identity")
	if err := os.WriteFile(path, []byte(one.Text()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, func() ca.Identity { return one }
}

// member is the configuration of a member with addresses.
func (c *cluster) member(t testing.TB, name string) MemberConfig {
	t.Helper()
	path, _ := c.identity(t, ca.Node, name)
	return MemberConfig{Name: name, Dir: t.TempDir(), Peer: free(t), Client: free(t), Identity: path}
}

// start starts a member; the test ends it.
func start(t testing.TB, config MemberConfig) *Member {
	t.Helper()
	m, err := StartMember(within(t), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// loopback is an address of this machine that only this process listens at, and ports
// counts those that were given out. A port of 127.0.0.1 that was found free and let go
// may be the next that anybody is given.
var (
	loopback = fmt.Sprintf("127.%d.%d.%d", 1+rand.N(254), rand.N(256), 1+rand.N(254))
	ports    atomic.Int32
)

// free gives an address that nobody listens at, each time another.
func free(testing.TB) string { return fmt.Sprintf("%s:%d", loopback, 10000+ports.Add(1)) }

// is fails the test unless an error is the one wanted.
func is(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
