package sim

import (
	"bytes"
	"time"

	"namecast/lib/chain"
)

// A subscriber keeps a copy of the chain by its feed, and knows how fresh it is.
type subscriber struct {
	w       *world
	from    *node
	client  uint64 // of the subscription; each has its own
	applied chain.LSN
	hash    chain.Hash
	items   map[string]chain.Item
	heard   time.Duration // when it got anything last

	copying chain.SnapBegin // its copy; ID 0 if it gets none
	copy    []chain.Item
	chunks  uint64

	ping  uint64
	sent  time.Duration
	floor chain.LSN // what was known to be committed when it sent the ping
	fresh int       // heartbeats
}

func newSubscriber(w *world) *subscriber {
	return &subscriber{w: w, client: firstFeed, items: map[string]chain.Item{}}
}

// subscribe starts anew, at any node.
func (s *subscriber) subscribe() {
	s.client++
	s.from = s.w.some()
	s.heard = s.w.now
	s.copying = chain.SnapBegin{}
	s.w.ask(s.from, s.client, chain.Subscribe{ID: s.client, After: s.applied, Hash: s.hash})
}

// tick pings, and gives up a member that is silent.
func (s *subscriber) tick() {
	s.w.after(40*time.Millisecond, s.tick)
	if s.from == nil || s.w.now-s.heard > 150*time.Millisecond {
		s.subscribe()
		return
	}
	s.ping++
	s.sent, s.floor = s.w.now, s.w.check.floor
	s.w.ask(s.from, s.client, chain.FeedPing{ID: s.client, Ping: s.ping})
}

func (s *subscriber) receive(n *node, client uint64, m chain.Message) {
	if client != s.client || n != s.from {
		return
	}
	switch m := m.(type) {
	case chain.FeedBatch:
		s.batch(m)
	case chain.SnapBegin:
		s.heard = s.w.now
		s.copying, s.copy, s.chunks = m, nil, 0
	case chain.SnapChunk:
		if s.copying.ID != 0 && m.Seq == s.chunks {
			s.heard = s.w.now
			s.chunks++
			s.copy = append(s.copy, m.Items...)
			s.w.ask(s.from, s.client, chain.SnapAck{ID: s.client, Next: s.chunks})
		}
	case chain.SnapEnd:
		s.end(m)
	case chain.FeedHeartbeat:
		s.beat(m)
	case chain.FeedEnd:
		s.from = nil
	}
}

// end takes the copy in place of what there was.
func (s *subscriber) end(m chain.SnapEnd) {
	if s.copying.ID == 0 || m.Chunks != s.chunks {
		return
	}
	clear(s.items)
	for _, it := range s.copy {
		s.items[string(it.Key)] = it
	}
	s.applied, s.hash = s.copying.LSN, s.copying.Hash
	s.copying = chain.SnapBegin{}
	s.w.check.same("a subscriber's copy", s.applied, s.items)
	s.w.ask(s.from, s.client, chain.SnapAck{ID: s.client, Next: s.chunks, Done: true})
}

// batch applies records, each after the one before it.
func (s *subscriber) batch(m chain.FeedBatch) {
	s.heard = s.w.now
	if s.copying.ID != 0 {
		return
	}
	for i := range m.Records {
		rec := &m.Records[i]
		if rec.LSN <= s.applied && !s.w.weak.noFeedCheck {
			continue
		}
		if (rec.LSN != s.applied+1 || rec.Sum(s.hash) != rec.Hash) && !s.w.weak.noFeedCheck {
			s.from = nil // something was lost
			return
		}
		s.applied, s.hash = rec.LSN, rec.Hash
		if m.Outcomes[i].Verdict != chain.Applied {
			continue
		}
		for _, op := range rec.Ops {
			if op.Kind == chain.Delete {
				delete(s.items, string(op.Key))
			} else {
				s.items[string(op.Key)] = chain.Item{Key: op.Key, Value: op.Value, Version: rec.LSN}
			}
		}
	}
	s.w.check.same("a subscriber", s.applied, s.items)
	s.w.ask(s.from, s.client, chain.FeedAck{ID: s.client, LSN: s.applied})
}

// beat takes a heartbeat: who has applied its LSN was current when it sent the ping.
func (s *subscriber) beat(m chain.FeedHeartbeat) {
	if m.Ping != s.ping {
		return
	}
	if m.LSN < s.floor {
		s.w.fail("stale heartbeat: LSN %d, but %d was known when it was asked for", m.LSN, s.floor)
	}
	if s.applied < m.LSN {
		return // what was sent got lost, or is on its way; silence tells
	}
	s.heard = s.w.now
	s.fresh++
}

// sameItems reports whether two states are the same.
func sameItems(a, b map[string]chain.Item) bool {
	if len(a) != len(b) {
		return false
	}
	for k, x := range a {
		y, ok := b[k]
		if !ok || x.Version != y.Version || !bytes.Equal(x.Value, y.Value) {
			return false
		}
	}
	return true
}
