package bfd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Addresses on loopback that no other test has.
var (
	addrA = netip.MustParseAddr("127.37.84.1")
	addrB = netip.MustParseAddr("127.37.84.2")
	addrC = netip.MustParseAddr("127.37.84.3")
)

// A change is what Config.Changed is told.
type change struct {
	peer netip.Addr
	up   bool
	why  string
}

// A running is sessions under way.
type running struct {
	changes chan change
	end     context.CancelFunc
	ended   chan struct{}
	err     error // when ended
}

func run(t *testing.T, sessions ...Session) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{changes: make(chan change, 1000), end: cancel, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		r.err = Run(ctx, Config{Sessions: sessions, Changed: func(peer netip.Addr, up bool, why string) {
			r.changes <- change{peer, up, why}
		}})
	}()
	t.Cleanup(r.stop)
	return r
}

// stop ends the sessions.
func (r *running) stop() {
	r.end()
	<-r.ended
}

// wait returns the next change.
func (r *running) wait(t *testing.T) change {
	t.Helper()
	select {
	case c := <-r.changes:
		return c
	case <-r.ended:
		t.Fatalf("ended: %v", r.err)
	case <-time.After(10 * time.Second):
		t.Fatal("no change within 10 s")
	}
	return change{}
}

// TestRun has two ends in this process over real sockets, single hop and multihop.
func TestRun(t *testing.T) {
	for _, multihop := range []bool{false, true} {
		t.Run(fmt.Sprintf("multihop %v", multihop), func(t *testing.T) {
			a := run(t, Session{Peer: addrB, Local: addrA, Multihop: multihop})
			b := run(t, Session{Peer: addrA, Local: addrB, Multihop: multihop})
			for _, r := range []*running{a, b} {
				if c := r.wait(t); !c.up || c.why != "both hear each other" {
					t.Fatalf("first change %+v", c)
				}
			}
			a.stop()
			if c := b.wait(t); c.up || c.peer != addrA || c.why != "the neighbour's operator has ended it" {
				t.Errorf("after the end of the other: %+v", c)
			}
		})
	}
}

func TestRunRefuses(t *testing.T) {
	v6 := netip.MustParseAddr("2001:db8::1")
	for _, c := range []struct {
		name string
		s    Session
	}{
		{"no peer", Session{}},
		{"any peer", Session{Peer: netip.IPv4Unspecified()}},
		{"IPv4 in IPv6", Session{Peer: netip.MustParseAddr("::ffff:127.0.0.1")}},
		{"multicast", Session{Peer: netip.MustParseAddr("ff02::1")}},
		{"link-local without a zone", Session{Peer: netip.MustParseAddr("fe80::1")}},
		{"two families", Session{Peer: v6, Local: addrA}},
		{"too fast", Session{Peer: addrB, Tx: ms}},
		{"too slow", Session{Peer: addrB, Rx: 2 * time.Hour}},
		{"negative", Session{Peer: addrB, Rx: -time.Second}},
		{"multiplier", Session{Peer: addrB, Multiplier: 256}},
		{"TTL", Session{Peer: addrB, Multihop: true, TTL: 256}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if err := Run(ctx, Config{Sessions: []Session{c.s}}); !errors.Is(err, ErrConfig) {
				t.Errorf("error %v", err)
			}
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	twice := Session{Peer: addrB, Local: addrC}
	if err := Run(ctx, Config{Sessions: []Session{twice, twice}}); !errors.Is(err, ErrConfig) {
		t.Errorf("a peer twice: error %v", err)
	}
	if err := Run(ctx, Config{}); err != nil {
		t.Errorf("no session: error %v", err)
	}
}

// TestPortTaken has another program at the port: that is said, and not borne.
func TestPortTaken(t *testing.T) {
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addrC, singlePort)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = Run(context.Background(), Config{Sessions: []Session{{Peer: addrB, Local: addrC}}})
	if !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), addrB.String()) {
		t.Errorf("error %v", err)
	}
}

// A stranger is a neighbour of the test's own making, octet by octet.
type stranger struct {
	*testing.T
	out, in *net.UDPConn
}

// newStranger speaks from one address and hears at another.
func newStranger(t *testing.T, from, at netip.Addr, port uint16, ttl int) stranger {
	t.Helper()
	s := stranger{T: t}
	var err error
	if s.in, err = bind(at, true, port, setReceiver); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.in.Close() })
	s.out, err = bind(from, true, 0, func(fd int, _ bool) error { return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, ttl) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.out.Close() })
	return s
}

// hear returns the next packet, where it came from and with which TTL.
func (s stranger) hear() (packet, netip.AddrPort, int) {
	s.Helper()
	b, control := make([]byte, 100), make([]byte, 100)
	s.in.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, cn, _, from, err := s.in.ReadMsgUDPAddrPort(b, control)
	if err != nil {
		s.Fatal(err)
	}
	p, err := parse(b[:n])
	if err != nil {
		s.Fatal(err)
	}
	hops, _ := ttl(control[:cn])
	return p, from, hops
}

