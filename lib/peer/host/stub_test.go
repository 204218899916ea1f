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
	"namecast/lib/rr"
)

// A clerk is a desk at which one query after the other is looked at.
type clerk struct {
	sync.Mutex
	look func(*query)
}

func (c *clerk) enter()       { c.Lock() }
func (c *clerk) ask(q *query) { c.look(q) }
func (c *clerk) leave()       { c.Unlock() }

// serveStub runs a stub whose questions are answered by f, until the test's end.
func serveStub(t *testing.T, f func(*query)) *stub {
	t.Helper()
	s, err := listenStub([]string{"127.0.0.1:0"}, &clerk{look: f})
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

// TestCrowded: while too many questions are pending, another is refused at once.
func TestCrowded(t *testing.T) {
	l := &loop{pending: map[uint64]*query{}, split: &splitter{}}
	for id := range uint64(maxPending) {
		l.pending[id] = nil
	}
	r, ok := parseRequest(asked(t, "www.example.", dns.TypeA, nil))
	if !ok {
		t.Fatal("not a query")
	}
	var got []byte
	l.ask(&query{request: r, reply: func(b []byte) { got = b }})
	m := new(dns.Msg)
	if err := m.Unpack(got); err != nil || m.Rcode != dns.RcodeServerFailure || l.crowded != 1 || len(l.pending) != maxPending {
		t.Errorf("%v: %v, %d refused, %d pending", err, m, l.crowded, len(l.pending))
	}
}

// TestLateReply: a response over UDP that comes when its batch is over goes to who asked,
// with the question in that client's letters, though others have asked since.
func TestLateReply(t *testing.T) {
	var first *query
	s := serveStub(t, func(q *query) {
		if first == nil {
			first = q
			return
		}
		q.fail(rcodeRefused)
		if q.q.Name == rr.MustName("last.example") {
			first.fail(rcodeServFail)
		}
	})
	conns := make([]*dns.Conn, 2)
	for i := range conns {
		c, err := dns.Dial("udp", s.addrs()[0])
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns[i] = c
		if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if err := conns[0].WriteMsg(new(dns.Msg).SetQuestion("FiRsT.example.", dns.TypeA)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"other.example.", "Last.Example."} {
		if err := conns[1].WriteMsg(new(dns.Msg).SetQuestion(name, dns.TypeA)); err != nil {
			t.Fatal(err)
		}
		if m, err := conns[1].ReadMsg(); err != nil || m.Rcode != dns.RcodeRefused || m.Question[0].Name != name {
			t.Fatalf("%v, %v", m, err)
		}
	}
	if m, err := conns[0].ReadMsg(); err != nil || m.Rcode != dns.RcodeServerFailure || m.Question[0].Name != "FiRsT.example." {
		t.Errorf("%v, %v", m, err)
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
