package host

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer"
)

// serveStub runs a stub whose questions are answered by f, until the test's end.
func serveStub(t *testing.T, f func(*query)) *stub {
	t.Helper()
	queries := make(chan *query, queueLen)
	s, err := listenStub([]string{"127.0.0.1:0"}, queries)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for _, c := range s.udp {
		all.Go(func() {
			if err := s.serveUDP(c); err != nil {
				t.Error(err)
			}
		})
	}
	for _, l := range s.tcp {
		all.Go(func() {
			if err := s.serveTCP(ctx, l); err != nil {
				t.Error(err)
			}
		})
	}
	all.Go(func() {
		for {
			select {
			case q := <-queries:
				f(q)
			case <-ctx.Done():
				return
			}
		}
	})
	t.Cleanup(func() { cancel(); s.close(); all.Wait() })
	return s
}

// refuseAll answers at once.
func refuseAll(q *query) { q.fail(rcodeRefused) }

func TestStub(t *testing.T) {
	s := serveStub(t, refuseAll)
	addr := s.addrs()[0]
	for _, network := range []string{"udp", "tcp"} {
		c := dns.Client{Net: network, Timeout: 5 * time.Second}
		m := new(dns.Msg).SetQuestion("www.example.", dns.TypeA)
		r, _, err := c.Exchange(m, addr)
		if err != nil || r.Rcode != dns.RcodeRefused {
			t.Errorf("%s: %v, %v", network, r, err)
		}
	}
	if own := s.own(); len(own) != 1 || own[0].String() != addr {
		t.Errorf("own addresses: %v", own)
	}
}

// TestPipeline: queries of one connection are answered as soon as they can be, and those
// that are under way are answered after the client has closed its half.
func TestPipeline(t *testing.T) {
	var first *query
	s := serveStub(t, func(q *query) {
		if first == nil {
			first = q
			return
		}
		q.fail(rcodeRefused)
		first.fail(rcodeServFail)
	})
	conn, err := net.Dial("tcp", s.addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &dns.Conn{Conn: conn}
	for id := range uint16(2) {
		m := new(dns.Msg).SetQuestion("www.example.", dns.TypeA)
		m.Id = id
		if err := c.WriteMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		id    uint16
		rcode int
	}{{1, dns.RcodeRefused}, {0, dns.RcodeServerFailure}} {
		m, err := c.ReadMsg()
		if err != nil || m.Id != want.id || m.Rcode != want.rcode {
			t.Errorf("%v, %v, want %v", m, err, want)
		}
	}
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection is not closed: %v", err)
	}
}

// TestStubRubbish: what is no query gets no answer, and does not stop the stub.
func TestStubRubbish(t *testing.T) {
	s := serveStub(t, refuseAll)
	conn, err := net.Dial("udp", s.addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer := new(dns.Msg).SetQuestion("www.example.", dns.TypeA)
	answer.Response = true
	for _, b := range [][]byte{{}, {1}, make([]byte, 11), packed(t, answer)} {
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	c := &dns.Conn{Conn: conn}
	if err := c.WriteMsg(new(dns.Msg).SetQuestion("www.example.", dns.TypeA)); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if m, err := c.ReadMsg(); err != nil || m.Rcode != dns.RcodeRefused {
		t.Errorf("the first answer is not that of the query: %v, %v", m, err)
	}
}

// TestStubFull: over TCP it is said that there is too much to do.
func TestStubFull(t *testing.T) {
	s := &stub{to: make(chan *query)} // that nobody takes from
	var got []byte
	s.take(asked(t, "www.example.", dns.TypeA, nil), maxMessage, func(b []byte) { got = b })
	m := new(dns.Msg)
	if err := m.Unpack(got); err != nil || m.Rcode != dns.RcodeServerFailure || s.dropped.Load() != 1 {
		t.Errorf("%v: %v, %d dropped", err, m, s.dropped.Load())
	}
	s.take(asked(t, "www.example.", dns.TypeA, nil), 0, func([]byte) { t.Error("an answer over UDP") })
	if s.dropped.Load() != 2 {
		t.Errorf("%d dropped", s.dropped.Load())
	}
}

// TestOwnQuery: a question of the daemon's own fails like a client's.
func TestOwnQuery(t *testing.T) {
	var got *peer.Reply
	q := &query{own: func(r *peer.Reply) { got = r }}
	q.fail(rcodeServFail)
	if got == nil || got.Rcode != rcodeServFail || got.By != peer.ByNobody {
		t.Errorf("%+v", got)
	}
}
