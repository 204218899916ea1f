package coord

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"namecast/lib/chain"
	"namecast/lib/clock"
)

const (
	// silence is how much longer than another node the elected controller's may not
	// have been heard of before a candidate takes its place.
	silence = time.Second
	// lull is how long the watch tells nothing before that is the coordinator's silence
	// and not that of nodes, and grace for how long nodes are then given the time to be
	// heard of again. While etcd has no leader no renewal of any node succeeds; when it
	// has one again, no node must be taken for gone because of that.
	lull  = 500 * time.Millisecond
	grace = 500 * time.Millisecond
	// look is how often a controller keeps its key, and glance how often a candidate
	// looks.
	look   = 250 * time.Millisecond
	glance = 50 * time.Millisecond
)

// A Term is the time for which a controller is the elected one. What it does
// after its end, however late, comes to nothing. It is for any goroutine.
type Term struct {
	c     *Coord
	name  string
	rev   int64
	lease clientv3.LeaseID

	over  sync.Once
	done  chan struct{}
	ended chan struct{} // the term's goroutine has ended
}

// Campaign waits until the named node's controller is the elected one. The term
// lasts until the context ends, Resign is called, or another takes it over. Run has
// to run. Errors are the context's, and ErrBad.
//
// A node's own older term is taken over at once. So is that of a node of which
// nothing is heard while others are heard of; the key of one that is not a node goes
// with its etcd lease.
func (c *Coord) Campaign(ctx context.Context, name string) (*Term, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	for {
		changed := c.Changed()
		if v := c.now.Load(); v.Revision != 0 && v.free(name) {
			t, err := c.elect(ctx, name, v.ctl.rev)
			if t != nil {
				return t, nil
			}
			if err != nil && ctx.Err() == nil {
				c.log.Warn("no election", "error", err.Error())
			}
		}
		timer := time.NewTimer(glance)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-timer.C:
		case <-changed:
			timer.Stop()
		}
	}
}

// free tells whether a candidate may take the controller's key.
func (v *view) free(name string) bool {
	holder := v.ctl.value
	if v.ctl.rev == 0 || holder == name {
		return true
	}
	was, ok := v.Node(holder)
	if !ok {
		return false
	}
	since := max(was.Renewed+silence, v.since+grace)
	for _, n := range v.Nodes {
		if n.Name != holder && n.Live && n.Renewed > since {
			return true
		}
	}
	return false
}

// elect takes the key if it has the revision yet; it gives no term if not.
func (c *Coord) elect(ctx context.Context, name string, rev int64) (*Term, error) {
	lease, err := c.grant(ctx, c.ttl)
	if err != nil {
		return nil, err
	}
	ok, now, _, err := c.try(ctx, "elect controller "+name, []guard{{keyCtl, rev}},
		clientv3.OpPut(keyCtl, name, clientv3.WithLease(lease)))
	if err != nil || !ok {
		c.revoke(ctx, lease)
		return nil, err
	}
	t := &Term{c: c, name: name, rev: now, lease: lease, done: make(chan struct{}), ended: make(chan struct{})}
	go t.keep(ctx)
	return t, nil
}

// keep keeps the key until the term is over, and gives it up then.
func (t *Term) keep(ctx context.Context) {
	defer close(t.ended)
	defer t.finish()
	heard := clock.Boot()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		changed := t.c.Changed()
		if v := t.c.now.Load(); v.Revision >= t.rev && v.ctl.rev != t.rev {
			return
		}
		select {
		case <-ctx.Done():
			within, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveUp)
			defer cancel()
			t.c.revoke(within, t.lease)
			return
		case <-t.done:
			return
		case <-changed:
			continue
		case <-tick.C:
		}
		asked := clock.Boot()
		within, cancel := context.WithTimeout(ctx, 2*look)
		turn := t.c.turns.now()
		_, err := t.c.client().KeepAliveOnce(within, t.lease)
		if t.c.turns.took(turn, err); err == nil {
			heard = asked
		}
		cancel()
		if clock.Boot()-heard > t.c.ttl {
			return
		}
	}
}

