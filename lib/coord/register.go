package coord

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"namecast/lib/chain"
	"namecast/lib/clock"
)

// aboveMargin is by how much a node's number goes on above those on its disk, if the
// coordinator does not know of them: that was lost, and it may have given out
// more than came to the disk.
const aboveMargin = 1000

// hintTTL is how long a node's registration, and the controller's key, stay without
// a renewal. Whom nothing is heard of is taken for gone long before by the controller,
// and another is elected; etcd's word is for what neither looks at, and comes late enough
// that a machine with too much to do does not lose its nodes over it.
const hintTTL = 10 * time.Second

// How often a hint is kept, and how long that, or to give one up, may take.
const (
	keepEvery = time.Second
	keepTime  = 2 * time.Second
	giveUp    = 250 * time.Millisecond
)

// A Registration is that of one incarnation of a node. It is for any goroutine.
type Registration struct {
	c     *Coord
	name  string
	inc   chain.Incarnation
	terms Settings
	lease clientv3.LeaseID

	mu      sync.Mutex
	rev     int64 // of the last renewal, as far as is known
	keeping bool  // the hint, at this time
	kept    time.Duration
	renewed time.Duration // when a renewal was answered last
	tried   int           // renewals since then
}

// Register takes the node's next incarnation, which is above n.Above too, and
// registers it with where it is and what it holds; Inc, Ended, Drain and what only
// pictures have is not looked at. It is renewed with that: a lease counts from before the call. The first node
// writes down the settings.
//
// An error may hide that it was done, and then the next call takes another number:
// nobody may run under one that was not returned. ErrRemoved if the operator has
// removed the node and its key is the same, ErrBad, ErrUnavailable.
func (c *Coord) Register(ctx context.Context, n Node) (*Registration, error) {
	if err := errors.Join(checkName(n.Name), checkHeld(n.Held)); err != nil {
		return nil, err
	}
	lease, err := c.grant(ctx, c.ttl)
	if err != nil {
		return nil, err
	}
	r := &Registration{c: c, name: n.Name, lease: lease}
	what := "register node " + n.Name
	r.rev, err = c.update(ctx, what, []string{preNode + n.Name, keyCluster}, func(now []cell) ([]clientv3.Op, error) {
		return r.take(n, now[0], now[1])
	})
	if err != nil {
		c.revoke(ctx, lease)
		return nil, err
	}
	return r, nil
}

// take is what registers, where the node's record and the settings are these.
func (r *Registration) take(n Node, was, settings cell) (ops []clientv3.Op, err error) {
	var old record
	if was.rev != 0 {
		if old, err = parseRecord([]byte(was.value)); err != nil {
			return nil, err
		}
	}
	if old.Removed && old.Pin == n.Pin {
		return nil, fmt.Errorf("register node %s: %w", n.Name, ErrRemoved)
	}
	if settings.rev == 0 {
		r.terms = r.c.config.Settings
		ops = append(ops, clientv3.OpPut(keyCluster, encode(textSettings(r.terms))))
	} else if r.terms, err = parseSettings([]byte(settings.value)); err != nil {
		return nil, err
	}
	r.inc = old.Inc + 1
	if n.Above > old.Inc {
		r.inc = n.Above + aboveMargin
	}
	now := record{Addr: n.Addr, Zone: n.Zone, Pin: n.Pin, Inc: r.inc, Ended: old.Ended, Drain: old.Drain && !old.Removed}
	return append(ops,
		clientv3.OpPut(preNode+n.Name, encode(now)),
		clientv3.OpPut(preHeld+n.Name, encode(textHeld(r.inc, n.Held))),
		clientv3.OpPut(preLive+n.Name, textInc(r.inc), clientv3.WithLease(r.lease)),
		clientv3.OpDelete(preSilent+n.Name),
	), nil
}

// checkHeld returns ErrBad for holdings that could not be read again.
func checkHeld(held map[chain.ID]Holding) error {
	for id, h := range held {
		if id >= chain.Chains || h.Inc == 0 {
			return fmt.Errorf("%w: chain %d held by incarnation %d", ErrBad, id, h.Inc)
		}
		if h.Row.Epoch == 0 {
			continue
		}
		if _, err := textRow(h.Row).row(id); err != nil {
			return err
		}
	}
	return nil
}

// Inc is the incarnation.
func (r *Registration) Inc() chain.Incarnation { return r.inc }

// Settings are the cluster's as they were when the node registered. The length of
// leases is never changed.
func (r *Registration) Settings() Settings { return r.terms }

