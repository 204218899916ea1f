package host

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/vishvananda/netlink"

	"namecast/lib/resolve/system"
)

// networkID is the identity of the network that the machine is in: by its IPv4 routes,
// or where there is no IPv4, by those of IPv6. While the address of the router's card is
// not known yet there is an error.
func networkID(m system.Machine, links []string) (uint64, error) {
	id, err := m.Network(links...)
	if err == nil || !errors.Is(err, system.ErrNetwork) {
		return id, err
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return 0, fmt.Errorf("routes: %w", err)
	}
	if len(routes) > 0 {
		return 0, system.ErrNetwork // of an IPv4 router that has not answered
	}
	routes, err = netlink.RouteList(nil, netlink.FAMILY_V6)
	if err != nil {
		return 0, fmt.Errorf("routes: %w", err)
	}
	return networkOf(routes, neighbor)
}

// discard is the port of RFC 863, at which nobody listens.
const discard = 9

// knock has the kernel find the card of the router, which it does only when something is
// sent there: an empty datagram. It is false if there is no router.
func knock() bool {
	found := false
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := netlink.RouteList(nil, family)
		if err != nil {
			continue
		}
		for _, r := range routes {
			if r.Gw == nil || prefixOf(r.Dst).Bits() != 0 {
				continue
			}
			found = true
			to := &net.UDPAddr{IP: r.Gw, Port: discard}
			if r.Gw.IsLinkLocalUnicast() {
				to.Zone = strconv.Itoa(r.LinkIndex)
			}
			if c, err := net.DialUDP("udp", nil, to); err == nil {
				_, _ = c.Write(nil) // it may be refused, which is an answer as well
				c.Close()
			}
		}
	}
	return found
}

// linkLocal is the network of machines that have no other.
var linkLocal = netip.MustParsePrefix("fe80::/64")

// networkOf finds the router of IPv6 routes, or else the widest network on a link.
func networkOf(routes []netlink.Route, card func(link int, a net.IP) net.HardwareAddr) (uint64, error) {
	on, router := linkLocal, netlink.Route{}
	for _, r := range routes {
		p := prefixOf(r.Dst)
		switch {
		case p.Bits() == 0 && r.Gw != nil && (router.Gw == nil || r.Priority < router.Priority):
			router = r
		case r.Gw == nil && p.Bits() > 0 && p.Bits() < 127 && !p.Addr().IsLinkLocalUnicast() && !p.Addr().IsMulticast() &&
			(on == linkLocal || p.Bits() < on.Bits() || p.Bits() == on.Bits() && p.Addr().Less(on.Addr())):
			on = p
		}
	}
	if router.Gw == nil {
		return system.NetworkID(nil, on), nil
	}
	mac := card(router.LinkIndex, router.Gw)
	if mac == nil {
		return 0, system.ErrNetwork
	}
	return system.NetworkID(mac, on), nil
}

// prefixOf is the destination of a route; the default route's is ::/0.
func prefixOf(n *net.IPNet) netip.Prefix {
	if n == nil {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	a, _ := netip.AddrFromSlice(n.IP)
	ones, _ := n.Mask.Size()
	return netip.PrefixFrom(a, ones)
}

// neighbor is the address of the card of a neighbour, nil if it is not known.
func neighbor(link int, a net.IP) net.HardwareAddr {
	list, err := netlink.NeighList(link, netlink.FAMILY_V6)
	if err != nil {
		return nil
	}
	for _, n := range list {
		if n.IP.Equal(a) && len(n.HardwareAddr) > 0 {
			return n.HardwareAddr
		}
	}
	return nil
}
