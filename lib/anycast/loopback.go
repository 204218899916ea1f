package anycast

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink"
)

// A loopback puts addresses on the loopback device of the machine. It needs
// CAP_NET_ADMIN to change one; an address that is there already is content.
type loopback struct{ link netlink.Link }

func openLoopback() (loopback, error) {
	link, err := netlink.LinkByName("lo")
	if err != nil {
		return loopback{}, fmt.Errorf("find the loopback device: %w", err)
	}
	return loopback{link}, nil
}

// put has the address there.
func (l loopback) put(a netip.Addr) error {
	err := netlink.AddrAdd(l.link, hostAddr(a))
	if errors.Is(err, syscall.EEXIST) {
		return nil
	}
	if errors.Is(err, syscall.EPERM) && l.has(a) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("put address %s on the loopback device: %w", a, err)
	}
	return nil
}

// has tells whether the address is there.
func (l loopback) has(a netip.Addr) bool {
	list, err := netlink.AddrList(l.link, netlink.FAMILY_ALL)
	if err != nil {
		return false
	}
	for _, have := range list {
		if b, ok := netip.AddrFromSlice(have.IP); ok && b.Unmap() == a {
			return true
		}
	}
	return false
}

// take has the address away.
func (l loopback) take(a netip.Addr) error {
	err := netlink.AddrDel(l.link, hostAddr(a))
	if err != nil && !errors.Is(err, syscall.EADDRNOTAVAIL) {
		return fmt.Errorf("take address %s off the loopback device: %w", a, err)
	}
	return nil
}

// hostAddr is an address that is a network of its own.
func hostAddr(a netip.Addr) *netlink.Addr {
	return &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}}
}
