package replica_test

import (
	"fmt"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// feedTypes gives the types of messages, for comparison.
func feedTypes(ms []chain.Message) (types []string) {
	for _, m := range ms {
		types = append(types, fmt.Sprintf("%T", m)[len("chain."):])
	}
	return types
}

func TestFeed(t *testing.T) {
	l := trio(t)
	l.write("A", put(1, "k", "1"))
	bad := put(2, "k", "2")
	bad.Conds = []chain.Cond{{Kind: chain.AtVersion, Key: []byte("k"), Version: 7}}
	l.write("A", bad)
	got := l.ask("B", 5, chain.Subscribe{ID: 1})
	if len(got) != 1 {
		t.Fatalf("from the beginning: %v", feedTypes(got))
	}
	b := got[0].(chain.FeedBatch)
	if len(b.Records) != 2 || b.Outcomes[0].Verdict != chain.Applied || b.Outcomes[1].Verdict != chain.Conflict {
		t.Errorf("batch %+v", b)
	}
	l.replies[5] = nil
	l.write("A", put(3, "k", "3"))
	if got := l.replies[5]; len(got) != 1 || got[0].(chain.FeedBatch).Records[0].LSN != 3 {
		t.Errorf("then: %+v", got)
	}
	if got := l.ask("B", 6, chain.Subscribe{ID: 1, After: 2, Hash: b.Records[1].Hash}); len(got) != 1 ||
		got[0].(chain.FeedBatch).Records[0].LSN != 3 {
		t.Errorf("from LSN 2: %+v", got)
	}
	if got := l.ask("B", 7, chain.Subscribe{ID: 1, After: 2, Hash: chain.Hash{1}}); fmt.Sprint(feedTypes(got)) != "[SnapBegin SnapChunk SnapEnd]" {
		t.Errorf("with another's hash: %v", feedTypes(got))
	}
	if got := l.ask("D", 5, chain.Subscribe{ID: 1}); len(got) != 1 || got[0] != (chain.FeedEnd{ID: 1}) {
		t.Errorf("from who takes no part: %+v", got)
	}
	l.replies[5] = nil
	l.install(l.row(2, "", "A", "C"))
	if got := l.replies[5]; len(got) != 1 || got[0] != (chain.FeedEnd{ID: 1}) {
		t.Errorf("when the member leaves: %+v", got)
	}
}

// A heartbeat names what was committed when the ping came, which the member
// may have to ask for.
func TestHeartbeat(t *testing.T) {
	l := dirty(t)
	l.cut["C>B"] = true
	l.hosts["C"].held = false
	l.hosts["C"].flush()
	l.settle()
	l.ask("B", 5, chain.Subscribe{ID: 1})
	if got := l.ask("B", 5, chain.FeedPing{ID: 1, Ping: 8}); len(got) != 0 {
		t.Errorf("without the tail: %+v", got)
	}
	l.cut["C>B"] = false
	l.wait(time.Second)
	var beat chain.FeedHeartbeat
	for _, m := range l.replies[5] {
		if b, ok := m.(chain.FeedHeartbeat); ok {
			beat = b
		}
	}
	if beat != (chain.FeedHeartbeat{ID: 1, Ping: 8, LSN: 2}) {
		t.Errorf("with it: %+v", beat)
	}
	if got := l.ask("B", 6, chain.FeedPing{ID: 1, Ping: 1}); len(got) != 1 || got[0] != (chain.FeedEnd{ID: 1}) {
		t.Errorf("who has not subscribed: %+v", got)
	}
}

// A subscriber that the log does not reach back to gets a snapshot; few get one
// at a time; who does not take it holds nothing up for long.
func TestFeedSnapshot(t *testing.T) {
	l := newLab(t)
	l.add("A", replica.Options{Keep: 8, Chunk: 30, MaxCopies: 1, Stall: time.Second, Timeout: 200 * time.Millisecond})
	l.install(l.row(1, "", "A"))
	for i := 1; i <= 60; i++ {
		l.write("A", put(i, fmt.Sprintf("key %02d", i%40), fmt.Sprint(i)))
	}
	l.ask("A", 5, chain.Subscribe{ID: 1})
	if got := l.ask("A", 6, chain.Subscribe{ID: 1}); len(got) != 0 {
		t.Errorf("a second one at the same time: %v", feedTypes(got))
	}
	items, next := 0, uint64(0)
	for done := false; !done; {
		got := l.replies[5]
		l.replies[5] = nil
		if len(got) == 0 {
			t.Fatalf("stops after %d items", items)
		}
		for _, m := range got {
			switch m := m.(type) {
			case chain.SnapChunk:
				items += len(m.Items)
				if m.Seq != next || len(m.Requests) > 0 {
					t.Fatalf("chunk %d, want %d; %d requests", m.Seq, next, len(m.Requests))
				}
				next++
			case chain.SnapEnd:
				done = m.Chunks == next
			}
		}
		l.hosts["A"].step(replica.Request{Client: 5, Body: chain.SnapAck{ID: 1, Next: next, Done: done}})
		l.settle()
	}
	if items != 40 {
		t.Errorf("%d items", items)
	}
	l.write("A", put(61, "k", "v"))
	last := l.replies[5][len(l.replies[5])-1].(chain.FeedBatch)
	if last.Records[len(last.Records)-1].LSN != 61 {
		t.Errorf("after the snapshot: %+v", last)
	}
	if got := feedTypes(l.replies[6]); len(got) == 0 || got[0] != "SnapBegin" {
		t.Errorf("now the second one: %v", got)
	}
	l.replies[6] = nil
	l.wait(2 * time.Second)
	if got := l.replies[6]; len(got) != 1 || got[0] != (chain.FeedEnd{ID: 1}) {
		t.Errorf("who takes no snapshot: %v", feedTypes(got))
	}
}

// No more is under way to a subscriber than it has acknowledged room for, and
// who falls behind the log has to subscribe anew.
func TestSlowSubscriber(t *testing.T) {
	l := newLab(t)
	l.add("A", replica.Options{Keep: 8})
	l.install(l.row(1, "", "A"))
	l.ask("A", 5, chain.Subscribe{ID: 1})
	for i := 1; i <= 30; i++ {
		l.write("A", put(i, "k", "v"))
	}
	got := l.replies[5]
	if len(got) != 8 {
		t.Fatalf("%d batches are under way", len(got))
	}
	s := l.hosts["A"].rep.Status()
	if len(s.Feeds) != 1 || s.Feeds[0].Acked != 0 {
		t.Errorf("status %+v", s.Feeds)
	}
	got = l.ask("A", 5, chain.FeedAck{ID: 1, LSN: 8})
	if len(got) != 1 || got[0] != (chain.FeedEnd{ID: 1}) {
		t.Errorf("when the log has gone on: %v", feedTypes(got))
	}
	l.ask("A", 5, chain.Subscribe{ID: 2})
	l.hosts["A"].step(replica.Gone{Client: 5})
	if s := l.hosts["A"].rep.Status(); len(s.Feeds) != 0 {
		t.Errorf("after its connection has ended: %+v", s.Feeds)
	}
}
