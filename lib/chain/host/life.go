package host

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/chain/replica"
	"namecast/lib/clock"
	"namecast/lib/link"
)

// A life is one incarnation of the node: its connections and its replicas.
type life struct {
	host  *Host
	self  chain.Member
	reg   Registration
	lease time.Duration
	began time.Duration
	until atomic.Int64 // the end of the lease, by the clock

	leases sync.Mutex // of who gives the replicas a lease
	pulses []pulse    // of the loops

	net     *link.Net
	peers   sync.Map // *peer by *link.Conn
	nodes   nodes    // of class chain
	clients atomic.Uint64
	loops   []*loop
	roles   [chain.Chains]atomic.Uint32 // of the replicas
	reports *reports
	gateway *gateway
	fences  fences
	bulk    bulk
	asks    chan struct{} // has an element for each question that is worked on

	ctx    context.Context
	fail   context.CancelCauseFunc
	comes  *time.Timer // ends the life after a halt
	halts  sync.Mutex
	chores sync.WaitGroup // of questions
}

// maxAsks is how many questions of operators are worked on at a time.
const maxAsks = 4

// newLife makes a life of a node that has registered.
func newLife(h *Host, reg Registration) *life {
	l := &life{
		host: h, reg: reg, lease: reg.Lease(), self: chain.Member{Node: h.config.Name, Inc: reg.Inc()},
		began: clock.Boot(), reports: newReports(), asks: make(chan struct{}, maxAsks),
	}
	l.gateway = newGateway(l)
	l.bulk.init()
	l.net = link.New(link.Config{
		Credentials: h.config.Credentials, Incarnation: reg.Inc(), Limits: h.config.Limits,
		Handle: l.handle, Up: l.up, Down: l.down, Failed: l.failed, Admit: l.admit, Issue: h.config.Issue,
	})
	options := h.config.Replica
	options.Self = l.self
	for range runtime.GOMAXPROCS(0) {
		l.loops = append(l.loops, newLoop(l))
	}
	l.pulses = make([]pulse, len(l.loops))
	for id := range chain.ID(chain.Chains) {
		store := h.config.Disk.Storage(id)
		at := l.loop(id)
		at.seats = append(at.seats, &seat{
			id: id, rep: replica.New(options, store), store: store, count: &h.counts[id], wakeAt: never, subs: h.rosters[id],
		})
	}
	return l
}

// loop is that of a chain.
func (l *life) loop(id chain.ID) *loop { return l.loops[int(id)%len(l.loops)] }

// run is the life from its registration on. It tells why it has ended, when
// nothing of it is left.
func (l *life) run(ctx context.Context, sent time.Duration) error {
	l.ctx, l.fail = context.WithCancelCause(ctx)
	defer l.fail(nil)
	var loops, links sync.WaitGroup
	for _, o := range l.loops {
		loops.Go(o.run)
	}
	l.leaseFrom(sent)
	linked, unlink := context.WithCancel(context.WithoutCancel(ctx))
	defer unlink()
	mesh := l.net.NewMesh(linked)
	links.Go(func() {
		err := l.net.Serve(linked, l.host.door.listen())
		// The door is closed as soon as the host is to end, and the links later.
		if err != nil && !errors.Is(err, context.Canceled) && ctx.Err() == nil {
			l.fail(fatal{fmt.Errorf("serve links: %w", err)})
		}
	})
	links.Go(func() { l.bulk.run(linked) })
	links.Go(mesh.Wait)
	var chores sync.WaitGroup
	l.busy(&chores, mesh)
	select {
	case <-l.ctx.Done():
	case <-l.host.config.Disk.Failed():
		l.fail(fatal{l.host.config.Disk.Err()})
	}
	chores.Wait()
	l.stop()
	unlink()
	links.Wait()
	l.chores.Wait()
	for _, o := range l.loops {
		o.close()
	}
	loops.Wait()
	return context.Cause(l.ctx)
}

// busy starts what goes on until the life's context ends.
func (l *life) busy(chores *sync.WaitGroup, mesh *link.Mesh) {
	chores.Go(func() { l.watch(mesh) })
	chores.Go(l.renew)
	chores.Go(l.listen)
	chores.Go(func() { l.reports.run(l.ctx, l.host) })
	chores.Go(func() { l.gateway.run(l.ctx) })
}

// stop has all replicas stop, and tells everybody who waits.
func (l *life) stop() {
	l.halts.Lock()
	if l.comes != nil {
		l.comes.Stop()
	}
	l.halts.Unlock()
	l.ask(func(o *loop) { o.stop() })
	l.gateway.stop()
}

