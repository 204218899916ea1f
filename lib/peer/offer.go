package peer

import (
	"fmt"
	"slices"
	"time"

	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
)

// Codes of RFC 8914.
const (
	edeNone        = -1
	edeOther       = 0
	edeStale       = 3
	edeBogus       = 6
	edeCached      = 13
	edeStaleName   = 19
	edeUnreachable = 22
)

// An offer is an answer that may be given: the own copy, or a member's.
type offer struct {
	from, origin packet.NodeID
	mine         bool // the own copy
	first        bool // and a name server gave it
	msg          []byte
	info         keep.Info
	base         time.Duration
	old          bool // of a snapshot: never fresh
	by           By
	odd          bool // it has nothing in common with what is known; see compare
	keep.Verdict
}

func (o *offer) age(now time.Duration) time.Duration { return max(0, now-o.base) }
func (o *offer) life() time.Duration {
	return time.Duration(min(o.info.MinTTL, o.Lasts(o.base))) * time.Second
}

func (o *offer) fresh(now time.Duration) bool { return !o.old && o.age(now) < o.life() }

func (o *offer) overdue(now time.Duration) time.Duration { return max(0, o.age(now)-o.life()) }

// younger is the one to be given of two, of which either may be nil: one that says
// something rather than one that says that there is nothing, else the one of later date.
func younger(a, b *offer) *offer {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.info.Negative != b.info.Negative:
		if a.info.Negative {
			return b
		}
		return a
	case b.base > a.base:
		return b
	}
	return a
}

// ofEntry makes an offer of what is kept.
func (n *Node) ofEntry(e *keep.Entry) *offer {
	return &offer{
		from: e.From, origin: e.Origin, mine: true, first: e.First, msg: e.Msg, info: keep.Info{Brief: e.Brief},
		base: e.Base, old: e.Old, Verdict: e.Verdict, by: ByStale,
	}
}

// bearable reports whether something is not too old to be given to a client. Of a zone
// without keys the proof is as good as one of keys, and without it nothing below could be
// judged.
func (n *Node) bearable(q Question, o *offer) bool {
	over, down := o.overdue(n.now), n.best() == packet.Down
	switch {
	case o.info.Negative && over > 0 && !(q.CD && chainType(q.Type)):
		return down && over <= min(keep.MaxStaleNegative, n.o.MaxStale)
	case down:
		return over <= n.o.MaxStale
	}
	return over <= min(staleLiving, n.o.MaxStale)
}

// staleLiving is how long past its time an answer may be given while a name server lives,
// perhaps: a day, as elsewhere. When none does, the choice is between an old answer and
// none, and Options.MaxStale is the bound, which is longer so that names that were asked for
// once in some days are answered until the end of a long outage.
const staleLiving = 24 * time.Hour

// own is the own copy, if it may be given: what name servers said, or what was believed
// of members before.
func (n *Node) own(q Question) *offer {
	e := n.cache.Get(n.key(q))
	if e == nil || !n.believed(e) {
		return nil
	}
	if o := n.ofEntry(e); n.bearable(q, o) {
		return o
	}
	return nil
}

// held proposes what this node keeps of the name for others.
func (n *Node) held(l *lookup, fresh bool) {
	e := n.cache.Get(n.key(l.q))
	if e == nil || e.First {
		return
	}
	o := n.ofEntry(e)
	o.mine, o.by = false, ByOwner
	info, err := keep.Describe(e.Msg)
	if o.info = info; err == nil && n.bearable(l.q, o) && (!fresh || o.fresh(n.now)) {
		n.propose(l, o)
	}
}

// A check is an offer that the own validation looks at.
type check struct {
	l *lookup
	o *offer
}

// propose takes an offer that has passed the rules, but for the own validation.
func (n *Node) propose(l *lookup, o *offer) {
	if !n.o.Validate || l.q.CD {
		n.accept(l, o)
		return
	}
	req := n.request()
	n.checks[req] = &check{l, o}
	l.checking++
	n.emit(Validate{Req: req, Msg: o.msg, Question: l.q})
	n.after(checkWithin, func() {
		if c := n.checks[req]; c != nil {
			n.checked(req, c, errUnchecked)
		}
	})
}

