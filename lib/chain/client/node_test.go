package client

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/chain/internal/memory"
	"namecast/lib/chain/replica"
	"namecast/lib/clock"
	"namecast/lib/link"
)

// A node runs a replica of every chain in one goroutine.
type node struct {
	c     *cluster
	name  string
	addr  string
	zone  string
	creds *link.Credentials
	disks []*memory.Storage
	opt   replica.Options
	// swallow says which replies to clients get lost; frozen is a table that it
	// answers with in place of the cluster's.
	swallow atomic.Pointer[func(chain.Message) bool]
	frozen  atomic.Pointer[chain.Table]

	life *life // nil while it does not run
}

// A life is one incarnation of a node.
type life struct {
	n      *node
	self   chain.Member
	net    *link.Net
	mesh   *link.Mesh
	reps   []*replica.Replica
	inputs chan func()
	stop   context.CancelFunc
	all    sync.WaitGroup

	paused  sync.Mutex // held while it does nothing
	clients map[uint64]*link.Conn
	numbers map[*link.Conn]uint64
	last    uint64
	wrote   []func()
	gone    map[string]map[chain.ID]chain.Subscriber
}

func newNode(c *cluster, name string) *node {
	n := &node{c: c, name: name, creds: c.credentials(ca.Node, name)}
	l := listen(c.t, "127.0.0.1:0")
	n.addr = l.Addr().String()
	l.Close()
	for range chain.Chains {
		n.disks = append(n.disks, memory.New())
	}
	c.t.Cleanup(n.kill)
	return n
}

// running and self are called with c.mu locked, or while nothing changes.
func (n *node) running() bool      { return n.life != nil }
func (n *node) self() chain.Member { return n.life.self }

// start starts the next incarnation.
func (n *node) start() {
	inc := chain.Incarnation(1)
	for _, d := range n.disks {
		inc = max(inc, d.Meta().Inc+1)
	}
	ctx, stop := context.WithCancel(context.Background())
	l := &life{
		n: n, self: chain.Member{Node: n.name, Inc: inc}, stop: stop, inputs: make(chan func(), 4096),
		clients: map[uint64]*link.Conn{}, numbers: map[*link.Conn]uint64{},
		gone: map[string]map[chain.ID]chain.Subscriber{},
	}
	l.net = link.New(link.Config{
		Credentials: n.creds, Incarnation: inc,
		Handle: func(c *link.Conn, f frame.Frame) { l.handle(ctx, c, f) },
		Up:     func(c *link.Conn) { l.put(ctx, func() { l.up(c) }) },
		Down:   func(c *link.Conn, _ error) { l.put(ctx, func() { l.down(c) }) },
		Failed: func(string, string, error) {},
	})
	l.boot()
	l.mesh = l.net.NewMesh(ctx)
	listener := listen(n.c.t, n.addr)
	n.c.mu.Lock()
	n.life = l
	n.c.revision++
	rows := slices.Clone(n.c.rows)
	n.c.mu.Unlock()
	l.all.Go(func() { l.net.Serve(ctx, listener) })
	l.all.Go(l.mesh.Wait)
	l.all.Go(func() { l.loop(ctx) })
	n.c.mesh()
	l.put(ctx, func() {
		for id := range l.reps {
			l.step(chain.ID(id), replica.Lease{Until: 1 << 62})
		}
	})
	n.configure(rows)
}

// boot makes the replicas.
func (l *life) boot() {
	opt := l.n.opt
	opt.Self = l.self
	for _, d := range l.n.disks {
		l.reps = append(l.reps, replica.New(opt, d))
	}
}

// kill ends the node's life as a crash would: without a word to anybody.
func (n *node) kill() {
	n.c.mu.Lock()
	l := n.life
	n.life = nil
	n.c.revision++
	n.c.mu.Unlock()
	if l != nil {
		l.stop()
		l.all.Wait()
	}
}

// configure gives rows to the node's replicas.
func (n *node) configure(rows []chain.Row) {
	n.c.mu.Lock()
	l := n.life
	n.c.mu.Unlock()
	if l == nil {
		return
	}
	l.inputs <- func() {
		for _, row := range rows {
			l.step(row.Chain, replica.Configure{Row: row})
		}
	}
}

// pause has the node do nothing, but for the pings of its connections, until the
// returned function is called.
func (n *node) pause() (resume func()) {
	n.life.paused.Lock()
	return n.life.paused.Unlock
}

func (l *life) put(ctx context.Context, f func()) {
	select {
	case l.inputs <- f:
	case <-ctx.Done():
	}
}

