package iterate

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// listen starts a server on both protocols, at one port.
func listen(t *testing.T, h dns.HandlerFunc) netip.AddrPort {
	t.Helper()
	p, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", p.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*dns.Server{{PacketConn: p, Handler: h}, {Listener: l, Handler: h}} {
		started, ended := make(chan struct{}), make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { defer close(ended); _ = s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = s.Shutdown(); <-ended })
	}
	return netip.MustParseAddrPort(p.LocalAddr().String())
}

// What does not fit a datagram comes by TCP, whole.
func TestCutOffGoesByTCP(t *testing.T) {
	at := listen(t, func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg).SetReply(q)
		for range 300 {
			a.Answer = append(a.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(192, 0, 2, 1)})
		}
		if w.LocalAddr().Network() == "udp" {
			a.Truncate(512)
		}
		_ = w.WriteMsg(a) // whoever asked may be gone
	})
	b, err := Ask(t.Context(), at, query(t))
	if err != nil {
		t.Fatal(err)
	}
	m := new(dns.Msg)
	if err := m.Unpack(b); err != nil || len(m.Answer) != 300 || m.Truncated {
		t.Errorf("%d records, %v", len(m.Answer), err)
	}
}

// Datagrams that answer another query are passed over.
func TestForgeriesAreNotHeard(t *testing.T) {
	at := listen(t, func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg).SetReply(q)
		other := a.Copy()
		other.Id++
		_ = w.WriteMsg(other)
		other = a.Copy()
		other.Question[0].Name = "evil.test."
		_ = w.WriteMsg(other)
		_ = w.WriteMsg(a)
	})
	q := query(t)
	b, err := Ask(t.Context(), at, q)
	if err != nil {
		t.Fatal(err)
	}
	if m := new(dns.Msg); m.Unpack(b) != nil || m.Question[0].Name != "www.test." || b[0] != q[0] || b[1] != q[1] {
		t.Errorf("heard %v", m)
	}
}

func TestAskEnds(t *testing.T) {
	at := listen(t, func(w dns.ResponseWriter, q *dns.Msg) {})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Ask(ctx, at, query(t)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func query(t *testing.T) []byte {
	t.Helper()
	b, err := new(dns.Msg).SetQuestion("www.test.", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
