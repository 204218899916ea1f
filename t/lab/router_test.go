package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// A daemon is what both programs have.
type daemon interface {
	Established(neighbor netip.Addr) error
	Learned(neighbor netip.Addr, prefix netip.Prefix) error
}

// means are the ways in which two routers can be neighbours.
var means = map[string]Neighbor{
	"plain":    {},
	"password": {Password: "asecret"},
	"gtsm":     {GTSM: true},
	"multihop": {Multihop: 2},
	"bfd":      {BFD: 100 * time.Millisecond},
}

// TestBird has two BIRDs speak, by all means that they have.
func TestBird(t *testing.T) {
	t.Parallel()
	for name, with := range means {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			speak(t, with, 12, func(l *Lab, m *Machine, r Router) daemon { return l.Bird(m, r) })
		})
	}
}

// TestFRR has FRR learn from BIRD by all means.
func TestFRR(t *testing.T) {
	t.Parallel()
	for name, with := range means {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			speak(t, with, 186, func(l *Lab, m *Machine, r Router) daemon { return l.FRR(m, r) })
		})
	}
}

// speak has a router learn two prefixes from BIRD and lose them again.
func speak(t *testing.T, with Neighbor, origin byte, start func(*Lab, *Machine, Router) daemon) {
	l := New(t)
	lan := l.LAN("lan")
	a, b := l.Machine("a"), l.Machine("b")
	lan.Join(a, "10.0.0.1/24", "2001:db8::1/64")
	lan.Join(b, "10.0.0.2/24", "2001:db8::2/64")
	r := a.Watch()
	began := time.Now()
	toB, toA := with, with
	toB.Addr, toB.AS, toB.Local = b.Addr(), 65001, a.Addr()
	toA.Addr, toA.AS, toA.Local, toA.Send = a.Addr(), 65000, b.Addr(), SendStatic
	toA.NextHop6 = netip.MustParseAddr("2001:db8::2")
	up := start(l, a, Router{AS: 65000, Neighbors: []Neighbor{toB}})
	down := l.Bird(b, Router{AS: 65001, Neighbors: []Neighbor{toA}, Static: prefixes("192.0.2.0/24", "2001:db8:1::/48")})
	l.Expect(soon, func() error { return up.Established(b.Addr()) })
	for _, p := range []string{"192.0.2.0/24", "2001:db8:1::/48"} {
		r.Wait(soon, began, func(r Route) bool { return r.Added && r.Origin == origin && r.Prefix.String() == p })
		if err := up.Learned(b.Addr(), netip.MustParsePrefix(p)); err != nil {
			t.Error(err)
		}
	}
	if up.Learned(b.Addr(), netip.MustParsePrefix("198.51.100.0/24")) == nil {
		t.Error("a route was learned that nobody has sent")
	}
	began = time.Now()
	if with.BFD > 0 {
		l.Expect(soon, func() error {
			if out := down.Birdc("show bfd sessions"); !strings.Contains(out, "Up") {
				return fmt.Errorf("BFD: %s", out)
			}
			return nil
		})
		began = time.Now()
		down.Pause()
	} else {
		down.Birdc("disable n1")
	}
	gone := r.Wait(soon, began, func(r Route) bool { return !r.Added && r.Prefix.String() == "192.0.2.0/24" })
	t.Logf("gone after %v", gone.Time.Sub(began))
}

// TestManyRoutes has BIRD send 50,000 routes.
func TestManyRoutes(t *testing.T) {
	t.Parallel()
	const n = 50000
	l := New(t)
	lan := l.LAN("lan")
	a, b := l.Machine("a"), l.Machine("b")
	lan.Join(a, "10.0.0.1/24")
	lan.Join(b, "10.0.0.2/24")
	var many []netip.Prefix
	for i := range n {
		many = append(many, netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 16), byte(i >> 8), byte(i)}), 32))
	}
	up := l.Bird(a, Router{AS: 65000, Neighbors: []Neighbor{{Addr: b.Addr(), AS: 65001}}})
	l.Bird(b, Router{AS: 65001, Neighbors: []Neighbor{{Addr: a.Addr(), AS: 65000, Send: SendStatic}}, Static: many})
	l.Expect(routerStart, func() error {
		if out := up.Birdc("show route count"); !strings.Contains(out, fmt.Sprint(n, " of ")) {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
}

// TestWrongPassword sees no session come up.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	l := New(t)
	lan := l.LAN("lan")
	a, b := l.Machine("a"), l.Machine("b")
	lan.Join(a, "10.0.0.1/24")
	lan.Join(b, "10.0.0.2/24")
	up := l.Bird(a, Router{AS: 65000, Neighbors: []Neighbor{{Addr: b.Addr(), AS: 65001, Password: "one"}}})
	other := l.Bird(b, Router{AS: 65001, Neighbors: []Neighbor{{Addr: a.Addr(), AS: 65000, Password: "another"}}})
	_, err := other.TryWaitFor(3*time.Second, "BGP session established")
	if err == nil || up.Established(b.Addr()) == nil || other.Established(a.Addr()) == nil {
		t.Errorf("a session is up: %v", err)
	}
}

// TestImpossibleRouter has what no program would do be refused.
func TestImpossibleRouter(t *testing.T) {
	addr := netip.MustParseAddr("10.0.0.1")
	good := Neighbor{Addr: addr, AS: 65001}
	for _, r := range []Router{
		{AS: 65000, Neighbors: []Neighbor{good}},
		{ID: addr, Neighbors: []Neighbor{good}},
		{ID: addr, AS: 65000, Hold: time.Second},
		{ID: addr, AS: 65000, Hold: 3500 * time.Millisecond},
		{ID: addr, AS: 65000, Neighbors: []Neighbor{{AS: 1}}},
		{ID: addr, AS: 65000, Neighbors: []Neighbor{{Addr: addr}}},
		{ID: addr, AS: 65000, Neighbors: []Neighbor{{Addr: addr, AS: 1, GTSM: true, Multihop: 2}}},
		{ID: addr, AS: 65000, Neighbors: []Neighbor{{Addr: addr, AS: 1, BFD: time.Microsecond}}},
	} {
		if err := r.check(&Machine{lab: &Lab{}}); !errors.Is(err, errRouter) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	r := Router{ID: addr, AS: 65000, Neighbors: []Neighbor{good}}
	if err := r.check(nil); err != nil || r.Hold != 9*time.Second {
		t.Errorf("%+v: %v", r, err)
	}
}

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}
