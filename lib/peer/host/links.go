package host

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"namecast/lib/peer/group"
)

// guests are the names of bridges and ports that programs make for containers and
// virtual machines: what is behind them has an owner of its own.
var guests = regexp.MustCompile(`^(docker|br-[0-9a-f]{12}$|virbr|vnet|lxcbr|lxdbr|cni|podman|cali|flannel|kube|zt|tailscale)`)

// lans are the kinds of links that may be a network of neighbours. What else there is
// are tunnels, private networks and links that lead nowhere.
var lans = []string{"device", "veth", "bridge", "bond", "team", "vlan", "macvlan", "ipvlan", "tuntap"}

// findLinks lists the links on which peers may be: those of the names, or if there are
// none, all that look like a network of neighbours. The addresses are usable ones.
func findLinks(names []string) ([]group.Link, error) {
	all, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list the links: %w", err)
	}
	var list []group.Link
	for _, l := range all {
		if !wanted(l, names) {
			continue
		}
		g, err := describe(l)
		if err != nil {
			continue // it went away meanwhile, which the kernel tells
		}
		if len(g.Addrs) > 0 {
			list = append(list, g)
		}
	}
	return list, nil
}

// wanted tells whether peers are looked for on a link.
func wanted(l netlink.Link, names []string) bool {
	a := l.Attrs()
	if a.Flags&net.FlagUp == 0 || a.Flags&net.FlagLoopback != 0 {
		return false
	}
	if a.OperState != netlink.OperUp && a.OperState != netlink.OperUnknown {
		return false
	}
	if len(names) > 0 {
		return slices.Contains(names, a.Name)
	}
	if tap, ok := l.(*netlink.Tuntap); ok && tap.Mode == netlink.TUNTAP_MODE_TUN {
		return false
	}
	return a.Flags&net.FlagBroadcast != 0 && a.Flags&net.FlagPointToPoint == 0 &&
		a.MasterIndex == 0 && slices.Contains(lans, l.Type()) && !guests.MatchString(a.Name)
}

// describe tells what a link's addresses are.
func describe(l netlink.Link) (group.Link, error) {
	a := l.Attrs()
	g := group.Link{Index: a.Index, Name: a.Name, Multicast: a.Flags&net.FlagMulticast != 0}
	addrs, err := netlink.AddrList(l, netlink.FAMILY_ALL)
	if err != nil {
		return g, err
	}
	for _, x := range addrs {
		ip, ok := netip.AddrFromSlice(x.IP)
		ones, _ := x.Mask.Size()
		// Of an address that may be another machine's nobody is told yet.
		if !ok || x.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) != 0 {
			continue
		}
		ip = ip.Unmap()
		g.Addrs = append(g.Addrs, netip.PrefixFrom(ip, ones))
		if b, ok := netip.AddrFromSlice(x.Broadcast); ok && ip.Is4() && !g.Broadcast.IsValid() {
			g.Broadcast = b.Unmap()
		} else if ip.Is4() && ones < 31 && !g.Broadcast.IsValid() {
			g.Broadcast = lastOf(netip.PrefixFrom(ip, ones))
		}
	}
	return g, nil
}

// lastOf is the last address of an IPv4 network, which is that of its broadcasts.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(b)
}

// families tells which families a link has addresses of.
func families(l group.Link) (v4, v6 bool) {
	for _, p := range l.Addrs {
		v4, v6 = v4 || p.Addr().Is4(), v6 || p.Addr().Is6()
	}
	return v4, v6
}