// ask has every loop do something, and waits for it.
func (l *life) ask(do func(*loop)) {
	var all sync.WaitGroup
	for _, o := range l.loops {
		all.Add(1)
		if !o.put(input{do: func() { do(o); all.Done() }}) {
			all.Done()
		}
	}
	all.Wait()
}

// leaseFrom gives all replicas the lease of a renewal, by the clock's reading
// before it was sent, unless a later one has given theirs.
func (l *life) leaseFrom(sent time.Duration) {
	l.leases.Lock()
	defer l.leases.Unlock()
	until := sent + l.lease
	if int64(until) <= l.until.Load() {
		return
	}
	l.until.Store(int64(until))
	for _, o := range l.loops {
		o.put(input{do: func() {
			o.each(func(*seat) replica.Input { return replica.Lease{Until: until} })
		}})
	}
}

// The delays before a node comes back of which a replica has stopped for good:
// those of a chain that does so again and again get longer.
const (
	firstReturn = time.Second
	lastReturn  = 5 * time.Minute
	forgiven    = time.Hour
)

// halted takes down that a replica has stopped for good, and has the node come
// back after a while.
func (l *life) halted(id chain.ID, reason string) {
	after := l.host.halted(id, reason)
	l.host.config.Log.Error("a replica has stopped for good", "node", l.self.Node, "chain", id, "reason", reason, "returns", after)
	l.halts.Lock()
	defer l.halts.Unlock()
	if l.comes == nil && l.ctx.Err() == nil {
		l.comes = time.AfterFunc(after, func() { l.fail(renewed{reason, id}) })
	}
}

func (h *Host) halted(id chain.ID, reason string) (after time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := clock.Boot()
	was := h.halts[id]
	if was == nil || now-was.at > forgiven {
		was = &Halt{Chain: id}
		h.halts[id] = was
	}
	was.Reason, was.at = reason, now
	was.Times++
	return min(firstReturn<<min(was.Times-1, 16), lastReturn)
}

// admit refuses nodes that the coordinator does not know by this key. One that it
// does not know at all, as it is about to join, may ask as a client does.
func (l *life) admit(p link.Peer) error {
	known, other := l.knows(p)
	switch {
	case known || p.Name.Role != ca.Node || !other && p.Class == frame.ClassClient:
		return nil
	case other:
		return fmt.Errorf("node %s has another key than %s in this cluster", p.Name.ID, p.Pin)
	}
	return fmt.Errorf("node %s has not registered", p.Name.ID)
}

// knows tells whether a peer is a node that the coordinator knows by its key, or by
// another.
func (l *life) knows(p link.Peer) (known, other bool) {
	if pic := l.host.config.Coordinator.Picture(); pic != nil && p.Name.Role == ca.Node {
		for i := range pic.Nodes {
			if n := &pic.Nodes[i]; n.Name == p.Name.ID {
				return n.Pin == p.Pin.String(), n.Pin != p.Pin.String()
			}
		}
	}
	return false, false
}

// failed tells the log of a connection that has not come about.
func (l *life) failed(node, addr string, err error) {
	l.host.config.Log.Debug("no connection", "node", l.self.Node, "peer", node, "addr", addr, "error", err)
}

// watch gives the replicas their rows, and keeps connections with the nodes that
// there are.
func (l *life) watch(mesh *link.Mesh) {
	var fed [chain.Chains]chain.Epoch
	required := 0
	for {
		changed := l.host.config.Coordinator.Changed()
		if pic := l.host.config.Coordinator.Picture(); pic != nil {
			where := map[string]string{}
			for i := range pic.Nodes {
				if n := &pic.Nodes[i]; n.Addr != "" {
					where[n.Name] = n.Addr
				}
			}
			mesh.Set(where)
			if n := l.host.config.required(len(pic.Nodes)); n != required {
				required = n
				for _, o := range l.loops {
					o.put(input{do: func() {
						o.each(func(*seat) replica.Input { return replica.Require{Members: n} })
					}})
				}
			}
			for _, row := range pic.Rows {
				if row.Epoch > fed[row.Chain] {
					fed[row.Chain] = row.Epoch
					o := l.loop(row.Chain)
					o.put(input{do: func() { o.configure(row) }})
				}
			}
		}
		select {
		case <-l.ctx.Done():
			return
		case <-changed:
		}
	}
}
