package watch

import (
	"net/netip"
	"slices"
	"time"

	"namecast/lib/quorum"
)

type prefixName = netip.Prefix

// trouble reports whether something of the node's own is not as it should be.
func (n *node) trouble() bool {
	return !n.on || !n.dns.answers() || !n.store.answers() || n.poisoned || n.stopped
}

// effective is the node's route as the router sees it.
func (n *node) effective() Route {
	if !n.on || n.ordered {
		return Withdraw
	}
	return n.route
}

// able reports whether the node could announce something: its server answers, and
// those who decide can. A watch that has just begun has to look first.
func (n *node) able() bool { return n.ableSince >= 0 }

// starting is how long a watch may look before it has judged its components.
const starting = 2 * time.Second

// update notes whether the node is able, and in trouble. It is called when what is
// may have changed.
func (n *node) update() {
	switch deaf := !n.on || !n.dns.answers() || n.hidden; {
	case deaf:
		n.deaf = -1
	case n.deaf < 0:
		n.deaf = n.now
	}
	able := n.on && n.dns.answers() && n.watch != nil && !n.stopped && !n.ordered
	switch {
	case !able:
		n.ableSince = -1
	case n.ableSince < 0 && n.now-n.begunAt < starting:
		n.ableSince = n.begunAt + starting
	case n.ableSince < 0:
		n.ableSince = n.now
	}
	switch {
	case n.trouble() && n.quiet >= 0:
		n.quiet, n.troubled = -1, n.now
	case n.trouble():
	case n.quiet < 0:
		n.quiet = n.now
	}
}

// setRoute changes the wished route, and checks that it may.
func (n *node) setRoute(r Route) {
	if r == n.route {
		return
	}
	old := n.route
	n.route = r
	switch {
	case n.watch == nil:
	case r == Announce:
		n.mayAnnounce()
	case old == Announce:
		n.mayFall()
	}
}

// mayAnnounce checks that nothing is announced that was not verified, or before
// its hold-down is over.
func (n *node) mayAnnounce() {
	if d := n.now - n.touched; d < 3*time.Second {
		n.fail("%s announces %v after something was restarted", n.name, d)
	}
	if n.poisoned || !n.dns.answers() || !n.store.answers() {
		if n.quiet < 0 && n.now-n.troubled > time.Second {
			n.fail("%s announces and is not well: %v", n.name, n)
		}
	}
	if n.level > 0 {
		hold := holds[min(n.level, len(holds))-1]
		if d := n.now - n.fellAt; d < hold+3*time.Second {
			n.fail("%s announces %v after fall %d", n.name, d, n.level)
		}
	}
}

// mayFall checks that nothing is withdrawn without a reason, and counts it.
func (n *node) mayFall() {
	if !n.ordered && n.quiet >= 0 && n.now-n.quiet > 2*time.Second {
		n.fail("%s goes down without a reason: %v", n.name, n)
	}
	n.level++
	n.fellAt = n.now
}

// send sends a vote, and checks that it may.
func (n *node) send(v Vote) {
	victim := n.nodes[slices.IndexFunc(n.nodes, func(o *node) bool { return o.name == v.Victim })]
	n.note("%s votes against %s: %s", n.name, v.Victim, v.Why)
	n.seq++
	vote := quorum.Vote{From: n.name, Boot: uint64(epoch.UnixNano()) + uint64(n.life), Seq: n.seq, Time: n.wall(),
		Victim: v.Victim, Prefix: v.Prefix, Lease: v.Lease, Well: v.Well}
	switch {
	case n.list.Len() < 3:
		n.fail("%s votes, and there are two nodes", n.name)
	case n.seen[victim.id] < 2: // the third is being told
		n.fail("%s votes against %s after %d looks that failed", n.name, v.Victim, n.seen[victim.id])
	case v.Well != (n.route == Announce):
		n.fail("%s says in a vote that it is well: %v, and its route is %v", n.name, v.Well, n.route)
	}
	if !n.reaches(n, victim) {
		return
	}
	n.after(n.between(ms, 60*ms), func() { victim.poll(vote) })
}

// poll takes a vote, and tells the watch of orders, as nc-bgp does.
func (n *node) poll(v quorum.Vote) {
	if !n.on {
		return
	}
	if err := n.ballot.Add(v, n.wall()); err != nil {
		n.note("%s refuses a vote: %v", n.name, err)
	}
	n.obey()
}

// obey does what the ballot says, now and when its order ends.
func (n *node) obey() {
	if !n.on {
		return
	}
	inForce := n.ballot.InForce(n.wall())
	if len(inForce) == 0 {
		if n.ordered {
			n.note("%s: order ended", n.name)
			n.ordered = false
			n.step(OrderEnded{net4})
			n.update()
		}
		return
	}
	o := inForce[0]
	if len(o.By) < n.list.Quorum() || slices.Contains(o.By, n.name) {
		n.fail("%s is ordered away by %v", n.name, o.By)
	}
	if !n.ordered {
		if n.deaf >= 0 && n.now-n.deaf > n.conf.Timing.withDefaults().Lease {
			n.fail("%s is ordered away by %v, and has answered since %v", n.name, o.By, n.deaf)
		}
		n.orders++
		n.note("%s is ordered away by %v", n.name, o.By)
	}
	n.ordered = true
	left := o.Until.Sub(n.wall())
	n.step(Ordered{net4, left, o.By})
	n.update()
	n.after(left+ms, n.obey)
}