func (l *life) loop(ctx context.Context) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-l.inputs:
			l.paused.Lock()
			f()
			for len(l.wrote) > 0 {
				next := l.wrote
				l.wrote = nil
				for _, f := range next {
					f()
				}
			}
			l.paused.Unlock()
		case <-tick.C:
			l.paused.Lock()
			for id, r := range l.reps {
				if at, ok := r.Wake(); ok && at <= clock.Boot() {
					l.step(chain.ID(id), replica.Tick{})
				}
			}
			l.paused.Unlock()
		}
	}
}

func (l *life) step(id chain.ID, in replica.Input) {
	for _, e := range l.reps[id].Step(clock.Boot(), in) {
		switch e := e.(type) {
		case replica.Send:
			l.net.Send(e.To.Node, chain.Envelope{Chain: id, Epoch: e.Epoch, Body: e.Body})
		case replica.Reply:
			if lost := l.n.swallow.Load(); lost != nil && (*lost)(e.Body) {
				continue
			}
			if conn := l.clients[e.Client]; conn != nil {
				conn.Send(chain.Envelope{Chain: id, Body: e.Body})
			}
		case replica.Write:
			b := e.Batch
			l.n.disks[id].Apply(&b)
			l.wrote = append(l.wrote, func() { l.step(id, replica.Written{Seq: b.Seq}) })
		case replica.Report:
			if e.Kind == replica.Ready {
				l.all.Go(func() { l.n.c.promote(id, e.Epoch, e.Member) })
			}
		case replica.WantRow:
			l.wrote = append(l.wrote, func() {
				l.step(id, replica.Configure{Row: l.n.c.table().Rows[id]})
			})
		case replica.Halt:
			l.n.c.t.Errorf("%v halts in chain %d: %s", l.self, id, e.Reason)
		}
	}
}

func (l *life) up(c *link.Conn) {
	if c.Peer.Class != frame.ClassChain {
		l.last++
		l.clients[l.last], l.numbers[c] = c, l.last
	}
}

func (l *life) down(c *link.Conn) {
	number := l.numbers[c]
	if number == 0 {
		return
	}
	for id, r := range l.reps {
		for _, f := range r.Status().Feeds {
			if f.Client == number {
				l.left(c.Peer.Name.ID, chain.ID(id), f.Acked)
			}
		}
		l.step(chain.ID(id), replica.Gone{Client: number})
	}
	delete(l.clients, number)
	delete(l.numbers, c)
}

// left remembers a subscriber that has gone.
func (l *life) left(name string, id chain.ID, acked chain.LSN) {
	if l.gone[name] == nil {
		l.gone[name] = map[chain.ID]chain.Subscriber{}
	}
	l.gone[name][id] = chain.Subscriber{Name: name, LSN: acked, Gone: time.Second}
}

func (l *life) handle(ctx context.Context, c *link.Conn, f frame.Frame) {
	e, err := frame.ParseMessage(f, c.Peer.Member())
	if err != nil {
		c.Close(frame.ByeBroken, err.Error())
		return
	}
	l.put(ctx, func() { l.take(c, e) })
}

func (l *life) take(c *link.Conn, e chain.Envelope) {
	if c.Peer.Class == frame.ClassChain {
		l.step(e.Chain, replica.Receive(e))
		return
	}
	switch m := e.Body.(type) {
	case chain.TableQuery:
		t := l.n.c.table()
		if f := l.n.frozen.Load(); f != nil {
			t = *f
		}
		if t.ID = m.ID; m.Have == t.Revision {
			t.Sites, t.Rows = nil, nil
		}
		c.Send(chain.Envelope{Body: t})
	case chain.SyncQuery:
		c.Send(chain.Envelope{Chain: e.Chain, Body: chain.SyncReply{ID: m.ID, Subscribers: l.subscribers(e.Chain)}})
	case chain.Ask:
		c.Send(chain.Envelope{Body: chain.Told{ID: m.ID, OK: m.What == "name", Text: []byte(l.n.name)}})
	default:
		if number := l.numbers[c]; number != 0 {
			l.step(e.Chain, replica.Request{Client: number, Body: m})
		}
	}
}

func (l *life) subscribers(id chain.ID) (subs []chain.Subscriber) {
	have := map[string]bool{}
	for _, f := range l.reps[id].Status().Feeds {
		if c := l.clients[f.Client]; c != nil && !have[c.Peer.Name.ID] {
			have[c.Peer.Name.ID] = true
			subs = append(subs, chain.Subscriber{Name: c.Peer.Name.ID, LSN: f.Acked})
		}
	}
	for name, chains := range l.gone {
		if s, ok := chains[id]; ok && !have[name] {
			subs = append(subs, s)
		}
	}
	slices.SortFunc(subs, func(a, b chain.Subscriber) int { return strings.Compare(a.Name, b.Name) })
	return subs
}
