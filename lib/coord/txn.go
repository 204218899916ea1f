package coord

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// A guard is a key and the revision that it has to have yet.
type guard struct {
	key string
	rev int64
}

// read gets keys, as of one revision.
func (c *Coord) read(ctx context.Context, what string, keys ...string) ([]cell, error) {
	guards := make([]guard, len(keys))
	for i, k := range keys {
		guards[i] = guard{k, -1}
	}
	_, _, cells, err := c.try(ctx, what, guards)
	return cells, err
}

// try does something if the guards hold, and gives the revision of that. If they
// do not, it gives their keys as they are. After an error it may have been done,
// or may yet be.
func (c *Coord) try(ctx context.Context, what string, guards []guard, ops ...clientv3.Op) (bool, int64, []cell, error) {
	return c.tryBy(ctx, &c.turns, what, guards, ops...)
}

// tryBy does so at the member whose turn it is.
func (c *Coord) tryBy(ctx context.Context, t *turns, what string, guards []guard, ops ...clientv3.Op) (bool, int64, []cell, error) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	ifs := make([]clientv3.Cmp, len(guards))
	elses := make([]clientv3.Op, len(guards))
	for i, g := range guards {
		ifs[i] = clientv3.Compare(clientv3.ModRevision(g.key), "=", g.rev)
		elses[i] = clientv3.OpGet(g.key)
	}
	turn := t.now()
	r, err := c.clientOf(t).Txn(ctx).If(ifs...).Then(ops...).Else(elses...).Commit()
	t.took(turn, err)
	if noLease(err) {
		return false, 0, nil, fmt.Errorf("%s: %w", what, errNoLease)
	}
	if err != nil {
		return false, 0, nil, unavailable(ctx, what, err)
	}
	if r.Succeeded {
		c.wroteAt(r.Header.Revision)
		return true, r.Header.Revision, nil, nil
	}
	cells := make([]cell, len(guards))
	for i, one := range r.Responses {
		if kvs := one.GetResponseRange().Kvs; len(kvs) == 1 {
			cells[i] = cell{string(kvs[0].Value), kvs[0].ModRevision}
		}
	}
	return false, 0, cells, nil
}

// update reads keys, and does what edit makes of them, in a transaction that holds
// only if they are still the same; if not, it does so again. Without operations it
// is done.
func (c *Coord) update(ctx context.Context, what string, keys []string, edit func([]cell) ([]clientv3.Op, error)) (int64, error) {
	cells, err := c.read(ctx, what, keys...)
	if err != nil {
		return 0, err
	}
	guards := make([]guard, len(keys))
	for {
		ops, err := edit(cells)
		if err != nil || len(ops) == 0 {
			return 0, err
		}
		for i, k := range keys {
			guards[i] = guard{k, cells[i].rev}
		}
		ok, rev, now, err := c.try(ctx, what, guards, ops...)
		if err != nil || ok {
			return rev, err
		}
		cells = now
	}
}

// wroteAt takes down that the watch will tell of a revision.
func (c *Coord) wroteAt(rev int64) {
	for {
		was := c.wrote.Load()
		if rev <= was || c.wrote.CompareAndSwap(was, rev) {
			return
		}
	}
}
