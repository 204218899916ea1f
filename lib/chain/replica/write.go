package replica

import (
	"slices"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/internal/safeguard"
)

// An asker is who waits for an answer: a client, or another member that
// forwarded a client's request.
type asker struct {
	client   uint64
	member   chain.Member // nobody if it is a client
	id       uint64       // the asker's
	deadline time.Duration
}

// answer sends an asker its answer.
func (r *Replica) answer(a asker, m chain.Message) {
	if a.member.IsZero() {
		r.reply(a.client, m)
		return
	}
	r.send(a.member, m)
}

// writes is what waits for records to be committed.
type writes struct {
	waiting   map[chain.LSN][]asker // at the head
	count     int
	forwarded map[uint64]asker // to the head, by the ID that it was told
	head      chain.Member     // to whom
	lastID    uint64
}

func (w *writes) init() {
	w.waiting = map[chain.LSN][]asker{}
	w.forwarded = map[uint64]asker{}
}

// propose takes a write, from a client or forwarded by a member.
func (r *Replica) propose(a asker, m chain.Propose) {
	if !r.isHead() {
		r.forward(a, m)
		return
	}
	refuse := func(s chain.Status) { r.answer(a, chain.ProposeReply{ID: a.id, Status: s}) }
	if chain.Check(m.Conds, m.Ops) != nil {
		refuse(chain.BadRequest)
		return
	}
	if m.Base > r.log.last() { // others have gone on, in an epoch that is news here
		refuse(chain.NotServing)
		return
	}
	dedupe := !r.off(safeguard.Dedupe)
	if o, ok := r.outcome(identity(m.Request, m.Base)); ok && dedupe {
		r.answer(a, chain.ProposeReply{ID: a.id, Status: chain.Done, Outcome: o})
		return
	}
	if r.writes.count >= r.opt.MaxWaiting {
		refuse(chain.Busy)
		return
	}
	if lsn, ok := r.log.requests[identity(m.Request, m.Base)]; ok && dedupe {
		r.wait(lsn, a)
		return
	}
	switch {
	case len(r.row.Members) < r.opt.MinMembers:
		refuse(chain.TooFew)
	case r.log.last()-r.commit >= chain.LSN(r.opt.MaxPending), r.log.pending >= r.opt.MaxPendingSize:
		refuse(chain.Busy)
	default:
		r.number(m)
		r.wait(r.log.last(), a)
	}
}

// number makes the record of a write and takes it to the log.
func (r *Replica) number(m chain.Propose) {
	rec := chain.Record{
		LSN: r.log.last() + 1, Epoch: r.row.Epoch,
		Request: m.Request, Base: m.Base, Conds: m.Conds, Ops: m.Ops,
	}
	rec.Hash = rec.Sum(r.log.lastHash())
	r.append(rec)
}

func (r *Replica) wait(lsn chain.LSN, a asker) {
	r.writes.waiting[lsn] = append(r.writes.waiting[lsn], a)
	r.writes.count++
	r.sweepSoon()
}

// answerWrites answers who waits for a record that was applied.
func (r *Replica) answerWrites(e *entry) {
	waiting, ok := r.writes.waiting[e.rec.LSN]
	if !ok {
		return
	}
	delete(r.writes.waiting, e.rec.LSN)
	r.writes.count -= len(waiting)
	for _, a := range waiting {
		r.answer(a, chain.ProposeReply{ID: a.id, Status: chain.Done, Outcome: e.outcome})
	}
}

// forward hands a write on to the head, once.
func (r *Replica) forward(a asker, m chain.Propose) {
	reply := chain.ProposeReply{ID: a.id, Status: chain.NotHead}
	if len(r.row.Members) > 0 {
		reply.Head = r.row.Head()
	}
	switch {
	case m.Forwarded || r.role != Serving && r.role != Copying:
		r.answer(a, reply)
	case len(r.writes.forwarded) >= r.opt.MaxWaiting:
		r.answer(a, chain.ProposeReply{ID: a.id, Status: chain.Busy})
	default:
		r.writes.lastID++
		r.writes.head = r.row.Head()
		r.writes.forwarded[r.writes.lastID] = a
		m.ID, m.Forwarded = r.writes.lastID, true
		r.sweepSoon()
		r.send(r.writes.head, m)
	}
}

// proposed takes the head's answer to a forwarded write.
func (r *Replica) proposed(m chain.ProposeReply) {
	a, ok := r.writes.forwarded[m.ID]
	if !ok {
		return
	}
	delete(r.writes.forwarded, m.ID)
	m.ID = a.id
	r.answer(a, m)
}

// regroupWrites answers, after a change of the row, those whose answer will not
// come: the head they were forwarded to, or this one, is head no more.
func (r *Replica) regroupWrites() {
	w := &r.writes
	if len(r.row.Members) > 0 && w.head != r.row.Head() || r.role == None || r.role == Barred || r.halted {
		for _, id := range sorted(w.forwarded) {
			r.proposed(chain.ProposeReply{ID: id, Status: chain.Unknown})
		}
	}
	if r.isHead() && !r.halted {
		return
	}
	for _, lsn := range sorted(w.waiting) {
		for _, a := range w.waiting[lsn] {
			r.answer(a, chain.ProposeReply{ID: a.id, Status: chain.Unknown})
		}
		delete(w.waiting, lsn)
	}
	w.count = 0
}

// sorted gives the keys of a map in order, so that the same inputs have the
// same effects.
func sorted[K chain.LSN | uint64, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// sweepWrites answers who has waited too long.
func (r *Replica) sweepWrites() {
	w := &r.writes
	for _, id := range sorted(w.forwarded) {
		if w.forwarded[id].deadline <= r.now {
			r.proposed(chain.ProposeReply{ID: id, Status: chain.Unknown})
		}
	}
	for _, lsn := range sorted(w.waiting) {
		kept := w.waiting[lsn][:0]
		for _, a := range w.waiting[lsn] {
			if a.deadline > r.now {
				kept = append(kept, a)
				continue
			}
			w.count--
			r.answer(a, chain.ProposeReply{ID: a.id, Status: chain.Unknown})
		}
		if w.waiting[lsn] = kept; len(kept) == 0 {
			delete(w.waiting, lsn)
		}
	}
}
