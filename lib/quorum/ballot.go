package quorum

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Reasons why a vote is not taken.
var (
	// ErrVictim: the vote is against another node.
	ErrVictim = errors.New("vote against another node")
	// ErrOwn: it is the victim's own.
	ErrOwn = errors.New("vote of the victim itself")
	// ErrPrefix: the node has no such prefix.
	ErrPrefix = errors.New("not a prefix of this node")
	// ErrExpired: its lease has ended on the way.
	ErrExpired = errors.New("expired vote")
)

// Pause is the least time from the beginning of one order to that of the next
// about the same prefix: what a router that damps flapping routes forgives.
const Pause = 10 * time.Minute

// An Order is a prefix that this node may not announce.
type Order struct {
	Prefix netip.Prefix
	Until  time.Time // if no vote is renewed
	By     []string  // the voters, sorted
}

// A Ballot is the votes against one node: it counts those of the nodes that vote
// at the same time. It holds at most one vote of each node for each prefix, and
// forgets all with its process, also when the last order began. It is not for
// several goroutines at once.
type Ballot struct {
	nodes    Nodes
	self     string
	minLive  int
	window   Window
	prefixes map[netip.Prefix]*box
}

// A box is the votes about one prefix.
type box struct {
	votes map[string]ballotPaper
	began time.Time // of the last order; zero if there was none
	order Order     // the one in force; Until is zero if there is none
}

// A ballotPaper is a vote as it counts.
type ballotPaper struct {
	boot, seq uint64
	until     time.Time
	well      bool
}

// NewBallot makes the ballot of the node self about its prefixes. An order needs
// minLive voters, at least one, that announce the prefix themselves and are well.
// The error is ErrUnknown or about minLive.
func NewBallot(nodes Nodes, self string, prefixes []netip.Prefix, minLive int) (*Ballot, error) {
	if _, ok := nodes.Get(self); !ok {
		return nil, fmt.Errorf("count votes against %q: %w", self, ErrUnknown)
	}
	if minLive < 1 {
		return nil, fmt.Errorf("count votes against %q: %d other nodes that stay, and not at least one", self, minLive)
	}
	b := &Ballot{nodes: nodes, self: self, minLive: minLive, prefixes: make(map[netip.Prefix]*box)}
	for _, p := range prefixes {
		b.prefixes[p] = &box{votes: make(map[string]ballotPaper)}
	}
	return b, nil
}

// Add takes a vote that OpenVote has given. The lease counts from the time in the
// vote, or from now if the voter's clock is ahead; from then on only the clock
// that now is read from matters. A vote that a later one of its node has overtaken
// changes nothing. The errors are ErrUnknown, ErrVictim, ErrOwn, ErrPrefix,
// ErrLease, ErrSkew, ErrExpired and ErrReplay.
func (b *Ballot) Add(v Vote, now time.Time) error {
	if err := b.check(v, now); err != nil {
		return fmt.Errorf("vote of %q against %q about %v: %w", v.From, v.Victim, v.Prefix, err)
	}
	left := v.Lease - max(0, now.Sub(v.Time))
	paper := ballotPaper{v.Boot, v.Seq, now.Add(left), v.Well}
	box := b.prefixes[v.Prefix]
	b.settle(box, v.Prefix, now)
	if old, ok := box.votes[v.From]; ok && old.boot == v.Boot && old.seq > v.Seq {
		return nil
	}
	box.votes[v.From] = paper
	b.settle(box, v.Prefix, now)
	return nil
}

// check judges a vote by itself, and remembers it as taken if it is good.
func (b *Ballot) check(v Vote, now time.Time) error {
	_, known := b.nodes.Get(v.From)
	switch {
	case !known:
		return ErrUnknown
	case v.Victim != b.self:
		return ErrVictim
	case v.From == b.self:
		return ErrOwn
	case b.prefixes[v.Prefix] == nil:
		return ErrPrefix
	}
	if err := checkLease(v.Lease); err != nil {
		return err
	}
	if now.Sub(v.Time) >= v.Lease {
		return ErrExpired
	}
	return b.window.Take(v.From, v.Boot, v.Seq, v.Time, now)
}

// InForce gives the orders that hold now, by their prefixes. An order that lapses
// by its leases is gone with its Until; the ballot has to be asked no later.
func (b *Ballot) InForce(now time.Time) []Order {
	var orders []Order
	for _, p := range slices.SortedFunc(maps.Keys(b.prefixes), netip.Prefix.Compare) {
		box := b.prefixes[p]
		b.settle(box, p, now)
		if !box.order.Until.IsZero() {
			orders = append(orders, box.order)
		}
	}
	return orders
}

// settle ends an order that has lapsed, and begins one or renews it if the votes
// in force are enough. A new one does not begin within Pause of the last.
func (b *Ballot) settle(x *box, p netip.Prefix, now time.Time) {
	if !x.order.Until.After(now) {
		x.order = Order{}
	}
	maps.DeleteFunc(x.votes, func(_ string, v ballotPaper) bool { return !v.until.After(now) })
	until, ok := b.until(x)
	running := !x.order.Until.IsZero()
	switch {
	case !ok:
		x.order = Order{}
		return
	case !running && !x.began.IsZero() && now.Sub(x.began) < Pause:
		return
	case !running:
		x.began = now
	}
	x.order = Order{Prefix: p, Until: until, By: slices.Sorted(maps.Keys(x.votes))}
}

// until is when the votes of a box will no longer be enough, and whether they are
// now: those of a quorum, and among them as many of well nodes as have to stay.
func (b *Ballot) until(x *box) (time.Time, bool) {
	var all, well []time.Time
	for _, v := range x.votes {
		all = append(all, v.until)
		if v.well {
			well = append(well, v.until)
		}
	}
	if len(all) < b.nodes.Quorum() || len(well) < b.minLive {
		return time.Time{}, false
	}
	latest := func(a, b time.Time) int { return b.Compare(a) }
	slices.SortFunc(all, latest)
	slices.SortFunc(well, latest)
	end := all[b.nodes.Quorum()-1]
	if w := well[b.minLive-1]; w.Before(end) {
		end = w
	}
	return end, true
}