func (s stranger) say(to netip.Addr, port uint16, b []byte) {
	s.Helper()
	if _, err := s.out.WriteToUDPAddrPort(b, netip.AddrPortFrom(to, port)); err != nil {
		s.Fatal(err)
	}
}

// TestSent looks at what comes from the wire.
func TestSent(t *testing.T) {
	s := newStranger(t, addrB, addrB, singlePort, 255)
	run(t, Session{Peer: addrB, Local: addrA})
	p, from, hops := s.hear()
	if p.state != down || p.yours != 0 || p.minTx != time.Second || p.minRx != DefaultInterval || p.multiplier != DefaultMultiplier {
		t.Errorf("first packet %+v", p)
	}
	if from.Addr() != addrA || from.Port() < firstPort || hops != 255 {
		t.Errorf("from %v with TTL %d", from, hops)
	}
	q, again, _ := s.hear()
	if again != from || q.mine != p.mine {
		t.Errorf("second packet from %v with number %d, the first from %v with %d", again, q.mine, from, p.mine)
	}
}

// TestDropped sends what must change nothing, and then what answers: Init only
// after the good packet, which has a number of its own.
func TestDropped(t *testing.T) {
	good := *peer(down, 0)
	changed := func(at int, value byte) []byte {
		b := good.append(nil)
		b[at] = value
		return b
	}
	for _, c := range []struct {
		name     string
		from     netip.Addr
		ttl      int
		multihop bool
		b        []byte
	}{
		{"TTL 254", addrB, 254, false, good.append(nil)},
		{"TTL 1", addrB, 1, false, good.append(nil)},
		{"multihop below the least TTL", addrB, 199, true, good.append(nil)},
		{"wrong source", addrC, 255, false, good.append(nil)},
		{"wrong number", addrB, 255, false, peer(down, 99).append(nil)},
		{"Up without a number", addrB, 255, false, peer(up, 0).append(nil)},
		{"version", addrB, 255, false, changed(0, 0)},
		{"multiplier", addrB, 255, false, changed(2, 0)},
		{"authenticated", addrB, 255, false, changed(1, 0x44)},
		{"longer than any", addrB, 255, false, append(good.append(nil), make([]byte, 100)...)},
		{"empty", addrB, 255, false, nil},
		{"cut", addrB, 255, false, good.append(nil)[:23]},
	} {
		t.Run(c.name, func(t *testing.T) {
			port := portOf(c.multihop)
			s := newStranger(t, c.from, addrB, port, c.ttl)
			run(t, Session{Peer: addrB, Local: addrA, Multihop: c.multihop, TTL: 200})
			s.hear() // it has opened its sockets
			s.say(addrA, port, c.b)
			proof, err := bind(addrB, true, 0, setSender)
			if err != nil {
				t.Fatal(err)
			}
			defer proof.Close()
			told := good
			told.mine = 77
			if _, err := proof.WriteToUDPAddrPort(told.append(nil), netip.AddrPortFrom(addrA, port)); err != nil {
				t.Fatal(err)
			}
			for {
				p, _, _ := s.hear()
				if p.state == initial && p.yours == 77 {
					return
				}
				if p.state != down || p.yours != 0 {
					t.Fatalf("answered by %+v", p)
				}
			}
		})
	}
}

// TestUnreachable has neighbours that no route leads to, or from an address that is
// not there: they are tried for ever and hurt nobody.
func TestUnreachable(t *testing.T) {
	a := run(t,
		Session{Peer: netip.MustParseAddr("240.0.0.1"), Local: addrA},
		Session{Peer: addrB, Local: addrA},
		Session{Peer: netip.MustParseAddr("192.0.2.1"), Local: netip.MustParseAddr("192.0.2.2")})
	run(t, Session{Peer: addrA, Local: addrB})
	if c := a.wait(t); !c.up || c.peer != addrB {
		t.Errorf("change %+v", c)
	}
}

// TestWildcard has a session without a local address share its socket with one
// that has one.
func TestWildcard(t *testing.T) {
	l := &loop{bySource: make(map[source]*conversation)}
	defer l.close()
	all := []Session{
		{Peer: addrB, Local: addrA, Multihop: true}, {Peer: addrC, Multihop: true},
		{Peer: addrB, Local: addrA}, {Peer: addrC, Local: addrA},
	}
	var got []string
	for _, s := range all {
		if err := l.receiver(s, all); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range l.receivers {
		got = append(got, r.conn.LocalAddr().String())
	}
	if want := "0.0.0.0:4784 127.37.84.1:3784"; strings.Join(got, " ") != want {
		t.Errorf("sockets %v, want %v", got, want)
	}
}
