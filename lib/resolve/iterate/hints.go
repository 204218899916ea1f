package iterate

import (
	"fmt"
	"io"
	"net/netip"

	"github.com/miekg/dns"
)

// roots are the addresses of a.root-servers.net to m.root-servers.net, IPv4 and IPv6, of
// https://www.internic.net/domain/named.root.
var roots = [...][2]string{
	{"198.41.0.4", "2001:503:ba3e::2:30"},
	{"170.247.170.2", "2801:1b8:10::b"},
	{"192.33.4.12", "2001:500:2::c"},
	{"199.7.91.13", "2001:500:2d::d"},
	{"192.203.230.10", "2001:500:a8::e"},
	{"192.5.5.241", "2001:500:2f::f"},
	{"192.112.36.4", "2001:500:12::d0d"},
	{"198.97.190.53", "2001:500:1::53"},
	{"192.36.148.17", "2001:7fe::53"},
	{"192.58.128.30", "2001:503:c27::2:30"},
	{"193.0.14.129", "2001:7fd::1"},
	{"199.7.83.42", "2001:500:9f::42"},
	{"202.12.27.33", "2001:dc3::35"},
}

// Hints are the servers of the root of the Internet.
func Hints() []netip.AddrPort {
	var to []netip.AddrPort
	for _, r := range roots {
		for _, a := range r {
			to = append(to, netip.AddrPortFrom(netip.MustParseAddr(a), 53))
		}
	}
	return to
}

// ParseHints reads a file of root hints, as named.root is: a master file of which the
// addresses of the root's servers count. Its servers are asked at port 53.
func ParseHints(file io.Reader) ([]netip.AddrPort, error) {
	names := map[string]bool{}
	addrs := map[string][]netip.Addr{}
	var order []string
	z := dns.NewZoneParser(file, ".", "")
	for x, ok := z.Next(); ok; x, ok = z.Next() {
		owner := dns.CanonicalName(x.Header().Name)
		switch x := x.(type) {
		case *dns.NS:
			if ns := dns.CanonicalName(x.Ns); owner == "." && !names[ns] {
				names[ns] = true
				order = append(order, ns)
			}
		case *dns.A, *dns.AAAA:
			if a, ok := address(x); ok {
				addrs[owner] = append(addrs[owner], a)
			}
		}
	}
	if err := z.Err(); err != nil {
		return nil, fmt.Errorf("read root hints: %w", err)
	}
	var to []netip.AddrPort
	for _, ns := range order {
		for _, a := range addrs[ns] {
			to = append(to, netip.AddrPortFrom(a, 53))
		}
	}
	if len(to) == 0 {
		return nil, fmt.Errorf("read root hints: no server of the root with an address")
	}
	return to, nil
}

// address is that of an A or AAAA record.
func address(x dns.RR) (netip.Addr, bool) {
	switch x := x.(type) {
	case *dns.A:
		a, ok := netip.AddrFromSlice(x.A)
		return a.Unmap(), ok
	case *dns.AAAA:
		return netip.AddrFromSlice(x.AAAA)
	}
	return netip.Addr{}, false
}
