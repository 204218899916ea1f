package host

import (
	"sync"

	"namecast/lib/chain"
)

// An input is something for a loop to do. It is one of: a message from another
// member (env.From is set), a request of a client, batches that were written
// (written is set), or a function.
type input struct {
	env     chain.Envelope
	client  uint64 // number of the client
	from    *peer  // that is given its credit back, or nil
	cost    int32  // of it
	written uint64
	do      func()
}

// A queue is the inputs that wait for a loop. Who puts never waits; one takes.
type queue struct {
	wake chan struct{} // has an element when the loop has something to take

	mu     sync.Mutex
	inputs []input
	closed bool
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// put appends an input; false if the loop has ended.
func (q *queue) put(in input) bool {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return false
	}
	q.inputs = append(q.inputs, in)
	first := len(q.inputs) == 1
	q.mu.Unlock()
	if first {
		q.rouse()
	}
	return true
}

func (q *queue) rouse() {
	select {
	case q.wake <- struct{}{}:
	default: // it is awake
	}
}

// keepInputs is up to how many inputs the memory for them is kept.
const keepInputs = 4096

// take gives all that is there, and has done with what was taken before. open is
// false when nothing will follow.
func (q *queue) take(done []input) (inputs []input, open bool) {
	clear(done)
	if cap(done) > keepInputs {
		done = nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	inputs = q.inputs
	q.inputs = done[:0]
	return inputs, !q.closed
}

// close makes every later put fail.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.rouse()
}
