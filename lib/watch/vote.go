package watch

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// vote renews this node's votes against another, begins them, or lets them end.
func (w *Watch) vote(p *peer) {
	if !w.conf.Remote || !p.conf.Voting || !p.conf.Asked || p.bad == 0 && len(p.votes) == 0 {
		return
	}
	for _, prefix := range prefixesOf(p) {
		c := p.votes[prefix]
		w.campaign(p, prefix, &c)
		p.votes[prefix] = c
		if c.why == "" {
			delete(p.votes, prefix)
		}
	}
}

// campaign is the part of vote about one prefix.
func (w *Watch) campaign(p *peer, prefix netip.Prefix, c *campaign) {
	why, ok := w.accuse(p, prefix)
	says := p.claim(prefix)
	switch {
	case c.why == "" && !ok:
		return
	case c.why == "" && (says == StandsWithdrawn || says == StandsFailing):
		return // it knows, and does what is to be done
	case c.why == "":
		c.began, c.next = w.now, w.now
		w.say(true, "node "+p.conf.Name, fmt.Sprintf("this node votes to withdraw %v there: %s", prefix, why))
	case !ok:
		w.say(false, "node "+p.conf.Name, fmt.Sprintf("this node votes no more to withdraw %v there: %s", prefix, why))
		*c = campaign{}
		return
	}
	c.why = why
	if w.now >= c.next {
		c.next = w.now + w.pace(c)
		own := w.prefix(prefix)
		w.emit(Vote{Victim: p.conf.Name, Prefix: prefix, Lease: w.conf.Timing.Lease,
			Well: own != nil && own.standing() == StandsAnnounced, Why: why})
	}
	w.wakeAt(c.next)
}

// pace is the time to the next vote. The first ones come faster, lest one that is
// lost be waited for.
func (w *Watch) pace(c *campaign) time.Duration {
	t := w.conf.Timing
	if w.now < c.began+t.Vote {
		return min(t.Ask, t.Vote)
	}
	return t.Vote
}

// accuse reports whether another node should not announce a prefix, and why it
// should not or why nothing can be said.
func (w *Watch) accuse(p *peer, prefix netip.Prefix) (why string, ok bool) {
	if p.blame < w.conf.Timing.Outside {
		return "it no longer fails from outside, or that is no longer its own fault for sure", false
	}
	if !p.fresh {
		return "it is not heard, so it may be the network that fails", false
	}
	stay := w.others(prefix, p)
	own := w.prefix(prefix)
	if own != nil && own.standing() == StandsAnnounced {
		stay = append(stay, w.conf.Name)
	}
	switch {
	case own != nil && !own.up, own == nil && !w.well():
		return "this node is not well itself", false
	case !w.witness(p):
		return "this node sees no other node that is well, and may be cut off", false
	case len(stay) < w.conf.MinLive:
		return fmt.Sprintf("only %d well nodes would stay, and %d are needed", len(stay), w.conf.MinLive), false
	}
	return fmt.Sprintf("%d looks from outside failed, the last: %s; %s stay", p.blame, p.detail, strings.Join(stay, ", ")), true
}

// witness reports whether this node sees another one than the accused: that
// answers from outside, but for one answer that was lost, or is heard if no other
// is asked.
func (w *Watch) witness(accused *peer) bool {
	asked := false
	heard := false
	for _, p := range w.peers {
		if p == accused {
			continue
		}
		if p.conf.Asked && p.outside != 0 && p.bad < 2 {
			return true
		}
		asked = asked || p.conf.Asked
		heard = heard || p.fresh
	}
	return heard && !asked
}

// prefixesOf are those that another node claims, and those that there are votes
// about.
func prefixesOf(p *peer) []netip.Prefix {
	names := slices.Collect(maps.Keys(p.votes))
	for _, c := range p.claims {
		if _, ok := p.votes[c.Prefix]; !ok {
			names = append(names, c.Prefix)
		}
	}
	slices.SortFunc(names, netip.Prefix.Compare)
	return names
}
