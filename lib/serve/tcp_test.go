package serve

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func TestPipeline(t *testing.T) {
	r := start(t, "127.0.0.1:0", func(d *DNS) { d.Limits.Queries = 50 })
	c := dial(t, "tcp", r.addr)
	var all []byte
	for id := range 60 {
		q := query(t, uint16(id))
		all = append(binary.BigEndian.AppendUint16(all, uint16(len(q))), q...)
	}
	if _, err := c.Conn.Write(all); err != nil {
		t.Fatal(err)
	}
	for id := range 50 {
		m, err := c.ReadMsg()
		if err != nil || m.Id != uint16(id) {
			t.Fatalf("answer %d: %v %v", id, m, err)
		}
	}
	if m, err := c.ReadMsg(); err == nil {
		t.Errorf("an answer over the limit: %v", m)
	}
}

func TestTooLong(t *testing.T) {
	r := start(t, "127.0.0.1:0", nil)
	c := dial(t, "tcp", r.addr)
	b := append(query(t, 9), make([]byte, maxQuery)...)
	if code := exchange(t, c, b); code != dns.RcodeFormatError {
		t.Errorf("%s", dns.RcodeToString[code])
	}
	closed(t, c)
	c = dial(t, "tcp", r.addr)
	if _, err := c.Conn.Write([]byte{0, 3, 1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	closed(t, c)
}

// closed checks that the server has closed, or closes, a connection.
func closed(t *testing.T, c *dns.Conn) {
	t.Helper()
	_, err := io.Copy(io.Discard, c.Conn)
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		t.Error("the connection stays open")
	}
}

// TestSlow closes connections that say nothing, or say it slowly.
func TestSlow(t *testing.T) {
	r := start(t, "127.0.0.1:0", func(d *DNS) { d.Limits.Idle = 200 * time.Millisecond })
	silent, slow := dial(t, "tcp", r.addr), dial(t, "tcp", r.addr)
	stop := make(chan struct{})
	var feeder sync.WaitGroup
	feeder.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for _, b := range append([]byte{0, 200}, make([]byte, 200)...) {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			if _, err := slow.Conn.Write([]byte{b}); err != nil {
				return
			}
		}
	})
	closed(t, silent)
	closed(t, slow)
	close(stop)
	feeder.Wait()
}

func TestCrowd(t *testing.T) {
	r := start(t, "127.0.0.1:0", func(d *DNS) { d.Limits.Conns, d.Limits.ConnsPerPrefix = 10, 2 })
	a, b := dial(t, "tcp", r.addr), dial(t, "tcp", r.addr)
	exchange(t, a, query(t, 1))
	exchange(t, b, query(t, 2))
	closed(t, dial(t, "tcp", r.addr))
	if s := r.Stats(); s.ConnsNow != 2 || s.ConnsRefused != 1 || s.Conns != 2 {
		t.Errorf("counts: %+v", s)
	}
	a.Close()
	for deadline := time.Now().Add(5 * time.Second); r.Stats().ConnsNow != 1; {
		if time.Now().After(deadline) {
			t.Fatal("a closed connection is not forgotten")
		}
	}
	if code := exchange(t, dial(t, "tcp", r.addr), query(t, 3)); code != dns.RcodeSuccess {
		t.Errorf("after one has left: %s", dns.RcodeToString[code])
	}
}

func TestCrowdOfPrefixes(t *testing.T) {
	var c crowd
	c.open(Limits{Conns: 3, ConnsPerPrefix: 2})
	one, two := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/48")
	for i, x := range []struct {
		p    netip.Prefix
		want bool
	}{{one, true}, {one, true}, {one, false}, {two, true}, {two, false}} {
		if got := c.enter(x.p); got != x.want {
			t.Errorf("connection %d: %t", i, got)
		}
	}
	c.leave(one)
	if !c.enter(two) || c.size() != 3 {
		t.Errorf("a place that is free again: %d", c.size())
	}
}
