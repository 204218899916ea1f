package peer

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"os"
	"regexp"
	"testing"
	"time"

	"namecast/lib/peer/packet"
)

// Addresses that are nobody's, on the link and beyond.
var (
	nobody4, beyond4 = netip.MustParseAddr("192.0.2.222"), netip.MustParseAddr("198.51.100.77")
	nobody6, beyond6 = netip.MustParseAddr("2001:db8::9999"), netip.MustParseAddr("2001:db8:1::77")
)

// hostilePackets is how many datagrams each attacker sends to each member.
const hostilePackets = 8000

var inetText = regexp.MustCompile(`inet6? ([0-9a-f.:]+)/`)

// addresses are all that machines have on their first network.
func (w *world) addresses() map[netip.Addr]bool {
	known := map[netip.Addr]bool{netip.MustParseAddr(upstream): true, netip.MustParseAddr("2001:db8::53"): true}
	for _, m := range w.members {
		for _, found := range inetText.FindAllStringSubmatch(m.IP("-o", "addr", "show", "eth0"), -1) {
			known[netip.MustParseAddr(found[1])] = true
		}
	}
	return known
}

// TestStrangers: who has no key gets not one packet out of a member, on the link or from
// behind a router, in its own name or in that of others, whatever it sends; and the members
// hardly notice.
func TestStrangers(t *testing.T) {
	w := newWorld(t, 3, options{})
	stranger, router, far := w.lab.Machine("stranger"), w.lab.Machine("router"), w.lab.Machine("far")
	w.lan.Join(stranger, "192.0.2.66/24", "2001:db8::66/64")
	w.lan.Join(router, "192.0.2.1/24", "2001:db8::1/64")
	outer := w.lab.LAN("outer")
	outer.Join(router, "198.51.100.1/24", "2001:db8:1::1/64")
	outer.Join(far, "198.51.100.2/24", "2001:db8:1::2/64")
	router.Sysctl("net.ipv4.ip_forward", "1")
	router.Sysctl("net.ipv6.conf.all.forwarding", "1")
	var taps []*tap
	for _, m := range w.members {
		m.IP("route", "add", "198.51.100.0/24", "via", "192.0.2.1")
		m.IP("-6", "route", "add", "2001:db8:1::/64", "via", "2001:db8::1")
		taps = append(taps, newTap(t, m.Machine))
		m.has(0)
	}
	time.Sleep(6 * time.Second) // for what members say to each other to be overheard
	var heard []parcel
	for _, p := range taps {
		heard = append(heard, p.datagrams()...)
	}
	if len(heard) < 6 {
		t.Fatalf("only %d datagrams were overheard", len(heard))
	}
	calm, sizes := sentTo(taps), sizes(t, w)
	a := &attack{world: w, heard: heard, key: w.keys(), rng: rand.New(rand.NewPCG(rand.Uint64(), 1))}
	began := time.Now()
	a.from(openNIC(t, stranger, "eth0"), nil, netip.MustParseAddr("192.0.2.66"), netip.MustParseAddr("2001:db8::66"))
	router1 := openNIC(t, router, "eth1")
	a.from(openNIC(t, far, "eth0"), router1.mac, netip.MustParseAddr("198.51.100.2"), netip.MustParseAddr("2001:db8:1::2"))
	t.Logf("%d datagrams in %v", a.sent, time.Since(began))
	for _, m := range w.members {
		m.has(1)
	}
	w.complete(3)
	a.unanswered(taps, calm, time.Since(began))
	for i, m := range w.members {
		if grown := memory(t, m) - sizes[i]; grown > 16<<20 {
			t.Errorf("%s has grown by %d octets", m.Name(), grown)
		}
		out, _ := m.status("stats")
		t.Logf("%s:\n%s", m.Name(), out)
	}
}

func sizes(t *testing.T, w *world) (all []int64) {
	for _, m := range w.members {
		all = append(all, memory(t, m))
	}
	return all
}

// sentTo is how many packets all taps saw go to each address.
func sentTo(taps []*tap) map[netip.Addr]int {
	sum := map[netip.Addr]int{}
	for _, p := range taps {
		for a, n := range p.packets() {
			sum[a] += n
		}
	}
	return sum
}

