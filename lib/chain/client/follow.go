package client

import (
	"context"
	"fmt"
	"sync"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/clock"
)

// Times of feeds.
const (
	pingEvery   = 200 * time.Millisecond
	lookEvery   = pingEvery / 4 // at what waits for its time
	moveEvery   = time.Second
	awayAfter   = 500 * time.Millisecond // this program did not run, or was busy: no member is to blame
	maxStarting = 64                     // subscriptions that were not answered yet, of those that need no copy
	maxMoves    = 8                      // to better members, at a time
	maxBeats    = 16                     // heartbeats of a chain whose records have not all come
	pings       = 1024                   // whose times are remembered
)

// A feed is the state of one call of Follow. But for its inbox it belongs to the
// goroutine of that call.
type feed struct {
	c     *Client
	to    Follower
	all   BatchFollower // the same, or nil if it takes batches one by one
	ctx   context.Context
	in    inbox
	nodes map[string]*source
	subs  [chain.Chains]sub
	now   time.Duration // of this round

	lastPing uint64
	sent     [pings]time.Duration // when, by number
	pingAt   time.Duration
	moveAt   time.Duration
	batches  []Batch // to be applied, kept for its memory
	dirty    []*sub  // with records to be applied
	idle     int     // chains without a subscription
	keepers  sync.WaitGroup
}

// Follow brings all chains to a Follower and keeps it up to date, until the context
// ends or the Follower fails, whose error it returns. Run has to run meanwhile.
// ErrFollowing if a call does so already.
func (c *Client) Follow(ctx context.Context, to Follower) error {
	ctx, stop := context.WithCancel(ctx)
	f := &feed{c: c, to: to, ctx: ctx, nodes: map[string]*source{}}
	f.all, _ = to.(BatchFollower)
	f.in.init()
	c.mu.Lock()
	busy := c.feed != nil
	if !busy {
		c.feed = f
	}
	c.mu.Unlock()
	if busy {
		stop()
		return ErrFollowing
	}
	defer f.close(stop)
	for id := range f.subs {
		s := &f.subs[id]
		s.chain = chain.ID(id)
		s.stand(to.Place(s.chain))
	}
	f.idle = len(f.subs)
	return f.run()
}

// close ends all connections, and what is half done.
func (f *feed) close(stop context.CancelFunc) {
	stop()
	f.in.close()
	for i := range f.subs {
		if s := &f.subs[i]; s.copy != nil {
			s.copy.Abort()
		}
	}
	f.keepers.Wait()
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	f.c.feed = nil
}

// run takes what comes, all there is at a time.
func (f *feed) run() error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	f.now = clock.Boot()
	var events []feedEvent
	v := f.c.view.Load()
	for {
		select {
		case <-f.ctx.Done():
			return f.ctx.Err()
		case <-f.in.wake:
		case <-look.C:
		case <-v.next:
			v = f.c.view.Load()
			f.moved(v)
		}
		f.time()
		events = f.in.take(events)
		for _, e := range events {
			if err := f.take(e); err != nil {
				return err
			}
		}
		if err := f.apply(); err != nil {
			return err
		}
		f.tend(v)
	}
}

// time reads the clock. What this program did not hear while it did not listen is
// not the members' silence.
func (f *feed) time() {
	now := clock.Boot()
	if away := now - f.now; away > awayAfter {
		for i := range f.subs {
			f.subs[i].heard += away
		}
	}
	f.now = now
}

// tend does what it is time for.
func (f *feed) tend(v *view) {
	began := f.subscribeAll(v)
	if f.now >= f.moveAt {
		f.moveAt = f.now + moveEvery
		f.improve(v)
	}
	switch {
	case f.now >= f.pingAt:
		f.pingAt = f.now + pingEvery
		f.silence()
		f.ping(true)
	case began:
		f.ping(false)
	}
}

// ping asks for heartbeats: of all subscriptions, or of those that have not been
// asked for one.
func (f *feed) ping(all bool) {
	f.lastPing++
	f.sent[f.lastPing%pings] = clock.Boot() // before it is sent
	for i := range f.subs {
		s := &f.subs[i]
		if s.id != 0 && s.copy == nil && (all || !s.pinged) {
			s.pinged = true
			s.send(chain.FeedPing{ID: s.id, Ping: f.lastPing})
		}
	}
}

