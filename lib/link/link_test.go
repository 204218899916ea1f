package link

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/clock"
)

// two gives members n1, which dials, and n2, connected.
func two(t *testing.T, c *cluster, change func(*Config)) (n1, n2 *member, from1, from2 *Conn) {
	t.Helper()
	n1, n2 = start(t, c.credentials(t, "n1"), change), start(t, c.credentials(t, "n2"), change)
	n1.keeps(frame.ClassChain, "n2", n2.addr)
	return n1, n2, await(t, "connection", n1.ups), await(t, "connection", n2.ups)
}

// TestTalk: both sides know who the other is, and messages go both ways.
func TestTalk(t *testing.T) {
	c := newCluster(t)
	n1, n2, from1, from2 := two(t, c, func(cfg *Config) {
		cfg.Incarnation = chain.Incarnation(cfg.Credentials.Identity().Name.ID[1]) // '1' or '2'
		cfg.Features = 0b0110
	})
	p := from1.Peer
	if p.Name.String() != "nc://c1/node/n2" || !p.Dialed || p.Incarnation != '2' || p.Class != frame.ClassChain ||
		p.Version != frame.NewestVersion || p.Features != 0b0110 || p.Addr != n2.addr || p.Pin != n2.config.Credentials.Identity().Pin() {
		t.Errorf("n1 sees %+v", p)
	}
	if p := from2.Peer; p.Name.ID != "n1" || p.Dialed || p.Incarnation != '1' || p.Member() != (chain.Member{Node: "n1", Inc: '1'}) {
		t.Errorf("n2 sees %+v", p)
	}
	if n1.Conn(frame.ClassChain, "n2") != from1 || n2.Conn(frame.ClassChain, "n1") != from2 || n1.Conn(frame.ClassFeed, "n2") != nil {
		t.Error("the connections are not in their places")
	}
	want := chain.Envelope{Chain: 3, Epoch: 4, From: p.Member(), Body: chain.Ack{Last: 5}}
	if err := n2.Send("n1", want); err != nil {
		t.Fatal(err)
	}
	f := await(t, "message", n1.frames)
	e, err := frame.ParseMessage(frame.Frame{Header: f.Header, Body: []byte(f.body)}, f.conn.Peer.Member())
	if err != nil || e != want {
		t.Errorf("%+v, %v, want %+v", e, err, want)
	}
	if err := n1.Send("n2", want); err != nil {
		t.Fatal(err)
	}
	await(t, "message", n2.frames)
	if err := n1.Send("n3", want); !errors.Is(err, ErrDown) {
		t.Errorf("to nobody: %v", err)
	}
	for deadline := time.Now().Add(limit); from1.Stats().Queued > 0 && time.Now().Before(deadline); {
		clock.Sleep(t.Context(), time.Millisecond)
	}
	if s := from1.Stats(); s.FramesIn == 0 || s.FramesOut == 0 || s.OctetsIn == 0 || s.OctetsOut == 0 || s.Queued+int(s.Overflows) != 0 {
		t.Errorf("stats %+v", s)
	}
}

