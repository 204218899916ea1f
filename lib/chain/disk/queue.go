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
// is larger. Twice as many that wait, or as many of copies, are not kept waiting for a
// batch that says Sync.
const maxWrite = 1 << 20

// besides is how many octets of copies go into a write beside other batches, unless
// one batch alone is larger. A write of so many takes little longer than a small one.
const besides = 128 << 10

// A request is what waits for the committer: a batch, or keys to be deleted, or
// neither.
type request struct {
	id    chain.ID
	batch *replica.Batch
	gone  [][]byte
	size  int
	sync  bool
	done  chan struct{} // if it is not nil, closed when the request is on the disk
	// copies: it has no batch, but waits for those of copies.
	copies bool
}

// A queue is the requests that wait, in two lanes: those of chains that are copied
// here do not hold up the others.
type queue struct {
	plain, copies lane
	copied        [chain.Chains]int // of each chain, how many requests are among the copies
}

// A lane is requests in the order in which they came.
type lane struct {
	requests []request
	octets   int
	urgent   int // how many say Sync
}

// add adds a request. Those of one chain stay in order: behind a part of a copy all
// wait that its chain has.
func (q *queue) add(r request) {
	b := r.batch
	switch {
	case b != nil && (len(b.Items) > 0 || q.copied[r.id] > 0):
		q.copied[r.id]++
		q.copies.add(r)
	case r.copies:
		q.copies.add(r)
	default:
		q.plain.add(r)
	}
}

// take gives requests, as many as make one write, of each lane the oldest. There is
// always one of the copies too, so that these go on.
func (q *queue) take(into []request) []request {
	into, size := q.plain.take(into, maxWrite)
	room := maxWrite
	if size > 0 {
		room = besides
	}
	from := len(into)
	into, _ = q.copies.take(into, room)
	for i := range into[from:] {
		if r := &into[from+i]; r.batch != nil {
			q.copied[r.id]--
		}
	}
	return into
}

// len counts the requests.
func (q *queue) len() int { return len(q.plain.requests) + len(q.copies.requests) }

func (q *queue) drop() { *q = queue{} }

// due reports whether what waits is to be written at once.
func (q *queue) due() bool {
	return q.plain.urgent+q.copies.urgent > 0 ||
		q.copies.octets >= maxWrite || q.plain.octets+q.copies.octets >= 2*maxWrite
}

func (l *lane) add(r request) {
	l.requests = append(l.requests, r)
	l.octets += r.size
	if r.sync {
		l.urgent++
	}
}

// take gives the oldest requests, no more octets than there is room for, but at least
// one.
func (l *lane) take(into []request, room int) (all []request, size int) {
	n := 0
	for n < len(l.requests) && (n == 0 || size+l.requests[n].size <= room) {
		size += l.requests[n].size
		if l.requests[n].sync {
			l.urgent--
		}
		n++
	}
	l.octets -= size
	into = append(into, l.requests[:n]...)
	clear(l.requests[:n])
	if n == len(l.requests) {
		l.requests = l.requests[:0]
	} else {
		l.requests = l.requests[n:]
	}
	return into, size
}

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
	var ends [2]chan struct{}
	for i := range ends {
		ends[i] = make(chan struct{})
	}
	if !d.submit(request{sync: true, done: ends[0]}, request{sync: true, copies: true, done: ends[1]}) {
		return d.why()
	}
	for _, done := range ends {
		select {
		case <-done:
		case <-d.failed:
			return d.Err()
		}
	}
	return nil
}

var errClosed = errors.New("the database is closed")

// why tells why nothing is taken.
func (d *Disk) why() error {
	if err := d.Err(); err != nil {
		return err
	}
	return errClosed
}

// submit brings requests to the committer, unless it has ended or is to end.
func (d *Disk) submit(all ...request) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.err != nil {
		return false
	}
	for _, r := range all {
		d.queue.add(r)
	}
	if d.queue.len() == len(all) || d.queue.due() {
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
