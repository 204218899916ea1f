package speaker

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"namecast/lib/route"
)

// patience is how long a test waits for what should be there in a moment.
const patience = 30 * time.Second

const (
	ownAS   = 65001
	otherAS = 65000
)

var (
	own4     = netip.MustParsePrefix("192.0.2.0/24")
	own6     = netip.MustParsePrefix("2001:db8:53::/48")
	covering = netip.MustParsePrefix("192.0.0.0/22")
	next6    = netip.MustParseAddr("2001:db8:1::2")
)

// A neighbor is a router that the test plays itself: one connection at a time.
type neighbor struct {
	t      *testing.T
	l      net.Listener
	events chan event
}

// An event is what happened to a neighbour: one of its fields is set.
type event struct {
	open   *bgp.BGPOpen
	up     net.Conn // a session is established
	update *bgp.BGPUpdate
	end    bool // of a connection
}

// newNeighbor waits for a session at an address of the loopback device.
func newNeighbor(t *testing.T, host string) *neighbor {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	n := &neighbor{t: t, l: l, events: make(chan event, 10_000)}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(t.Context(), func() { c.Close() })
			n.speak(c)
			stop()
			c.Close()
			n.events <- event{end: true}
		}
	}()
	return n
}

// config is how a speaker is told of it.
func (n *neighbor) config() Neighbor {
	a := netip.MustParseAddrPort(n.l.Addr().String())
	return Neighbor{Addr: a.Addr(), Port: a.Port(), AS: otherAS, Hold: 9 * time.Second}
}

// speak reads until the connection ends, and answers OPEN and KEEPALIVE.
func (n *neighbor) speak(c net.Conn) {
	up := false
	for {
		m, err := readMessage(c)
		if err != nil {
			return
		}
		switch m.Header.Type {
		case bgp.BGP_MSG_OPEN:
			n.events <- event{open: m.Body.(*bgp.BGPOpen)}
			if _, err := c.Write(append(open(), keepalive()...)); err != nil {
				return
			}
		case bgp.BGP_MSG_KEEPALIVE:
			if !up {
				up = true
				n.events <- event{up: c}
			} else if _, err := c.Write(keepalive()); err != nil {
				return
			}
		case bgp.BGP_MSG_UPDATE:
			n.events <- event{update: m.Body.(*bgp.BGPUpdate)}
		case bgp.BGP_MSG_NOTIFICATION:
			return
		}
	}
}

func readMessage(c net.Conn) (*bgp.BGPMessage, error) {
	head := make([]byte, bgp.BGP_HEADER_LENGTH)
	if _, err := io.ReadFull(c, head); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint16(head[16:]))
	if size < len(head) {
		return nil, errors.New("short message")
	}
	body := make([]byte, size-len(head))
	if _, err := io.ReadFull(c, body); err != nil {
		return nil, err
	}
	return bgp.ParseBGPMessage(append(head, body...))
}

// message is a message of BGP around its body.
func message(kind byte, body []byte) []byte {
	m := make([]byte, bgp.BGP_HEADER_LENGTH, bgp.BGP_HEADER_LENGTH+len(body))
	for i := range 16 {
		m[i] = 0xff
	}
	binary.BigEndian.PutUint16(m[16:], uint16(cap(m)))
	m[18] = kind
	return append(m, body...)
}

func keepalive() []byte { return message(bgp.BGP_MSG_KEEPALIVE, nil) }

// open offers both families, AS numbers of four octets, and graceful restart.
func open() []byte {
	m := bgp.NewBGPOpenMessage(otherAS, 90, "10.0.0.1", []bgp.OptionParameterInterface{
		bgp.NewOptionParameterCapability([]bgp.ParameterCapabilityInterface{
			bgp.NewCapMultiProtocol(bgp.RF_IPv4_UC), bgp.NewCapMultiProtocol(bgp.RF_IPv6_UC), bgp.NewCapFourOctetASNumber(otherAS),
			bgp.NewCapGracefulRestart(false, true, 120, []*bgp.CapGracefulRestartTuple{bgp.NewCapGracefulRestartTuple(bgp.RF_IPv4_UC, true)}),
		}),
	})
	b, err := m.Serialize()
	if err != nil {
		panic(err)
	}
	return b
}

