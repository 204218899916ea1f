package system

import (
	"errors"
	"net"
	"net/netip"
	"testing"
)

const (
	routeHead = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	eth0      = "eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n" + // 0.0.0.0/0 by 192.0.2.1
		"eth0\t000200C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n" // 192.0.2.0/24
	wlan0 = "wlan0\t00000000\tFE6433C6\t0003\t0\t0\t600\t00000000\t0\t0\t0\n" + // by 198.51.100.254
		"wlan0\t006433C6\t00000000\t0001\t0\t0\t600\t00FFFFFF\t0\t0\t0\n"
	docker0 = "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
	tun0    = "tun0\t00000000\t0100080A\t0003\t0\t0\t50\t00000000\t0\t0\t0\n" +
		"tun0\t0000080A\t00000000\t0001\t0\t0\t50\t00FFFFFF\t0\t0\t0\n"
	wg0 = "wg0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n"

	arpHead = "IP address       HW type     Flags       HW address            Mask     Device\n"
	arpEth0 = "192.0.2.1        0x1         0x2         02:fc:00:00:00:05     *        eth0\n"
	arpWlan = "198.51.100.254   0x1         0x2         02:fc:00:00:00:06     *        wlan0\n"
	arpNone = "192.0.2.1        0x1         0x0         00:00:00:00:00:00     *        eth0\n"
	arpElse = "192.0.2.1        0x1         0x2         02:fc:00:00:00:07     *        eth1\n"
)

func TestNetwork(t *testing.T) {
	mac := func(s string) net.HardwareAddr {
		a, err := net.ParseMAC(s)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	wired := NetworkID(mac("02:fc:00:00:00:05"), netip.MustParsePrefix("192.0.2.0/24"))
	wireless := NetworkID(mac("02:fc:00:00:00:06"), netip.MustParsePrefix("198.51.100.0/24"))
	alone := NetworkID(nil, netip.MustParsePrefix("192.0.2.0/24"))
	if wired == wireless || wired == alone || wired == 0 || wireless == 0 {
		t.Errorf("identities %x, %x, %x", wired, wireless, alone)
	}
	onLink := eth0[len(eth0)/2+1:]
	for _, c := range []struct {
		name, routes, arp string
		devices           []string
		want              uint64 // 0: ErrNetwork
	}{
		{name: "nothing"},
		{name: "wired", routes: eth0, arp: arpEth0, want: wired},
		{name: "wired and wireless", routes: wlan0 + eth0, arp: arpEth0 + arpWlan, want: wired},
		{name: "wireless by name", routes: wlan0 + eth0, arp: arpEth0 + arpWlan, devices: []string{"wlan0"}, want: wireless},
		{name: "containers", routes: docker0 + eth0, arp: arpEth0, want: wired},
		{name: "only containers", routes: docker0},
		{name: "router not found yet", routes: eth0, arp: arpNone},
		{name: "router never asked for", routes: eth0},
		{name: "a like router elsewhere", routes: eth0, arp: arpElse},
		{name: "VPN with a router", routes: eth0 + tun0, arp: arpEth0},
		{name: "VPN without", routes: eth0 + wg0, arp: arpEth0},
		{name: "no router", routes: onLink, want: alone},
		{name: "garbage", routes: "a b c d e f g h\n" + "eth0\t0\n" + eth0, arp: "x\n" + arpEth0, want: wired},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := files(t, map[string]string{"proc/net/route": routeHead + c.routes, "proc/net/arp": arpHead + c.arp})
			got, err := m.Network(c.devices...)
			if got != c.want || (c.want == 0) != errors.Is(err, ErrNetwork) {
				t.Errorf("%x, %v instead of %x", got, err, c.want)
			}
		})
	}
}

// FuzzRoutes checks that no table of the kernel's form leads to an identity of
// nothing.
func FuzzRoutes(f *testing.F) {
	f.Add(routeHead+eth0+tun0, arpHead+arpEth0)
	f.Add(routeHead+wg0+docker0, arpHead+arpNone)
	f.Fuzz(func(t *testing.T, routes, arp string) {
		for _, r := range parseRoutes(routes) {
			if !r.to.IsValid() || neighbor(arp, r) != nil && !r.gateway.IsValid() {
				t.Errorf("route %+v", r)
			}
		}
	})
}
