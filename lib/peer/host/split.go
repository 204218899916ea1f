package host

import (
	"context"
	"fmt"
	"slices"
	"time"

	"namecast/lib/clock"
	"namecast/lib/peer"
	"namecast/lib/peer/keep"
	"namecast/lib/resolve/system"
	"namecast/lib/resolve/upstream"
	"namecast/lib/rr"
)

// Times and bounds of split domains.
const (
	splitTime    = 2 * time.Second        // each server may take so long
	splitDoubt   = 500 * time.Millisecond // all of them together, where there is an own copy
	splitRest    = 5 * time.Second        // after a failure own copies are given without asking
	splitStale   = 24 * time.Hour         // the longest that an own copy is given past its time
	splitTTL     = 30                     // seconds, of what is past its time
	splitEntries = 4096                   // own copies
)

// A splitter asks the servers of domains that belong to one link, such as those of a
// company behind a private network. Their names do not go to the Node at all: what is
// learned of them is in the memory of this machine and nowhere else, and is given past
// its time when their servers are silent. It belongs to the loop.
type splitter struct {
	workers *workers
	stale   time.Duration // bounds for how long past its time; 0: splitStale
	net     uint64
	list    []system.Split
	domains []*splitDomain
	cache   *keep.Cache
}

type splitDomain struct {
	name    rr.Name
	servers []*upstream.Client
	failing bool          // none answered when they were asked last
	failed  time.Duration // when
}

// set puts domains of a network in force, and returns the clients that are needed no
// more. What was learned of others is forgotten.
func (s *splitter) set(net uint64, list []system.Split) (old []*upstream.Client) {
	if s.cache == nil || net != s.net || !slices.EqualFunc(list, s.list, sameSplit) {
		s.cache = keep.New(keep.Options{Entries: splitEntries, MaxStale: s.bound()})
	}
	for _, d := range s.domains {
		old = append(old, d.servers...)
	}
	s.net, s.list, s.domains = net, list, nil
	for _, x := range list {
		d := &splitDomain{name: x.Domain.Lower()}
		for _, server := range x.Servers {
			d.servers = append(d.servers, upstream.New(server, upstream.Options{}))
		}
		s.domains = append(s.domains, d)
	}
	return old
}

func sameSplit(a, b system.Split) bool {
	return a.Domain == b.Domain && slices.Equal(a.Servers, b.Servers)
}

// splitNames are the domains of a list.
func splitNames(list []system.Split) (names []rr.Name) {
	for _, x := range list {
		names = append(names, x.Domain.Lower())
	}
	return names
}

func (s *splitter) bound() time.Duration {
	if s.stale <= 0 {
		return splitStale
	}
	return min(s.stale, splitStale)
}

// forget drops what was learned of a name and all below it, and counts that.
func (s *splitter) forget(name rr.Name) int {
	if s.cache == nil {
		return 0
	}
	return s.cache.Forget(name.Lower(), true)
}

// take answers for a name of a split domain, and is false for other names.
func (s *splitter) take(q *query) bool {
	d := s.domain(q.q.Name)
	if d == nil {
		return false
	}
	now := clock.Boot()
	own, within := s.own(now, q.q), splitTime
	switch {
	case own != nil && own.Fresh(now):
		q.reply(q.answer(&peer.Reply{Msg: own.Msg, Age: own.Age(now), EDE: -1, By: peer.ByCache}, q.limit))
		return true
	case own != nil && d.failing && now-d.failed < splitRest:
		s.giveStale(q, own, now)
		return true
	case own != nil:
		within = splitDoubt / time.Duration(max(1, len(d.servers)))
	}
	if !s.workers.work(s.workers.fetches, func() peer.Event { return s.ask(q, d, within) }) {
		q.fail(rcodeServFail)
	}
	return true
}

