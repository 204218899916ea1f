package anycast

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"namecast/lib/cli"
	"namecast/lib/quorum"
	"namecast/lib/route"
	"namecast/lib/speaker"
)

// A node is the state of a process. But for what bfdIs and wake touch, it belongs to
// the goroutine of run.
type node struct {
	settings settings
	log      *slog.Logger
	speaker  *speaker.Speaker
	crew     crew

	lines  chan line
	conns  chan *net.UnixConn
	votes  chan quorum.Vote
	kicked chan struct{} // the speaker or BFD has something new

	owner *owner // who commands, or nil
	only  bool   // there will be no other
	beat  time.Duration
	heard time.Time // when the last command came
	lost  bool      // the beat
	quit  bool

	wishes map[netip.Prefix]route.Command // announce and drain; others are not there
	ballot *quorum.Ballot                 // nil: no votes
	orders map[netip.Prefix]quorum.Order  // in force

	addresses *addresses
	told      map[string]string // the last line about each subject
	slow      int               // looks in a row at which the speaker did not answer

	mu  sync.Mutex
	bfd map[netip.Addr]bool
}

func newNode(s settings, log *slog.Logger) *node {
	n := &node{
		settings: s, log: log, crew: crew{failed: make(chan error, 1)},
		lines: make(chan line), conns: make(chan *net.UnixConn), votes: make(chan quorum.Vote, 64), kicked: make(chan struct{}, 1),
		wishes: map[netip.Prefix]route.Command{}, orders: map[netip.Prefix]quorum.Order{},
		told: map[string]string{}, bfd: map[netip.Addr]bool{},
	}
	for _, session := range s.bfd {
		n.bfd[session.Peer] = false
	}
	return n
}

// wake has run look at what is new. Anybody may call it.
func (n *node) wake() {
	select {
	case n.kicked <- struct{}{}:
	default:
	}
}

// bfdIs notes the state of a session. Anybody may call it.
func (n *node) bfdIs(peer netip.Addr, up bool) {
	n.mu.Lock()
	n.bfd[peer] = up
	n.mu.Unlock()
	n.wake()
}

// look is at least how often run looks at the clock and at the speaker.
const look = time.Second

// patience is at how many looks in a row the speaker may be found at the same call.
// The process is ended then: a library that stands still cannot withdraw.
const patience = 8

// run decides until ctx ends, or the only owner goes.
func (n *node) run(ctx context.Context) error {
	interval, beat := cli.Watchdog()
	ticker := time.NewTicker(look)
	if interval > 0 {
		ticker.Reset(min(look, interval))
	}
	defer ticker.Stop()
	timer := time.NewTimer(look)
	defer timer.Stop()
	n.tellAll()
	for {
		n.settle(time.Now())
		if n.quit {
			return nil
		}
		timer.Reset(time.Until(n.next(time.Now())))
		select {
		case <-ctx.Done():
			return nil
		case err := <-n.crew.failed:
			return err
		case l := <-n.lines:
			n.hear(l)
		case c := <-n.conns:
			n.take(c)
		case v := <-n.votes:
			n.vote(v)
		case <-n.kicked:
		case <-timer.C:
		case <-ticker.C:
			if err := n.watch(); err != nil {
				return err
			}
			beat()
		}
	}
}

// watch looks whether the speaker answers.
func (n *node) watch() error {
	if n.speaker.Stuck(time.Now()) < look {
		n.slow = 0
		return nil
	}
	n.slow++
	if n.slow > patience {
		return speaker.ErrStuck
	}
	return nil
}

