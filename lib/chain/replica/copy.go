package replica

import (
	"time"

	"namecast/lib/chain"
)

// maxRemembered is how many remembered requests go in one message.
const maxRemembered = 4096

// An outCopy sends a snapshot, to a recruit or a subscriber.
type outCopy struct {
	id       uint64
	snap     Snapshot
	lsn      chain.LSN
	hash     chain.Hash
	requests bool // remembered requests go with it
	send     func(chain.Message)

	begun    bool            // the other has answered
	underWay []chain.Message // chunks from acked on
	acked    uint64
	next     uint64 // chunk to be made
	after    []byte // the key and the LSN that the next chunk goes on after
	afterLSN chain.LSN
	items    bool // all items were sent
	ended    bool // all was sent
	moved    time.Duration
	// After how long without progress all that is under way is sent again to a
	// recruit, and when that is.
	pause   time.Duration
	againAt time.Duration
}

func (c *outCopy) close() {
	if c != nil {
		c.snap.Close()
	}
}

// newCopy opens a copy of the state, or gives nil if the log does not go on from
// where the disk's state is at the moment.
func (r *Replica) newCopy(id uint64, send func(chain.Message)) *outCopy {
	snap := r.store.Snapshot()
	lsn, hash := snap.State()
	if lsn+1 < r.log.first {
		snap.Close()
		return nil
	}
	c := &outCopy{id: id, snap: snap, lsn: lsn, hash: hash, send: send, moved: r.now}
	send(chain.SnapBegin{ID: id, LSN: lsn, Hash: hash})
	return c
}

// fill keeps chunks under way: two at first, and one more for each that has arrived, up
// to maxUnderWay. They are read here and now, while other inputs wait.
func (c *outCopy) fill(size int) {
	for !c.ended && uint64(len(c.underWay)) < min(maxUnderWay, 2+c.acked) {
		m := c.make(size)
		c.underWay = append(c.underWay, m)
		c.send(m)
	}
}

// make makes the next message.
func (c *outCopy) make(size int) chain.Message {
	m := chain.SnapChunk{ID: c.id, Seq: c.next}
	if !c.items {
		m.Items = c.snap.Items(c.after, size)
		if n := len(m.Items); n > 0 {
			c.after = m.Items[n-1].Key
		}
		c.items = len(m.Items) == 0
	}
	if c.items && c.requests {
		m.Requests = c.snap.Remembered(c.afterLSN, maxRemembered)
		if n := len(m.Requests); n > 0 {
			c.afterLSN = m.Requests[n-1].Outcome.LSN
		}
	}
	if len(m.Items) == 0 && len(m.Requests) == 0 {
		c.ended = true
		return chain.SnapEnd{ID: c.id, Chunks: c.next}
	}
	c.next++
	return m
}

// progress takes in how far the other is.
func (c *outCopy) progress(m chain.SnapAck, now time.Duration) {
	if !c.begun || m.Next > c.acked {
		c.moved = now
	}
	c.begun = true
	for c.acked < m.Next && len(c.underWay) > 1 {
		c.acked++
		c.underWay = c.underWay[1:]
	}
}

// startCopy sends the recruit the state in place of the log.
func (r *Replica) startCopy(d *downstream) {
	r.lastCopy++
	to := d.to
	c := r.newCopy(r.lastCopy, func(m chain.Message) { r.send(to, m) })
	if c == nil {
		return // the recruit's next word comes here again
	}
	c.requests = true
	d.copy, d.known, d.underWay = c, false, nil
	d.retryAt = r.now + r.patience(d)
	r.rest(c, 0)
	c.fill(r.opt.Chunk)
}

// leastPause and mostPause are after how many times the time of a retry all that is
// under way of a copy is sent again to a recruit.
const (
	leastPause = 10
	mostPause  = 40
)

