package replica

import (
	"slices"

	"namecast/lib/chain"
)

// A subscription is one subscriber's place in the feed.
type subscription struct {
	client   uint64
	id       uint64
	after    chain.LSN // what the subscriber has
	hash     chain.Hash
	checked  bool      // that it has a beginning of this chain's log
	next     chain.LSN // to be sent
	acked    chain.LSN
	underWay []chain.LSN // the last LSN of each batch that is not acknowledged
	copy     *outCopy    // what it is sent before the log
	behind   bool        // the log has gone on without it
}

// feeds are all subscriptions.
type feeds struct {
	subs []*subscription
	at   chain.LSN // committed when they were all looked at last
	due  bool
}

// subscribe starts a subscription. Each has an ID that its client did not use
// before.
func (r *Replica) subscribe(client uint64, m chain.Subscribe) {
	if r.subscribed(client, m.ID) != nil {
		return
	}
	if r.role != Serving || len(r.feeds.subs) >= r.opt.MaxFeeds {
		r.reply(client, chain.FeedEnd{ID: m.ID})
		return
	}
	s := &subscription{client: client, id: m.ID, after: m.After, hash: m.Hash, acked: m.After}
	r.feeds.subs = append(r.feeds.subs, s)
	r.feeds.due = true
}

// subscribed finds a subscription, or gives nil.
func (r *Replica) subscribed(client, id uint64) *subscription {
	for _, s := range r.feeds.subs {
		if s.client == client && s.id == id {
			return s
		}
	}
	return nil
}

// drop ends the subscriptions for which a condition holds.
func (r *Replica) drop(when func(*subscription) bool) {
	r.feeds.subs = slices.DeleteFunc(r.feeds.subs, func(s *subscription) bool {
		gone := when(s)
		if gone {
			s.copy.close()
		}
		return gone
	})
}

func (r *Replica) unsubscribe(client, id uint64) {
	r.drop(func(s *subscription) bool { return s.client == client && s.id == id })
}

// gone ends what a client had going. What it still waits for comes to nothing
// in its time.
func (r *Replica) gone(client uint64) {
	r.drop(func(s *subscription) bool { return s.client == client })
}

// endFeeds tells subscribers for which a condition holds to subscribe anew.
func (r *Replica) endFeeds(when func(*subscription) bool) {
	r.drop(func(s *subscription) bool {
		ends := when(s)
		if ends {
			r.reply(s.client, chain.FeedEnd{ID: s.id})
		}
		return ends
	})
}

// feed sends subscribers what is committed.
func (r *Replica) feed() {
	f := &r.feeds
	if len(f.subs) == 0 || r.role != Serving || !f.due && f.at == r.commit {
		return
	}
	f.at, f.due = r.commit, false
	behind := false
	for _, s := range f.subs {
		r.feedOne(s)
		behind = behind || s.behind
	}
	if behind {
		r.endFeeds(func(s *subscription) bool { return s.behind })
	}
}

// feedOne sends one subscriber what it may have next.
func (r *Replica) feedOne(s *subscription) {
	if s.copy != nil {
		s.copy.fill(r.opt.Chunk)
		return
	}
	if !s.checked {
		if r.commit < s.after {
			return // it knows more than this member; wait until that is here
		}
		hash, ok := r.hashAt(s.after)
		if !ok || hash != s.hash || !r.reaches(s.after+1) {
			r.feedCopy(s)
			return
		}
		s.checked, s.next = true, s.after+1
	}
	for s.next <= r.commit && len(s.underWay) < maxUnderWay {
		m, ok := r.feedBatch(s)
		if !ok {
			s.behind = true
			return
		}
		s.next += chain.LSN(len(m.Records))
		s.underWay = append(s.underWay, s.next-1)
		r.reply(s.client, m)
	}
}

// reaches reports whether the log, and what is remembered of its requests,
// reaches back to an LSN.
func (r *Replica) reaches(lsn chain.LSN) bool {
	return lsn >= r.log.first && lsn+r.opt.Window > r.commit
}

// feedBatch makes a batch of committed records, if the log reaches back.
func (r *Replica) feedBatch(s *subscription) (chain.FeedBatch, bool) {
	m := chain.FeedBatch{ID: s.id}
	if !r.reaches(s.next) {
		return m, false
	}
	lsn := s.next
	for size := 0; lsn <= r.commit && len(m.Records) < maxAppendCount; lsn++ {
		rec, ok := r.record(lsn)
		if !ok {
			return m, false
		}
		if size += rec.Size(); size > maxAppend && len(m.Records) > 0 {
			break
		}
		m.Records = append(m.Records, rec)
		m.Outcomes = append(m.Outcomes, r.outcomeAt(&rec))
	}
	return m, true
}

// feedCopy sends a subscriber a snapshot, when fewer than MaxCopies others get
// one. Until then it waits.
func (r *Replica) feedCopy(s *subscription) {
	n := 0
	for _, x := range r.feeds.subs {
		if x.copy != nil {
			n++
		}
	}
	r.feeds.due = true
	if n >= r.opt.MaxCopies {
		return
	}
	client := s.client
	if s.copy = r.newCopy(s.id, func(m chain.Message) { r.reply(client, m) }); s.copy != nil {
		s.copy.fill(r.opt.Chunk)
	}
}

// feedSnapAck goes on with a subscriber's snapshot, and with the log after it.
func (r *Replica) feedSnapAck(client uint64, m chain.SnapAck) {
	s := r.subscribed(client, m.ID)
	if s == nil || s.copy == nil {
		return
	}
	s.copy.progress(m, r.now)
	r.feeds.due = true
	if m.Done && s.copy.ended {
		s.acked, s.next, s.checked = s.copy.lsn, s.copy.lsn+1, true
		s.copy.close()
		s.copy = nil
	}
}

// feedAck takes in what a subscriber has for good.
func (r *Replica) feedAck(client uint64, m chain.FeedAck) {
	s := r.subscribed(client, m.ID)
	if s == nil || m.LSN <= s.acked || m.LSN >= s.next {
		return
	}
	s.acked = m.LSN
	for len(s.underWay) > 0 && s.underWay[0] <= m.LSN {
		s.underWay = s.underWay[1:]
	}
	r.feeds.due = true
}

// feedPing has a heartbeat sent as soon as what is committed is known.
func (r *Replica) feedPing(a asker, m chain.FeedPing) {
	if r.subscribed(a.client, m.ID) == nil {
		r.reply(a.client, chain.FeedEnd{ID: m.ID})
		return
	}
	r.strong(reading{asker: a, feed: true, ping: m.Ping})
}

// feedHolds is the oldest LSN that a subscriber needs after its snapshot. Who
// merely is slow has to subscribe anew, and gets another snapshot.
func (r *Replica) feedHolds() chain.LSN {
	hold := r.commit
	for _, s := range r.feeds.subs {
		if s.copy != nil {
			hold = min(hold, s.copy.lsn+1)
		}
	}
	return hold
}

// sweepFeeds ends subscriptions whose snapshot makes no progress, since it
// holds the log.
func (r *Replica) sweepFeeds() {
	r.endFeeds(func(s *subscription) bool { return s.copy != nil && r.now-s.copy.moved >= r.opt.Stall })
}