// next is when something is due that nobody will tell.
func (n *node) next(now time.Time) time.Time {
	at := now.Add(look)
	if n.beat > 0 && !n.lost {
		at = earlier(at, n.heard.Add(n.beat))
	}
	for _, o := range n.orders {
		at = earlier(at, o.Until)
	}
	return n.addresses.next(at)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// settle makes everything as it should be now, and tells what has changed.
func (n *node) settle(now time.Time) {
	if n.beat > 0 && !n.lost && now.Sub(n.heard) >= n.beat {
		n.lost = true
		clear(n.wishes)
		n.say(route.State{Kind: route.BeatLost})
		n.log.Error("beat lost: everything is withdrawn", "silent for", now.Sub(n.heard))
	}
	n.settleOrders(now)
	for _, p := range n.settings.prefixes {
		n.settlePrefix(p, now)
	}
	n.addresses.take(now)
	n.tell()
}

// settlePrefix has one prefix announced as it should be.
func (n *node) settlePrefix(p prefix, now time.Time) {
	r := n.wanted(p)
	if r.Is == route.Withdrawn {
		n.addresses.idle(p.address, now)
	} else if n.addresses.need(p.address) != nil {
		r = speaker.Route{Is: route.Withdrawn}
	}
	// The prefix is one of the speaker's, so it does not refuse it.
	_ = n.speaker.Set(p.Prefix, r)
}

// wanted is how a prefix should be announced.
func (n *node) wanted(p prefix) speaker.Route {
	wish, is := n.wishes[p.Prefix]
	_, ordered := n.orders[p.Prefix]
	switch {
	case ordered || !is:
		return speaker.Route{Is: route.Withdrawn}
	case wish.Verb == route.Drain:
		a := wish.Attrs.Over(route.Attrs{Prepend: p.drainPrepend})
		return speaker.Route{Is: route.Drained, Attrs: a.Over(p.attrs)}
	}
	return speaker.Route{Is: route.Announced, Attrs: wish.Attrs.Over(p.attrs)}
}

// vote counts a vote.
func (n *node) vote(v quorum.Vote) {
	if err := n.ballot.Add(v, time.Now()); err != nil {
		n.log.Debug("vote refused", "from", v.From, "prefix", v.Prefix, "error", err)
		return
	}
	n.log.Info("vote", "from", v.From, "prefix", v.Prefix, "lease", v.Lease, "well", v.Well)
}

// settleOrders takes the orders that hold now.
func (n *node) settleOrders(now time.Time) {
	if n.ballot == nil {
		return
	}
	before := n.orders
	n.orders = map[netip.Prefix]quorum.Order{}
	for _, o := range n.ballot.InForce(now) {
		n.orders[o.Prefix] = o
		if _, known := before[o.Prefix]; !known {
			n.log.Error("withdrawn by order of other nodes", "prefix", o.Prefix, "by", o.By, "until", o.Until)
		}
	}
	for p := range before {
		if _, still := n.orders[p]; !still {
			n.log.Info("order of other nodes ended", "prefix", p)
			n.say(route.State{Kind: route.Order, Prefix: p, Is: route.Ended})
		}
	}
}

// hear obeys a line.
func (n *node) hear(l line) {
	if l.from != n.owner {
		return // it has been dismissed
	}
	if l.err != nil && !errors.Is(l.err, errLong) {
		n.log.Info("who commands has gone: everything is withdrawn", "cause", l.err)
		n.leaveOwner()
		return
	}
	l.from.n++
	c, err := route.ParseCommand(l.text)
	if l.err != nil {
		err = l.err
	}
	if err == nil {
		n.heard, n.lost = time.Now(), false
		err = n.obey(c)
	}
	if err != nil {
		n.say(route.State{Kind: route.Error, N: l.from.n, Text: err.Error()})
		return
	}
	if n.owner != nil {
		n.say(route.State{Kind: route.OK, N: l.from.n, Text: c.String()})
	}
}

// obey takes a command.
func (n *node) obey(c route.Command) error {
	switch c.Verb {
	case route.Beat:
		n.beat = c.Beat
	case route.Status:
		n.tellAll()
	case route.Quit:
		n.leaveOwner()
	default:
		return n.wish(c)
	}
	return nil
}

// wish notes how a prefix should be announced.
func (n *node) wish(c route.Command) error {
	i := slices.IndexFunc(n.settings.prefixes, func(p prefix) bool { return p.Prefix == c.Prefix })
	if i < 0 {
		return fmt.Errorf("%w: %s", speaker.ErrForeign, c.Prefix)
	}
	if c.Verb == route.Withdraw {
		if _, was := n.wishes[c.Prefix]; was {
			n.log.Info("withdraw", "prefix", c.Prefix, "why", c.Why)
		}
		delete(n.wishes, c.Prefix)
		return nil
	}
	if before := n.wishes[c.Prefix]; before.Verb != c.Verb || !before.Attrs.Equal(c.Attrs) {
		n.log.Info(string(c.Verb), "prefix", c.Prefix)
	}
	n.wishes[c.Prefix] = c
	return n.addresses.need(n.settings.prefixes[i].address)
}

// leaveOwner lets who commands go, and forgets its wishes; without another to come,
// that is the end.
func (n *node) leaveOwner() {
	if n.only {
		n.quit = true
		return
	}
	n.dismiss()
}

// dismiss ends the owner and what it wished.
func (n *node) dismiss() {
	clear(n.wishes)
	n.beat, n.lost = 0, false
	o := n.owner
	n.crew.Go(func() { o.leave(flushWithin) })
	n.owner = nil
}
