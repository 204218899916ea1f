package speaker

import (
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"namecast/lib/route"
)

func number(n uint32) *uint32 { return &n }

// drained is what the test's own parser makes of 65535:0.
const drained = "{Communities: planned-shut}"

// TestAttributes: what a neighbour is sent has the attributes that were chosen, no
// more, and the session's address as its next hop; the same wish sends nothing.
func TestAttributes(t *testing.T) {
	n := newNeighbor(t, "127.0.0.1")
	s := speak(t, nil, n)
	for _, c := range []struct {
		name string
		r    Route
		want map[string]string
	}{
		{"plain", Route{Is: route.Announced}, map[string]string{"as_path": "{AsPath: 65001}"}},
		{"all", Route{route.Announced, route.Attrs{MED: number(50), Prepend: 2, Communities: []route.Community{65000<<16 | 1}, Large: []route.Large{{65000, 2, 3}}}},
			map[string]string{"as_path": "{AsPath: 65001 65001 65001}", "multi_exit_disc": "{Med: 50}", "communities": "{Communities: 65000:1}", "large_community": "{LargeCommunity: [ 65000:2:3]}"}},
		{"med 0", Route{route.Announced, route.Attrs{MED: number(0)}}, map[string]string{"as_path": "{AsPath: 65001}", "multi_exit_disc": "{Med: 0}"}},
		{"drained", Route{route.Drained, route.Attrs{Communities: []route.Community{65000<<16 | 1}}},
			map[string]string{"as_path": "{AsPath: 65001}", "communities": "{Communities: 65000:1, planned-shut}"}},
	} {
		wish(t, s, own4, c.r.Is, c.r.Attrs)
		wish(t, s, own4, c.r.Is, c.r.Attrs)
		announced, withdrawn, attrs := n.routes()
		c.want["origin"], c.want["next_hop"] = "{Origin: i}", "{Nexthop: 127.0.0.1}"
		if !slices.Equal(announced, []string{own4.String()}) || len(withdrawn) > 0 {
			t.Errorf("%s: announced %v, withdrawn %v", c.name, announced, withdrawn)
		}
		if diff := cmp.Diff(c.want, attrs); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
	}
	wish(t, s, own4, route.Withdrawn, route.Attrs{})
	if _, withdrawn, _ := n.routes(); !slices.Equal(withdrawn, []string{own4.String()}) {
		t.Errorf("withdrawn %v", withdrawn)
	}
	until(t, "0 of 1", func() bool { out, of := s.Out(own4); return out == 0 && of == 1 })
	n.silent()
}

// TestIPv6: IPv6 prefixes are told over IPv4 with the next hop that is configured,
// and to a neighbour without one they are not; over IPv6 they have the session's.
func TestIPv6(t *testing.T) {
	with, without, over6 := newNeighbor(t, "127.0.0.1"), newNeighbor(t, "127.0.0.2"), newNeighbor(t, "::1")
	s := speak(t, func(c *Config) {
		c.Prefixes = []netip.Prefix{own4, own6}
		c.Neighbors[0].NextHop6 = next6
	}, with, without, over6)
	wish(t, s, own6, route.Announced, route.Attrs{})
	if announced, _, attrs := with.routes(); !slices.Equal(announced, []string{own6.String()}) || attrs["next"] != next6.String() {
		t.Errorf("over IPv4: %v %v", announced, attrs)
	}
	if announced, _, attrs := over6.routes(); !slices.Equal(announced, []string{own6.String()}) || attrs["next"] != "::1" {
		t.Errorf("over IPv6: %v %v", announced, attrs)
	}
	until(t, "2 of 2", func() bool { out, of := s.Out(own6); return out == 2 && of == 2 })
	wish(t, s, own4, route.Announced, route.Attrs{})
	for _, n := range []*neighbor{with, without} {
		if announced, _, _ := n.routes(); !slices.Equal(announced, []string{own4.String()}) {
			t.Errorf("IPv4: %v", announced)
		}
	}
	until(t, "2 of 2", func() bool { out, of := s.Out(own4); return out == 2 && of == 2 })
	wish(t, s, own6, route.Withdrawn, route.Attrs{})
	for _, n := range []*neighbor{with, over6} {
		if _, withdrawn, _ := n.routes(); !slices.Equal(withdrawn, []string{own6.String()}) {
			t.Errorf("withdrawn %v", withdrawn)
		}
	}
	over6.silent()
	without.silent()
}

