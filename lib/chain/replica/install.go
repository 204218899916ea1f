package replica

import (
	"fmt"

	"namecast/lib/chain"
	"namecast/lib/chain/internal/safeguard"
)

// configure installs a row, if it is newer than the installed one.
func (r *Replica) configure(row chain.Row) {
	if row.Epoch <= r.row.Epoch || len(row.Members) == 0 {
		return
	}
	r.wanted = max(r.wanted, row.Epoch)
	was := r.role
	r.row, r.place = row, row.Index(r.self)
	r.heard, r.active, r.gate = false, false, false
	r.unlink()
	r.in, r.acked, r.ackDue = inCopy{}, position{}, true
	r.tended = tending{}
	switch {
	case r.place >= 0:
		r.member()
	case row.Recruit == r.self:
		r.enlist()
	default:
		r.role = None
	}
	r.bar(r.barred)
	r.regroup(was)
}

// member takes its place among the members.
func (r *Replica) member() {
	if !r.began && !r.begin() {
		return
	}
	r.role = Serving
	if n := r.place + 1; n < len(r.row.Members) {
		r.succ.to, r.succ.retryAt = r.row.Members[n], r.now
	} else {
		r.recruit = downstream{to: r.row.Recruit, retryAt: r.now, heard: r.now, moved: r.now}
	}
	r.note(false)
}

// begin takes up the chain in this incarnation without having been a recruit:
// it is new, or every member has died and this one's disk is to be trusted. False:
// it has not begun yet, or never will.
//
// A row that restores nothing is one with which the chain begins: the first, or one
// that the operator had made since nobody has anything. Half a copy is nothing, and
// on its way out; what it took the place of was gone when it began.
func (r *Replica) begin() bool {
	meta := r.store.Meta()
	if meta.Copying && r.row.Restored == 0 && !r.emptied {
		r.empty()
		return false
	}
	_, last := r.store.Log()
	restored := r.row.Restored != 0 && r.place == 0 && r.row.Restored == meta.Held()
	resumed := r.off(safeguard.Fresh) && meta.Inc == r.self.Inc
	switch {
	case last == 0 && (meta.Inc == 0 || r.emptied && r.row.Restored == 0):
	case restored || resumed:
	default:
		r.halt(fmt.Sprintf("the row wants the data of incarnation %d; the disk has %d's, copying %v",
			r.row.Restored, meta.Inc, meta.Copying))
		return false
	}
	if !r.load() {
		r.halt("the log on the disk does not hold together")
		return false
	}
	r.began = true
	return true
}

// empty wipes half a copy. Until that is durable the replica takes no part, as what
// can be read is still there.
func (r *Replica) empty() {
	r.role = None
	if r.emptying == 0 {
		r.wipe()
		r.emptying = r.seq + 1
	}
}

// emptyNow goes on when the wipe is durable.
func (r *Replica) emptyNow() {
	if r.emptying == 0 || r.done < r.emptying {
		return
	}
	r.emptying, r.emptied = 0, true
	if r.began || r.halted || r.place < 0 {
		return
	}
	r.member()
	r.bar(r.barred)
}

// enlist becomes a recruit. What it has that was committed once is good for
// ever; the rest may have been overruled while it took no part.
func (r *Replica) enlist() {
	if !r.began {
		r.began = true
		first, _ := r.store.Log()
		at, hash := r.store.State()
		r.log.reset(first, at, hash)
		r.commit = at
		r.half = r.store.Meta().Copying
		if r.off(safeguard.Match) {
			r.load()
		}
	}
	r.role = Copying
	switch {
	case r.half:
		r.wipe()
		r.half = false
	case !r.off(safeguard.Match):
		r.cut()
	}
	r.note(false)
}

// wipe makes the chain empty. Nothing is applied before the disk is too: what
// brings records waits for an Ack, and that for the batch.
func (r *Replica) wipe() {
	r.log.reset(1, 0, chain.Hash{})
	r.cuts++
	r.commit = 0
	r.state.init()
	r.batch = Batch{Wipe: true, Sync: true}
}

// note has the row written, and whether the state is half of a copy.
func (r *Replica) note(copying bool) {
	r.batch.Meta = &Meta{Inc: r.self.Inc, Copying: copying, Row: r.row}
	r.batch.Sync = true
	r.since = r.seq + 1
}

// bar stops serving in epochs up to the given one.
func (r *Replica) bar(upTo chain.Epoch) {
	r.barred = max(r.barred, upTo)
	if r.halted || r.role == None || r.row.Epoch > r.barred {
		return
	}
	was := r.role
	r.role = Barred
	r.active, r.gate = false, false
	r.unlink()
	r.tended = tending{nextAt: r.now}
	r.regroup(was)
}

// fence answers a Fence: never again in those epochs.
func (r *Replica) fence(client uint64, m chain.Fence) {
	r.bar(m.Epoch)
	r.reply(client, chain.FenceReply(m))
}

// regroup deals with what waits, after the role or the epoch has changed.
func (r *Replica) regroup(was Role) {
	r.regroupReads()
	r.regroupWrites()
	if was == Serving && r.role != Serving {
		r.endFeeds(func(*subscription) bool { return true })
	}
}
