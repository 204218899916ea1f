package host

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"namecast/lib/peer"
	"namecast/lib/peer/packet"
	"namecast/lib/peer/view"
	"namecast/lib/rr"
)

func TestTracer(t *testing.T) {
	tr := newTracer(packet.NodeID{1}, false)
	for range maxRecent + 10 {
		tr.add(view.Event{Kind: view.Mark})
	}
	recent, live, stop, err := tr.follow(0)
	if err != nil || len(recent) != maxRecent {
		t.Fatalf("%v, %d events", err, len(recent))
	}
	q := &query{request: request{q: peer.Question{Name: rr.MustName("secret.example"), Type: 1}}}
	tr.answered(q, &peer.Reply{By: peer.ByOwner, Text: "from peer"})
	e := <-live
	if e.Kind != view.Answer || e.By != "owner" || e.Name != "" || e.From != (packet.NodeID{1}).String() {
		t.Errorf("%+v", e)
	}
	tr.rename(packet.NodeID{2})
	tr.sent(peer.Send{All: true, Body: &packet.Ask{Any: true, Name: q.q.Name, Type: 1}})
	if e = <-live; e.Kind != view.Any || e.To != "" || e.From != (packet.NodeID{2}).String() {
		t.Errorf("%+v", e)
	}
	tr.heard(peer.Received{From: packet.NodeID{3}, Body: &packet.Answer{Outcome: packet.Have}})
	if e = <-live; e.Kind != view.Reply || e.From != (packet.NodeID{3}).String() || e.To != (packet.NodeID{2}).String() || e.Text != "have" {
		t.Errorf("%+v", e)
	}
	stop()
	stop()
	if _, ok := <-live; ok {
		t.Error("the channel of a reader that stopped is open")
	}
}

// TestGreetings: of many members that say that they are there some are told of.
func TestGreetings(t *testing.T) {
	tr := newTracer(packet.NodeID{1}, false)
	for i := range 200 {
		tr.greets([]packet.NodeID{{2, byte(i)}})
	}
	recent, _, stop, err := tr.follow(0)
	if err != nil {
		t.Fatal(err)
	}
	stop()
	seconds := int(recent[len(recent)-1].At-recent[0].At)/1000 + 1
	if n := len(recent); n < maxGreeted || n > seconds*maxGreeted || recent[0].Kind != view.Hello || recent[0].From != (packet.NodeID{2}).String() {
		t.Errorf("%d events in %d s, of which the first is %+v", n, seconds, recent[0])
	}
}

// TestSlowReader: who does not read is dropped, and holds up nobody.
func TestSlowReader(t *testing.T) {
	tr := newTracer(packet.NodeID{1}, true)
	_, live, stop, err := tr.follow(math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for range readerLen + 1 {
		tr.add(view.Event{Kind: view.Mark})
	}
	n := 0
	for range live {
		n++
	}
	if n != readerLen {
		t.Errorf("%d events and then the end, want %d", n, readerLen)
	}
	for range maxReaders {
		if _, _, _, err := tr.follow(math.MaxInt64); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, _, err := tr.follow(math.MaxInt64); err == nil {
		t.Error("too many readers")
	}
}

func TestRecord(t *testing.T) {
	tr := newTracer(packet.NodeID{1}, true)
	path := filepath.Join(t.TempDir(), "events")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	done, ended := make(chan struct{}), make(chan error)
	go func() { ended <- tr.record(f, done) }()
	await(t, func() error { // until the recorder follows
		tr.add(view.Event{Kind: view.Mark, Text: "x"})
		if b, err := os.ReadFile(path); err != nil || len(b) == 0 {
			return os.ErrNotExist
		}
		return nil
	})
	close(done)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	var e view.Event
	if err := json.Unmarshal([]byte(first), &e); err != nil || e.Text != "x" || e.At == 0 {
		t.Errorf("%v: %q", err, first)
	}
}
