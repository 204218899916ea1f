package replica

import (
	"encoding/binary"

	"namecast/lib/chain"
	"namecast/lib/chain/internal/safeguard"
)

// An overlay is what was applied, but may not be on the disk yet.
type overlay struct {
	items    map[string]laid
	outcomes map[chain.RequestID]laidOutcome
	keys     []string // put since the last batch
	reqs     []chain.RequestID
}

// laid is a change and the batch that it goes with.
type laid struct {
	change Change
	seq    uint64
}

type laidOutcome struct {
	outcome chain.Outcome
	seq     uint64
}

func (o *overlay) init() {
	o.items = map[string]laid{}
	o.outcomes = map[chain.RequestID]laidOutcome{}
}

// take gives what was put since the last batch.
func (o *overlay) take() ([]string, []chain.RequestID) {
	keys, reqs := o.keys, o.reqs
	o.keys, o.reqs = nil, nil
	return keys, reqs
}

// release drops what a batch has brought to the disk, unless it was put again
// since.
func (o *overlay) release(seq uint64, keys []string, reqs []chain.RequestID) {
	for _, k := range keys {
		if l, ok := o.items[k]; ok && l.seq <= seq {
			delete(o.items, k)
		}
	}
	for _, q := range reqs {
		if l, ok := o.outcomes[q]; ok && l.seq <= seq {
			delete(o.outcomes, q)
		}
	}
}

// get is a key in the applied state.
func (r *Replica) get(key []byte) (chain.Item, bool) {
	if l, ok := r.state.items[string(key)]; ok {
		return l.change.Item, !l.change.Delete
	}
	return r.store.Get(key)
}

// identity is what a request is remembered by. The Base is a part of it: within
// Window of it all members know the request, and later none takes it. With another
// Base it would be known to those who have not forgotten it yet, and to no others.
func identity(id chain.RequestID, base chain.LSN) chain.RequestID {
	last := id[len(id)-8:]
	binary.BigEndian.PutUint64(last, binary.BigEndian.Uint64(last)^uint64(base))
	return id
}

// outcome is that of a remembered request.
func (r *Replica) outcome(id chain.RequestID) (chain.Outcome, bool) {
	if l, ok := r.state.outcomes[id]; ok {
		return l.outcome, true
	}
	return r.store.Outcome(id)
}

// advance commits and applies the log up to an LSN.
func (r *Replica) advance(to chain.LSN) {
	if to > r.log.durable && !r.halted {
		r.halt("another member committed what this one has not made durable")
		return
	}
	for r.commit < to {
		r.apply(r.log.at(r.commit + 1))
	}
}

// apply applies the next record.
func (r *Replica) apply(e *entry) {
	rec := &e.rec
	e.outcome = r.judge(rec)
	if e.outcome.Verdict == chain.Applied {
		for i := range rec.Ops {
			r.change(rec.LSN, &rec.Ops[i])
		}
	}
	if v := e.outcome.Verdict; v == chain.Applied || v == chain.Conflict {
		id := identity(rec.Request, rec.Base)
		r.state.outcomes[id] = laidOutcome{e.outcome, r.seq + 1}
		r.state.reqs = append(r.state.reqs, id)
		r.batch.Remembered = append(r.batch.Remembered, chain.Remembered{Request: id, Outcome: e.outcome})
	}
	r.commit = rec.LSN
	r.batch.Moved, r.batch.State, r.batch.Hash = true, rec.LSN, rec.Hash
	r.log.settled(e)
	r.answerWrites(e)
}

// change puts or deletes one key.
func (r *Replica) change(lsn chain.LSN, op *chain.Op) {
	c := Change{Item: chain.Item{Key: op.Key}, Delete: op.Kind == chain.Delete}
	if !c.Delete {
		c.Item.Value, c.Item.Version = op.Value, lsn
	}
	r.state.items[string(op.Key)] = laid{c, r.seq + 1}
	r.state.keys = append(r.state.keys, string(op.Key))
	r.batch.Changes = append(r.batch.Changes, c)
}

// judge decides what comes of a record, from the state before it alone.
func (r *Replica) judge(rec *chain.Record) chain.Outcome {
	o := chain.Outcome{Verdict: chain.Applied, LSN: rec.LSN}
	if r.expired(rec) && !r.off(safeguard.Expiry) {
		o.Verdict = chain.Expired
		return o
	}
	if was, ok := r.outcome(identity(rec.Request, rec.Base)); ok && !r.off(safeguard.Dedupe) {
		return chain.Outcome{Verdict: chain.Duplicate, LSN: was.LSN}
	}
	for i := range rec.Conds {
		c := &rec.Conds[i]
		item, found := r.get(c.Key)
		if c.Kind == chain.AtVersion && item.Version != c.Version || c.Kind == chain.Exists && !found {
			return chain.Outcome{Verdict: chain.Conflict, LSN: rec.LSN, Cond: uint32(i), Version: item.Version}
		}
	}
	return o
}

// expired reports whether a record came too late for its request to be known,
// had it been in the log before.
func (r *Replica) expired(rec *chain.Record) bool {
	return rec.Base >= rec.LSN || rec.LSN-rec.Base > r.opt.Window
}

// outcomeAt is what came of an applied record of the log.
func (r *Replica) outcomeAt(rec *chain.Record) chain.Outcome {
	if e := r.log.at(rec.LSN); e != nil && e.outcome.Verdict != 0 {
		return e.outcome
	}
	o := chain.Outcome{Verdict: chain.Expired, LSN: rec.LSN}
	if r.expired(rec) {
		return o
	}
	if o, ok := r.outcome(identity(rec.Request, rec.Base)); ok && o.LSN == rec.LSN {
		return o
	} else if ok {
		return chain.Outcome{Verdict: chain.Duplicate, LSN: o.LSN}
	}
	return o
}

// commitAsTail commits what the tail may: all it has, or what the recruit has
// too once commits are gated. The first time in an epoch that is what the log held
// before, and only then may the tail answer: somebody may have been shown any of it.
func (r *Replica) commitAsTail() {
	if !r.isTail() || !r.heard && r.place > 0 && !r.off(safeguard.Hello) {
		return
	}
	if !r.active && r.off(safeguard.WholeLog) {
		r.active = true
		return
	}
	limit := min(r.log.durable, r.recruitLimit())
	if limit > r.commit {
		r.advance(limit)
	}
	r.active = !r.halted
}

// trim lets go of the log's oldest records.
func (r *Replica) trim() {
	r.log.shed(min(r.commit, r.log.durable), r.opt.Cache)
	keep := chain.LSN(r.opt.Keep)
	if r.commit < r.log.first+keep+keep/8 || r.role == None {
		return
	}
	to := min(r.commit-keep+1, r.holds())
	if to <= r.log.first {
		return
	}
	r.log.first = to
	r.batch.Trim = to
	if r.commit > r.opt.Window {
		r.batch.Forget = r.commit - r.opt.Window
	}
}
