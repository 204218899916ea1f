package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// A Net is an Ethernet segment that joins machines; of two, it is a link.
type Net struct {
	lab  *Lab
	name string
	at   fabric

	mu    sync.Mutex
	ports []*Port
	cuts  map[way]bool
}

// A way is a direction between two machines of a network.
type way struct{ from, to *Port }

// A fabric carries the frames of a network.
type fabric interface {
	// join makes the port's device on its machine, down and without addresses.
	join(*Port) error
	// carry sets whether the port's machine sees a cable.
	carry(*Port, bool) error
	// setCuts says in which ways nothing goes any more, all at once; it returns
	// when that holds.
	setCuts([]way) error
}

// A Port is the place of a machine on a network.
type Port struct {
	net     *Net
	machine *Machine
	device  string // on the machine
	outer   string // the other end, unique in the lab
	addrs   []netip.Prefix
}

// LAN makes a network that is a bridge of the kernel.
func (l *Lab) LAN(name string) *Net {
	l.t.Helper()
	at, err := l.newBridge()
	if err != nil {
		l.t.Fatalf("lab: network %s: %v", name, err)
	}
	return l.newNet(name, at)
}

func (l *Lab) newNet(name string, at fabric) *Net {
	n := &Net{lab: l, name: name, at: at, cuts: map[way]bool{}}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nets = append(l.nets, n)
	return n
}

// String is the network's name.
func (n *Net) String() string { return n.name }

// Join puts a machine on the network with the addresses "192.0.2.1/24" or
// "2001:db8::1/64", which are usable at once. The device is eth0, eth1 and so on
// by the order in which a machine joins networks.
func (n *Net) Join(m *Machine, addrs ...string) *Port {
	n.lab.t.Helper()
	p, err := n.join(m, addrs)
	if err != nil {
		n.lab.t.Fatalf("lab: machine %s joins %s: %v", m.name, n.name, err)
	}
	return p
}

func (n *Net) join(m *Machine, addrs []string) (*Port, error) {
	p := &Port{net: n, machine: m}
	for _, s := range addrs {
		a, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, err
		}
		p.addrs = append(p.addrs, a)
	}
	if n.port(m) != nil {
		return nil, fmt.Errorf("it is there already")
	}
	n.lab.mu.Lock()
	p.device = fmt.Sprintf("eth%d", len(m.ports))
	p.outer = fmt.Sprintf("p%d", n.lab.ports)
	n.lab.ports++
	n.lab.mu.Unlock()
	if err := n.at.join(p); err != nil {
		return nil, err
	}
	var script strings.Builder
	for _, a := range p.addrs {
		option := ""
		if a.Addr().Is6() {
			option = " nodad"
		}
		fmt.Fprintf(&script, "addr add %v dev %s%s\n", a, p.device, option)
	}
	fmt.Fprintf(&script, "link set %s up\n", p.device)
	if _, err := run(script.String(), "ip", "-n", m.ns, "-batch", "-"); err != nil {
		return nil, err
	}
	n.mu.Lock()
	n.ports = append(n.ports, p)
	n.mu.Unlock()
	n.lab.mu.Lock()
	m.ports = append(m.ports, p)
	n.lab.mu.Unlock()
	return p, nil
}

// Device is the name of the port's device on its machine.
func (p *Port) Device() string { return p.device }

// Outer is the name of a LAN's port on Lab.Hub: what "bridge link" needs.
func (p *Port) Outer() string { return p.outer }

// Addr is the first address of the port, or the zero Addr.
func (p *Port) Addr() netip.Addr {
	if len(p.addrs) == 0 {
		return netip.Addr{}
	}
	return p.addrs[0].Addr()
}

// Unplug takes the cable out: the machine sees that its device has no carrier.
func (p *Port) Unplug() { p.plug(false) }

// Plug puts the cable in again.
func (p *Port) Plug() { p.plug(true) }

func (p *Port) plug(in bool) {
	if err := p.net.at.carry(p, in); err != nil {
		p.net.lab.t.Errorf("lab: cable of %s in %s: %v", p.machine.name, p.net.name, err)
	}
}

// port is the machine's place on the network, or nil.
func (n *Net) port(m *Machine) *Port {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := slices.IndexFunc(n.ports, func(p *Port) bool { return p.machine == m })
	if i < 0 {
		return nil
	}
	return n.ports[i]
}
