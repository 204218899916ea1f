package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"namecast/lib/peer/group"
	"namecast/lib/sock"
)

// hopsUnicast is the TTL and the hop limit of what goes to one machine, or by
// broadcast: no router lets anything arrive with it (RFC 5082). Of multicast, IPv6
// has the same and IPv4 has 1, since routers are known to pass 239.0.0.0/8 on.
const (
	hopsUnicast    = 255
	hopsMulticast6 = 255
	hopsMulticast4 = 1
)

// maxDatagram is more than a datagram of the group ever has.
const maxDatagram = 2048

// A port is the socket of one family on one link, by which peers are spoken to.
type port struct {
	link  int // the kernel's number of it
	name  string
	v6    bool
	conn  *net.UDPConn
	mail  *mailbox
	four  *ipv4.PacketConn
	six   *ipv6.PacketConn
	where []netip.Addr // groups that are joined
}

// openPort opens a socket that hears and speaks on one link only.
func openPort(index int, name string, v6 bool, number uint16) (*port, error) {
	network, any := "udp4", netip.IPv4Unspecified()
	if v6 {
		network, any = "udp6", netip.IPv6Unspecified()
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, index)
		}), err)
	}}
	c, err := lc.ListenPacket(context.Background(), network, netip.AddrPortFrom(any, number).String())
	if err != nil {
		return nil, fmt.Errorf("peer port %d on %s: %w", number, name, err)
	}
	p := &port{link: index, name: name, v6: v6, conn: c.(*net.UDPConn)}
	p.mail, err = newMailbox(p.conn, index, v6)
	if err = errors.Join(err, p.settle()); err != nil {
		c.Close()
		return nil, fmt.Errorf("peer port %d on %s: %w", number, name, err)
	}
	return p, nil
}

// settle has the kernel tell what a datagram's TTL and destination were, and sets those
// of what is sent.
func (p *port) settle() error {
	if p.v6 {
		p.six = ipv6.NewPacketConn(p.conn)
		return errors.Join(
			p.six.SetControlMessage(ipv6.FlagHopLimit|ipv6.FlagDst, true),
			p.six.SetHopLimit(hopsUnicast),
			p.six.SetMulticastHopLimit(hopsMulticast6),
			p.six.SetMulticastLoopback(false))
	}
	p.four = ipv4.NewPacketConn(p.conn)
	return errors.Join(
		p.four.SetControlMessage(ipv4.FlagTTL|ipv4.FlagDst, true),
		p.four.SetTTL(hopsUnicast),
		p.four.SetMulticastTTL(hopsMulticast4),
		p.four.SetMulticastLoopback(false))
}

// join joins the groups of the port's family, those of before once more: a switch, or
// a link that was taken away and made again, may have forgotten them.
func (p *port) join(groups []netip.Addr) error {
	ifi := &net.Interface{Index: p.link, Name: p.name}
	var errs []error
	for _, g := range p.where {
		errs = append(errs, ignore(p.member(ifi, g, false), unix.EADDRNOTAVAIL))
	}
	p.where = nil
	for _, g := range groups {
		if g.Is4() == p.v6 || slices.Contains(p.where, g) {
			continue
		}
		p.where = append(p.where, g)
		errs = append(errs, ignore(p.member(ifi, g, true), unix.EADDRINUSE))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("multicast on %s: %w", p.name, err)
	}
	return nil
}

// ignore drops an error that says that nothing was left to do.
func ignore(err error, harmless syscall.Errno) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}

func (p *port) member(ifi *net.Interface, group netip.Addr, in bool) error {
	a := &net.UDPAddr{IP: group.AsSlice()}
	switch {
	case p.v6 && in:
		return p.six.JoinGroup(ifi, a)
	case p.v6:
		return p.six.LeaveGroup(ifi, a)
	case in:
		return p.four.JoinGroup(ifi, a)
	}
	return p.four.LeaveGroup(ifi, a)
}

// receive brings what comes until the port is closed; take does not keep the data.
func (p *port) receive(take func(group.Datagram)) {
	number := uint16(p.conn.LocalAddr().(*net.UDPAddr).Port)
	for {
		d, err := p.mail.receive()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // an ICMP error of something sent, or too long
			continue
		}
		d.To = netip.AddrPortFrom(d.To.Addr(), number)
		take(d)
	}
}

// send sends a datagram. One that cannot be sent is a lost packet.
func (p *port) send(to netip.AddrPort, b []byte) error { return p.mail.send(to, b) }

// flooded counts the datagrams of peers for which there was no room, of the sockets that
// are open.
func (l *loop) flooded() (n uint64) {
	for _, p := range l.ports {
		n += sock.Dropped(p.conn)
	}
	return n
}