// keys are those of the group.
func (w *world) keys() *packet.Keys {
	w.t.Helper()
	text, err := os.ReadFile(w.key)
	if err != nil {
		w.t.Fatal(err)
	}
	k, err := packet.ParseKeys(text)
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

// An attack is what one without the key can send.
type attack struct {
	*world
	heard []parcel
	key   *packet.Keys // for the addresses of the group, which anybody on the link sees
	rng   *rand.Rand
	sent  int
}

// from sends from a device to all members, in the name of the attacker's addresses and of
// others, to the devices themselves or by a router's.
func (a *attack) from(n *nic, router []byte, own4, own6 netip.Addr) {
	a.t.Helper()
	v6, v4 := a.key.Group()
	for _, m := range a.members {
		mac := router
		if mac == nil {
			mac = openNIC(a.t, m.Machine, "eth0").mac
		}
		addr4, addr6 := netip.MustParseAddr(m.addr), a.global6(m)
		for i := range hostilePackets {
			p := a.heard[a.rng.IntN(len(a.heard))]
			six := p.to.Addr().Is6()
			group, unicast, own, nobody, beyond := v4, addr4, own4, nobody4, beyond4
			if six {
				group, unicast, own, nobody, beyond = v6, addr6, own6, nobody6, beyond6
			}
			a.change(&p, i)
			switch i % 4 {
			case 0:
				p.from = netip.AddrPortFrom(own, p.from.Port())
			case 1:
				p.from = netip.AddrPortFrom(nobody, p.from.Port())
			case 2:
				p.from = netip.AddrPortFrom(beyond, p.from.Port())
			} // else as it was: in a member's name
			p.ttl = []byte{255, 255, 64, 1}[a.rng.IntN(4)]
			if p.to = netip.AddrPortFrom(unicast, peerPort); router == nil && a.rng.IntN(4) == 0 {
				p.to = netip.AddrPortFrom(group, peerPort)
				n.send(a.t, p, nil)
			} else {
				n.send(a.t, p, mac)
			}
			if a.sent++; a.sent%200 == 0 {
				time.Sleep(2 * time.Millisecond) // about 100,000 a second, for the sockets' buffers
			}
		}
	}
}

// global6 is a member's address of IPv6 that is good beyond the link.
func (w *world) global6(m *member) netip.Addr {
	for _, found := range inetText.FindAllStringSubmatch(m.IP("-o", "-6", "addr", "show", "eth0", "scope", "global"), -1) {
		return netip.MustParseAddr(found[1])
	}
	w.t.Fatalf("%s has no address of IPv6", m.Name())
	return netip.Addr{}
}

// change makes of an overheard datagram what an attacker may: itself again, a part of it,
// more of it, itself with a bit turned, noise that begins like it, or noise.
func (a *attack) change(p *parcel, i int) {
	p.data = bytes.Clone(p.data)
	switch i % 7 {
	case 0:
		p.data = a.noise()
	case 1:
		p.data = append(p.data[:29], a.noise()...)
	case 2:
		p.data = p.data[:a.rng.IntN(len(p.data))]
	case 3:
		p.data = append(p.data, byte(i))
	case 4, 5:
		p.data[a.rng.IntN(len(p.data))] ^= 1 << a.rng.IntN(8)
	}
}

func (a *attack) noise() []byte {
	b := make([]byte, a.rng.IntN(1300))
	for i := range b {
		b[i] = byte(a.rng.Uint32())
	}
	return b
}

// unanswered fails the test for each address that is no member's and was sent something
// since, and if members were sent much more than they say to each other anyway.
func (a *attack) unanswered(taps []*tap, calm map[netip.Addr]int, in time.Duration) {
	a.t.Helper()
	known, busy := a.addresses(), 0
	for addr, n := range sentTo(taps) {
		more := n - calm[addr]
		switch {
		case more == 0 || addr.IsMulticast() || addr == netip.MustParseAddr("192.0.2.255"):
		case known[addr]:
			busy += more
		default:
			a.t.Errorf("%d packets to %v", more, addr)
		}
	}
	a.t.Logf("%d packets between members and to the name server meanwhile, in %v", busy, in)
	if most := 100 + 30*int(in/time.Second+1); busy > most {
		a.t.Errorf("%d packets between members, want at most %d: somebody's name was answered", busy, most)
	}
}
