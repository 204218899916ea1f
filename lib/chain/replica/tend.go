package replica

import (
	"math"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/internal/safeguard"
)

// A tending is what the tail tells of its recruit, another member of its successor,
// or a barred one of itself.
type tending struct {
	kind   ReportKind
	nextAt time.Duration
}

// tell reports something to the controller, again and again as long as it holds.
func (r *Replica) tell(kind ReportKind, about chain.Member) {
	t := &r.tended
	if t.kind == kind && r.now < t.nextAt {
		return
	}
	t.kind, t.nextAt = kind, r.now+5*r.opt.Retry
	r.emit(Report{Epoch: r.row.Epoch, Kind: kind, Member: about})
}

// tendRecruit looks after the recruit. When it is near, commits are gated on it,
// which makes it the equal of a member for all that is committed from then on;
// when it also has all that was committed before, it can be promoted.
func (r *Replica) tendRecruit() {
	d := &r.recruit
	if r.role == Barred {
		r.tell(Fenced, r.self)
		return
	}
	if d.to.IsZero() || !r.isTail() || !r.active {
		return
	}
	follows := d.known && d.copy == nil
	behind := !follows || d.durable < r.log.durable
	if behind && !d.behind {
		d.heard, d.moved = r.now, r.now
	}
	d.behind = behind
	r.setPace(follows)
	if follows && !r.gate && d.durable+r.opt.GateLag >= r.log.durable && !r.off(safeguard.Gate) {
		r.gate = true
	}
	switch {
	case behind && r.now >= r.stallsAt(d):
		r.tell(Stalled, d.to)
	case follows && d.durable >= r.commit && (r.gate || r.off(safeguard.Gate)):
		r.tell(Ready, d.to)
	default:
		r.tended = tending{}
	}
}

// hopeless is after how many times the time of a stall a recruit counts as stalled that
// answers, but does not get on. It may have the copies of many chains to write.
const hopeless = 15

// stallsAt is when a recruit that is behind counts as stalled: soon if commits wait for it.
// Else that it is not heard counts only when it was asked several times: a tail that has
// itself stood still, or was busy with reading, has not.
func (r *Replica) stallsAt(d *downstream) time.Duration {
	if r.waitsForRecruit() {
		return d.moved + r.opt.Stall
	}
	at := d.moved + hopeless*r.opt.Stall
	if d.asked >= enoughOfRecruit {
		at = min(at, d.heard+r.opt.Stall)
	}
	return at
}

// enough is how many times a successor was asked in vain before it counts as silent:
// a member that has itself stood still has not asked so often. A recruit is asked less
// often.
const (
	enough          = 10
	enoughOfRecruit = 3
)

// tendSuccessor reports a successor that leaves everything unanswered. One that
// answers keeps its place, however slow it is: there may be a reason behind it in
// the chain, which its neighbour there sees better.
func (r *Replica) tendSuccessor() {
	d := &r.succ
	if r.role != Serving || d.to.IsZero() {
		return
	}
	if d.asked >= enough && r.now-d.since >= r.opt.Stall {
		r.tell(Silent, d.to)
	} else {
		r.tended = tending{}
	}
}

// A pace slows down commits for a recruit that would never come near otherwise.
// Writers feel it when the head has as much pending as it may.
type pace struct {
	follows bool
	since   time.Duration // it follows since then
	on      bool
	commit  chain.LSN // committed, and durable at the recruit, when it began
	durable chain.LSN
}

// setPace starts the pace when the recruit has followed for long.
func (r *Replica) setPace(follows bool) {
	p := &r.recruit.paced
	switch {
	case !follows:
		*p = pace{}
	case !p.follows:
		p.follows, p.since = true, r.now
	case !p.on && !r.gate && r.now-p.since >= r.opt.Pace:
		p.on, p.commit, p.durable = true, r.commit, r.recruit.durable
	}
}

// waitsForRecruit reports whether commits are held back for the recruit.
func (r *Replica) waitsForRecruit() bool { return r.gate || r.recruit.paced.on }

// recruitLimit is up to where the tail may commit as far as the recruit is
// concerned: what the recruit has, once commits are gated.
func (r *Replica) recruitLimit() chain.LSN {
	p := &r.recruit.paced
	switch {
	case r.gate:
		return r.recruit.durable
	case p.on:
		return p.commit + (r.recruit.durable-p.durable)/2
	}
	return math.MaxUint64
}
