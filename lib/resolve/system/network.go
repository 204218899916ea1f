package system

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/bits"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrNetwork: it cannot be told which network the machine is in, at least not yet.
var ErrNetwork = errors.New("unknown network")

// Watch reads the machine's servers again and again, after each interval and when
// wake gets a value, and calls f with what it has found first and whenever that has
// changed. With no server, Found.Servers is empty. It ends with the context. Files
// are looked at rather than watched by inotify, since the folders they are in come
// and go as well.
func (m Machine) Watch(ctx context.Context, every time.Duration, wake <-chan struct{}, f func(Found)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	m = m.Remember()
	var last Found
	for first := true; ; first = false {
		found, _ := m.Servers()
		if first || !found.Equal(last) {
			f(found)
			last = found
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-tick.C:
		}
	}
}

// NetworkID makes the identity of a network of the link-layer address of its router
// and its prefix: all machines of the network come to the same. It is never 0. If
// there is no router, the prefix alone counts.
func NetworkID(router net.HardwareAddr, prefix netip.Prefix) uint64 {
	h := sha256.New()
	h.Write([]byte("namecast network\n" + router.String() + "\n" + prefix.Masked().String()))
	return max(1, binary.BigEndian.Uint64(h.Sum(nil)))
}

// Network gives the identity of the network that the machine's IPv4 routes lead to,
// by the tables in /proc/net: the default route with the least metric, or if there
// is none, the on-link prefix of the least metric and the fewest bits. Only some
// devices count if any are named, else all but such as are made for containers. The
// error is ErrNetwork while the router's link-layer address is not known (which it
// may cease to be when nothing has been sent to it for a while), where the default
// route has none, as through a VPN, and where there is no IPv4; who has the tables
// of the kernel at hand may use NetworkID then.
func (m Machine) Network(devices ...string) (uint64, error) {
	routes := slices.DeleteFunc(parseRoutes(m.text("/proc/net/route")), func(r route) bool {
		if len(devices) > 0 {
			return !slices.Contains(devices, r.device)
		}
		return containers(r.device)
	})
	router, ok := least(routes, func(r route) bool { return r.to.Bits() == 0 })
	if !ok {
		if on, ok := least(routes, func(r route) bool { return r.onLink() }); ok {
			return NetworkID(nil, on.to), nil
		}
		return 0, ErrNetwork
	}
	mac := neighbor(m.text("/proc/net/arp"), router)
	on, ok := least(routes, func(r route) bool {
		return r.onLink() && r.device == router.device && r.to.Contains(router.gateway)
	})
	if mac == nil || !ok {
		return 0, ErrNetwork
	}
	return NetworkID(mac, on.to), nil
}

// containers tells whether a device by its name leads to containers or virtual
// machines of this machine.
func containers(device string) bool {
	return slices.ContainsFunc([]string{"docker", "br-", "veth", "virbr", "podman", "cni", "lxc", "lxd"}, func(prefix string) bool {
		return strings.HasPrefix(device, prefix)
	})
}

// A route is a line of /proc/net/route.
type route struct {
	device  string
	to      netip.Prefix
	gateway netip.Addr // not valid: none
	metric  uint64
}

// onLink leaves out what no network is: single hosts, and what only the machine
// itself is in.
func (r route) onLink() bool {
	return !r.gateway.IsValid() && r.to.Bits() > 0 && r.to.Bits() < 31 &&
		!r.to.Addr().IsLoopback() && !r.to.Addr().IsLinkLocalUnicast() && r.device != "lo"
}

// least gives the route of the least metric that is meant, of the same ones the
// widest, and then the first by address.
func least(routes []route, meant func(route) bool) (best route, ok bool) {
	for _, r := range routes {
		if meant(r) && (!ok || r.before(best)) {
			best, ok = r, true
		}
	}
	return best, ok
}

func (r route) before(o route) bool {
	if r.metric != o.metric {
		return r.metric < o.metric
	}
	if r.to.Bits() != o.to.Bits() {
		return r.to.Bits() < o.to.Bits()
	}
	return r.to.Addr().Less(o.to.Addr())
}

// parseRoutes reads /proc/net/route: device, destination, gateway, flags, two
// counters, metric, mask, and more. Addresses are 32-bit numbers in the machine's
// order of octets.
func parseRoutes(text string) (list []route) {
	for line := range strings.Lines(text) {
		w := strings.Fields(line)
		if len(w) < 8 {
			continue
		}
		to, ok1 := hexAddr(w[1])
		gateway, ok2 := hexAddr(w[2])
		mask, ok3 := hexAddr(w[7])
		metric, err := strconv.ParseUint(w[6], 10, 32)
		flags, err2 := strconv.ParseUint(w[3], 16, 16)
		const up, reject = 0x1, 0x200
		if !ok1 || !ok2 || !ok3 || err != nil || err2 != nil || flags&up == 0 || flags&reject != 0 {
			continue
		}
		m := mask.As4()
		r := route{w[0], netip.PrefixFrom(to, bits.LeadingZeros32(^binary.BigEndian.Uint32(m[:]))), netip.Addr{}, metric}
		if !gateway.IsUnspecified() {
			r.gateway = gateway
		}
		list = append(list, r)
	}
	return list
}

func hexAddr(text string) (netip.Addr, bool) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 4 {
		return netip.Addr{}, false
	}
	var a [4]byte
	binary.NativeEndian.PutUint32(a[:], binary.BigEndian.Uint32(b))
	return netip.AddrFrom4(a), true
}

// neighbor finds the link-layer address of a router in /proc/net/arp: address, type,
// flags, link-layer address, mask, device. It is nil if the kernel has not found it.
func neighbor(text string, router route) net.HardwareAddr {
	for line := range strings.Lines(text) {
		w := strings.Fields(line)
		if len(w) < 6 || w[0] != router.gateway.String() || w[5] != router.device {
			continue
		}
		mac, err := net.ParseMAC(w[3])
		if err == nil && strings.Trim(w[3], "0:") != "" {
			return mac
		}
	}
	return nil
}
