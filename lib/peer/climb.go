package peer

import (
	"fmt"

	"namecast/lib/peer/packet"
)

// help asks members whose servers answer.
func (n *Node) help(l *lookup) {
	l.climb(atHelper)
	l.helpers = nil
	if n.tellable(l.q) {
		for _, id := range n.o.Ring.Helpers(l.q.Name, 3, nil) {
			if id != n.self && len(l.helpers) < 2 && n.trusted(id) && (l.gave != nil || !n.doubted(id)) {
				l.helpers = append(l.helpers, id)
			}
		}
	}
	if len(l.helpers) == 0 {
		n.iterate(l)
		return
	}
	n.helpNext(l)
	if n.o.Agree > 1 {
		n.helpNext(l)
	}
	n.after(helpAgain, func() {
		if !l.done && l.stage == atHelper {
			n.helpNext(l)
		}
	})
	n.after(max(l.begun+helpUntil-n.now, helpAtLeast), func() {
		if !l.done && l.stage == atHelper {
			n.iterate(l)
		}
	})
}

// helpNext asks the next helper, if there is one.
func (n *Node) helpNext(l *lookup) {
	if l.done || l.stage != atHelper || len(l.helpers) == 0 {
		return
	}
	id := l.helpers[0]
	l.helpers = l.helpers[1:]
	n.inquire(l, id, &exchange{resolve: true, by: ByHelper})
}

// iterate asks from the root on: by the first owner of the name, so that it is done once
// for the group, or alone. The owner may have found that the root answers again.
func (n *Node) iterate(l *lookup) {
	l.climb(atRoot)
	if !n.o.Iterate || n.captive {
		n.call(l)
		return
	}
	owners := n.owners(l.q.Name)
	if len(owners) > 0 && owners[0] != n.self && n.tellable(l.q) && n.trusted(owners[0]) {
		n.inquire(l, owners[0], &exchange{resolve: true, by: ByRoot, missed: func() { n.iterateAlone(l) }})
		n.after(rootAlone, func() { n.iterateAlone(l) })
	} else {
		n.iterateAlone(l)
	}
	n.after(rootAlone, func() {
		if !l.done && l.stage == atRoot {
			n.call(l)
		}
	})
}

// iterateAlone asks from the root on, unless somebody else has: then only the servers' word
// is awaited.
func (n *Node) iterateAlone(l *lookup) {
	if l.done || l.root != nil || l.stage < atRoot || l.gave != nil && l.gave.fresh(n.now) {
		return
	}
	if n.resting() {
		n.call(l)
		return
	}
	l.root = n.job(l.q, true)
	l.root.lookups = append(l.root.lookups, l)
}

// call asks everybody at once.
func (n *Node) call(l *lookup) {
	if l.done || l.stage >= atAny {
		return
	}
	if l.gave != nil { // nobody waits: everybody is not to be troubled
		l.climb(atLast)
		if l.root == nil {
			n.end(l)
		}
		return
	}
	l.climb(atAny)
	if !n.tellable(l.q) || n.o.Ring.Size()-1 <= len(l.without) || !n.callAll(l) {
		n.timeUp(l, atAny)
		return
	}
	n.after(anyWithin, func() { n.timeUp(l, atAny) })
}

// unheard is the end of the call to everybody. An owner that was asked and has not said
// that it knows nothing is most likely to know, and only busy: it is waited for.
func (n *Node) unheard(l *lookup) {
	if o := n.pick(l); o != nil {
		n.yield(l, o)
		return
	}
	l.climb(atLast)
	n.last(l)
	n.after(min(owedWithin, l.begun+nobodyBy-n.now), func() {
		if l.stage == atLast {
			l.over = true
			n.last(l)
		}
	})
}

// last ends a lookup for which nobody is left to wait for. An iteration that only tries
// whether anybody answers again is not waited for to its end.
func (n *Node) last(l *lookup) {
	root := l.root != nil && !(l.over && n.root.dead())
	if l.done || root || l.checking > 0 || !l.over && l.owed > 0 {
		return
	}
	if o := n.pick(l); o != nil { // that there is nothing, which an owner has said late
		n.yield(l, o)
		return
	}
	n.nothing(l)
}

// found is the end of a job that a lookup waited for.
func (n *Node) found(l *lookup, j *job, f *finding) {
	by := ByUpstream
	if j.root {
		l.root, by = nil, ByRoot
	} else {
		l.job = nil
	}
	switch {
	case l.done:
	case f != nil && f.Bogus && !l.q.CD:
		n.stats.Bogus++
		n.reply(l, refusal(f.Verdict))
		n.end(l)
	case f != nil:
		n.reply(l, Reply{Msg: f.msg, EDE: edeNone, MaxTTL: f.TTL(n.now, n.now), Secure: f.State == packet.Secure && !f.Bogus, By: by})
		n.end(l)
	case l.gave != nil && !j.root && n.referred(l):
		n.help(l)
	case l.gave != nil:
		if l.stage != atHelper {
			n.end(l)
		}
	case j.cutOff && n.usable() && l.stage == atServers:
		l.err = j.err
		n.stale(l)
	case j.err != nil && (j.root || n.usable()):
		n.reply(l, Reply{Rcode: rcodeServFail, Msg: j.err, EDE: edeNone, By: by})
		n.end(l)
	default:
		n.bereft(l, j)
	}
}

// refusal is the reply of which the own validation refuses the answer.
func refusal(v Verdict) Reply {
	r := Reply{Rcode: rcodeServFail, EDE: edeBogus, Text: "the own validation refuses it", By: ByNobody}
	if v.EDE != 0 {
		r.EDE, r.Text = v.EDE, r.Text+": "+v.Text
	}
	return r
}

// bereft goes on without the servers, or without the root.
func (n *Node) bereft(l *lookup, j *job) {
	switch {
	case n.behind():
		n.nothing(l)
	case l.stage == atServers:
		n.stale(l)
	case l.stage == atWait && n.best() == packet.Healthy:
		n.nothing(l) // they live and do not know: who asks the same would not either
	case l.stage == atWait:
		n.help(l)
	case j.root && l.stage == atRoot:
		n.call(l)
	case j.root && l.stage == atLast:
		n.last(l)
	}
}

// nothing is the top of the ladder.
func (n *Node) nothing(l *lookup) {
	if !n.behind() {
		n.miss(l.q, l.owed > 0)
	}
	n.reply(l, n.lost(fmt.Sprintf("%d members asked", l.asked)))
	n.end(l)
}

// lost is the reply of which nobody knew the answer.
func (n *Node) lost(text string) Reply {
	return Reply{
		Rcode: rcodeServFail, EDE: edeUnreachable, By: ByNobody,
		Text: fmt.Sprintf("name servers %s for %s; %s", n.best(), spell(n.now-n.since), text),
	}
}

// gone goes on with all that wait for servers which are down now.
func (n *Node) gone() {
	n.excuse()
	for _, l := range n.sorted() {
		switch {
		case l.done || l.gave != nil:
		case l.stage == atServers:
			n.stale(l)
		case l.stage == atWait:
			n.help(l)
		}
	}
}

// doubt lets those that have waited for long enough have stale answers, since no server
// is known to live.
func (n *Node) doubt() {
	n.excuse()
	hedge := n.hedgeAfter()
	for _, l := range n.sorted() {
		if !n.captive {
			n.after(l.begun+hedge-n.now, func() { n.staleInDoubt(l) })
		}
	}
}