// take brings an event to the subscription that it is for.
func (f *feed) take(e feedEvent) error {
	if e.body == nil {
		f.connection(e)
		return nil
	}
	s := &f.subs[e.chain]
	if s.id == 0 || s.on.conn != e.conn {
		return nil
	}
	switch m := e.body.(type) {
	case chain.FeedBatch:
		if m.ID == s.id {
			f.batch(s, m)
		}
	case chain.FeedHeartbeat:
		if m.ID == s.id {
			f.beat(s, m)
		}
	case chain.FeedEnd:
		if m.ID == s.id {
			f.leave(s, false)
		}
	case chain.SnapBegin:
		if m.ID == s.id {
			return f.copyBegin(s, m)
		}
	case chain.SnapChunk:
		if m.ID == s.id {
			return f.copyChunk(s, m)
		}
	case chain.SnapEnd:
		if m.ID == s.id {
			return f.copyEnd(s, m)
		}
	default:
		e.conn.Close(frame.ByeBroken, fmt.Sprintf("a %T on a feed", m))
	}
	return nil
}

// batch gathers records, each after the one before it. Where one is missing the
// subscription starts anew.
func (f *feed) batch(s *sub, m chain.FeedBatch) {
	if s.copy != nil {
		return
	}
	for i := range m.Records {
		rec := &m.Records[i]
		if rec.LSN < s.next {
			continue
		}
		if rec.LSN != s.next || rec.Sum(s.nextHash) != rec.Hash {
			f.leave(s, false)
			return
		}
		if len(s.records) == 0 {
			f.dirty = append(f.dirty, s)
		}
		s.next, s.nextHash = rec.LSN+1, rec.Hash
		s.records = append(s.records, *rec)
		s.outcomes = append(s.outcomes, m.Outcomes[i])
	}
	s.heard, s.started = f.now, true
}

// apply applies all that was gathered, and acknowledges it.
func (f *feed) apply() error {
	if len(f.dirty) == 0 {
		return nil
	}
	f.batches = f.batches[:0]
	for _, s := range f.dirty {
		f.batches = append(f.batches, Batch{s.chain, s.records, s.outcomes})
	}
	f.dirty = f.dirty[:0]
	if f.all != nil {
		if err := f.all.ApplyAll(f.batches); err != nil {
			return err
		}
	}
	for _, b := range f.batches {
		if f.all == nil {
			if err := f.to.Apply(b.Chain, b.Records, b.Outcomes); err != nil {
				return err
			}
		}
		f.applied(&f.subs[b.Chain], len(b.Records))
	}
	clear(f.batches)
	return nil
}

// applied goes on after records that the Follower has for good.
func (f *feed) applied(s *sub, records int) {
	s.records, s.outcomes = nil, nil
	s.at, s.hash = s.next-1, s.nextHash
	f.c.counts.records.Add(uint64(records))
	f.c.learn(s.chain, s.at)
	s.send(chain.FeedAck{ID: s.id, LSN: s.at})
	for len(s.beats) > 0 && s.beats[0].lsn <= s.at {
		f.fresh(s, s.beats[0].sent)
		s.beats = s.beats[1:]
	}
}

// beat takes a heartbeat: once its LSN is applied, the copy is known to have been
// current when the ping was sent.
func (f *feed) beat(s *sub, m chain.FeedHeartbeat) {
	if m.Ping == 0 || m.Ping > f.lastPing || f.lastPing-m.Ping >= pings {
		return
	}
	sent := f.sent[m.Ping%pings]
	f.c.learn(s.chain, m.LSN)
	switch {
	case m.LSN <= s.at:
		f.fresh(s, sent)
	case len(s.beats) < maxBeats:
		s.beats = append(s.beats, beat{m.LSN, sent})
	}
}

// fresh notes that a chain was current at a time.
func (f *feed) fresh(s *sub, sent time.Duration) {
	s.heard, s.started, s.tries = f.now, true, 0
	if at := &f.c.fresh[s.chain]; at.Load() < int64(sent) {
		at.Store(int64(sent))
	}
}
