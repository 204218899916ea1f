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

	"namecast/lib/clock"
)

// How long Run waits after a failure, doubled every time.
const (
	firstWait = 20 * time.Millisecond
	mostWait  = time.Second
)

// resync is how often Run asks which members there are.
const resync = 30 * time.Second

// stall is for how long a watch may tell nothing though there is something to tell: the
// member that it is with may stand still, and another may answer.
const stall = time.Second

// errBack: what was listed is older than what is known.
var errBack = errors.New("coordinator has gone back in time")

// errTurn: it is another member's turn, as the one that the watch is with does not answer.
var errTurn = errors.New("another member's turn")

// errCompacted: the watch cannot go on from where it was.
var errCompacted = errors.New("history was compacted")

// Run keeps the picture until the context ends, whose error it returns. What fails
// it tries again, for ever.
func (c *Coord) Run(ctx context.Context) error { return c.run(ctx, nil) }

// run goes on from a state, if there is one.
func (c *Coord) run(ctx context.Context, s *state) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	if c.remote != nil {
		wg.Go(func() { c.follow(ctx) })
	}
	wait, last := firstWait, ""
	for ctx.Err() == nil {
		began := clock.Boot()
		next, err := c.goOn(ctx, s)
		s = next
		if err == nil || errors.Is(err, errTurn) {
			clock.Sleep(ctx, firstWait)
			continue
		}
		if ctx.Err() != nil {
			continue
		}
		if err.Error() != last {
			last = err.Error()
			c.log.Warn("the coordinator's picture is not kept up", "error", last)
		}
		if clock.Boot()-began > mostWait {
			wait = firstWait
		}
		clock.Sleep(ctx, wait)
		wait = min(2*wait, mostWait)
	}
	return ctx.Err()
}

// goOn watches from a state on, or after a listing if there is none, or if the watch cannot
// go on from it. It gives the state that there is then.
func (c *Coord) goOn(ctx context.Context, s *state) (*state, error) {
	if s == nil {
		var err error
		if s, err = c.load(ctx, nil); err != nil {
			return nil, err
		}
	}
	err := c.watch(ctx, s)
	if !errors.Is(err, errCompacted) {
		return s, err
	}
	listed, err := c.load(ctx, s)
	if err != nil {
		return s, fmt.Errorf("%w, and then: %w", errCompacted, err)
	}
	return listed, nil
}

// load lists everything.
func (c *Coord) load(ctx context.Context, old *state) (*state, error) {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	turn := c.turns.now()
	r, err := c.client().Get(within, prefix, clientv3.WithPrefix())
	c.turns.took(turn, err)
	if err != nil {
		return nil, unavailable(within, "list the coordinator's keys", err)
	}
	now := clock.Boot()
	if seen := c.Picture().Revision; r.Header.Revision < seen {
		return nil, fmt.Errorf("%w: revision %d after %d", errBack, r.Header.Revision, seen)
	}
	s := newState()
	s.rev = r.Header.Revision
	for _, kv := range r.Kvs {
		c.apply(s, string(kv.Key), cell{string(kv.Value), kv.ModRevision}, now)
	}
	for _, n := range s.nodes {
		n.renewed = now
	}
	if old != nil {
		s.inherit(old)
	}
	s.told(now)
	c.show(s.view(&view{}), true)
	return s, nil
}

// watch applies changes until that fails.
func (c *Coord) watch(ctx context.Context, s *state) error {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	turn := c.turns.now()
	events := c.client().Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(s.rev+1), clientv3.WithFragment())
	late := lateness{c: c}
	check := time.NewTicker(stall / 4)
	defer check.Stop()
	for {
		select {
		case r, ok := <-events:
			if !ok {
				return unavailable(ctx, "watch the coordinator's keys", errors.New("the watch has ended"))
			}
			if err := r.Err(); errors.Is(err, rpctypes.ErrCompacted) {
				return errCompacted
			} else if err != nil {
				return unavailable(ctx, "watch the coordinator's keys", err)
			}
			c.take(s, r)
		case <-check.C:
			if c.turns.now() != turn {
				return errTurn
			}
			if late.is(s.rev) {
				c.turns.failed(turn, ErrUnavailable)
				return fmt.Errorf("watch the coordinator's keys: %w: what was written is not told", ErrUnavailable)
			}
		}
	}
}

// A lateness finds out when a watch has stalled.
type lateness struct {
	c     *Coord
	rev   int64 // that was told last
	since time.Duration
}

// is tells whether nothing was told for too long, with rev the last revision that was,
// though something newer was written here.
func (l *lateness) is(rev int64) bool {
	if rev >= l.c.wrote.Load() || rev != l.rev || l.since == 0 {
		l.rev, l.since = rev, clock.Boot()
		return false
	}
	return clock.Boot() > l.since+stall
}

// take applies the changes of one message.
func (c *Coord) take(s *state, r clientv3.WatchResponse) {
	if len(r.Events) == 0 {
		return
	}
	now := clock.Boot()
	s.told(now)
	for _, e := range r.Events {
		v := cell{string(e.Kv.Value), e.Kv.ModRevision}
		if e.Type == clientv3.EventTypeDelete {
			v = cell{}
		}
		c.apply(s, string(e.Kv.Key), v, now)
		s.rev = max(s.rev, e.Kv.ModRevision)
	}
	tell := s.other
	c.show(s.view(c.now.Load()), tell)
}

// apply applies a change. A value that cannot be read leaves what was known before:
// a program that is newer, or a hand, has written it, and the rest is good.
func (c *Coord) apply(s *state, key string, v cell, now time.Duration) {
	if err := s.apply(key, v, now); err != nil {
		c.log.Error("a value of the coordinator is not taken", "key", key, "error", err.Error())
	}
}

// follow learns from the members where they are asked, again and again, so that those
// which join later are asked too. Those of the configuration stay.
func (c *Coord) follow(ctx context.Context) {
	for ctx.Err() == nil {
		wait := resync
		if err := c.followOnce(ctx); err != nil {
			wait = mostWait // what matters tells by itself why it fails
		}
		clock.Sleep(ctx, wait)
	}
}

func (c *Coord) followOnce(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	turn := c.turns.now()
	r, err := c.remote.MemberList(within)
	c.turns.took(turn, err)
	if err != nil {
		return unavailable(within, "list the coordinator's members", err)
	}
	all := slices.Clone(c.first)
	for _, m := range r.Members {
		if !m.IsLearner {
			all = append(all, m.ClientURLs...)
		}
	}
	var once []string // in their order: this node's own is the first
	for _, e := range all {
		if !slices.Contains(once, e) {
			once = append(once, e)
		}
	}
	c.turns.set(once)
	if c.turns.own {
		c.aside.set(once[1:])
	}
	return nil
}
