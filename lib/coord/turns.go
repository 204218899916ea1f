package coord

import (
	"context"
	"errors"
	"slices"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// turns have one member of the coordinator asked at a time, this node's own first,
// and the next when it does not answer. Etcd's client would spread requests over all
// of them, also over one that stands still, whose share would then fail for as long as
// its connections last.
type turns struct {
	mu     sync.Mutex
	client *clientv3.Client // nil if there is only the member in this process
	all    []string         // URLs
	at     int
	count  uint64
}

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
	t.at = (t.at + 1) % len(t.all)
	t.move()
}

// set says which members there are. The turn goes on, if its member is among them.
func (t *turns) set(all []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	present := t.all[t.at]
	t.all = all
	if t.at = slices.Index(all, present); t.at < 0 {
		t.at = 0
		t.move()
	}
}

// move begins a turn; mu is held.
func (t *turns) move() {
	t.count++
	t.client.SetEndpoints(t.all[t.at])
}
