package host

import (
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"

	"namecast/lib/peer/group"
)

func TestWanted(t *testing.T) {
	const up = net.FlagUp | net.FlagBroadcast | net.FlagMulticast
	attrs := func(name string, flags net.Flags, master int) netlink.LinkAttrs {
		return netlink.LinkAttrs{Name: name, Flags: flags, MasterIndex: master, OperState: netlink.OperUp}
	}
	down := attrs("eth0", up, 0)
	down.OperState = netlink.OperDown
	for name, c := range map[string]struct {
		link  netlink.Link
		names []string
		want  bool
	}{
		"a card":            {&netlink.Device{LinkAttrs: attrs("eth0", up, 0)}, nil, true},
		"in a container":    {&netlink.Veth{LinkAttrs: attrs("eth0", up, 0)}, nil, true},
		"another was named": {&netlink.Device{LinkAttrs: attrs("eth0", up, 0)}, []string{"eth1"}, false},
		"switched off":      {&netlink.Device{LinkAttrs: attrs("eth0", up&^net.FlagUp, 0)}, nil, false},
		"no carrier":        {&netlink.Device{LinkAttrs: down}, nil, false},
		"loopback":          {&netlink.Device{LinkAttrs: attrs("lo", up|net.FlagLoopback, 0)}, []string{"lo"}, false},
		"a bridge":          {&netlink.Bridge{LinkAttrs: attrs("br0", up, 0)}, nil, true},
		"its port":          {&netlink.Device{LinkAttrs: attrs("eth0", up, 7)}, nil, false},
		"docker":            {&netlink.Bridge{LinkAttrs: attrs("docker0", up, 0)}, nil, false},
		"a docker network":  {&netlink.Bridge{LinkAttrs: attrs("br-0123456789ab", up, 0)}, nil, false},
		"docker, named":     {&netlink.Bridge{LinkAttrs: attrs("docker0", up, 0)}, []string{"docker0"}, true},
		"a tunnel":          {&netlink.Tuntap{LinkAttrs: attrs("tun0", up, 0), Mode: netlink.TUNTAP_MODE_TUN}, nil, false},
		"a tap":             {&netlink.Tuntap{LinkAttrs: attrs("tap0", up, 0), Mode: netlink.TUNTAP_MODE_TAP}, nil, true},
		"WireGuard":         {&netlink.Wireguard{LinkAttrs: attrs("wg0", up, 0)}, nil, false},
		"dummy":             {&netlink.Dummy{LinkAttrs: attrs("d0", up, 0)}, nil, false},
	} {
		if got := wanted(c.link, c.names); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestLastOf(t *testing.T) {
	for prefix, want := range map[string]string{"192.0.2.1/24": "192.0.2.255", "10.1.2.3/30": "10.1.2.3", "172.16.5.4/12": "172.31.255.255"} {
		if got := lastOf(netip.MustParsePrefix(prefix)); got.String() != want {
			t.Errorf("%s: %v, want %s", prefix, got, want)
		}
	}
}

func TestPrefixes(t *testing.T) {
	l := []group.Link{
		{Addrs: []netip.Prefix{netip.MustParsePrefix("192.0.2.9/24"), netip.MustParsePrefix("fe80::1/64")}},
		{Addrs: []netip.Prefix{netip.MustParsePrefix("192.0.2.8/24"), netip.MustParsePrefix("10.0.0.1/8")}},
	}
	if got := prefixes(l); got != "10.0.0.0/8,192.0.2.0/24" {
		t.Error(got)
	}
	if v4, v6 := families(l[1]); !v4 || v6 {
		t.Error(v4, v6)
	}
}

// route makes a route to a network, or by a router.
func route(to, by string, priority int) netlink.Route {
	r := netlink.Route{LinkIndex: 1, Priority: priority}
	if to != "" {
		p := netip.MustParsePrefix(to)
		r.Dst = &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
	}
	if by != "" {
		r.Gw = net.ParseIP(by)
	}
	return r
}

// TestNetworkOf: machines of one IPv6 network agree on what it is, and know that they do
// not know while the router's card is unknown.
func TestNetworkOf(t *testing.T) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	none := func(int, net.IP) net.HardwareAddr { return nil }
	known := func(int, net.IP) net.HardwareAddr { return mac }
	lan := []netlink.Route{route("fe80::/64", "", 256), route("2001:db8:1::/64", "", 256)}
	id := func(routes []netlink.Route, card func(int, net.IP) net.HardwareAddr) uint64 {
		n, err := networkOf(routes, card)
		if err != nil {
			t.Errorf("%v: %v", routes, err)
		}
		return n
	}
	alone := id([]netlink.Route{route("fe80::/64", "", 256)}, none)
	unrouted := id(lan, none)
	routed := append(lan, route("", "fe80::ff", 1024))
	ours := id(routed, known)
	if alone == unrouted || unrouted == ours || alone == 0 || unrouted == 0 || ours == 0 {
		t.Errorf("%x %x %x", alone, unrouted, ours)
	}
	better := append(routed, route("", "fe80::fe", 1))
	other := func(_ int, a net.IP) net.HardwareAddr {
		if a.Equal(net.ParseIP("fe80::fe")) {
			return net.HardwareAddr{2, 0, 0, 0, 0, 2}
		}
		return mac
	}
	if id(better, other) == ours {
		t.Error("another router is the same network")
	}
	if _, err := networkOf(routed, none); err == nil {
		t.Error("a network without its router's card")
	}
}
