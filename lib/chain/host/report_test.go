package host

import (
	"context"
	"errors"
	"net"
	"testing"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// TestReportsRepeated: what the coordinator has not taken is told again, and what
// it has taken is not for a while.
func TestReportsRepeated(t *testing.T) {
	c := newCluster(t, 1, "n1")
	n := c.nodes["n1"]
	c.until("registered", func() bool { return n.Status().Incarnation == 1 })
	n.view.mu.Lock()
	n.view.fail = 2
	n.view.mu.Unlock()
	r := replica.Report{Epoch: 7, Kind: replica.Stalled, Member: chain.Member{Node: "n2", Inc: 1}}
	l := n.life.Load()
	l.reports.put(3, r)
	told := func(want chain.Epoch) func() bool {
		return func() bool {
			c.coord.mu.Lock()
			defer c.coord.mu.Unlock()
			f := c.coord.reports[3]
			return f != nil && f.Stalled.Epoch == want
		}
	}
	c.until("report", told(7))
	l.reports.put(3, r)
	l.reports.mu.Lock()
	if len(l.reports.due) != 0 {
		t.Error("the same report is due again at once")
	}
	l.reports.mu.Unlock()
	r.Epoch = 8
	l.reports.put(3, r)
	c.until("newer report", told(8))
}

// TestDoor: a door outlasts those who listen at it.
func TestDoor(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := newDoor(l)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { d.run(ctx); close(done) }()
	for range 3 {
		l := d.listen()
		peer, err := net.Dial("tcp", d.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		peer.Close()
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		l.Close()
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Error("accepted after the end")
		}
	}
	cancel()
	await(t, "end of the door", done)
	if _, err := d.listen().Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("at a closed door: %v", err)
	}
}
