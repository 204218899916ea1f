package main

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/link"
)

// identities makes the files of a node and of a client.
func identities(t *testing.T) (node, client string) {
	t.Helper()
	now := time.Now()
	authority, err := ca.New("bench", now)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []ca.Name{{Cluster: "bench", Role: ca.Node, ID: "n1"}, {Cluster: "bench", Role: ca.Client, ID: "load"}} {
		id, err := authority.NewIdentity(ca.Request{Name: name, Hosts: []string{"127.0.0.1"}}, now)
		if err != nil {
			t.Fatal(err)
		}
		if err := writeSecret(filepath.Join(dir, name.ID), id.Text()); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "n1"), filepath.Join(dir, "load")
}

// answering starts a node that does with each frame as it is told, until the test
// ends, and gives the load's links with it.
func answering(t *testing.T, handle func(*link.Conn, frame.Frame)) *links {
	t.Helper()
	node, client := identities(t)
	creds, err := link.Load(node, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := link.New(link.Config{
		Credentials: creds, Incarnation: 1, Handle: handle,
		Up: func(*link.Conn) {}, Down: func(*link.Conn, error) {}, Failed: func(string, string, error) {},
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	l, err := dial(t.Context(), client, []string{listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	return l
}

// reply answers a read with a value of so many octets.
func reply(c *link.Conn, f frame.Frame, octets int) {
	c.Send(chain.Envelope{Chain: chain.ID(f.Chain), Body: chain.ReadReply{
		ID: f.Stream, Status: chain.Done, LSN: 1, Values: []chain.Value{{Found: true, Version: 1, Data: make([]byte, octets)}}}})
}

func TestRunCounts(t *testing.T) {
	n := 0
	l := answering(t, func(c *link.Conn, f frame.Frame) {
		if n++; n%10 == 0 {
			reply(c, f, valueSize+1)
		} else {
			reply(c, f, valueSize)
		}
	})
	all, marks := &tally{}, 0
	err := l.run(t.Context(), 10*time.Millisecond, 100*time.Millisecond, func() { marks++ },
		stream{node: "n1", window: 8, source: reader{3, readKey}, tally: all})
	if err != nil {
		t.Fatal(err)
	}
	if all.good == 0 || all.bad == 0 || all.bad > all.good/5 || marks != 2 || all.elapsed < 100*time.Millisecond {
		t.Errorf("want some good, a tenth of them bad, 2 marks; got %d, %d, %d marks in %s", all.good, all.bad, marks, all.elapsed)
	}
}

func TestRunKeepsRate(t *testing.T) {
	l := answering(t, func(c *link.Conn, f frame.Frame) { reply(c, f, valueSize) })
	all := &tally{}
	const rate = 500
	err := l.run(t.Context(), 20*time.Millisecond, 300*time.Millisecond, nil,
		stream{node: "n1", window: 8, perSecond: rate, source: reader{3, readKey}, tally: all})
	if err != nil {
		t.Fatal(err)
	}
	if got := all.rate(); got == 0 || got > 1.2*rate { // a busy machine may be slower
		t.Errorf("want at most %d requests a second, got %.0f", rate, got)
	}
}

// TestRunEndsWithItsConnection: what is lost is an error, and at once.
func TestRunEndsWithItsConnection(t *testing.T) {
	l := answering(t, func(c *link.Conn, _ frame.Frame) { c.Close(frame.ByeBroken, "test") })
	err := l.run(t.Context(), 0, 10*time.Millisecond, nil, stream{node: "n1", window: 1, source: reader{3, readKey}, tally: &tally{}})
	if !errors.Is(err, errLost) {
		t.Errorf("want %v, got %v", errLost, err)
	}
}

func TestRunOfNobody(t *testing.T) {
	l := answering(t, func(*link.Conn, frame.Frame) {})
	if err := l.run(t.Context(), 0, 0, nil, stream{node: "n2", window: 1, source: reader{3, readKey}, tally: &tally{}}); err == nil {
		t.Error("a stream to a node that is not connected runs")
	}
}

func TestWriterConditions(t *testing.T) {
	w := newWriter(1, map[chain.ID]chain.LSN{7: 5}, 7)
	w.cond = true
	first := w.next(0, 1).Body.(chain.Propose)
	if len(first.Conds) != 0 || first.Base != 5 {
		t.Errorf("the first write has conditions %v and base %d", first.Conds, first.Base)
	}
	if !w.judge(0, chain.ProposeReply{Status: chain.Done, Outcome: chain.Outcome{Verdict: chain.Applied, LSN: 9}}) {
		t.Error("an applied write is refused")
	}
	second := w.next(0, 2).Body.(chain.Propose)
	if len(second.Conds) != 1 || second.Conds[0].Version != 9 || second.Base != 9 || second.Request == first.Request {
		t.Errorf("the second write is %+v", second)
	}
	for name, m := range map[string]chain.Message{
		"busy":     chain.ProposeReply{Status: chain.Busy},
		"conflict": chain.ProposeReply{Status: chain.Done, Outcome: chain.Outcome{Verdict: chain.Conflict}},
		"other":    chain.ReadReply{Status: chain.Done},
	} {
		if w.judge(0, m) {
			t.Errorf("%s counts as right", name)
		}
	}
}
