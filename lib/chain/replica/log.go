package replica

import (
	"namecast/lib/chain"
)

// An entry is a record in memory. Its outcome is known when it is applied.
type entry struct {
	rec     chain.Record
	outcome chain.Outcome
}

// A journal is the log: its newest part in memory, and where it begins and ends.
type journal struct {
	first    chain.LSN // the oldest record on the disk
	base     chain.LSN // entries are those after base
	baseHash chain.Hash
	entries  []entry
	size     int // octets of the entries
	pending  int // octets of those that are not committed
	durable  chain.LSN
	// What is not committed touches these keys, and is for these requests.
	dirty    map[string]int
	requests map[chain.RequestID]chain.LSN
}

func (l *journal) init() {
	l.dirty = map[string]int{}
	l.requests = map[chain.RequestID]chain.LSN{}
}

// reset makes it a log that goes on after a position, with nothing in memory.
func (l *journal) reset(first, at chain.LSN, hash chain.Hash) {
	*l = journal{first: first, base: at, baseHash: hash, durable: at}
	l.init()
}

func (l *journal) last() chain.LSN { return l.base + chain.LSN(len(l.entries)) }

func (l *journal) lastHash() chain.Hash {
	if n := len(l.entries); n > 0 {
		return l.entries[n-1].rec.Hash
	}
	return l.baseHash
}

// at is the entry of an LSN, or nil if that is not in memory.
func (l *journal) at(lsn chain.LSN) *entry {
	if lsn <= l.base || lsn > l.last() {
		return nil
	}
	return &l.entries[lsn-l.base-1]
}

// add takes the next record.
func (l *journal) add(rec chain.Record) {
	l.entries = append(l.entries, entry{rec: rec})
	n := rec.Size()
	l.size += n
	l.pending += n
	for i := range rec.Ops {
		l.dirty[string(rec.Ops[i].Key)]++
	}
	if id := identity(rec.Request, rec.Base); l.requests[id] == 0 {
		l.requests[id] = rec.LSN
	}
}

// settled takes an entry's keys and request off what is not committed.
func (l *journal) settled(e *entry) {
	l.pending -= e.rec.Size()
	for i := range e.rec.Ops {
		key := string(e.rec.Ops[i].Key)
		if l.dirty[key]--; l.dirty[key] <= 0 {
			delete(l.dirty, key)
		}
	}
	if id := identity(e.rec.Request, e.rec.Base); l.requests[id] == e.rec.LSN {
		delete(l.requests, id)
	}
}

// shed drops entries up to an LSN from memory while they take more than size
// octets.
func (l *journal) shed(upTo chain.LSN, size int) {
	n := 0
	for n < len(l.entries) && l.size > size && l.entries[n].rec.LSN <= upTo {
		l.size -= l.entries[n].rec.Size()
		l.baseHash = l.entries[n].rec.Hash
		n++
	}
	if n == 0 {
		return
	}
	l.base += chain.LSN(n)
	l.entries = l.entries[n:]
	if len(l.entries)*4 < cap(l.entries) {
		// What was cut off in front stays in memory until the slice is copied.
		l.entries = append(make([]entry, 0, 2*len(l.entries)), l.entries...)
	}
}

// record gives a record of the log, from memory or the disk.
func (r *Replica) record(lsn chain.LSN) (chain.Record, bool) {
	if e := r.log.at(lsn); e != nil {
		return e.rec, true
	}
	if lsn < r.log.first || lsn > r.log.base {
		return chain.Record{}, false
	}
	return r.store.Record(lsn)
}

// hashAt is the hash of the record at an LSN, if the log still knows it.
func (r *Replica) hashAt(lsn chain.LSN) (chain.Hash, bool) {
	switch {
	case lsn == 0:
		return chain.Hash{}, true
	case lsn == r.log.base:
		return r.log.baseHash, true
	}
	rec, ok := r.record(lsn)
	return rec.Hash, ok
}

// append takes a record to the end of the log and has it written.
func (r *Replica) append(rec chain.Record) {
	if r.commit == r.log.last() {
		r.succ.retryAt = r.now + r.opt.Retry // from now on something is to come
	}
	r.log.add(rec)
	r.batch.Records = append(r.batch.Records, rec)
	r.batch.Sync = true
}

// load takes up the log that is on the disk after the applied state.
func (r *Replica) load() bool {
	at, hash := r.store.State()
	first, last := r.store.Log()
	r.log.reset(first, at, hash)
	r.commit = at
	for lsn := at + 1; lsn <= last; lsn++ {
		rec, ok := r.store.Record(lsn)
		if !ok || rec.Sum(r.log.lastHash()) != rec.Hash {
			return false
		}
		r.log.add(rec)
	}
	r.log.durable = r.log.last()
	return true
}

// cut drops what is not committed from the end of the log.
func (r *Replica) cut() {
	hash, _ := r.hashAt(r.commit)
	r.log.reset(r.log.first, r.commit, hash)
	r.cuts++
	r.batch.Cut, r.batch.CutAfter, r.batch.Sync = true, r.commit, true
}

// A mark is what a batch brings when it is durable.
type mark struct {
	seq  uint64
	cuts int       // how often the log had been cut
	last chain.LSN // of the log
	keys []string
	reqs []chain.RequestID
	in   inCopy // how far a copy was
}

// flush hands the batch out, if there is anything in it.
func (r *Replica) flush() {
	if r.batch.empty() {
		return
	}
	r.seq++
	r.batch.Seq = r.seq
	m := mark{seq: r.seq, cuts: r.cuts, last: r.log.last(), in: r.in}
	m.keys, m.reqs = r.state.take()
	r.marks = append(r.marks, m)
	r.emit(Write{Batch: r.batch})
	r.batch = Batch{}
}

// written takes in that batches are durable.
func (r *Replica) written(seq uint64) {
	n := 0
	for ; n < len(r.marks) && r.marks[n].seq <= seq; n++ {
		m := &r.marks[n]
		r.state.release(m.seq, m.keys, m.reqs)
		if m.cuts == r.cuts {
			r.log.durable = max(r.log.durable, m.last)
		}
		r.copied(m.in)
		r.done = m.seq
	}
	r.marks = r.marks[n:]
	r.emptyNow()
}
