package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/client"
	"namecast/lib/chain/control"
	"namecast/lib/chain/disk"
	"namecast/lib/chain/host"
	"namecast/lib/chain/plan"
	"namecast/lib/chain/replica"
	"namecast/lib/coord"
	"namecast/lib/link"
	"namecast/lib/private"
)

// limit is how long the test waits for anything.
const limit = 90 * time.Second

// A site is a node, whose disk outlasts its processes, and the member of the
// coordinator that is with it.
type site struct {
	name, dir, identity string
	addr, peer, etcd    string
	creds               *link.Credentials
	log                 *slog.Logger

	disk   *disk.Disk
	host   *host.Host
	member *coord.Member
	coord  *coord.Coord
	stop   func()
}

// sites makes nodes that do not run yet, and the credentials of a client.
func sites(t *testing.T, names ...string) ([]*site, *link.Credentials) {
	t.Helper()
	authority, err := ca.New("c1", time.Now().Add(-time.Hour))
	must(t, err)
	issue := func(role ca.Role, id string) (string, *link.Credentials) {
		who, err := authority.NewIdentity(ca.Request{Name: ca.Name{Cluster: "c1", Role: role, ID: id}, Hosts: []string{"127.0.0.1", loopback}}, time.Now())
		must(t, err)
		path := filepath.Join(t.TempDir(), "identity")
		must(t, private.Save(path, who.Text()))
		creds, err := link.Load(path, func(err error) { t.Error(err) })
		must(t, err)
		return path, creds
	}
	out := io.Writer(io.Discard)
	if os.Getenv("STORAGE_LOG") != "" {
		out = os.Stderr
	}
	var all []*site
	for _, name := range names {
		s := &site{name: name, dir: t.TempDir(), addr: free(), log: slog.New(slog.NewTextHandler(out, nil)).With("at", name)}
		s.identity, s.creds = issue(ca.Node, name)
		all = append(all, s)
	}
	_, user := issue(ca.Client, "u1")
	return all, user
}

// loopback is an address of this machine that only this process listens at, and ports
// counts those that were given out. A port of 127.0.0.1 that was found free and let go
// may be the next that anybody is given.
var (
	loopback = fmt.Sprintf("127.%d.%d.%d", 1+rand.N(254), rand.N(256), 1+rand.N(254))
	ports    atomic.Int32
)

// free gives an address that nobody listens at, each time another.
func free() string { return fmt.Sprintf("%s:%d", loopback, 10000+ports.Add(1)) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// until waits for a condition that says nothing any more.
func until(t *testing.T, what string, why func() string) {
	t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(5 * time.Millisecond) {
		w := why()
		if w == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not after %v: %s", what, limit, w)
		}
	}
}

// open opens the disk, to be run with or by itself.
func (s *site) open(t *testing.T, written func(chain.ID, uint64)) {
	t.Helper()
	var err error
	s.disk, err = disk.Open(filepath.Join(s.dir, "chains"), disk.Options{Memory: 64 << 20, Written: written})
	must(t, err)
}

