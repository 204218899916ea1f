package host

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"namecast/lib/clock"
	"namecast/lib/peer"
	"namecast/lib/peer/packet"
	"namecast/lib/peer/view"
	"namecast/lib/rr"
)

// How many events are kept, and may wait for a reader, who else loses some.
const (
	maxRecent  = 2000
	maxReaders = 16
	readerLen  = 512
	maxGreeted = 10 // greetings are told in a second
)

// A tracer keeps what has happened lately for those who look on.
type tracer struct {
	self  string
	names bool // they may be shown

	mu      sync.Mutex
	greeted [maxGreeted]int64 // when the last greetings were, in milliseconds since 1970
	ring    []view.Event
	next    int // place of the oldest, once the ring is full
	readers map[chan view.Event]struct{}
}

func newTracer(self packet.NodeID, names bool) *tracer {
	return &tracer{self: self.String(), names: names, readers: map[chan view.Event]struct{}{}}
}

// add keeps an event, and gives it to the readers that have room.
func (t *tracer) add(e view.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.From == "" {
		e.From = t.self
	}
	e.At = time.Now().UnixMilli()
	if len(t.ring) < maxRecent {
		t.ring = append(t.ring, e)
	} else {
		t.ring[t.next] = e
		t.next = (t.next + 1) % maxRecent
	}
	for r := range t.readers {
		select {
		case r <- e:
		default:
			t.drop(r)
		}
	}
}

// drop ends a reader's channel.
func (t *tracer) drop(r chan view.Event) {
	if _, ok := t.readers[r]; ok {
		delete(t.readers, r)
		close(r)
	}
}

// errReaders: too many follow the events already.
var errReaders = errors.New("too many follow the events")

// me is the own NodeID.
func (t *tracer) me() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.self
}

// rename takes another NodeID for the own one.
func (t *tracer) rename(self packet.NodeID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.self = self.String()
}

// follow gives the events after a time, and those to come. The channel is closed by
// stop, and when its reader is too slow.
func (t *tracer) follow(after int64) (recent []view.Event, live <-chan view.Event, stop func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.ring {
		if e := t.ring[(t.next+i)%len(t.ring)]; e.At > after {
			recent = append(recent, e)
		}
	}
	if len(t.readers) >= maxReaders {
		return nil, nil, nil, errReaders
	}
	c := make(chan view.Event, readerLen)
	t.readers[c] = struct{}{}
	return recent, c, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.drop(c)
	}, nil
}

// name is a name as it may be shown.
func (t *tracer) name(n rr.Name, typ uint16) string {
	if !t.names {
		return ""
	}
	return n.FQDN() + " " + rr.Type(typ).String()
}

// answered tells of a client that was answered.
func (t *tracer) answered(q *query, r *peer.Reply) {
	t.add(view.Event{
		Kind: view.Answer, Name: t.name(q.q.Name, q.q.Type), By: byWord(r.By), Text: r.Text,
		Ms: float64(clock.Boot()-q.began) / float64(time.Millisecond),
	})
}

// sent tells of a message to a member, or to all.
func (t *tracer) sent(s peer.Send) {
	e := view.Event{To: s.To.String()}
	if s.All {
		e.To = ""
	}
	t.said(e, s.Body)
}

// heard tells of a member's message.
func (t *tracer) heard(r peer.Received) {
	t.said(view.Event{From: r.From.String(), To: t.me()}, r.Body)
}

// greets tells of members that have said to all that they are there, of which there are
// some in a second at most: in a large group these would drive all else out.
func (t *tracer) greets(who []packet.NodeID) {
	for _, id := range who {
		t.mu.Lock()
		now, oldest := time.Now().UnixMilli(), 0
		for i, at := range t.greeted {
			if at < t.greeted[oldest] {
				oldest = i
			}
		}
		due := now-t.greeted[oldest] >= 1000
		if due {
			t.greeted[oldest] = now
		}
		t.mu.Unlock()
		if due {
			t.add(view.Event{Kind: view.Hello, From: id.String()})
		}
	}
}

// said tells of a message.
func (t *tracer) said(e view.Event, b packet.Body) {
	switch b := b.(type) {
	case *packet.Ask:
		e.Kind, e.Name = view.Ask, t.name(b.Name, b.Type)
		if b.Any {
			e.Kind, e.To = view.Any, ""
		}
	case *packet.Answer:
		e.Kind, e.Text = view.Reply, outcomeWord(b.Outcome)
	case *packet.Put:
		e.Kind, e.Text = view.Put, fmt.Sprint(len(b.Records))
	default:
		return
	}
	t.add(e)
}

var byWords = [...]string{
	peer.ByCache: "cache", peer.ByUpstream: "upstream", peer.ByStale: "stale", peer.ByOwner: "owner",
	peer.ByHelper: "helper", peer.ByRoot: "root", peer.ByAny: "any", peer.ByNobody: "nobody",
}

func byWord(b peer.By) string {
	if int(b) < len(byWords) {
		return byWords[b]
	}
	return "unknown"
}

var outcomeWords = [...]string{packet.Have: "have", packet.Miss: "miss", packet.Busy: "busy", packet.Wont: "wont"}

func outcomeWord(o packet.Outcome) string {
	if int(o) < len(outcomeWords) {
		return outcomeWords[o]
	}
	return "unknown"
}

// record writes events to a file, a line of JSON each, until done is closed. When the
// disk is too slow events are lost, and nothing waits for it.
func (t *tracer) record(f *os.File, done <-chan struct{}) error {
	var live <-chan view.Event
	stop := func() {}
	defer func() { stop() }()
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	flush := time.NewTicker(time.Second)
	defer flush.Stop()
	for {
		var err error
		if live == nil {
			if _, live, stop, err = t.follow(math.MaxInt64); err != nil {
				return fmt.Errorf("write events: %w", err)
			}
		}
		select {
		case <-done:
			return w.Flush()
		case e, ok := <-live:
			if !ok {
				live = nil // it was too slow, and begins again
				continue
			}
			err = enc.Encode(e)
		case <-flush.C:
			err = w.Flush()
		}
		if err != nil {
			return fmt.Errorf("write events: %w", err)
		}
	}
}
