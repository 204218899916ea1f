package keep

import (
	"net/netip"

	"namecast/lib/rr"
)

// private are the blocks of addresses that no public name has; those that netip knows
// are not among them. From the registries of RFC 6890.
var private = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("fec0::/10"),
}

// nat64 is the well-known prefix of RFC 6052, which has an IPv4 address at its end.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// Private reports whether an address is none for a public name: private, loopback,
// link-local, shared, multicast or unspecified, also when it is an IPv4 address within
// an IPv6 one. A member that gives such for a public name could lead a browser into the
// own network.
func Private(a netip.Addr) bool {
	if a.Is6() && !a.Is4In6() {
		b := a.As16()
		if nat64.Contains(a) || [12]byte(b[:12]) == [12]byte{} && a != netip.IPv6Loopback() && !a.IsUnspecified() {
			a = netip.AddrFrom4([4]byte(b[12:]))
		}
	}
	a = a.Unmap()
	if a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() {
		return true
	}
	for _, p := range private {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// add takes note of an address of the answer.
func (i *Info) add(a netip.Addr) {
	i.Addresses = append(i.Addresses, a)
	i.Private = i.Private || Private(a)
}

// addresses gathers those that a client would go to.
func (m *message) addresses(i *Info) error {
	for _, r := range m.records {
		if r.section != answer || r.class != m.class || r.owner != i.Final {
			continue
		}
		switch rr.Type(r.typ) {
		case rr.TypeA, rr.TypeAAAA:
			a, ok := netip.AddrFromSlice(m.bytes(r))
			if !ok || a.Is4() != (rr.Type(r.typ) == rr.TypeA) {
				return ErrForm
			}
			i.add(a)
		case rr.TypeSVCB, rr.TypeHTTPS:
			if err := m.hints(i, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// Keys of RFC 9460 section 14.3.2.
const (
	ipv4hint = 4
	ipv6hint = 6
)

// hints gathers the addresses in a record of RFC 9460.
func (m *message) hints(i *Info, r record) error {
	if r.end-r.data < 3 {
		return ErrForm
	}
	at := skipName(m.octets, r.data+2)
	for at >= 0 && at+4 <= r.end {
		key, n := word(m.octets, at), int(word(m.octets, at+2))
		at += 4
		if at+n > r.end {
			return ErrForm
		}
		size := map[uint16]int{ipv4hint: 4, ipv6hint: 16}[key]
		for v := m.octets[at : at+n]; size > 0 && len(v) >= size; v = v[size:] {
			a, _ := netip.AddrFromSlice(v[:size])
			i.add(a)
		}
		at += n
	}
	if at != r.end {
		return ErrForm
	}
	return nil
}