// startAll starts all nodes with a coordinator that knows nothing.
func startAll(t *testing.T, all []*site) {
	t.Helper()
	peers := map[string]string{}
	for _, s := range all {
		s.peer, s.etcd = free(), free()
		peers[s.name] = s.peer
	}
	var starts sync.WaitGroup
	for _, s := range all {
		dir := t.TempDir()
		starts.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			var err error
			s.member, err = coord.StartMember(ctx, coord.MemberConfig{
				Name: s.name, Dir: dir, Peer: s.peer, Client: s.etcd, Peers: peers, Identity: s.identity,
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	starts.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, s := range all {
		s.start(t)
	}
	running := slices.Clone(all)
	t.Cleanup(func() { stopAll(t, running) })
}

// start starts a node's process, so to speak.
func (s *site) start(t *testing.T) {
	t.Helper()
	s.open(t, func(id chain.ID, seq uint64) { s.host.Written(id, seq) })
	var err error
	s.coord, err = coord.Dial(coord.Config{Member: s.member, Identity: s.creds.Identity})
	must(t, err)
	l, err := net.Listen("tcp", s.addr)
	must(t, err)
	s.host, err = host.New(host.Config{
		Name: s.name, Addr: s.addr, Disk: hostDisk{s.disk}, Coordinator: &hosted{Coord: s.coord}, Listener: l,
		Credentials: s.creds, Log: s.log,
	})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	rest, last := context.WithCancel(context.Background())
	var parts, ends sync.WaitGroup
	run := func(group *sync.WaitGroup, part func() error) {
		group.Go(func() {
			if err := part(); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", s.name, err)
			}
		})
	}
	run(&ends, func() error { return s.coord.Run(rest) })
	run(&parts, func() error { return s.host.Run(ctx) })
	run(&parts, func() error {
		return control.Run(ctx, control.Config{Name: s.name, Table: &table{Coord: s.coord}, Fence: s.host.Fence, Log: s.log})
	})
	s.stop = sync.OnceFunc(func() {
		cancel()
		parts.Wait()
		last()
		ends.Wait()
		for _, err := range []error{s.coord.Close(), s.disk.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
	})
}

// stopAll ends all nodes, and the coordinator with all it knows. What has ended stays so.
func stopAll(t *testing.T, all []*site) {
	t.Helper()
	var ends sync.WaitGroup
	for _, s := range all {
		ends.Go(func() {
			s.stop()
			if s.member == nil {
				return
			}
			if err := s.member.Close(); err != nil {
				t.Error(err)
			}
			s.member = nil
		})
	}
	ends.Wait()
}

// whole waits until all chains have so many members, as their nodes run now.
func whole(t *testing.T, s *site, members int) {
	t.Helper()
	until(t, "all chains whole", func() string {
		p := s.coord.Picture()
		if len(p.Rows) == 0 {
			return "there is no table"
		}
		for _, row := range p.Rows {
			if len(row.Members) != members || !row.Recruit.IsZero() {
				return fmt.Sprintf("%+v", row)
			}
			for _, m := range row.Members {
				if n, _ := p.Node(m.Node); n.Inc != m.Inc || !n.Live {
					return fmt.Sprintf("%+v", row)
				}
			}
		}
		return ""
	})
}

// user has a client run until the test ends.
func user(t *testing.T, creds *link.Credentials, all []*site) *client.Client {
	c := client.New(client.Config{Credentials: creds, Addrs: []string{all[0].addr, all[1].addr, all[2].addr}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = c.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return c
}

func put(t *testing.T, c *client.Client, id chain.ID, key, value string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	o, err := c.Propose(ctx, id, chain.Propose{Ops: []chain.Op{{Kind: chain.Put, Key: []byte(key), Value: []byte(value)}}})
	if err != nil || o.Verdict != chain.Applied {
		t.Fatalf("chain %d: %+v, %v", id, o, err)
	}
}

func read(t *testing.T, c *client.Client, id chain.ID, key string) chain.Value {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	r, err := c.Read(ctx, id, chain.Read{Mode: chain.Strong, Keys: [][]byte{[]byte(key)}})
	if err != nil || r.Status != chain.Done {
		t.Fatalf("chain %d: %+v, %v", id, r, err)
	}
	return r.Values[0]
}

// newest is the newest incarnation that each disk knows.
func newest(all []*site) map[string]chain.Incarnation {
	out := map[string]chain.Incarnation{}
	for _, s := range all {
		for _, meta := range s.disk.Held() {
			out[s.name] = max(out[s.name], meta.Inc)
		}
	}
	return out
}

// TestCoordinatorLost: the coordinator loses all it knew, under three nodes with data.
// No number is given out twice, no table is made without the operator, and the one
// that is made with his consent brings everything back. Of one chain there is
// nothing but halves of copies: it begins anew, if he consents to that too.
func TestCoordinatorLost(t *testing.T) {
	const chains, lost = 24, chain.ID(200)
	all, creds := sites(t, "n1", "n2", "n3")
	startAll(t, all)
	whole(t, all[0], 3)
	c := user(t, creds, all)
	for id := range chain.ID(chains) {
		put(t, c, id, "before", fmt.Sprint(id))
	}
	put(t, c, lost, "before", "lost")
	stopAll(t, all)

	for _, s := range all {
		s.open(t, nil)
		s.disk.Write(lost, replica.Batch{Seq: 1, Sync: true, Wipe: true, Meta: &replica.Meta{Inc: 1, Copying: true}})
		must(t, s.disk.Flush())
	}
	known := newest(all)
	for _, s := range all {
		must(t, s.disk.Close())
	}
	startAll(t, all)
	var p *coord.Picture
	until(t, "the nodes registered", func() string {
		p = all[0].coord.Picture()
		for _, s := range all {
			if n, ok := p.Node(s.name); !ok || !n.Live || len(n.Held) != chain.Chains-1 {
				return fmt.Sprintf("%s has %d chains", s.name, len(n.Held))
			}
		}
		return ""
	})
	for _, n := range p.Nodes {
		if n.Inc <= known[n.Name] || known[n.Name] == 0 {
			t.Errorf("%s is incarnation %d again, after %d", n.Name, n.Inc, known[n.Name])
		}
	}
	held := plan.Holdings{}
	for _, n := range p.Nodes {
		held[n.Name] = n.Held
	}
	if rows, found := plan.Recover(cluster(p, 0, 0), held, chain.Chains, plan.Consent{}); len(rows) != chain.Chains-1 ||
		len(found) != 1 || found[0].Kind != plan.Empty || found[0].Chain != lost {
		t.Fatalf("%d rows, found %+v", len(rows), found)
	}
	rows, _ := plan.Recover(cluster(p, 0, 0), held, chain.Chains, plan.Consent{Empty: true})
	if n := len(all[0].coord.Picture().Rows); n != 0 {
		t.Fatalf("there is a table of %d rows already", n)
	}
	must(t, all[1].coord.Rebuild(t.Context(), rows))
	whole(t, all[0], 3)
	for id := range chain.ID(chains) {
		if v := read(t, c, id, "before"); string(v.Data) != fmt.Sprint(id) {
			t.Errorf("chain %d: %q", id, v.Data)
		}
		put(t, c, id, "after", "x")
	}
	if v := read(t, c, lost, "before"); v.Found {
		t.Errorf("chain %d: %q", lost, v.Data)
	}
	put(t, c, lost, "after", "x")
	for _, s := range all {
		if h := s.host.Status().Halts; len(h) > 0 {
			t.Errorf("%s: %+v", s.name, h)
		}
	}
}
