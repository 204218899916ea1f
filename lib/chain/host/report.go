package host

import (
	"context"
	"sync"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
	"namecast/lib/clock"
)

// The reports of a node.
const (
	reporters  = 32              // are sent at a time, and go together
	repeated   = 2 * time.Second // before which one that has been sent is not sent again
	reportTime = time.Second     // that the coordinator may take for one
)

type reportKey struct {
	chain chain.ID
	kind  replica.ReportKind
}

// reports are what the controller is to be told: the newest of each kind.
type reports struct {
	wake chan struct{}
	mu   sync.Mutex
	due  map[reportKey]replica.Report
	sent map[reportKey]sentReport
}

type sentReport struct {
	replica.Report
	at time.Duration
}

func newReports() *reports {
	return &reports{
		wake: make(chan struct{}, reporters), due: map[reportKey]replica.Report{}, sent: map[reportKey]sentReport{},
	}
}

// put has a report sent, unless the same was a moment ago.
func (r *reports) put(id chain.ID, report replica.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := reportKey{id, report.Kind}
	if s, ok := r.sent[k]; ok && s.Report == report && clock.Boot()-s.at < repeated {
		return
	}
	r.due[k] = report
	r.rouse()
}

func (r *reports) rouse() {
	select {
	case r.wake <- struct{}{}:
	default: // all are awake
	}
}

// take gives a report that is due.
func (r *reports) take() (k reportKey, report replica.Report, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, report = range r.due {
		delete(r.due, k)
		r.sent[k] = sentReport{report, clock.Boot()}
		return k, report, true
	}
	return k, report, false
}

// failed has a report sent again, unless there is a newer one.
func (r *reports) failed(k reportKey, report replica.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sent, k)
	if _, ok := r.due[k]; !ok {
		r.due[k] = report
	}
}

// run sends reports until the context ends.
func (r *reports) run(ctx context.Context, h *Host) {
	var all sync.WaitGroup
	for range reporters {
		all.Go(func() { r.send(ctx, h) })
	}
	all.Wait()
}

func (r *reports) send(ctx context.Context, h *Host) {
	pause := firstPause
	for {
		k, report, ok := r.take()
		if !ok {
			select {
			case <-ctx.Done():
				return
			case <-r.wake:
			}
			continue
		}
		within, cancel := context.WithTimeout(ctx, reportTime)
		err := h.config.Coordinator.Report(within, k.chain, report)
		cancel()
		if err == nil {
			pause = firstPause
			continue
		}
		r.failed(k, report)
		if ctx.Err() == nil {
			h.config.Log.Warn("a report was not taken", "node", h.config.Name, "chain", k.chain, "error", err)
		}
		if !clock.Sleep(ctx, pause) {
			return
		}
		pause = min(2*pause, time.Second)
	}
}
