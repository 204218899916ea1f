package disk

import (
	"errors"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// patience is how long a batch waits for one that says Sync.
const patience = 50 * time.Millisecond

// maxWrite is how many octets, about, go into one write, unless one batch alone
// is larger. Twice as many that wait are not kept waiting for a batch that says
// Sync.
const maxWrite = 1 << 20

// A request is what waits for the committer: a batch, or keys to be deleted, or
// neither.
type request struct {
	id    chain.ID
	batch *replica.Batch
	gone  [][]byte
	size  int
	sync  bool
	done  chan struct{} // if it is not nil, closed when the request is on the disk
}

// A queue is the requests that wait, in the order in which they came.
type queue struct {
	requests []request
	octets   int
	urgent   int // how many say Sync
}

func (q *queue) add(r request) {
	q.requests = append(q.requests, r)
	q.octets += r.size
	if r.sync {
		q.urgent++
	}
}

// take gives the oldest requests, as many as make one write.
func (q *queue) take(into []request) []request {
	n, size := 0, 0
	for n < len(q.requests) && (n == 0 || size+q.requests[n].size <= maxWrite) {
		size += q.requests[n].size
		if q.requests[n].sync {
			q.urgent--
		}
		n++
	}
	q.octets -= size
	into = append(into, q.requests[:n]...)
	if n == len(q.requests) {
		clear(q.requests)
		q.requests = q.requests[:0]
		return into
	}
	clear(q.requests[:n])
	q.requests = q.requests[n:]
	return into
}

func (q *queue) drop() { *q = queue{} }

// due reports whether what waits is to be written at once.
func (q *queue) due() bool { return q.urgent > 0 || q.octets >= 2*maxWrite }

// Write takes a batch over, to be written in the order of the calls for its
// chain. It does not wait: the batch is on the disk when [Options.Written] is
// called with its number, or never, if [Disk.Failed] is closed before. After
// Close it is dropped.
//
// What waits is bounded by those who call. A member of a chain has no more under
// way than the chain may have uncommitted, MaxPendingSize of [replica.Options], and
// the changes of what it commits at once, which share its memory. A recruit has 8
// chunks of a copy, or what the tail keeps of its log.
func (d *Disk) Write(id chain.ID, b replica.Batch) {
	d.submit(request{id: id, batch: &b, size: batchSize(&b), sync: b.Sync})
}

// Flush waits until all batches that were given to Write before it are on the
// disk and Written has been called for them. The error is that of Err, or tells
// that the disk is closed. A node calls it before it makes replicas anew, whose
// batches count from 1 again.
func (d *Disk) Flush() error {
	done := make(chan struct{})
	if !d.submit(request{sync: true, done: done}) {
		return d.why()
	}
	select {
	case <-done:
		return nil
	case <-d.failed:
		return d.Err()
	}
}

var errClosed = errors.New("the database is closed")

// why tells why nothing is taken.
func (d *Disk) why() error {
	if err := d.Err(); err != nil {
		return err
	}
	return errClosed
}

// submit brings a request to the committer, unless it has ended or is to end.
func (d *Disk) submit(r request) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.err != nil {
		return false
	}
	d.queue.add(r)
	if len(d.queue.requests) == 1 || r.sync || d.queue.due() {
		select {
		case d.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// batchSize is about how many octets a batch writes.
func batchSize(b *replica.Batch) int {
	const each = 48 // what an entry takes besides the octets in it
	n := 2*each + each*(len(b.Items)+len(b.Changes)+2*len(b.Remembered))
	for i := range b.Records {
		n += each + b.Records[i].Size()
	}
	for i := range b.Items {
		n += len(b.Items[i].Key) + len(b.Items[i].Value)
	}
	for i := range b.Changes {
		n += len(b.Changes[i].Item.Key) + len(b.Changes[i].Item.Value)
	}
	return n
}