const (
	checkWithin = 2 * time.Second // bounds a validation
	maxOffers   = 64              // bounds what one lookup weighs
)

// validated takes the own validation's word.
func (n *Node) validated(ev Validated) {
	c := n.checks[ev.Req]
	if c == nil {
		return
	}
	c.o.Verdict = ev.Verdict.Verdict
	switch {
	case ev.Doubt: // that this node lacks keys, or that signatures have ended, is no lie
		n.checked(ev.Req, c, fmt.Errorf("%w: %s", errDoubt, ev.Text))
	case ev.Bogus && c.o.info.Signed:
		n.checked(ev.Req, c, errBogus)
	case ev.Bogus, ev.State != packet.Secure && n.knownSigned(c.l.q):
		// Members who do not validate have such of every signed name.
		n.checked(ev.Req, c, errUnsigned)
	default:
		n.checked(ev.Req, c, nil)
	}
}

// checked ends a validation: with nothing wrong, or with why the offer is refused.
func (n *Node) checked(req uint64, c *check, why error) {
	delete(n.checks, req)
	c.l.checking--
	if why == nil {
		n.accept(c.l, c.o)
		return
	}
	n.refuse(c.o.from, c.l.q, why)
	n.weigh(c.l)
}

// knownSigned reports whether the own validation has once said that there are
// signatures for the answer.
func (n *Node) knownSigned(q Question) bool {
	e := n.cache.Get(n.key(q))
	return e != nil && e.First && e.State == packet.Secure
}

// accept takes an offer to be weighed.
func (n *Node) accept(l *lookup, o *offer) {
	if !l.done && len(l.offers) < maxOffers {
		n.compare(l.q, o)
		l.offers = append(l.offers, o)
		n.weigh(l)
	}
}

// weigh looks at whether there is something to be given, or nobody left to wait for.
func (n *Node) weigh(l *lookup) {
	if l.done {
		return
	}
	o := n.pick(l)
	switch l.stage {
	case atServers:
		if o != nil && o.fresh(n.now) && l.gave == nil {
			n.yield(l, o)
		}
	case atStale:
		switch {
		case l.gave != nil:
		case l.pending == 0 && l.checking == 0, l.over && l.checking == 0, o != nil && o.fresh(n.now) && !o.info.Negative:
			n.settle(l)
		case o != nil && !o.info.Negative:
			n.hasten(l)
		}
	case atHelper, atRoot:
		n.weighHelp(l, o)
	case atWait, atAny, atLast:
		switch {
		case l.gave != nil: // only the servers' answer is still awaited
		case o != nil && !o.info.Negative:
			n.yield(l, o)
		case l.stage == atAny && l.over && l.checking == 0:
			n.unheard(l)
		case l.stage == atLast && l.owed == 0:
			n.last(l)
		}
	}
}

// weighHelp is weigh while members look it up.
func (n *Node) weighHelp(l *lookup, o *offer) {
	switch {
	case o != nil && l.gave != nil:
		n.adopt(l, o)
		n.end(l)
	case o != nil:
		n.yield(l, o)
	case l.pending > 0 || l.checking > 0 || l.stage == atRoot:
	case len(l.helpers) > 0:
		n.helpNext(l)
	default:
		n.iterate(l)
	}
}

// pick gives the best offer that enough members agree on, or nil.
func (n *Node) pick(l *lookup) *offer {
	var best *offer
	for _, o := range l.offers {
		if n.bearable(l.q, o) && n.agreed(l, o) {
			best = younger(best, o)
		}
	}
	return best
}

// agreed reports whether an offer is believed: the own validation says so, one word is
// enough and there is nothing against it, the own name servers said the same before, or
// another member says the same whose word does not come from the same source.
func (n *Node) agreed(l *lookup, o *offer) bool {
	if o.StateAt(n.now) == packet.Secure || l.q.CD {
		return true
	}
	sure := n.sure(o)
	if n.o.Agree == 1 && !o.odd && sure {
		return true
	}
	if e := n.cache.Get(n.key(l.q)); e != nil && e.First && keep.Same(e.Msg, o.msg) {
		return true
	}
	return slices.ContainsFunc(l.offers, func(p *offer) bool {
		apart := p.from != o.from && p.from != o.origin && p.origin != o.from && p.origin != o.origin
		return sure && apart && n.sure(p) && keep.Same(p.msg, o.msg)
	})
}

