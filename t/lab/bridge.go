package lab

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// A bridge is the fabric of a LAN: a bridge on the hub, to which machines are
// joined by pairs of virtual devices, and a set of pairs of ports between which
// the hub's filter lets nothing through.
type bridge struct {
	lab *Lab
	id  string
}

// openTable makes the filter's table on the hub. Its priority, -200, is before
// that of br_netfilter, 0, which takes frames with IP away to filter them as a
// router would, and gives them back behind all that has its own priority.
func (l *Lab) openTable(hub *Machine) error {
	for _, name := range []string{"iptables", "ip6tables", "arptables"} {
		err := hub.sysctl("net.bridge.bridge-nf-call-"+name, "0")
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return filter(hub, "add table bridge lab\n"+
		"add chain bridge lab forward { type filter hook forward priority -200; }\n")
}

// filter runs a script of the command nft on a machine, as one transaction.
func filter(m *Machine, script string) error {
	_, err := run(script, "ip", "netns", "exec", m.ns, "nft", "-f", "-")
	return err
}

// newBridge makes a bridge that is a plain switch: no spanning tree, and
// multicast goes to all.
func (l *Lab) newBridge() (*bridge, error) {
	l.mu.Lock()
	b := &bridge{lab: l, id: fmt.Sprintf("br%d", len(l.nets))}
	l.mu.Unlock()
	script := fmt.Sprintf("link add %s type bridge stp_state 0 forward_delay 0 mcast_snooping 0\nlink set %s up\n", b.id, b.id)
	if _, err := run(script, "ip", "-n", l.hub.ns, "-batch", "-"); err != nil {
		return nil, err
	}
	script = fmt.Sprintf("add set bridge lab %s { typeof iifname . oifname; }\n"+
		"add rule bridge lab forward iifname . oifname @%s drop\n", b.id, b.id)
	return b, filter(l.hub, script)
}

func (b *bridge) join(p *Port) error {
	script := fmt.Sprintf("link add %s type veth peer name %s netns %s\nlink set %s master %s up\n",
		p.outer, p.device, p.machine.ns, p.outer, b.id)
	_, err := run(script, "ip", "-n", b.lab.hub.ns, "-batch", "-")
	return err
}

func (b *bridge) carry(p *Port, in bool) error {
	state := "down"
	if in {
		state = "up"
	}
	_, err := run("", "ip", "-n", b.lab.hub.ns, "link", "set", p.outer, state)
	return err
}

func (b *bridge) setCuts(cuts []way) error {
	script := fmt.Sprintf("flush set bridge lab %s\n", b.id)
	if len(cuts) > 0 {
		list := make([]string, len(cuts))
		for i, w := range cuts {
			list[i] = fmt.Sprintf("%q . %q", w.from.outer, w.to.outer)
		}
		script += fmt.Sprintf("add element bridge lab %s { %s }\n", b.id, strings.Join(list, ", "))
	}
	return filter(b.lab.hub, script)
}