func (t *Term) finish() { t.over.Do(func() { close(t.done) }) }

// Done is closed when the term is known to be over. It may be over before.
func (t *Term) Done() <-chan struct{} { return t.done }

// Resign ends the term, so that another can be elected at once.
func (t *Term) Resign(ctx context.Context) error {
	t.finish()
	<-t.ended
	what := "resign as controller " + t.name
	_, _, _, err := t.c.try(ctx, what, []guard{{keyCtl, t.rev}}, clientv3.OpDelete(keyCtl))
	t.c.revoke(ctx, t.lease)
	return err
}

// deposed ends the term if an error says that it is over.
func (t *Term) deposed(err error) error {
	if errors.Is(err, ErrDeposed) {
		t.finish()
	}
	return err
}

// Expel deletes a node's registration if renewal is its last. It is false if there
// was another, or the registration is gone; ErrDeposed, ErrUnavailable.
func (t *Term) Expel(ctx context.Context, node string, renewal int64) (bool, error) {
	what, key := "expel node "+node, preLive+node
	if renewal == 0 {
		return false, nil
	}
	ok, _, now, err := t.c.try(ctx, what, []guard{{keyCtl, t.rev}, {key, renewal}}, clientv3.OpDelete(key))
	if err == nil && !ok && now[0].rev != t.rev {
		err = fmt.Errorf("%s: %w", what, ErrDeposed)
	}
	return ok, t.deposed(err)
}

// Publish replaces a row, if it is still the chain's and nobody of those who are
// gone is registered: their nodes have no registration, or a newer one. It is false
// if that is not so; ErrDeposed, ErrBad, ErrUnavailable.
func (t *Term) Publish(ctx context.Context, was, now chain.Row, gone []chain.Member) (bool, error) {
	what := fmt.Sprintf("publish epoch %d of chain %d", now.Epoch, now.Chain)
	if err := checkRow(now); err != nil {
		return false, fmt.Errorf("%s: %w", what, err)
	}
	if was.Chain != now.Chain || was.Epoch >= now.Epoch {
		return false, fmt.Errorf("%s: %w: after epoch %d of chain %d", what, ErrBad, was.Epoch, was.Chain)
	}
	v := t.c.now.Load()
	if len(v.Rows) == 0 || v.Rows[was.Chain].Epoch != was.Epoch {
		return false, nil
	}
	guards := []guard{{keyCtl, t.rev}, {keyChain(was.Chain), v.rows[was.Chain]}}
	for _, m := range gone {
		g := guard{key: preLive + m.Node}
		if one := v.live[m.Node]; isNewer(one, m) {
			g.rev = one.rev
		}
		guards = append(guards, g)
	}
	op := clientv3.OpPut(keyChain(now.Chain), encode(textRow(now)))
	for {
		ok, cells, err := t.c.rows.do(ctx, t.c, what, slices.Clone(guards), op)
		if err != nil || ok {
			return ok, err
		}
		if cells[0].rev != t.rev {
			return false, t.deposed(fmt.Errorf("%s: %w", what, ErrDeposed))
		}
		if cells[1].rev != guards[1].rev || !follow(guards[2:], cells[2:], gone) {
			return false, nil
		}
	}
}

// follow has guards hold for the registrations that there are, which are of newer
// incarnations that renew, if they are not of those who are gone.
func follow(guards []guard, live []cell, gone []chain.Member) bool {
	for i, m := range gone {
		if live[i].rev != 0 && !isNewer(live[i], m) {
			return false
		}
		guards[i].rev = live[i].rev
	}
	return true
}

// isNewer tells whether a registration is that of a newer incarnation than a member.
func isNewer(live cell, m chain.Member) bool {
	inc, err := parseLive([]byte(live.value))
	return err == nil && live.rev != 0 && inc > m.Inc
}
