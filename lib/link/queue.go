package link

import "sync"

// Memory for batches of more than keep octets is given back after patience
// smaller ones.
const (
	keep     = 64 << 10
	patience = 64
)

// A queue is what waits to be written to a connection: frames, one behind the
// other. Any goroutine puts; one takes.
type queue struct {
	limit int
	wake  chan struct{} // has an element when something was put into an empty queue

	mu       sync.Mutex
	pending  []byte
	writing  int // octets that were taken and are not written yet
	small    int // batches since the last large one
	frames   uint64
	overflow uint64
	closed   bool
}

func newQueue(limit int) *queue { return &queue{limit: limit, wake: make(chan struct{}, 1)} }

// put has a frame appended. ErrOverflow if more than the limit is waiting
// already, ErrDown after close, or the error of the appender, which leaves what
// was there.
func (q *queue) put(appendTo func([]byte) ([]byte, error)) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return ErrDown
	case len(q.pending)+q.writing >= q.limit:
		q.overflow++
		return ErrOverflow
	}
	before := len(q.pending)
	after, err := appendTo(q.pending)
	if err != nil {
		return err
	}
	q.pending = after
	q.frames++
	if before == 0 {
		select {
		case q.wake <- struct{}{}:
		default: // it is awake
		}
	}
	return nil
}

// take gives all that is waiting, and has done with the memory that was taken
// before.
func (q *queue) take(done []byte) []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.pending
	q.writing = len(b)
	if q.small++; len(b) > keep {
		q.small = 0
	}
	if cap(done) > keep && q.small > patience {
		done = nil
	}
	q.pending = done[:0]
	return b
}

// written tells that what was taken is written.
func (q *queue) written() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.writing = 0
}

// sent counts the frames that were ever put.
func (q *queue) sent() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.frames
}

// close makes every later put fail.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}
