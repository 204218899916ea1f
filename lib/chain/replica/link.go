package replica

import (
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/internal/safeguard"
)

// The limits of an Append, and how many may be under way.
const (
	maxAppend      = 256 << 10 // octets; one record may have more
	maxAppendCount = 512
	maxUnderWay    = 8
)

// A downstream is whom this member sends its log to: its successor, or as the
// tail the recruit.
type downstream struct {
	to       chain.Member // nobody if there is none
	known    bool         // it has acknowledged something in this epoch
	next     chain.LSN    // to be sent
	last     chain.LSN    // of its log, as it says
	durable  chain.LSN
	commit   chain.LSN
	underWay []chain.LSN // the last LSN of each Append that is not acknowledged
	retryAt  time.Duration
	hellos   int           // sent in this epoch
	asked    int           // how often it was asked again since it was heard
	since    time.Duration // the first of these
	copy     *outCopy      // what it is sent instead of the log
	behind   bool          // it does not have all of the log
	heard    time.Duration // when it answered anything
	moved    time.Duration // when it got on
	paced    pace
}

// unlink forgets the downstream members.
func (r *Replica) unlink() {
	for _, d := range []*downstream{&r.succ, &r.recruit} {
		d.copy.close()
		*d = downstream{}
	}
}

// pump sends what there is to send: durable records, in order.
func (r *Replica) pump(d *downstream) {
	if d.to.IsZero() || !d.known || d.copy != nil {
		return
	}
	for d.next <= r.log.durable && len(d.underWay) < maxUnderWay {
		m, ok := r.appendFrom(d.next)
		if !ok {
			r.lost(d)
			return
		}
		d.next += chain.LSN(len(m.Records))
		if len(d.underWay) == 0 {
			d.retryAt = r.now + r.patience(d)
		}
		d.underWay = append(d.underWay, d.next-1)
		r.send(d.to, m)
	}
}

// appendFrom makes an Append of the records from an LSN on.
func (r *Replica) appendFrom(lsn chain.LSN) (chain.Append, bool) {
	hash, ok := r.hashAt(lsn - 1)
	if !ok {
		return chain.Append{}, false
	}
	m := chain.Append{Prev: lsn - 1, PrevHash: hash, Commit: r.commit}
	for size := 0; lsn <= r.log.durable && len(m.Records) < maxAppendCount; lsn++ {
		rec, ok := r.record(lsn)
		if !ok {
			return chain.Append{}, false
		}
		if size += rec.Size(); size > maxAppend && len(m.Records) > 0 {
			break
		}
		m.Records = append(m.Records, rec)
	}
	return m, true
}

// lost says that the log does not reach back to what the other has: a recruit
// gets a copy, but a member cannot be so far behind.
func (r *Replica) lost(d *downstream) {
	if d == &r.recruit {
		r.startCopy(d)
		return
	}
	r.halt("the successor's log is not a part of this member's")
}

// resend says hello, or sends again what was not acknowledged in time.
func (r *Replica) resend(d *downstream) {
	if d.to.IsZero() || r.now < d.retryAt {
		return
	}
	d.retryAt = r.now + r.patience(d)
	switch {
	case d.copy != nil:
		r.resendCopy(d)
	case d.known && len(d.underWay) > 0:
		r.asks(d)
		d.next, d.underWay = d.last+1, nil // settle pumps
	case r.waitsFor(d):
		r.asks(d)
		r.send(d.to, chain.Hello{Last: r.log.durable, Commit: r.commit})
		// The other installs the row at nearly the same time, so the first are quick.
		d.hellos++
		d.retryAt = r.now + r.opt.Retry>>max(0, quickHellos-d.hellos)
	}
}

// patience is after how long something is sent again. A recruit has much to write,
// of many chains, and what is sent twice makes it no quicker; until commits wait for it
// nobody waits for one message to it as for one to the successor.
func (r *Replica) patience(d *downstream) time.Duration {
	if d == &r.recruit && !r.waitsForRecruit() {
		return recruitPatience * r.opt.Retry
	}
	return r.opt.Retry
}

// recruitPatience is how many times the patience with a successor that with a
// recruit is.
const recruitPatience = 5

// asks counts that something is sent for which an answer is to come.
func (r *Replica) asks(d *downstream) {
	if d.asked == 0 {
		d.since = r.now
	}
	d.asked++
}

// quickHellos is how many hellos come sooner than the time for trying again, each
// after twice the time of the one before.
const quickHellos = 5

// waitsFor reports whether something is to come from the downstream member: its
// first word in the epoch, or that it made durable or committed what it has.
func (r *Replica) waitsFor(d *downstream) bool {
	if !d.known || d.durable < d.last {
		return true
	}
	return d == &r.succ && r.commit < r.log.last()
}

// hello takes the predecessor's word that it has installed the epoch.
func (r *Replica) hello(from chain.Member, m chain.Hello) {
	if from != r.upstream() {
		return
	}
	r.heard = true
	r.ackDue = true
	r.learn(m.Commit)
}

