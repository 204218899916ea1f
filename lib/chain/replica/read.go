package replica

import (
	"slices"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/internal/safeguard"
)

// A reading is a strong read that waits to be proved current: of keys, or a
// subscriber's ping, which reads nothing but the position.
type reading struct {
	asker
	keys [][]byte
	ping uint64
	feed bool // it is a ping
}

// A round proves one time that what is committed here is current, for all
// readings that came before it began.
type round struct {
	id       uint64
	on       bool
	confirm  bool // ask every member whether it is still in the epoch, and not only the tail
	began    time.Duration
	retryAt  time.Duration
	point    chain.LSN // committed at the tail
	said     []bool    // the participants that have answered
	readings []reading
}

// reads is what there is of strong reads.
type reads struct {
	queue   []reading // for the next round
	looked  chain.LSN // committed when all that waits was looked through last
	round   round
	lastID  uint64
	current time.Duration // what was committed here was all there was then
	proved  bool          // current is set
	lease   bool          // as it was when it was renewed last; see safeguard.LateCheck
}

// maxReply is how many octets of keys and values one read may give.
const maxReply = chain.MaxRecord

// read answers a read, or has it wait for proof.
func (r *Replica) read(a asker, m chain.Read) {
	if r.role != Serving {
		r.answer(a, chain.ReadReply{ID: a.id, Status: chain.NotServing})
		return
	}
	if m.Mode != chain.Strong && m.MinLSN <= r.commit && r.near(m) {
		r.serve(reading{asker: a, keys: m.Keys})
		return
	}
	r.strong(reading{asker: a, keys: m.Keys})
}

// near reports whether what is applied here is within the bounds of a read.
func (r *Replica) near(m chain.Read) bool {
	if m.Mode == chain.Eventual {
		return true
	}
	young := m.MaxAge == 0 || r.reads.proved && r.now-r.reads.current <= m.MaxAge
	return young && (m.MaxLag == 0 || uint64(r.log.last()-r.commit) <= m.MaxLag)
}

// strong answers a reading at once if the lease proves it current: the tail's,
// and that of any member whose key no uncommitted record touches. The lease is
// looked at now, after the request has come.
func (r *Replica) strong(q reading) {
	if r.serveClean(q) {
		return
	}
	if len(r.reads.queue)+len(r.reads.round.readings) >= r.opt.MaxWaiting {
		r.giveUp(q, chain.Busy)
		return
	}
	r.reads.queue = append(r.reads.queue, q)
	r.sweepSoon()
}

// serveClean serves a reading if the lease proves it current.
func (r *Replica) serveClean(q reading) bool {
	lease := r.leased()
	if r.off(safeguard.LateCheck) {
		lease = r.reads.lease
	}
	fits := !r.dirty(q) || r.off(safeguard.VersionQuery)
	if r.isTail() {
		fits = r.active
	}
	if !lease || !fits {
		return false
	}
	if r.isTail() || r.commit == r.log.last() {
		r.reads.current, r.reads.proved = r.now, true
	}
	r.serve(q)
	return true
}

// serveCleaned serves what waits for a round and needs none any more, since what touched
// it has been committed meanwhile.
func (r *Replica) serveCleaned() {
	s := &r.reads
	if s.looked == r.commit || len(s.queue)+len(s.round.readings) == 0 {
		return
	}
	s.looked = r.commit
	s.round.readings = slices.DeleteFunc(s.round.readings, r.serveClean)
	s.queue = slices.DeleteFunc(s.queue, r.serveClean)
}

// dirty reports whether an uncommitted record touches what is read.
func (r *Replica) dirty(q reading) bool {
	if q.feed {
		return r.commit < r.log.last()
	}
	for _, k := range q.keys {
		if _, ok := r.log.dirty[string(k)]; ok {
			return true
		}
	}
	return false
}

// serve answers a reading from what is applied.
func (r *Replica) serve(q reading) {
	if q.feed {
		r.reply(q.client, chain.FeedHeartbeat{ID: q.id, Ping: q.ping, LSN: r.commit})
		return
	}
	m := chain.ReadReply{ID: q.id, Status: chain.Done, LSN: r.commit, Values: make([]chain.Value, len(q.keys))}
	size := 0
	for i, k := range q.keys {
		if item, ok := r.get(k); ok {
			m.Values[i] = chain.Value{Found: true, Version: item.Version, Data: item.Value}
			size += len(k) + len(item.Value)
		}
	}
	if size > maxReply {
		m = chain.ReadReply{ID: q.id, Status: chain.BadRequest}
	}
	r.answer(q.asker, m)
}

