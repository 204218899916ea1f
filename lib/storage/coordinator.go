package storage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/control"
	"namecast/lib/chain/host"
	"namecast/lib/chain/plan"
	"namecast/lib/chain/replica"
	"namecast/lib/clock"
	"namecast/lib/coord"
)

// hosted is the coordinator as the host of the replicas needs it.
type hosted struct {
	*coord.Coord
	mu   sync.Mutex
	from *coord.Picture
	last *host.Picture
}

// Picture implements host.Coordinator.
func (h *hosted) Picture() *host.Picture {
	p := h.Coord.Picture()
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case p.Revision == 0:
		return nil
	case p == h.from:
		return h.last
	}
	h.from = p
	h.last = &host.Picture{Revision: p.Revision, Rows: p.Rows}
	for _, n := range p.Nodes {
		h.last.Nodes = append(h.last.Nodes, host.Node{Name: n.Name, Addr: n.Addr, Zone: n.Zone, Pin: n.Pin, Live: n.Live})
	}
	return h.last
}

// Register implements host.Coordinator.
func (h *hosted) Register(ctx context.Context, n host.Node) (host.Registration, error) {
	r, err := h.Coord.Register(ctx, coord.Node{Name: n.Name, Addr: n.Addr, Zone: n.Zone, Pin: n.Pin, Held: n.Held, Above: n.Above})
	switch {
	case errors.Is(err, coord.ErrRemoved):
		return nil, fmt.Errorf("%w: %w", host.ErrRemoved, err)
	case err != nil:
		return nil, err
	}
	return registration{r}, nil
}

// Report implements host.Coordinator.
func (h *hosted) Report(ctx context.Context, id chain.ID, r replica.Report) error {
	return h.Coord.Report(ctx, id, r)
}

type registration struct{ *coord.Registration }

// Lease implements host.Registration.
func (r registration) Lease() time.Duration { return r.Settings().Lease }

// Renew implements host.Registration.
func (r registration) Renew(ctx context.Context) (bool, error) {
	err := r.Registration.Renew(ctx)
	if errors.Is(err, coord.ErrLapsed) {
		return false, nil
	}
	return err == nil, err
}

// table is the coordinator as the controller needs it.
type table struct {
	*coord.Coord
	mu   sync.Mutex
	from *coord.Picture
	last *control.Picture
}

// Picture implements control.Table.
func (t *table) Picture() *control.Picture {
	p := t.Coord.Picture()
	t.mu.Lock()
	defer t.mu.Unlock()
	if p != t.from || t.last == nil {
		t.from, t.last = p, controlled(p)
	}
	return t.last
}

// controlled is a picture in the controller's words.
func controlled(p *coord.Picture) *control.Picture {
	c := &control.Picture{
		Lease: p.Settings.Lease, Replicas: p.Settings.Replicas, Rows: p.Rows,
		Reports: make(map[chain.ID]control.Reports, len(p.Reports)),
	}
	for _, n := range p.Nodes {
		c.Nodes = append(c.Nodes, control.Node{
			Name: n.Name, Zone: n.Zone, Inc: n.Inc, Ended: n.Ended, Drain: n.Drain, Live: n.Live,
			Renewed: n.Renewed, Renewal: n.Renewal, Held: n.Held, Silent: n.Silent,
		})
	}
	for id, r := range p.Reports {
		c.Reports[id] = control.Reports(r)
	}
	return c
}

// Campaign implements control.Table.
func (t *table) Campaign(ctx context.Context, name string) (control.Term, error) {
	term, err := t.Coord.Campaign(ctx, name)
	if err != nil {
		return nil, err
	}
	return term, nil
}

// cluster is what a picture tells of nodes at a reading of the clock, in the words of
// the plan. Chains wait for nodes that have been away for less than so long.
func cluster(p *coord.Picture, now, await time.Duration) *plan.Cluster {
	c := &plan.Cluster{Replicas: p.Settings.Replicas, By: p.Controller}
	for _, n := range p.Nodes {
		live := n.Live && n.Ended < n.Inc
		c.Nodes = append(c.Nodes, plan.Node{
			Name: n.Name, Zone: n.Zone, Inc: n.Inc, Live: live, Ended: n.Ended, Drain: n.Drain, Silent: n.Silent,
			Expected: !live && n.Renewed > 0 && now-n.Renewed < await,
		})
	}
	return c
}

// cluster is what the node knows of all.
func (d *daemon) cluster(p *coord.Picture) *plan.Cluster {
	return cluster(p, clock.Boot(), d.RecruitAfter)
}

// facts are what a picture tells of a chain.
func facts(p *coord.Picture, id chain.ID) plan.Facts {
	r := p.Reports[id]
	f := plan.Facts{Held: map[string]chain.Incarnation{}, Ready: r.Ready, Stalled: r.Stalled, Fenced: r.Fenced, Silent: r.Silent}
	for _, n := range p.Nodes {
		f.Held[n.Name] = n.Held[id].Inc
	}
	return f
}
