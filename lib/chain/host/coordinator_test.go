package host

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/plan"
	"namecast/lib/chain/replica"
	"namecast/lib/clock"
)

// A coordinator is one in memory, with a controller.
type coordinator struct {
	c *cluster

	mu       sync.Mutex
	replicas int
	revision int64
	changed  chan struct{}
	nodes    map[string]Node
	incs     map[string]chain.Incarnation
	ended    map[string]chain.Incarnation
	above    map[string]chain.Incarnation // what nodes said when they registered
	unheard  map[string][]string          // with whom nodes say that they have no connection
	live     map[string]chain.Incarnation
	heard    map[string]time.Duration
	rows     []chain.Row
	reports  map[chain.ID]*plan.Facts
	silent   map[string]bool // nodes that are not heard
	pic      *Picture
	waits    int // leases that were waited for
}

func newCoordinator(c *cluster, replicas int) *coordinator {
	k := &coordinator{
		c: c, replicas: replicas, changed: make(chan struct{}), nodes: map[string]Node{}, incs: map[string]chain.Incarnation{},
		ended: map[string]chain.Incarnation{}, live: map[string]chain.Incarnation{}, heard: map[string]time.Duration{},
		above: map[string]chain.Incarnation{}, unheard: map[string][]string{},
		reports: map[chain.ID]*plan.Facts{}, silent: map[string]bool{},
	}
	return k
}

// change makes the next picture. The lock is held.
func (k *coordinator) change() {
	k.revision++
	p := &Picture{Revision: k.revision, Rows: k.rows}
	for name, n := range k.nodes {
		n.Live = k.live[name] != 0
		n.Held = nil
		p.Nodes = append(p.Nodes, n)
	}
	slices.SortFunc(p.Nodes, func(a, b Node) int { return int(a.Name[len(a.Name)-1]) - int(b.Name[len(b.Name)-1]) })
	k.pic = p
	close(k.changed)
	k.changed = make(chan struct{})
}

// set replaces rows.
func (k *coordinator) set(rows ...chain.Row) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rows = slices.Clone(k.rows)
	for _, r := range rows {
		k.rows[r.Chain] = r
	}
	k.change()
}

// create makes the first table when all nodes are there.
func (k *coordinator) create() {
	k.c.t.Helper()
	k.c.until("all nodes registered", func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		return len(k.live) == len(k.c.nodes)
	})
	k.mu.Lock()
	defer k.mu.Unlock()
	rows, ok := plan.Create(k.cluster(), chain.Chains)
	if !ok {
		k.c.t.Fatal("no table")
	}
	k.rows = rows
	k.change()
}

// cluster is what the controller knows. The lock is held.
func (k *coordinator) cluster() *plan.Cluster {
	p := &plan.Cluster{Replicas: k.replicas, Copies: 64, Moves: 8}
	for name, n := range k.nodes {
		p.Nodes = append(p.Nodes, plan.Node{
			Name: name, Zone: n.Zone, Inc: k.incs[name], Live: k.live[name] != 0 && clock.Boot()-k.heard[name] < lease,
		})
	}
	slices.SortFunc(p.Nodes, func(a, b plan.Node) int { return int(a.Name[len(a.Name)-1]) - int(b.Name[len(b.Name)-1]) })
	return p
}

// control is a plain controller, until the context ends.
func (k *coordinator) control(ctx context.Context) {
	proved := map[chain.Member]bool{}
	for clock.Sleep(ctx, 5*time.Millisecond) {
		k.mu.Lock()
		steps := plan.All(k.rows, func(id chain.ID) plan.Facts { return k.facts(id) }, k.cluster())
		k.mu.Unlock()
		var rows []chain.Row
		for _, s := range steps {
			ok := true
			for _, m := range s.Fence {
				if !proved[m] {
					ok = k.prove(ctx, m, s.Row) && ok
				}
			}
			if ok {
				rows = append(rows, s.Row)
			}
		}
		for _, m := range k.gone() {
			proved[m] = true
		}
		if len(rows) > 0 {
			k.set(rows...)
		}
	}
}

// gone are the incarnations that were proved to have ended.
func (k *coordinator) gone() []chain.Member {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []chain.Member
	for name, inc := range k.ended {
		out = append(out, chain.Member{Node: name, Inc: inc})
	}
	return out
}

// prove fences a member of a row that is to be replaced: by a Fence through one of
// the nodes, or by its lease.
func (k *coordinator) prove(ctx context.Context, m chain.Member, next chain.Row) bool {
	k.mu.Lock()
	ended := k.ended[m.Node] >= m.Inc
	heard, live := k.heard[m.Node], k.live[m.Node] == m.Inc
	dead := live && clock.Boot()-heard >= lease
	if dead {
		delete(k.live, m.Node) // no renewal succeeds any more
		k.change()
	}
	k.mu.Unlock()
	switch {
	case ended:
		return true
	case dead || !live:
		clock.Sleep(ctx, heard+plan.LeaseWait(lease)-clock.Boot())
		k.mu.Lock()
		k.ended[m.Node] = max(k.ended[m.Node], m.Inc)
		k.waits++
		k.mu.Unlock()
		return true
	}
	within, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, n := range k.c.nodes {
		if h := n.fence.Load(); n.name != m.Node && h != nil && h.Fence(within, m, next.Chain, next.Epoch-1) == nil {
			return true
		}
	}
	return false
}

