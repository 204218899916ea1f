package peer

import (
	"fmt"
	"slices"
	"time"

	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
)

// Times of the ladder.
const (
	consultWithin = 10 * time.Millisecond // the owners' budget once stale answers are allowed
	youngerWithin = 3 * time.Millisecond  // the least that is left for others once one has answered
	helpAgain     = 150 * time.Millisecond
	helpUntil     = 470 * time.Millisecond // helpers have so long from the client's question on
	helpAtLeast   = 100 * time.Millisecond
	rootAlone     = 300 * time.Millisecond // then everybody is asked beside an iteration
	anyWithin     = 20 * time.Millisecond
	owedWithin    = 250 * time.Millisecond // after that, owners that have said nothing are waited for
	nobodyBy      = 480 * time.Millisecond // but no longer than so from the client's question on
	young         = 5 * time.Minute        // past its time for less, an own copy is given at once
	settledFor    = 30 * time.Second       // an own copy is given again without asking the owners
)

// Bounds of TTLs in replies, in seconds.
const (
	peerTTL    = 300 // fresh, of a member
	staleTTL   = 30  // stale
	suspectTTL = 5   // stale, while servers may still answer
)

// A stage is how far up the ladder a lookup is.
type stage uint8

const (
	atServers stage = iota
	atStale
	atWait // there is nothing stale: for the servers
	atHelper
	atRoot
	atAny
	atLast // an iteration is under way, or an owner has not answered yet
)

// A lookup is a question on its way up the ladder, for all clients who ask it.
type lookup struct {
	q        Question
	turn     uint64
	begun    time.Duration
	clients  []uint64
	job      *job   // at the servers, or nil
	root     *job   // from the root, or nil
	gave     *offer // what was said; something younger is still awaited
	stage    stage
	over     bool          // the time of the stage is over
	asking   time.Duration // when the owners were asked for what they have, however old
	hastened bool          // one of them has answered: the others have little time left
	pending  int           // of this stage: members that have not answered
	checking int           // offers that are not validated yet
	helpers  []packet.NodeID
	asked    int             // members, one by one
	owed     int             // owners that were asked and have not answered
	without  []packet.NodeID // those of them that had nothing
	offers   []*offer
	err      []byte // what the servers said, who could not reach those who know
	done     bool
}

// query takes a client's question.
func (n *Node) query(ev Query) {
	n.asked = n.now
	n.stats.Asked++
	n.ask(ev.ID, n.normal(ev.Question))
}

// ask answers a question, or begins to look for the answer.
func (n *Node) ask(id uint64, q Question) {
	if !n.behind() && !meta(q.Type) {
		n.cache.Asked(n.now, n.key(q))
		n.recent.add(n.now, q)
		if e := n.cache.Get(n.key(q)); e != nil && e.Fresh(n.now) && n.sound(e) {
			n.say(id, n.fresh(e))
			return
		}
	}
	if l := n.lookups[q]; l != nil {
		n.join(l, id)
		return
	}
	if n.repeat(id, q) {
		return
	}
	if len(n.lookups) >= maxLookups || n.waiting >= maxWaiting {
		n.say(id, Reply{Rcode: rcodeServFail, EDE: edeOther, Text: "too many questions at a time", By: ByNobody})
		return
	}
	n.turns++
	l := &lookup{q: q, turn: n.turns, begun: n.now, clients: []uint64{id}}
	n.waiting++
	n.lookups[q] = l
	n.begin(l)
}

// sound reports whether an entry may answer as if it came from a name server just now.
func (n *Node) sound(e *keep.Entry) bool {
	return e.First || n.o.Validate && e.StateAt(n.now) == packet.Secure || n.o.Share && n.believed(e)
}

// join lets one more client wait, or gives it what the others got.
func (n *Node) join(l *lookup, id uint64) {
	if l.gave != nil {
		n.say(id, n.dress(younger(l.gave, n.own(l.q)))) // the own copy may be renewed since
		return
	}
	if n.waiting >= maxWaiting {
		n.say(id, Reply{Rcode: rcodeServFail, EDE: edeOther, Text: "too many questions at a time", By: ByNobody})
		return
	}
	n.waiting++
	l.clients = append(l.clients, id)
}

// repeat gives an answer that failed a short while ago once more.
func (n *Node) repeat(id uint64, q Question) bool {
	if f, ok := n.failed.get(q); ok && n.now < f.until && n.usable() {
		if own := n.own(q); f.stale && own != nil {
			n.say(id, n.dress(own))
			return true
		}
		if f.bogus != nil {
			n.say(id, refusal(*f.bogus))
			return true
		}
		n.say(id, Reply{
			Rcode: rcodeServFail, Msg: f.msg, Age: n.now - f.begun, EDE: edeCached, By: ByNobody,
			Text: fmt.Sprintf("the name server's error of %s ago", spell(n.now-f.begun)),
		})
		return true
	}
	if f, ok := n.missed.get(q); ok && n.now < f.until && !n.usable() {
		n.say(id, n.lost(fmt.Sprintf("nobody knew it %s ago", spell(n.now-f.begun))))
		return true
	}
	return false
}

// begin puts a lookup on the ladder.
func (n *Node) begin(l *lookup) {
	best := n.best()
	switch {
	case n.behind():
		n.subscribe(l)
	case best == packet.Down:
		n.trickle(l)
		n.stale(l)
	case n.o.Share && n.o.Agree == 1 && best == packet.Healthy && n.shareFirst(l):
	default:
		n.serversFirst(l, best)
	}
}

