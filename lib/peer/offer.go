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
	state        packet.State
	by           By
}

func (o *offer) age(now time.Duration) time.Duration { return max(0, now-o.base) }
func (o *offer) life() time.Duration                 { return time.Duration(o.info.MinTTL) * time.Second }

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
		base: e.Base, old: e.Old, state: e.State, by: ByStale,
	}
}

// bearable reports whether something is not too old to be given to a client.
func (n *Node) bearable(o *offer) bool {
	over := o.overdue(n.now)
	if o.info.Negative && over > 0 {
		return n.best() == packet.Down && over <= min(keep.MaxStaleNegative, n.o.MaxStale)
	}
	return over <= n.o.MaxStale
}

// own is the own copy, if it may be given: what name servers said, or what was believed
// of members before.
func (n *Node) own(q Question) *offer {
	e := n.cache.Get(n.key(q))
	if e == nil || !e.First && !e.Agreed {
		return nil
	}
	if o := n.ofEntry(e); n.bearable(o) {
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
	if o.info = info; err == nil && n.bearable(o) && (!fresh || o.fresh(n.now)) {
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
	c.o.state = ev.State
	switch {
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
		}
	case atHelper, atRoot:
		n.weighHelp(l, o)
	case atWait, atAny, atLast:
		switch {
		case o != nil && !o.info.Negative:
			n.yield(l, o)
		case l.stage == atAny && l.over && l.checking == 0:
			n.unheard(l)
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
		if n.bearable(o) && n.agreed(l, o) {
			best = younger(best, o)
		}
	}
	return best
}

// agreed reports whether an offer is believed: the own validation says so, one word is
// enough, the own name servers said the same before, or another member says the same
// whose word does not come from the same source.
func (n *Node) agreed(l *lookup, o *offer) bool {
	if n.o.Agree == 1 || o.state == packet.Secure || l.q.CD {
		return true
	}
	if e := n.cache.Get(n.key(l.q)); e != nil && e.First && keep.Same(e.Msg, o.msg) {
		return true
	}
	return slices.ContainsFunc(l.offers, func(p *offer) bool {
		apart := p.from != o.from && p.from != o.origin && p.origin != o.from && p.origin != o.origin
		return apart && keep.Same(p.msg, o.msg)
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
	case !o.fresh(n.now) && l.stage <= atStale && (n.tellable(l.q) || n.o.Iterate) && n.refer.take(n.now):
		n.help(l)
	default:
		n.end(l)
	}
}

// adopt keeps a member's answer that was believed. It is fresh for a short while only,
// whatever its TTL.
func (n *Node) adopt(l *lookup, o *offer) {
	e := &keep.Entry{
		Key: n.key(l.q), Brief: o.info.Brief, Msg: o.msg, Base: o.base, Origin: o.origin, From: o.from,
		Agreed: true, State: o.state, Rank: n.rankOf(l.q.Name),
	}
	old := n.cache.Get(e.Key)
	if old != nil && !old.First && old.Base == o.base {
		old.Agreed, old.State = true, o.state // it was there, held for others
		return
	}
	e.MinTTL = min(e.MinTTL, uint32(o.age(n.now)/time.Second)+peerTTL)
	n.cache.Put(n.now, e)
}

// fresh is the reply with an answer that is kept and in its time.
func (n *Node) fresh(e *keep.Entry) Reply {
	r := Reply{Msg: e.Msg, Age: e.Age(n.now), EDE: edeNone, Secure: e.State == packet.Secure, By: ByCache}
	if !e.First {
		r.MaxTTL, r.EDE, r.Text = peerTTL, edeOther, n.from(n.ofEntry(e))
	}
	return r
}

// dress makes the reply that gives an offer, and says where it comes from.
func (n *Node) dress(o *offer) Reply {
	r := Reply{Msg: o.msg, Age: o.age(n.now), MaxTTL: peerTTL, EDE: edeOther, Secure: o.state == packet.Secure, By: o.by, Text: n.from(o)}
	if o.fresh(n.now) {
		if o.mine {
			r.By = ByCache
		}
		return r
	}
	// Its signatures may have run out: without a clock nobody can tell.
	r.EDE, r.MaxTTL, r.Secure = edeStale, staleTTL, false
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