// giveUp answers a reading that cannot be served.
func (r *Replica) giveUp(q reading, s chain.Status) {
	if !q.feed { // who does not get a heartbeat pings again
		r.answer(q.asker, chain.ReadReply{ID: q.id, Status: s})
	}
}

// startRound begins to prove what waits. A round that is under way is no proof
// for readings that came after it began.
func (r *Replica) startRound() {
	r.serveCleaned()
	s := &r.reads
	if s.round.on || len(s.queue) == 0 || r.isTail() && !r.active {
		return
	}
	s.lastID++
	s.round = round{
		id: s.lastID, on: true, began: r.now, readings: s.queue,
		confirm: !r.leased(), said: make([]bool, len(r.participants())),
	}
	s.queue = nil
	if r.isTail() && r.leased() {
		r.conclude()
		return
	}
	r.ask()
}

// participants are the members, and after them the recruit if there is one. It
// is asked too: once it is promoted it may be all that is left of the chain,
// unknown to members that are cut off together.
func (r *Replica) participants() []chain.Member {
	if r.row.Recruit.IsZero() || r.off(safeguard.ConfirmRecruit) {
		return r.row.Members
	}
	return append(slices.Clone(r.row.Members), r.row.Recruit)
}

// ask sends the round's question to those who have not answered.
func (r *Replica) ask() {
	n := &r.reads.round
	n.retryAt = r.now + r.opt.Retry
	if !n.confirm {
		r.send(r.row.Tail(), chain.VersionQuery{ID: n.id})
		return
	}
	n.said[r.place] = true
	for i, m := range r.participants() {
		if r.off(safeguard.ConfirmAll) && i != r.place-1 && i != len(r.row.Members)-1 {
			n.said[i] = true
		}
		if !n.said[i] {
			r.send(m, chain.Confirm{ID: n.id})
		}
	}
	r.proved()
}

// versionQuery answers a member that wants to know what is committed.
func (r *Replica) versionQuery(from chain.Member, m chain.VersionQuery) {
	if !r.isTail() || !r.active {
		return
	}
	r.send(from, chain.VersionReply{ID: m.ID, OK: r.leased(), Commit: r.commit})
}

// versionReply takes the tail's word.
func (r *Replica) versionReply(from chain.Member, m chain.VersionReply) {
	n := &r.reads.round
	if !n.on || n.id != m.ID || n.confirm || from != r.row.Tail() {
		return
	}
	if !m.OK {
		n.confirm = true
		r.ask()
		return
	}
	n.point = m.Commit
	r.conclude()
}

// confirm tells a member of the epoch that this one is in it too.
func (r *Replica) confirm(from chain.Member, m chain.Confirm) {
	if r.role == Serving || r.role == Copying {
		r.send(from, chain.ConfirmReply{ID: m.ID, Tail: r.isTail() && r.active, Commit: r.commit})
	}
}

// confirmed takes a member's word that it is still in the epoch. That of the
// tail counts only once it is active.
func (r *Replica) confirmed(from chain.Member, m chain.ConfirmReply) {
	n := &r.reads.round
	i := slices.Index(r.participants(), from)
	if !n.on || n.id != m.ID || !n.confirm || i < 0 || from == r.row.Tail() && !m.Tail {
		return
	}
	n.said[i] = true
	if m.Tail {
		n.point = max(n.point, m.Commit)
	}
	r.proved()
}

// proved concludes the round if everybody has confirmed.
func (r *Replica) proved() {
	for _, said := range r.reads.round.said {
		if !said {
			return
		}
	}
	r.conclude()
}

// conclude commits here what the tail has committed, which is in the log already, and
// serves the round's readings.
func (r *Replica) conclude() {
	n := r.reads.round
	r.reads.round = round{}
	r.advance(max(r.commit, n.point))
	if r.halted {
		return
	}
	r.reads.current, r.reads.proved = n.began, true
	for _, q := range n.readings {
		r.serve(q)
	}
}

// regroupReads has all that waits proved in the epoch that is now installed.
func (r *Replica) regroupReads() {
	s := &r.reads
	s.queue = append(s.round.readings, s.queue...)
	s.round = round{}
	s.proved = s.proved && r.role == Serving
	if r.role == Serving {
		return
	}
	for _, q := range s.queue {
		r.giveUp(q, chain.NotServing)
	}
	s.queue = nil
}

// sweepReads gives up what has waited too long.
func (r *Replica) sweepReads() {
	late := func(qs []reading) []reading {
		kept := qs[:0]
		for _, q := range qs {
			if q.deadline > r.now {
				kept = append(kept, q)
			} else {
				r.giveUp(q, chain.Unconfirmed)
			}
		}
		return kept
	}
	r.reads.queue = late(r.reads.queue)
	r.reads.round.readings = late(r.reads.round.readings)
}