// Renew renews the registration: if it returns nil, it was in force when Renew was
// called, and nobody takes it for gone before a lease that counts from then has
// ended. After ErrLapsed it is gone for good. After any other error nobody knows,
// and it can be tried again.
func (r *Registration) Renew(ctx context.Context) error {
	r.mu.Lock()
	rev := r.rev
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, renewing)
	defer cancel()
	by := r.by()
	defer by.watch()()
	key, what := preLive+r.name, "renew the registration of "+r.name
	for {
		ok, now, cells, err := r.c.tryBy(ctx, by, what, []guard{{key, rev}},
			clientv3.OpPut(key, textInc(r.inc), clientv3.WithLease(r.lease)))
		switch {
		case errors.Is(err, errNoLease):
			return fmt.Errorf("%s: %w", what, ErrLapsed)
		case err != nil:
			return err
		case ok:
			r.mu.Lock()
			r.rev = max(r.rev, now)
			r.renewed, r.tried = clock.Boot(), 0
			r.mu.Unlock()
			r.keep(by)
			return nil
		case cells[0].value != textInc(r.inc):
			return fmt.Errorf("%s: %w", what, ErrLapsed)
		}
		rev = cells[0].rev // of a renewal whose answer was lost
	}
}

// by is whom a renewal asks: while none is answered, every second one asks another member
// than this node's own.
func (r *Registration) by() *turns {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tried++
	if r.tried%2 == 0 && clock.Boot()-r.renewed > hesitation && r.c.aside.some() {
		return &r.c.aside
	}
	return &r.c.turns
}

// Silent says with which nodes this one has no connection, in place of what it said
// before. ErrLapsed if the registration is gone; ErrBad, ErrUnavailable.
func (r *Registration) Silent(ctx context.Context, nodes []string) error {
	what := "tell with whom " + r.name + " has no connection"
	text := encode(silentText{Inc: r.inc, Nodes: slices.Sorted(slices.Values(nodes))})
	if _, err := parseSilent([]byte(text)); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	// The key itself is read too, so that a word that is late does nothing.
	_, err := r.c.update(ctx, what, []string{preLive + r.name, preSilent + r.name}, func(now []cell) ([]clientv3.Op, error) {
		if now[0].value != textInc(r.inc) {
			return nil, fmt.Errorf("%s: %w", what, ErrLapsed)
		}
		if len(nodes) == 0 {
			return []clientv3.Op{clientv3.OpDelete(preSilent + r.name)}, nil
		}
		return []clientv3.Op{clientv3.OpPut(preSilent+r.name, text, clientv3.WithLease(r.lease))}, nil
	})
	if errors.Is(err, errNoLease) {
		return fmt.Errorf("%s: %w", what, ErrLapsed)
	}
	return err
}

// keep has the hint kept, which no renewal waits for, unless that goes on or was done a
// moment ago. If it fails, a later renewal does it, or finds that the registration has
// lapsed.
func (r *Registration) keep(by *turns) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := clock.Boot()
	if r.keeping || r.kept != 0 && now-r.kept < keepEvery {
		return
	}
	r.keeping = true
	r.c.keeps.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), keepTime)
		defer cancel()
		_, err := r.c.clientOf(by).KeepAliveOnce(ctx, r.lease)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.keeping = false
		if err == nil {
			r.kept = now
		}
	})
}

// End ends the registration, and writes down that the incarnation has ended: it is
// for a node all of whose replicas have stopped. ErrLapsed if it was gone before.
func (r *Registration) End(ctx context.Context) error {
	node, live := preNode+r.name, preLive+r.name
	what := "end the registration of " + r.name
	_, err := r.c.update(ctx, what, []string{node, live}, func(now []cell) ([]clientv3.Op, error) {
		was, err := parseRecord([]byte(now[0].value))
		if err != nil || now[1].value != textInc(r.inc) || was.Inc != r.inc {
			return nil, fmt.Errorf("%s: %w", what, ErrLapsed)
		}
		was.Ended = r.inc
		return []clientv3.Op{clientv3.OpDelete(live), clientv3.OpPut(node, encode(was))}, nil
	})
	if err == nil {
		r.c.revoke(ctx, r.lease)
	}
	return err
}

// errNoLease: the etcd lease has ended.
var errNoLease = errors.New("the lease at the coordinator has ended")

// grant gets an etcd lease.
func (c *Coord) grant(ctx context.Context, ttl time.Duration) (clientv3.LeaseID, error) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	turn := c.turns.now()
	r, err := c.client().Grant(ctx, int64((ttl+time.Second-1)/time.Second))
	c.turns.took(turn, err)
	if err != nil {
		return 0, unavailable(ctx, "get a lease", err)
	}
	return r.ID, nil
}

// revoke ends a lease early; it ends by itself if that fails.
func (c *Coord) revoke(ctx context.Context, id clientv3.LeaseID) {
	ctx, cancel := context.WithTimeout(ctx, giveUp)
	defer cancel()
	_, _ = c.client().Revoke(ctx, id)
}

// noLease tells whether etcd says that a lease has ended.
func noLease(err error) bool { return errors.Is(err, rpctypes.ErrLeaseNotFound) }
