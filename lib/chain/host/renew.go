package host

import (
	"context"
	"slices"
	"sync"
	"time"

	"namecast/lib/clock"
)

// The pace of renewals. A lease has to outlast an election of etcd's leader, which takes up
// to a second, and the controller has to hear of a node within a second.
const (
	renewals   = 6                      // of a lease in its length, at least
	renewMost  = 250 * time.Millisecond // between two, however long the lease is
	renewAgain = 25 * time.Millisecond  // before one that has failed twice is tried again
	renewTold  = time.Second            // before the log tells again of one that failed
)

// renewEvery is the time between two renewals.
func renewEvery(lease time.Duration) time.Duration { return min(lease/renewals, renewMost) }

// A renewer renews the lease of a life. While etcd elects its leader a renewal may be
// passed to the one that is dead, and is never answered; so none waits for the one before
// it, and the lease goes on as soon as there is a leader.
type renewer struct {
	life *life
	all  sync.WaitGroup

	mu   sync.Mutex
	on   []*renewal // under way, in the order in which they began
	told time.Duration
}

// A renewal is one that is tried until it succeeds, or its time is over.
type renewal struct {
	ctx    context.Context
	cancel context.CancelFunc
}

// renew renews the lease until the registration is gone or the life ends; but not
// while a loop hangs.
func (l *life) renew() {
	r := renewer{life: l}
	defer r.all.Wait()
	every := renewEvery(l.lease)
	for clock.Sleep(l.ctx, every) {
		if l.hangs(clock.Boot()) {
			continue
		}
		x := r.begin()
		r.all.Go(func() {
			defer r.end(x)
			r.run(x)
		})
	}
}

func (r *renewer) begin() *renewal {
	x := &renewal{}
	x.ctx, x.cancel = context.WithTimeout(r.life.ctx, 3*renewEvery(r.life.lease))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.on = append(r.on, x)
	return x
}

func (r *renewer) end(x *renewal) {
	x.cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.on = slices.DeleteFunc(r.on, func(y *renewal) bool { return x == y })
}

// run tries a renewal. What fails is tried again at once, one time, as an answer may have
// been lost; and then after pauses, until there is a newer renewal that does so.
func (r *renewer) run(x *renewal) {
	for pause := time.Duration(0); ; pause = renewAgain {
		sent := clock.Boot()
		ok, err := r.life.reg.Renew(x.ctx)
		switch {
		case err == nil && ok:
			r.life.leaseFrom(sent)
			r.outdo(x)
			return
		case err == nil:
			r.life.fail(errLapsed)
			return
		}
		r.tell(x, err)
		if pause > 0 && !r.newest(x) || !clock.Sleep(x.ctx, pause) {
			return
		}
	}
}

// outdo ends the renewals that began before one that has succeeded: what they give would be
// less. That they are not answered says nothing about the coordinator any more.
func (r *renewer) outdo(x *renewal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, y := range r.on[:max(0, slices.Index(r.on, x))] {
		y.cancel()
	}
}

func (r *renewer) newest(x *renewal) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.on[len(r.on)-1] == x
}

// tell logs why a renewal has failed, unless that was not waited for.
func (r *renewer) tell(x *renewal, err error) {
	now := clock.Boot()
	r.mu.Lock()
	told := r.told != 0 && now-r.told < renewTold || x.ctx.Err() == context.Canceled
	if !told {
		r.told = now
	}
	r.mu.Unlock()
	if !told {
		r.life.host.config.Log.Warn("the lease was not renewed", "node", r.life.self.Node, "error", err)
	}
}