func (k *coordinator) facts(id chain.ID) plan.Facts {
	f := plan.Facts{Held: map[string]chain.Incarnation{}}
	if r := k.reports[id]; r != nil {
		f.Ready, f.Stalled, f.Fenced = r.Ready, r.Stalled, r.Fenced
	}
	for name, n := range k.nodes {
		f.Held[name] = n.Held[id].Inc
	}
	return f
}

// A view is the coordinator as one node sees it.
type view struct {
	c    *coordinator
	name string

	mu   sync.Mutex
	away bool // it does not reach the coordinator
	fail int  // reports that fail
	// Renewals that fail, and when each was tried; what is said of silence and not answered.
	renewals int
	tried    []time.Duration
	forgets  int
	// Renewals that are not answered, and how many of them were given up before their
	// time was over.
	unanswered, outdone int
	// removed: the node is not of the cluster any more.
	removed bool
}

var errAway = errors.New("the coordinator is away")

func (v *view) cut(away bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.away = away
}

func (v *view) isCut() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.away
}

// stumbles has one renewal fail of those that are to.
func (v *view) stumbles() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tried = append(v.tried, clock.Boot())
	v.renewals--
	return v.renewals >= 0
}

// keepsSilent has one renewal wait until nobody waits for it, of those that are to.
func (v *view) keepsSilent(ctx context.Context) bool {
	v.mu.Lock()
	v.unanswered--
	silent := v.unanswered >= 0
	v.mu.Unlock()
	if !silent {
		return false
	}
	<-ctx.Done()
	v.mu.Lock()
	defer v.mu.Unlock()
	if ctx.Err() == context.Canceled {
		v.outdone++
	}
	return true
}

func (v *view) Picture() *Picture {
	v.c.mu.Lock()
	defer v.c.mu.Unlock()
	if v.c.pic == nil {
		v.c.change()
	}
	return v.c.pic
}

func (v *view) Changed() <-chan struct{} {
	v.c.mu.Lock()
	defer v.c.mu.Unlock()
	return v.c.changed
}

func (v *view) Register(_ context.Context, n Node) (Registration, error) {
	v.mu.Lock()
	away, removed := v.away, v.removed
	v.mu.Unlock()
	switch {
	case removed:
		return nil, ErrRemoved
	case away:
		return nil, errAway
	}
	k := v.c
	k.mu.Lock()
	defer k.mu.Unlock()
	k.incs[n.Name]++
	inc := k.incs[n.Name]
	k.ended[n.Name] = inc - 1
	k.nodes[n.Name], k.live[n.Name], k.heard[n.Name] = n, inc, clock.Boot()
	k.above[n.Name], k.unheard[n.Name] = n.Above, nil
	k.change()
	return &registration{v, inc}, nil
}

func (v *view) Report(_ context.Context, id chain.ID, r replica.Report) error {
	v.mu.Lock()
	v.fail--
	failed := v.away || v.fail >= 0
	v.mu.Unlock()
	if failed {
		return errAway
	}
	k := v.c
	k.mu.Lock()
	defer k.mu.Unlock()
	f := k.reports[id]
	if f == nil {
		f = &plan.Facts{}
		k.reports[id] = f
	}
	report := plan.Report{Epoch: r.Epoch, Member: r.Member}
	switch r.Kind {
	case replica.Ready:
		f.Ready = report
	case replica.Stalled:
		f.Stalled = report
	case replica.Fenced:
		f.Fenced = report
	case replica.Silent:
		f.Silent = report
	}
	return nil
}

type registration struct {
	v   *view
	inc chain.Incarnation
}

func (r *registration) Inc() chain.Incarnation { return r.inc }

func (r *registration) Lease() time.Duration { return lease }

func (r *registration) Silent(_ context.Context, nodes []string) error {
	if r.v.isCut() {
		return errAway
	}
	k := r.v.c
	k.mu.Lock()
	defer k.mu.Unlock()
	k.unheard[r.v.name] = nodes
	r.v.mu.Lock()
	defer r.v.mu.Unlock()
	if r.v.forgets--; r.v.forgets >= 0 {
		return errAway
	}
	return nil
}

func (r *registration) Renew(ctx context.Context) (bool, error) {
	if r.v.isCut() || r.v.stumbles() || r.v.keepsSilent(ctx) {
		return false, errAway
	}
	k := r.v.c
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.live[r.v.name] != r.inc {
		return false, nil
	}
	k.heard[r.v.name] = clock.Boot()
	return true, nil
}

func (r *registration) End(context.Context) error {
	if r.v.isCut() {
		return errAway
	}
	k := r.v.c
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.live[r.v.name] == r.inc {
		delete(k.live, r.v.name)
		k.ended[r.v.name] = r.inc
		k.change()
	}
	return nil
}

// lapse deletes a node's registration.
func (k *coordinator) lapse(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.live, name)
	k.change()
}