// TestOrder: what many goroutines send arrives, each's in its order.
func TestOrder(t *testing.T) {
	_, n2, from1, _ := two(t, newCluster(t), nil)
	const senders, each = 4, 2000
	var all sync.WaitGroup
	for s := range senders {
		all.Go(func() {
			for i := range each {
				if err := from1.SendFrame(frame.Header{Type: frame.TypeAck, Stream: uint64(i), Epoch: uint64(s)}, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	var next [senders]uint64
	for range senders * each {
		f := await(t, "frame", n2.frames)
		if f.Stream != next[f.Epoch] {
			t.Fatalf("sender %d: frame %d, want %d", f.Epoch, f.Stream, next[f.Epoch])
		}
		next[f.Epoch]++
	}
}

// TestUnwanted: who does not get a connection, and that both sides say why.
func TestUnwanted(t *testing.T) {
	c, twin := newCluster(t), newCluster(t)
	n2 := start(t, c.credentials(t, "n2"), func(cfg *Config) {
		cfg.Admit = func(p Peer) error {
			if p.Name.ID == "n0" {
				return errors.New("it was removed")
			}
			return nil
		}
	})
	client := load(t, c.identity(t, ca.Client, "n1", 0))
	for _, x := range []struct {
		name       string
		creds      *Credentials
		class      frame.Class
		node       string
		change     func(*Config)
		here       error
		reason     string // that it reads
		there      error  // that n2 has
		thereKnows bool
	}{
		{"another cluster", twin.credentials(t, "n1"), frame.ClassChain, "n2", nil, ca.ErrPeer, "", nil, false},
		{"another node than it wants", c.credentials(t, "n1"), frame.ClassChain, "n3", nil, ErrRefused, "nc://c1/node/n2", nil, false},
		{"a node that is not admitted", c.credentials(t, "n0"), frame.ClassChain, "n2", nil, nil, "it was removed", ErrRefused, true},
		{"a class that is none", client, 9, "n2", nil, nil, "class 9", ErrRefused, true},
		{"a missing feature", c.credentials(t, "n1"), frame.ClassChain, "n2",
			func(cfg *Config) { cfg.Features, cfg.Required = 1, 1 }, nil, "feature", frame.ErrFeature, true},
	} {
		m := start(t, x.creds, x.change)
		stop := m.keeps(x.class, x.node, n2.addr)
		err := await(t, x.name, m.failed)
		stop()
		if x.here != nil && !errors.Is(err, x.here) || !strings.Contains(err.Error(), x.reason) {
			t.Errorf("%s: here: %v", x.name, err)
		}
		var bye frame.Bye
		if x.thereKnows && (!errors.As(err, &bye) || bye.Code != frame.ByeRefused) {
			t.Errorf("%s: here: %v", x.name, err)
		}
		if x.there != nil {
			awaitError(t, n2.failed, x.there)
		}
		m.stop()
	}
	if len(n2.ups) > 0 {
		t.Error("n2 has a connection")
	}
}

// TestKeepRefuses: what is never dialled.
func TestKeepRefuses(t *testing.T) {
	c := newCluster(t)
	n1, client := start(t, c.credentials(t, "n1"), nil), start(t, load(t, c.identity(t, ca.Client, "a", 0)), nil)
	if err := n1.Keep(t.Context(), frame.ClassChain, "n0", "127.0.0.1:1"); !errors.Is(err, ErrRefused) {
		t.Errorf("the lower of two nodes: %v", err)
	}
	if err := client.Keep(t.Context(), frame.ClassChain, "n1", n1.addr); !errors.Is(err, ErrRefused) {
		t.Errorf("a client: %v", err)
	}
	client.keeps(frame.ClassFeed, "n1", n1.addr)
	await(t, "connection", client.ups)
	if err := client.Keep(t.Context(), frame.ClassFeed, "n1", n1.addr); !errors.Is(err, ErrKept) {
		t.Errorf("twice: %v", err)
	}
	if p := await(t, "connection", n1.ups).Peer; p.Name.Role != ca.Client || !p.Member().IsZero() {
		t.Errorf("n1 sees %+v", p)
	}
}

// TestWrongDirection: a node that dials although it is the other's to dial is
// refused by the other.
func TestWrongDirection(t *testing.T) {
	c := newCluster(t)
	n1 := start(t, c.credentials(t, "n1"), nil)
	p := shake(t, c, "n2", n1.addr, frame.Handshake{Class: frame.ClassChain, Incarnation: 1})
	if bye := p.bye(); bye.Code != frame.ByeRefused {
		t.Errorf("%v", bye)
	}
	awaitError(t, n1.failed, ErrRefused)
}

// TestMesh: all nodes find each other, also when one moves, and lose one that is
// taken out.
func TestMesh(t *testing.T) {
	c := newCluster(t)
	ids := []string{"n1", "n2", "n3"}
	members, meshes, where := map[string]*member{}, map[string]*Mesh{}, map[string]string{}
	for _, id := range ids {
		members[id] = start(t, c.credentials(t, id), nil)
		where[id] = members[id].addr
	}
	for _, id := range ids {
		m := members[id]
		meshes[id] = m.NewMesh(m.ctx)
		m.all.Go(meshes[id].Wait)
		meshes[id].Set(where)
	}
	for _, id := range ids {
		await(t, "connection", members[id].ups)
		await(t, "connection", members[id].ups)
	}
	where["n3"] = members["n3"].listen("127.0.0.1:0")
	for _, id := range ids {
		meshes[id].Set(where)
	}
	for range 2 {
		if p := await(t, "connection", members["n3"].ups).Peer; p.Dialed {
			t.Errorf("n3 sees %+v", p)
		}
	}
	if c := await(t, "connection", members["n1"].ups); c.Peer.Addr != where["n3"] {
		t.Errorf("n1 sees %+v, want %s", c.Peer, where["n3"])
	}
	delete(where, "n3")
	for _, id := range ids[:2] {
		meshes[id].Set(where)
		for deadline := time.Now().Add(limit); members[id].Conn(frame.ClassChain, "n3") != nil; {
			if time.Now().After(deadline) {
				t.Fatalf("%s is still connected with n3", id)
			}
			clock.Sleep(t.Context(), time.Millisecond)
		}
	}
	if members["n1"].Conn(frame.ClassChain, "n2") == nil {
		t.Error("n1 and n2 are not connected any more")
	}
}

// TestNothingIsLeft: no goroutine outlives the calls that started it.
func TestNothingIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	n1, n2, _, _ := two(t, newCluster(t), nil)
	n1.keeps(frame.ClassFeed, "n2", n2.addr)
	n1.keeps(frame.ClassClient, "n3", n2.addr) // in vain
	await(t, "connection", n2.ups)
	await(t, "failure", n1.failed)
	n2.stop()
	n1.stop()
	for deadline := time.Now().Add(limit); runtime.NumGoroutine() > before; clock.Sleep(t.Context(), time.Millisecond) {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

func TestBackoff(t *testing.T) {
	b := backoff{first: 20 * time.Millisecond, most: 100 * time.Millisecond}
	for i, x := range []struct {
		lived  time.Duration
		random float64
		want   time.Duration
	}{
		{0, 0, 10 * time.Millisecond}, {0, 1, 40 * time.Millisecond}, {0, 0.5, 60 * time.Millisecond},
		{0, 1, 100 * time.Millisecond}, {100 * time.Millisecond, 0, 50 * time.Millisecond},
		{201 * time.Millisecond, 0, 10 * time.Millisecond}, {0, 0, 20 * time.Millisecond},
	} {
		if got := b.next(x.lived, x.random); got != x.want {
			t.Errorf("step %d: %s, want %s", i, got, x.want)
		}
	}
}

// keepsAt keeps a connection with whatever is at an address until stop is called,
// which waits for its end.
func (m *member) keepsAt(addr string) (stop func()) {
	ctx, cancel := context.WithCancel(m.ctx)
	done := make(chan struct{})
	m.all.Go(func() {
		defer close(done)
		if err := m.KeepAt(ctx, frame.ClassClient, addr); !errors.Is(err, context.Canceled) {
			m.t.Errorf("KeepAt: %v", err)
		}
	})
	return func() { cancel(); await(m.t, "end of KeepAt", done) }
}

// TestKeepAt: the certificate tells which node is at an address, each time anew;
// a connection that is kept with the same node is left alone.
func TestKeepAt(t *testing.T) {
	c := newCluster(t)
	n1, n2 := start(t, c.credentials(t, "n1"), nil), start(t, c.credentials(t, "n2"), nil)
	client := start(t, load(t, c.identity(t, ca.Client, "a", 0)), nil)
	if err := client.KeepAt(t.Context(), frame.ClassChain, n1.addr); !errors.Is(err, ErrRefused) {
		t.Errorf("for class chain: %v", err)
	}
	stop := client.keepsAt(n1.addr)
	first := await(t, "connection", client.ups)
	if first.Peer.Name.ID != "n1" || client.Conn(frame.ClassClient, "n1") != first {
		t.Errorf("the client sees %+v", first.Peer)
	}
	if err := client.Keep(t.Context(), frame.ClassClient, "n1", n1.addr); !errors.Is(err, ErrKept) {
		t.Errorf("by name too: %v", err)
	}
	other := n1.listen("127.0.0.1:0")
	stopOther := client.keepsAt(other)
	awaitError(t, client.failed, ErrKept)
	if client.Conn(frame.ClassClient, "n1") != first || len(client.downs) > 0 {
		t.Error("the connection with n1 has ended")
	}
	stopOther()
	n1.stop()
	await(t, "end", client.downs)
	n2.listen(n1.addr)
	if p := await(t, "connection", client.ups).Peer; p.Name.ID != "n2" {
		t.Errorf("the client sees %+v", p)
	}
	stop()
	await(t, "end", client.downs)
	client.keeps(frame.ClassClient, "n2", n2.addr)
	await(t, "connection", client.ups)
}