// next waits for an event that is wanted, and forgets those before it.
func (n *neighbor) next(what string, wanted func(event) bool) event {
	n.t.Helper()
	limit := time.After(patience)
	for {
		select {
		case e := <-n.events:
			if wanted(e) {
				return e
			}
		case <-limit:
			n.t.Fatalf("no %s", what)
		}
	}
}

// session waits for one to be established.
func (n *neighbor) session() net.Conn {
	n.t.Helper()
	return n.next("session", func(e event) bool { return e.up != nil }).up
}

// ended waits for the end of a connection.
func (n *neighbor) ended() {
	n.t.Helper()
	n.next("end of the session", func(e event) bool { return e.end })
}

// routes gives what the next update announces and its attributes, or what it
// withdraws.
func (n *neighbor) routes() (announced, withdrawn []string, attrs map[string]string) {
	n.t.Helper()
	e := n.next("update", event.routes)
	return parts(e.update)
}

// routes tells whether an event is an update about routes; others mark the end of
// a table (RFC 4724).
func (e event) routes() bool {
	if e.update == nil {
		return false
	}
	announced, withdrawn, _ := parts(e.update)
	return len(announced)+len(withdrawn) > 0
}

// silent checks that a neighbour has been told no more.
func (n *neighbor) silent() {
	n.t.Helper()
	for len(n.events) > 0 {
		if e := <-n.events; e.routes() {
			announced, withdrawn, _ := parts(e.update)
			n.t.Errorf("also told %v, withdrawn %v", announced, withdrawn)
		}
	}
}

// parts takes an update apart.
func parts(u *bgp.BGPUpdate) (announced, withdrawn []string, attrs map[string]string) {
	attrs = map[string]string{}
	for _, p := range u.NLRI {
		announced = append(announced, p.String())
	}
	for _, p := range u.WithdrawnRoutes {
		withdrawn = append(withdrawn, p.String())
	}
	for _, a := range u.PathAttributes {
		switch a := a.(type) {
		case *bgp.PathAttributeMpReachNLRI:
			for _, p := range a.Value {
				announced = append(announced, p.String())
			}
			attrs["next"] = a.Nexthop.String()
		case *bgp.PathAttributeMpUnreachNLRI:
			for _, p := range a.Value {
				withdrawn = append(withdrawn, p.String())
			}
		default:
			attrs[strings.ToLower(strings.TrimPrefix(a.GetType().String(), "BGP_ATTR_TYPE_"))] = a.String()
		}
	}
	return announced, withdrawn, attrs
}

// speak starts a speaker with neighbours, and waits until all have a session.
func speak(t *testing.T, change func(*Config), neighbors ...*neighbor) *Speaker {
	t.Helper()
	s := begin(t, change, neighbors...)
	for _, n := range neighbors {
		n.session()
	}
	return s
}

// begin starts a speaker with neighbours.
func begin(t *testing.T, change func(*Config), neighbors ...*neighbor) *Speaker {
	t.Helper()
	c := Config{AS: ownAS, ID: netip.MustParseAddr("192.0.2.1"), Prefixes: []netip.Prefix{own4}, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	for _, n := range neighbors {
		c.Neighbors = append(c.Neighbors, n.config())
	}
	if change != nil {
		change(&c)
	}
	s, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(patience); err != nil {
			t.Error(err)
		}
	})
	return s
}

// wish has a prefix announced as told.
func wish(t *testing.T, s *Speaker, p netip.Prefix, is route.Condition, a route.Attrs) {
	t.Helper()
	if err := s.Set(p, Route{is, a}); err != nil {
		t.Fatal(err)
	}
}

// until calls cond until it holds.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", patience, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