// TestFallback: it is announced from the start, and nobody can change it.
func TestFallback(t *testing.T) {
	n := newNeighbor(t, "127.0.0.1")
	s := speak(t, func(c *Config) { c.Fallback = []netip.Prefix{covering} }, n)
	if announced, _, _ := n.routes(); !slices.Equal(announced, []string{covering.String()}) {
		t.Errorf("announced %v", announced)
	}
	for _, p := range []netip.Prefix{covering, own6} {
		if err := s.Set(p, Route{Is: route.Withdrawn}); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v", p, err)
		}
	}
	until(t, "1 of 1", func() bool { out, of := s.Out(covering); return out == 1 && of == 1 })
}

// TestNothingIsPassedOn: what one neighbour says, even of a prefix of ours, another is
// not told, and the own route stays.
func TestNothingIsPassedOn(t *testing.T) {
	a, b := newNeighbor(t, "127.0.0.1"), newNeighbor(t, "127.0.0.2")
	s := begin(t, nil, a, b)
	ca := a.session()
	b.session()
	for _, p := range []string{"203.0.113.0/24", own4.String(), "192.0.2.0/25"} {
		if _, err := ca.Write(update(netip.MustParsePrefix(p))); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the library has it", func() bool { return received(s, a) == 3 })
	wish(t, s, own4, route.Announced, route.Attrs{})
	for _, n := range []*neighbor{a, b} {
		announced, _, attrs := n.routes()
		if !slices.Equal(announced, []string{own4.String()}) || attrs["as_path"] != "{AsPath: 65001}" {
			t.Errorf("told %v %v", announced, attrs)
		}
	}
	wish(t, s, own4, route.Withdrawn, route.Attrs{})
	for _, n := range []*neighbor{a, b} {
		if announced, withdrawn, _ := n.routes(); len(announced) > 0 || !slices.Equal(withdrawn, []string{own4.String()}) {
			t.Errorf("told %v, withdrawn %v", announced, withdrawn)
		}
		n.silent()
	}
}

// TestNewSession: a neighbour that comes back after a steady session is told what is
// wished now.
func TestNewSession(t *testing.T) {
	a, b := newNeighbor(t, "127.0.0.1"), newNeighbor(t, "127.0.0.2")
	s := begin(t, nil, a, b)
	ca := a.session()
	b.session()
	wish(t, s, own4, route.Announced, route.Attrs{})
	a.routes()
	b.routes()
	<-time.After(steady)
	ca.Close()
	a.ended()
	wish(t, s, own4, route.Drained, route.Attrs{})
	if _, _, attrs := b.routes(); attrs["communities"] != drained {
		t.Errorf("told %v", attrs)
	}
	began := time.Now()
	a.session()
	t.Logf("a new session after %s", time.Since(began))
	if announced, _, attrs := a.routes(); len(announced) != 1 || attrs["communities"] != drained {
		t.Errorf("told %v %v", announced, attrs)
	}
	until(t, "2 of 2", func() bool { out, of := s.Out(own4); return out == 2 && of == 2 })
	b.silent()
}

// TestGracefulRestartIsNotOffered, though the neighbour offers it.
func TestGracefulRestartIsNotOffered(t *testing.T) {
	n := newNeighbor(t, "127.0.0.1")
	begin(t, nil, n)
	e := n.next("OPEN", func(e event) bool { return e.open != nil })
	for _, p := range e.open.OptParams {
		for _, one := range p.(*bgp.OptionParameterCapability).Capability {
			if code := one.Code(); code == bgp.BGP_CAP_GRACEFUL_RESTART || code == bgp.BGP_CAP_LONG_LIVED_GRACEFUL_RESTART {
				t.Errorf("offered %v", code)
			}
		}
	}
}

// TestClose: neighbours hear of the end at once; one that cannot be reached holds
// nothing up.
func TestClose(t *testing.T) {
	n := newNeighbor(t, "127.0.0.1")
	s := speak(t, func(c *Config) {
		c.Neighbors = append(c.Neighbors, Neighbor{Addr: netip.MustParseAddr("127.0.0.77"), Port: 1, AS: otherAS, Hold: MinHold})
	}, n)
	wish(t, s, own4, route.Announced, route.Attrs{})
	n.routes()
	if err := s.Close(patience); err != nil {
		t.Fatal(err)
	}
	n.ended()
	if stuck := s.Stuck(time.Now()); stuck != 0 {
		t.Errorf("stuck for %s", stuck)
	}
}

// TestConfigRefused: what cannot work is refused with what it is about.
func TestConfigRefused(t *testing.T) {
	good := Config{
		AS: ownAS, ID: netip.MustParseAddr("192.0.2.1"), Prefixes: []netip.Prefix{own4}, Log: slog.New(slog.DiscardHandler),
		Neighbors: []Neighbor{{Addr: netip.MustParseAddr("10.0.0.1"), AS: otherAS, Hold: 9 * time.Second}},
	}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want   string
		change func(*Config, *Neighbor)
	}{
		{"an AS of 0", func(c *Config, _ *Neighbor) { c.AS = 0 }},
		{"id 2001:db8:1::2 is no IPv4 address", func(c *Config, _ *Neighbor) { c.ID = next6 }},
		{"no neighbour", func(c *Config, _ *Neighbor) { c.Neighbors = nil }},
		{"no prefix", func(c *Config, _ *Neighbor) { c.Prefixes = nil }},
		{"neighbour 10.0.0.1: twice", func(c *Config, n *Neighbor) { c.Neighbors = append(c.Neighbors, *n) }},
		{"neighbour 10.0.0.1: an AS of 0", func(_ *Config, n *Neighbor) { n.AS = 0 }},
		{"neighbour 10.0.0.1: AS 65001 is this node's own, and BGP within an AS is not spoken", func(_ *Config, n *Neighbor) { n.AS = ownAS }},
		{"neighbour 0.0.0.0: not the address of a neighbour", func(_ *Config, n *Neighbor) { n.Addr = netip.IPv4Unspecified() }},
		{"neighbour fe80::1%eth0: not the address of a neighbour", func(_ *Config, n *Neighbor) { n.Addr = netip.MustParseAddr("fe80::1%eth0") }},
		{"neighbour 10.0.0.1: hold time 2s is not whole seconds within 3s to 3m0s", func(_ *Config, n *Neighbor) { n.Hold = 2 * time.Second }},
		{"neighbour 10.0.0.1: GTSM is for a neighbour without hops between", func(_ *Config, n *Neighbor) { n.GTSM, n.Multihop = true, 2 }},
		{"neighbour 10.0.0.1: 1 hops are not within 2 to 255", func(_ *Config, n *Neighbor) { n.Multihop = 1 }},
		{"neighbour 10.0.0.1: a password of more than 80 octets", func(_ *Config, n *Neighbor) { n.Password = string(make([]byte, 81)) }},
		{"neighbour 10.0.0.1: source ::1 does not go with it", func(_ *Config, n *Neighbor) { n.Source = netip.IPv6Loopback() }},
		{"neighbour 10.0.0.1: next hop 10.0.0.2 is no IPv6 address of this node", func(_ *Config, n *Neighbor) { n.NextHop6 = netip.MustParseAddr("10.0.0.2") }},
		{"prefix 192.0.2.0/24: twice", func(c *Config, _ *Neighbor) { c.Fallback = []netip.Prefix{own4} }},
		{"prefix 0.0.0.0/0 is the default route", func(c *Config, _ *Neighbor) { c.Prefixes = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")} }},
		{"prefix 2001:db8:53::/48: no neighbour is told of its family: one over IPv6, or with a next hop for it, is needed", func(c *Config, _ *Neighbor) { c.Prefixes = []netip.Prefix{own6} }},
	} {
		bad := good
		bad.Neighbors = slices.Clone(good.Neighbors)
		c.change(&bad, &bad.Neighbors[:1][0])
		if _, err := New(t.Context(), bad); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

// TestStuck: a call of the library that does not return is seen, and one that does
// is not.
func TestStuck(t *testing.T) {
	s, entered, leave, left := &Speaker{}, make(chan struct{}), make(chan struct{}), make(chan struct{})
	if d := s.Stuck(time.Now()); d != 0 {
		t.Errorf("before: %s", d)
	}
	go func() {
		defer close(left)
		s.call(func() { close(entered); <-leave })
	}()
	<-entered
	if d := s.Stuck(time.Now().Add(time.Minute)); d < 50*time.Second {
		t.Errorf("within: %s", d)
	}
	close(leave)
	<-left
	if d := s.Stuck(time.Now().Add(time.Minute)); d != 0 {
		t.Errorf("after: %s", d)
	}
}