// serversFirst asks the servers, and sets the times at which others come in.
func (n *Node) serversFirst(l *lookup, best packet.UpstreamState) {
	hedge := n.hedgeAfter()
	n.subscribe(l)
	if l.done {
		return
	}
	n.unless(l.ended, hedge, func() { n.hedge(l) })
	if best != packet.Healthy {
		n.unless(l.ended, hedge, func() { n.staleInDoubt(l) })
	}
	n.unless(l.ended, n.o.Stale, func() { n.stale(l) })
}

// staleInDoubt is stale, unless a server has shown meanwhile that it lives.
func (n *Node) staleInDoubt(l *lookup) {
	if n.best() != packet.Healthy {
		n.stale(l)
	}
}

// subscribe has a lookup wait for the servers' answer.
func (n *Node) subscribe(l *lookup) {
	if l.job != nil {
		return
	}
	j := n.job(l.q, false)
	if j.done {
		n.found(l, j, nil)
		return
	}
	l.job = j
	j.lookups = append(j.lookups, l)
}

// trickle lets one client's question a second through to servers that are down: what is
// asked anyway is the best probe.
func (n *Node) trickle(l *lookup) {
	if len(n.servers) > 0 && n.now-n.pulsed >= time.Second {
		n.pulsed = n.now
		n.subscribe(l)
	}
}

// hedge asks the owners for a fresh answer, while the servers are asked still.
func (n *Node) hedge(l *lookup) {
	if l.done || l.gave != nil || l.stage != atServers || !n.tellable(l.q) {
		return
	}
	n.held(l, true)
	for _, id := range n.owners(l.q.Name) {
		if !l.done && l.gave == nil {
			n.inquire(l, id, &exchange{fresh: true, by: ByOwner})
		}
	}
}

// stale is the end of waiting for something fresh.
func (n *Node) stale(l *lookup) {
	if l.done || l.gave != nil || l.stage != atServers {
		return
	}
	l.climb(atStale)
	own := n.own(l.q)
	until, ok := n.settled.get(l.q)
	if own != nil && (own.overdue(n.now) < young || ok && n.now < until) {
		n.yield(l, own)
		return
	}
	n.consult(l)
}

// consult asks the owners for what they have, however old.
func (n *Node) consult(l *lookup) {
	l.asking = n.now
	l.pending++ // so that nothing is settled before all are asked
	if n.tellable(l.q) {
		n.held(l, false)
		for _, id := range n.owners(l.q.Name) {
			if !l.done && l.stage == atStale && l.gave == nil {
				n.inquire(l, id, &exchange{by: ByOwner})
			}
		}
		n.seek(l)
	}
	if l.stage == atStale {
		l.pending--
		n.weigh(l)
	}
	n.unless(l.ended, consultWithin, func() { n.timeUp(l, atStale) })
}

// seek asks those as well that would own the name if they had not been silent of late. A
// member that is only busy has what it was given, and those who own the name in its place
// were not given it.
func (n *Node) seek(l *lookup) {
	for _, id := range n.o.Ring.Absent(l.q.Name, n.o.Owners, nil) {
		if !l.done && l.stage == atStale && l.gave == nil {
			n.inquire(l, id, &exchange{by: ByOwner, absent: true})
		}
	}
}

// hasten leaves the owners that have not answered no more than as long again as it took
// the first: they were asked at the same time, and what they were given is mostly of the
// same age, so that one of them that is busy is not worth all of the budget.
func (n *Node) hasten(l *lookup) {
	if !l.hastened {
		l.hastened = true
		n.unless(l.ended, max(n.now-l.asking, youngerWithin), func() { n.timeUp(l, atStale) })
	}
}

// climb goes up to a stage.
func (l *lookup) climb(to stage) { l.stage, l.pending, l.over = to, 0, false }

// timeUp is the end of the time of a stage, if a lookup is still there.
func (n *Node) timeUp(l *lookup, at stage) {
	if !l.done && l.stage == at {
		l.over = true
		n.weigh(l)
	}
}

// settle takes the least old of the own copy and what the owners have. That a member
// says there is nothing must be of today, or everybody is asked first.
func (n *Node) settle(l *lookup) {
	o := younger(n.own(l.q), n.pick(l))
	if o != nil && (o.mine || !o.info.Negative || o.fresh(n.now)) {
		n.settled.put(l.q, n.now+settledFor)
		n.yield(l, o)
		return
	}
	if l.err != nil {
		n.reply(l, Reply{Rcode: rcodeServFail, Msg: l.err, EDE: edeNone, By: ByUpstream})
		n.end(l)
		return
	}
	l.climb(atWait)
	if l.job == nil || n.best() == packet.Down {
		n.help(l)
	}
}

// reply answers all clients who wait.
func (n *Node) reply(l *lookup, r Reply) {
	n.recent.tell(n.now, l.q, r)
	n.waiting -= len(l.clients)
	for _, id := range l.clients {
		n.say(id, r)
	}
	l.clients = nil
}

// say answers one client.
func (n *Node) say(id uint64, r Reply) {
	r.ID = id
	n.stats.count(r)
	n.emit(r)
}

// ended reports whether a lookup is over.
func (l *lookup) ended() bool { return l.done }

// end forgets a lookup.
func (n *Node) end(l *lookup) {
	l.done = true
	if n.lookups[l.q] == l {
		delete(n.lookups, l.q)
	}
}

// sorted gives the lookups in the order of their beginning.
func (n *Node) sorted() []*lookup {
	all := make([]*lookup, 0, len(n.lookups))
	for _, l := range n.lookups {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b *lookup) int { return int(a.turn) - int(b.turn) })
	return all
}