// domain is the longest that a name is in, or nil.
func (s *splitter) domain(name rr.Name) (best *splitDomain) {
	for _, d := range s.domains {
		if name.Under(d.name) && (best == nil || len(d.name) > len(best.name)) {
			best = d
		}
	}
	return best
}

// own is the own copy, if it may be given.
func (s *splitter) own(now time.Duration, q peer.Question) *keep.Entry {
	e := s.cache.Get(s.key(q))
	if e == nil || e.Overdue(now) > s.bound() || e.Negative && e.Overdue(now) > keep.MaxStaleNegative {
		return nil
	}
	return e
}

func (s *splitter) key(q peer.Question) keep.Key {
	return keep.Key{Net: s.net, Name: q.Name, Type: q.Type, DO: q.DO, CD: q.CD}
}

// A splitAnswer is what the servers of a split domain say.
type splitAnswer struct {
	s      *splitter
	q      *query
	domain *splitDomain
	msg    []byte // nil: none answered
	bad    bool   // it is an error
}

// ask asks the servers one after the other, until one gives an answer that is no error.
func (s *splitter) ask(q *query, d *splitDomain, within time.Duration) peer.Event {
	a := splitAnswer{s: s, q: q, domain: d, bad: true}
	for _, c := range d.servers {
		ctx, cancel := context.WithTimeout(s.workers.ctx, within)
		msg, err := c.Exchange(ctx, question(q.q, false))
		cancel()
		if err != nil {
			continue
		}
		a.msg = optLast(msg)
		if info, err := keep.Describe(a.msg); err == nil && (info.Rcode == rcodeNone || info.Rcode == rcodeNXDomain) {
			a.bad = false
			break
		}
	}
	return a
}

// done keeps the answer and gives it to the client, or for want of one what was kept.
func (a splitAnswer) done() {
	now := clock.Boot()
	a.domain.failing, a.domain.failed = a.msg == nil, now
	if own := a.s.own(now, a.q.q); own != nil && a.bad {
		a.s.giveStale(a.q, own, now)
		return
	}
	r := &peer.Reply{Msg: a.msg, EDE: -1, By: peer.ByUpstream}
	switch {
	case a.msg == nil:
		r.Rcode, r.EDE, r.By = rcodeServFail, edeUnreachable, peer.ByNobody
		r.Text = "no server of the split domain answers"
	case !a.bad:
		a.s.learn(now, a.domain, a.q.q, a.msg)
	}
	a.q.reply(a.q.answer(r, a.q.limit))
}

// learn keeps an answer, unless its domain is of a network that the machine has left.
func (s *splitter) learn(now time.Duration, d *splitDomain, q peer.Question, msg []byte) {
	info, err := keep.Describe(msg)
	data := q.Type < 128 || q.Type > 255 // RFC 6895 section 3.1
	if err != nil || !info.Keepable() || info.Name != q.Name || info.Type != q.Type || !data || !slices.Contains(s.domains, d) {
		return
	}
	s.cache.Asked(now, s.key(q))
	// The error is that it is not worth keeping.
	_ = s.cache.Put(now, &keep.Entry{
		Key: s.key(q), Brief: info.Brief, Msg: msg, Base: now, First: true, Agreed: true, Rank: -1,
	})
}

// giveStale answers with the own copy, which may be past its time.
func (s *splitter) giveStale(q *query, e *keep.Entry, now time.Duration) {
	age := e.Age(now)
	r := &peer.Reply{Msg: e.Msg, Age: age, MaxTTL: splitTTL, EDE: edeStale, By: peer.ByStale}
	if e.Rcode == rcodeNXDomain {
		r.EDE = edeStaleName
	}
	r.Text = fmt.Sprintf("own copy, age %v; no server of the split domain has an answer", rounded(age))
	q.reply(q.answer(r, q.limit))
}

// Extended errors of RFC 8914: sections 4.4, 4.20 and 4.23.
const (
	edeStale       = 3
	edeStaleName   = 19
	edeUnreachable = 22
)
