package coord

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"namecast/lib/clock"
)

// turns have one member of the coordinator asked at a time, this node's own first,
// and the next when it does not answer. Etcd's client would spread requests over all
// of them, also over one that stands still, whose share would then fail for as long as
// its connections last.
type turns struct {
	mu     sync.Mutex
	client *clientv3.Client // nil if there is only the member in this process
	all    []string         // URLs
	own    bool             // the first is this node's
	at     int
	count  uint64
	good   time.Duration // when the present one answered last
	vain   int           // turns since one has answered
}

// How long a member may take before another is asked: for the next renewal, as a node
// has to be heard of within a second; and if it is this node's own, for all. While etcd
// elects its leader no member answers, and the own one is as good as any.
const (
	hesitation = 400 * time.Millisecond
	loyalty    = 1200 * time.Millisecond
)

// now names the present turn.
func (t *turns) now() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}

// failed ends a turn, if it is the present one, for an error that says that the member
// did not answer.
func (t *turns) failed(turn uint64, err error) {
	if errors.Is(err, context.Canceled) {
		return // nobody waited for the answer any more
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.client == nil || turn != t.count || len(t.all) < 2 {
		return
	}
	if t.own && t.at == 0 && errors.Is(err, context.DeadlineExceeded) && clock.Boot()-t.good < loyalty {
		return
	}
	t.at = (t.at + 1) % len(t.all)
	t.move()
}

// took takes in what has come of a question that was asked in a turn.
func (t *turns) took(turn uint64, err error) {
	if err != nil && !noLease(err) {
		t.failed(turn, err)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if turn == t.count {
		t.good, t.vain = clock.Boot(), 0
	}
}

// some tells whether there is a member to be asked.
func (t *turns) some() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.client != nil && len(t.all) > 0
}

// watch ends the present turn when what it returns is not called soon; later, if the one
// before was in vain: then all are slow, also to connect. This node's own member is not
// left for that.
func (t *turns) watch() (stop func() bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.client == nil || t.own && t.at == 0 {
		return func() bool { return false }
	}
	turn := t.count
	return time.AfterFunc(hesitation*time.Duration(1+t.vain), func() { t.failed(turn, ErrUnavailable) }).Stop
}

// set says which members there are. The turn goes on, if its member is among them.
func (t *turns) set(all []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	present := ""
	if len(t.all) > 0 {
		present = t.all[t.at]
	}
	t.all = all
	if t.at = slices.Index(all, present); t.at < 0 && len(all) > 0 {
		t.at = 0
		t.move()
	}
}

// move begins a turn; mu is held.
func (t *turns) move() {
	t.count++
	t.vain++
	t.client.SetEndpoints(t.all[t.at])
}