// learn has a recruit apply what the tail has committed.
func (r *Replica) learn(commit chain.LSN) {
	if r.role == Copying && !r.in.on {
		r.advance(min(max(commit, r.commit), r.log.durable))
	}
}

// take takes records from the predecessor, or as a recruit from the tail.
func (r *Replica) take(from chain.Member, m chain.Append) {
	if from != r.upstream() && !r.off(safeguard.Epochs) || r.role != Serving && r.role != Copying || r.in.on {
		return
	}
	r.heard = r.heard || from == r.upstream()
	if !r.continues(m) {
		r.ackDue = true
		return
	}
	took := false
	for _, rec := range m.Records {
		if rec.LSN <= r.log.last() {
			continue
		}
		if !r.off(safeguard.Contiguous) && (rec.LSN != r.log.last()+1 || rec.Sum(r.log.lastHash()) != rec.Hash) {
			r.halt("a record of the predecessor does not continue this member's log")
			return
		}
		rec.LSN = r.log.last() + 1 // as it is, unless that safeguard is out
		r.append(rec)
		took = true
	}
	r.ackDue = r.ackDue || !took
	r.learn(m.Commit)
}

// continues reports whether the records connect to the log. It halts if they
// are of another log.
func (r *Replica) continues(m chain.Append) bool {
	if m.Prev > r.log.last() {
		return r.off(safeguard.Contiguous)
	}
	if hash, ok := r.hashAt(m.Prev); ok && hash != m.PrevHash && !r.off(safeguard.Match) && !r.off(safeguard.Contiguous) {
		r.halt("the predecessor's log is another")
		return false
	}
	return true
}

// sendAck tells the predecessor how far this member is. It waits until the
// predecessor has been heard in the epoch, which stops to say so when it gets an Ack.
func (r *Replica) sendAck() {
	up := r.upstream()
	p := position{r.log.durable, r.commit}
	if up.IsZero() || !r.heard || r.done < r.since || !r.ackDue && p == r.acked || r.in.on {
		return
	}
	r.acked, r.ackDue = p, false
	r.send(up, chain.Ack{Last: r.log.last(), LastHash: r.log.lastHash(), Durable: r.log.durable, Commit: r.commit})
}

// takeAck takes in how far the successor or the recruit is.
func (r *Replica) takeAck(from chain.Member, m chain.Ack) {
	d := r.downstreamOf(from)
	if d == nil || d.copy != nil {
		return
	}
	d.asked, d.heard = 0, r.now
	if !d.known && (r.ratherCopies(d, m) || !r.matches(d, m)) {
		r.lost(d)
		return
	}
	if m.Last > d.last || m.Durable > d.durable {
		d.moved = r.now
		d.retryAt = r.now + r.patience(d)
	}
	d.last, d.durable, d.commit = max(d.last, m.Last), max(d.durable, m.Durable), max(d.commit, m.Commit)
	for len(d.underWay) > 0 && d.underWay[0] <= d.last {
		d.underWay = d.underWay[1:]
	}
	d.next = max(d.next, d.last+1)
	if d == &r.succ {
		r.advance(max(r.commit, d.commit))
	}
}

// ratherCopies reports, at the first word in the epoch, whether the recruit is to get
// a copy though the log may reach back: it has nothing. What is in the state is in
// such a log too, so that a copy is smaller; and of the log the recruit would write
// everything twice, as a record and as what comes of it. Only a log that is small
// enough to be in memory is sent at once.
func (r *Replica) ratherCopies(d *downstream, m chain.Ack) bool {
	return d == &r.recruit && m.Last == 0 && r.log.base > 0
}

// matches reports, at the first word in the epoch, whether the other's log is
// the beginning of this one's, and goes on from there.
func (r *Replica) matches(d *downstream, m chain.Ack) bool {
	hash, ok := r.hashAt(m.Last)
	if (!ok || hash != m.LastHash || m.Last > r.log.last()) && !r.off(safeguard.Match) {
		return false
	}
	d.known, d.last, d.next = true, m.Last, m.Last+1
	return true
}

// downstreamOf is what is kept of the successor or the recruit.
func (r *Replica) downstreamOf(from chain.Member) *downstream {
	switch {
	case r.role != Serving || from.IsZero():
		return nil
	case from == r.succ.to:
		return &r.succ
	case from == r.recruit.to:
		return &r.recruit
	}
	return nil
}

// holds is the oldest LSN that somebody still needs of the log.
func (r *Replica) holds() chain.LSN {
	hold := r.commit
	for _, d := range []*downstream{&r.succ, &r.recruit} {
		switch {
		case d.to.IsZero():
		case d.copy != nil:
			hold = min(hold, d.copy.lsn) // its hash goes before the first record
		case d.known:
			hold = min(hold, d.last)
		default:
			hold = min(hold, r.log.first)
		}
	}
	return min(hold, r.feedHolds())
}
