package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// A Router is what a routing daemon on a machine is to do, whichever program
// it is: see Lab.Bird and Lab.FRR. Routes that it learns by BGP go to the
// kernel of the machine, which has to forward packets itself
// (Sysctl("net.ipv4.ip_forward", "1")).
type Router struct {
	AS        uint32
	ID        netip.Addr // of the router; the zero Addr is the machine's first IPv4 address
	Neighbors []Neighbor
	// Static are prefixes of its own, to be sent to neighbours; they do not go to
	// the kernel.
	Static []netip.Prefix
	// Hold is the hold time of BGP in whole seconds, at least 3 s; a third of it
	// is the interval of keepalives. Zero is 9 s.
	Hold time.Duration
}

// A Neighbor is one whom a Router speaks BGP with, for IPv4 and IPv6 unicast.
// The session is external if the AS differs from the router's.
type Neighbor struct {
	Addr  netip.Addr
	AS    uint32
	Local netip.Addr // from where to speak; the zero Addr is as the kernel chooses
	// Password is for the TCP MD5 signature (RFC 2385); empty is none.
	Password string
	// GTSM is the TTL security of RFC 5082: packets with a TTL of less than 255 do
	// not count.
	GTSM bool
	// Multihop is how many hops away it may be; zero is: on a network of the
	// machine. It excludes GTSM.
	Multihop int
	// BFD is the interval of RFC 5880 in both directions, and BFDMultiplier after
	// how many lost packets the session ends; zero is no BFD, and three packets.
	BFD           time.Duration
	BFDMultiplier int
	// Passive is that the neighbour has to connect.
	Passive bool
	// Send says what the neighbour is sent.
	Send Send
	// IgnoreDrain leaves the community GRACEFUL_SHUTDOWN (65535:0, RFC 8326)
	// without effect; else a route that has it gets the local preference 0.
	IgnoreDrain bool
	// NextHop6 is the next hop of IPv6 routes that are sent in a session over
	// IPv4; the zero Addr leaves it to the program.
	NextHop6 netip.Addr
}

// Send is what of its routes a router sends to a neighbour.
type Send int

// What a neighbour is sent.
const (
	SendNothing Send = iota
	SendStatic       // Router.Static
	SendAll          // these and all that the router has learned
)

// errRouter: a Router cannot be as it is told to be.
var errRouter = errors.New("not possible for a router")

// check fills in what r leaves open on that machine and refuses what no program
// would do.
func (r *Router) check(m *Machine) error {
	if !r.ID.IsValid() {
		r.ID = m.addr4()
	}
	if r.Hold == 0 {
		r.Hold = 9 * time.Second
	}
	switch {
	case !r.ID.Is4():
		return fmt.Errorf("%w: identifier %v: not an IPv4 address", errRouter, r.ID)
	case r.AS == 0:
		return fmt.Errorf("%w: no number of an autonomous system", errRouter)
	case r.Hold < 3*time.Second || r.Hold%time.Second != 0:
		return fmt.Errorf("%w: hold time %v: less than 3 s or not in whole seconds", errRouter, r.Hold)
	}
	for i := range r.Neighbors {
		n := &r.Neighbors[i]
		if n.BFDMultiplier == 0 {
			n.BFDMultiplier = 3
		}
		switch {
		case !n.Addr.IsValid() || n.AS == 0:
			return fmt.Errorf("%w: neighbour %v of AS %d", errRouter, n.Addr, n.AS)
		case n.GTSM && n.Multihop > 0:
			return fmt.Errorf("%w: neighbour %v: GTSM excludes more hops", errRouter, n.Addr)
		case n.BFD%time.Millisecond != 0:
			return fmt.Errorf("%w: neighbour %v: BFD interval %v: not in whole milliseconds", errRouter, n.Addr, n.BFD)
		}
	}
	return nil
}

// addr4 is the first IPv4 address that the machine has got on a network, or the
// zero Addr.
func (m *Machine) addr4() netip.Addr {
	m.lab.mu.Lock()
	defer m.lab.mu.Unlock()
	for _, p := range m.ports {
		for _, a := range p.addrs {
			if a.Addr().Is4() {
				return a.Addr()
			}
		}
	}
	return netip.Addr{}
}

// routerStart is how long a routing daemon may take until it answers; thousands
// of routes are read from its configuration before.
const routerStart = 20 * time.Second

// need skips the test if a program of a distribution's package is missing.
func (l *Lab) need(path, pkg string) {
	l.t.Helper()
	if _, err := program(path); err != nil {
		l.t.Skipf("lab: %s is missing (Debian's package %s)", path, pkg)
	}
}
