package watch

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// A peer is what is known by one.
type peer struct {
	conf   Peer
	heard  time.Duration // when last
	until  time.Duration // how long that is believed
	fresh  bool
	claims []Claim
	sees   []string
	config [8]byte

	outside Outcome // of the last look from outside
	asked   time.Duration
	from    time.Duration // looks that began before it was heard again mean nothing
	bad     int           // looks that failed in a row
	blame   int           // those of them that are its fault, see fault
	backed  time.Duration // since when another could be seen; zero if none can
	detail  string

	votes map[netip.Prefix]campaign
}

// A campaign is this node's votes against another and one of its prefixes.
type campaign struct {
	why   string // empty if there are none at the moment
	began time.Duration
	next  time.Duration
}

// heard takes a heartbeat.
func (w *Watch) heard(ev Heard) {
	p := w.peer(ev.Peer)
	if p == nil {
		return
	}
	if !p.fresh {
		p.bad, p.blame, p.from = 0, 0, w.now // it was perhaps the network that failed
	}
	p.heard, p.until = w.now, w.now+w.conf.Timing.Fresh
	p.claims, p.sees, p.config = slices.Clone(ev.Claims), slices.Clone(ev.Sees), ev.Config
}

// outside takes a look at another node from outside.
func (w *Watch) outside(ev Outside) {
	p := w.peer(ev.Peer)
	if p == nil {
		return
	}
	patience := 2 * w.conf.Timing.Ask
	if ev.Began-ev.Due > patience || w.now-ev.Began > w.conf.Timing.Ask+patience {
		w.beLate("a look at node " + ev.Peer)
	}
	// An answer is one, however late this node is.
	if ev.Outcome != Pass && ev.Began < w.distrust {
		w.discarded++
		return
	}
	if ev.Outcome != Pass && ev.Began < p.from {
		return
	}
	before := p.bad
	p.outside, p.asked, p.detail = ev.Outcome, w.now, ev.Detail
	switch {
	case ev.Outcome == Pass:
		p.bad, p.blame = 0, 0
	case w.fault(p, ev.Began):
		p.bad++
		p.blame++
	default:
		p.bad++
	}
	switch limit := w.conf.Timing.Outside; {
	case p.bad == limit:
		w.say(false, "node "+p.conf.Name, fmt.Sprintf("fails from outside: %d looks in a row, the last: %s", p.bad, p.detail))
	case p.bad == 0 && before >= limit:
		w.say(false, "node "+p.conf.Name, "is well again from outside")
	}
}

// fault reports whether a look that failed is the other node's fault, and not the
// network's or this node's: it was heard meanwhile or just before, and another was
// seen all the time.
func (w *Watch) fault(p *peer, began time.Duration) bool {
	return p.backed > 0 && began >= p.backed && p.heard >= began-w.conf.Timing.Repeat
}

// lookFresh tells when another node falls silent, or is heard again, and notes
// since when there is a witness against it.
func (w *Watch) lookFresh(p *peer) {
	switch seen := w.witness(p); {
	case !seen:
		p.backed, p.blame = 0, 0
	case p.backed == 0:
		p.backed = w.now
	}
	if len(p.votes) == 0 && !slices.ContainsFunc(p.claims, Claim.routed) {
		p.blame = 0 // it may fail while it announces nothing
	}
	fresh := p.heard > 0 && w.now < p.until
	if fresh != p.fresh {
		p.fresh = fresh
		if fresh {
			w.say(false, "node "+p.conf.Name, "is heard")
		} else {
			w.say(false, "node "+p.conf.Name, fmt.Sprintf("has not been heard for %v", w.now-p.heard))
		}
	}
	w.wakeAt(p.until)
}

// failsOutside reports whether another node fails from outside.
func (w *Watch) failsOutside(p *peer) bool { return p.bad >= w.conf.Timing.Outside }

// claim is how another node stands with a prefix, as it last said.
func (p *peer) claim(prefix netip.Prefix) Standing {
	for _, c := range p.claims {
		if c.Prefix == prefix {
			return c.Standing
		}
	}
	return 0
}

// others are the names of the other nodes, but one, that announce a prefix and
// are well, as they say and as far as it can be seen from here.
func (w *Watch) others(prefix netip.Prefix, but *peer) []string {
	var names []string
	for _, p := range w.peers {
		if p != but && p.fresh && p.claim(prefix) == StandsAnnounced && !w.failsOutside(p) {
			names = append(names, p.conf.Name)
		}
	}
	return names
}

// hears reports whether any other node is heard.
func (w *Watch) hears() bool {
	return slices.ContainsFunc(w.peers, func(p *peer) bool { return p.fresh })
}

// sees are the names of the other nodes that are well from outside.
func (w *Watch) sees() []string {
	var names []string
	for _, p := range w.peers {
		if p.outside == Pass && w.now-p.asked <= 3*w.conf.Timing.Ask {
			names = append(names, p.conf.Name)
		}
	}
	slices.Sort(names)
	return names
}

func (w *Watch) peer(name string) *peer {
	for _, p := range w.peers {
		if p.conf.Name == name {
			return p
		}
	}
	return nil
}