// resendCopy asks the recruit how far it is, and now and then sends again what it has not
// acknowledged: while it has the copies of many chains to write, nothing need be lost.
func (r *Replica) resendCopy(d *downstream) {
	c := d.copy
	r.asks(d)
	c.send(chain.SnapBegin{ID: c.id, LSN: c.lsn, Hash: c.hash})
	if c.begun && r.now < c.againAt {
		return
	}
	for _, m := range c.underWay {
		c.send(m)
	}
	r.rest(c, 2*c.pause)
}

// rest sets after how long all is sent again, unless the copy gets on.
func (r *Replica) rest(c *outCopy, pause time.Duration) {
	c.pause = min(max(pause, leastPause*r.opt.Retry), mostPause*r.opt.Retry)
	c.againAt = r.now + c.pause
}

// takeSnapAck goes on with the recruit's copy, and with the log after it.
func (r *Replica) takeSnapAck(from chain.Member, m chain.SnapAck) {
	d := r.downstreamOf(from)
	if d == nil || d.copy == nil || d.copy.id != m.ID {
		return
	}
	c := d.copy
	d.asked, d.heard = 0, r.now
	acked, begun := c.acked, c.begun
	if c.progress(m, r.now); c.acked != acked || !begun {
		r.rest(c, 2*(r.now-d.moved))
		d.moved = r.now
		d.retryAt = r.now + r.patience(d)
	}
	if !m.Done {
		c.fill(r.opt.Chunk)
		return
	}
	c.close()
	d.copy, d.known = nil, true
	d.last, d.durable, d.next = c.lsn, c.lsn, c.lsn+1
	d.moved = r.now
}

// An inCopy is a copy that comes in, at a recruit.
type inCopy struct {
	on    bool
	epoch chain.Epoch
	id    uint64
	lsn   chain.LSN
	hash  chain.Hash
	next  uint64 // chunk
	ended bool   // all has come
	// written is the first chunk that is not durable.
	written uint64
}

// snapBegin makes place for a copy. When it comes again, it asks how far that is.
func (r *Replica) snapBegin(from chain.Member, m chain.SnapBegin) {
	if r.role != Copying || from != r.row.Tail() || m.ID < r.in.id {
		return
	}
	if m.ID == r.in.id {
		r.send(from, chain.SnapAck{ID: m.ID, Next: r.in.written, Done: !r.in.on})
		return
	}
	r.wipe()
	r.half = true
	r.in = inCopy{on: true, epoch: r.row.Epoch, id: m.ID, lsn: m.LSN, hash: m.Hash}
	r.note(true)
}

// takes reports whether a part of a copy belongs to the one that comes in.
func (r *Replica) takes(from chain.Member, id uint64) bool {
	return r.role == Copying && from == r.row.Tail() && r.in.on && !r.in.ended && r.in.id == id
}

// snapChunk takes the next part of the state.
func (r *Replica) snapChunk(from chain.Member, m chain.SnapChunk) {
	if !r.takes(from, m.ID) || m.Seq != r.in.next {
		return
	}
	r.in.next++
	r.batch.Items = append(r.batch.Items, m.Items...)
	r.batch.Remembered = append(r.batch.Remembered, m.Requests...)
	r.batch.Sync = true // the tail sends no more than it has under way
}

// snapEnd has all of the state written as being whole.
func (r *Replica) snapEnd(from chain.Member, m chain.SnapEnd) {
	if !r.takes(from, m.ID) || m.Chunks != r.in.next {
		return
	}
	r.in.ended = true
	r.batch.Moved, r.batch.State, r.batch.Hash = true, r.in.lsn, r.in.hash
	r.note(false)
}

// copied goes on when a part of a copy is durable. Only then is the state used.
func (r *Replica) copied(in inCopy) {
	if !in.on || !r.in.on || in.id != r.in.id || in.epoch != r.in.epoch {
		return
	}
	r.in.written = in.next
	if in.ended {
		r.in.on, r.half = false, false
		r.log.reset(in.lsn+1, in.lsn, in.hash)
		r.cuts++
		r.commit = in.lsn
		r.ackDue = true
	}
	r.send(r.row.Tail(), chain.SnapAck{ID: in.id, Next: in.next, Done: in.ended})
}