// yield gives an offer to the clients. What would be better is still looked for: by the
// servers if they were asked, else by a member whose servers answer, or from the root.
func (n *Node) yield(l *lookup, o *offer) {
	n.reply(l, n.dress(o))
	if !o.mine {
		n.adopt(l, o)
		n.sample(l.q, o)
	}
	if n.best() == packet.Down {
		n.use(l.q)
	}
	l.gave, l.offers = o, nil
	switch {
	case l.job != nil:
	case n.referred(l):
		n.help(l)
	default:
		n.end(l)
	}
}

// referred reports whether something younger than what was given is looked for by others,
// since the own servers are down.
func (n *Node) referred(l *lookup) bool {
	return n.best() == packet.Down && !l.gave.fresh(n.now) && l.stage <= atStale &&
		(n.tellable(l.q) || n.o.Iterate) && n.refer.take(n.now)
}

// adopt keeps a member's answer that was believed. It is fresh for a short while only,
// whatever its TTL.
func (n *Node) adopt(l *lookup, o *offer) {
	e := &keep.Entry{
		Key: n.key(l.q), Brief: o.info.Brief, Msg: o.msg, Base: o.base, Origin: o.origin, From: o.from,
		Agreed: true, Verdict: o.Verdict, Rank: n.rankOf(l.q.Name),
	}
	delete(n.missed.of, l.q)
	old := n.cache.Get(e.Key)
	if old != nil && !old.First && old.Base == o.base {
		// It was there, held for others. In share mode it is in its time not made the
		// own copy, so that it is good for no longer than any member's word.
		old.Agreed = !n.o.Share || !o.fresh(n.now)
		n.cache.Judge(n.now, old, o.Verdict)
		return
	}
	e.MinTTL = min(e.MinTTL, uint32(o.age(n.now)/time.Second)+peerTTL)
	n.cache.Put(n.now, e)
}

// fresh is the reply with an answer that is kept and in its time.
func (n *Node) fresh(e *keep.Entry) Reply {
	r := Reply{
		Msg: e.Msg, Age: e.Age(n.now), MaxTTL: e.TTL(e.Base, n.now), EDE: edeNone,
		Secure: e.StateAt(n.now) == packet.Secure, By: ByCache,
	}
	if !e.First {
		r.MaxTTL, r.EDE, r.Text = least(peerTTL, r.MaxTTL), edeOther, n.from(n.ofEntry(e))
	}
	return r
}

// least is the smaller of two bounds, of which the second may be none.
func least(a, b uint32) uint32 {
	if b == 0 {
		return a
	}
	return min(a, b)
}

// dress makes the reply that gives an offer, and says where it comes from.
func (n *Node) dress(o *offer) Reply {
	r := Reply{Msg: o.msg, Age: o.age(n.now), MaxTTL: peerTTL, EDE: edeOther, By: o.by, Text: n.from(o)}
	r.Secure = o.StateAt(n.now) == packet.Secure
	if o.fresh(n.now) {
		r.MaxTTL = least(peerTTL, o.TTL(o.base, n.now))
		if o.mine {
			r.By = ByCache
		}
		return r
	}
	// That its signatures hold is known only as long as the machine has been running on.
	r.EDE, r.MaxTTL, r.Secure = edeStale, staleTTL, r.Secure && o.Until != 0 && !o.old
	if o.info.Rcode == rcodeName {
		r.EDE = edeStaleName
	}
	if n.best() != packet.Down {
		r.MaxTTL = suspectTTL
	}
	return r
}

// from says in words whom an answer is from, and how old it is.
func (n *Node) from(o *offer) string {
	age := spell(o.age(n.now))
	switch {
	case o.first:
		return fmt.Sprintf("own copy, age %s", age)
	case o.from == o.origin:
		return fmt.Sprintf("from peer %s, age %s", short(o.from), age)
	}
	return fmt.Sprintf("from peer %s by %s, age %s", short(o.origin), short(o.from), age)
}

// short is a NodeID for people.
func short(id packet.NodeID) string { return id.String()[:4] }

// spell is a duration for people: its two largest units.
func spell(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
}
