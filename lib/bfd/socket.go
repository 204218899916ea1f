package bfd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Ports that packets are sent to, and the range of those that they are sent from
// (RFC 5881 section 4, RFC 5883 section 5).
const (
	singlePort   = 3784
	multihopPort = 4784
	firstPort    = 49152
	lastPort     = 65535
)

// dscp is the class of network control, CS6, as an octet of the IP header.
const dscp = 48 << 2

// A sender is the socket that one session sends from.
type sender struct {
	conn *net.UDPConn
	to   netip.AddrPort
	buf  []byte
}

// portTries is how many ports are tried before there is taken to be no free one.
const portTries = 100

// newSender binds a socket to a free port of the range.
func newSender(s Session) (*sender, error) {
	var err error
	for range portTries {
		port := uint16(firstPort + rand.IntN(lastPort-firstPort+1))
		var conn *net.UDPConn
		if conn, err = bind(s.Local, s.Peer.Is4(), port, setSender); err == nil {
			return &sender{conn: conn, to: netip.AddrPortFrom(s.Peer, portOf(s.Multihop))}, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			break
		}
	}
	return nil, err
}

func portOf(multihop bool) uint16 {
	if multihop {
		return multihopPort
	}
	return singlePort
}

// send sends a packet. That there is no room in the socket or no route is a loss,
// which the protocol is made for.
func (s *sender) send(p packet) {
	s.buf = p.append(s.buf[:0])
	s.conn.SetWriteDeadline(time.Now().Add(grace))
	s.conn.WriteToUDPAddrPort(s.buf, s.to)
}

// A receiver is the socket of one port and local address.
type receiver struct {
	conn     *net.UDPConn
	local    netip.Addr
	v4       bool
	multihop bool
}

// A datagram is what a receiver has got.
type datagram struct {
	source
	ttl    int
	size   int
	octets [64]byte // what is longer is no packet of ours
}

// receiver opens the socket that a session's packets come to, if there is none. If
// one of all sessions at a port has no local address, its socket is that of all
// the others too: beside it none can be bound to an address.
func (l *loop) receiver(s Session, all []Session) error {
	r := receiver{local: s.Local, v4: s.Peer.Is4(), multihop: s.Multihop}
	for _, o := range all {
		if o.Multihop == r.multihop && o.Peer.Is4() == r.v4 && !o.Local.IsValid() {
			r.local = netip.Addr{}
		}
	}
	for _, o := range l.receivers {
		if o.local == r.local && o.v4 == r.v4 && o.multihop == r.multihop {
			return nil
		}
	}
	conn, err := bind(r.local, r.v4, portOf(r.multihop), setReceiver)
	if err != nil {
		return err
	}
	r.conn = conn
	l.receivers = append(l.receivers, &r)
	return nil
}

// bind opens a UDP socket with options that are set before it is bound.
func bind(local netip.Addr, v4 bool, port uint16, set func(fd int, v4 bool) error) (*net.UDPConn, error) {
	network := "udp6"
	if v4 {
		network = "udp4"
	}
	if !local.IsValid() {
		local = netip.IPv6Unspecified()
		if v4 {
			local = netip.IPv4Unspecified()
		}
	}
	at := netip.AddrPortFrom(local, port).String()
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if cerr := c.Control(func(fd uintptr) { err = set(int(fd), v4) }); cerr != nil {
			return cerr
		}
		return err
	}}
	conn, err := lc.ListenPacket(context.Background(), network, at)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

// An option is one of a socket.
type option struct{ level, name, value int }

// setSender lets packets out with the TTL that proves their origin.
func setSender(fd int, v4 bool) error {
	if v4 {
		return setAll(fd, option{unix.IPPROTO_IP, unix.IP_TTL, 255}, option{unix.IPPROTO_IP, unix.IP_TOS, dscp},
			option{unix.IPPROTO_IP, unix.IP_FREEBIND, 1})
	}
	return setAll(fd, option{unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 255}, option{unix.IPPROTO_IPV6, unix.IPV6_TCLASS, dscp},
		option{unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1})
}

// setReceiver has the TTL of each packet told.
func setReceiver(fd int, v4 bool) error {
	if v4 {
		return setAll(fd, option{unix.IPPROTO_IP, unix.IP_RECVTTL, 1}, option{unix.IPPROTO_IP, unix.IP_FREEBIND, 1})
	}
	return setAll(fd, option{unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1}, option{unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1})
}

func setAll(fd int, options ...option) error {
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return fmt.Errorf("set socket option %d of level %d: %w", o.name, o.level, err)
		}
	}
	return nil
}

// listen starts one goroutine for each receiver; close ends them.
func (l *loop) listen() {
	l.done = make(chan struct{})
	for _, r := range l.receivers {
		l.readers.Go(func() { r.read(l.in, l.done) })
	}
}

// close ends the sockets and the goroutines that read them.
func (l *loop) close() {
	if l.done != nil {
		close(l.done)
	}
	for _, c := range l.all {
		c.socket.conn.Close()
	}
	for _, r := range l.receivers {
		r.conn.Close()
	}
	l.readers.Wait()
}

// read hands on what comes until the socket is closed or done is. A loop that is
// busy leaves packets in the kernel's buffer, which is bounded and drops the rest.
func (r *receiver) read(in chan<- datagram, done <-chan struct{}) {
	var d datagram
	control := make([]byte, 128)
	for {
		n, cn, flags, from, err := r.conn.ReadMsgUDPAddrPort(d.octets[:], control)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil && !pause(done) {
			return
		}
		hops, ok := ttl(control[:cn])
		if err != nil || !ok || flags&unix.MSG_TRUNC != 0 {
			continue
		}
		d.source, d.ttl, d.size = source{from.Addr().Unmap(), r.multihop}, hops, n
		select {
		case in <- d:
		case <-done:
			return
		}
	}
}

// pause waits a little, so that an error that stays costs nothing, and tells
// whether there is more to do.
func pause(done <-chan struct{}) bool {
	select {
	case <-done:
		return false
	case <-time.After(grace):
		return true
	}
}

// ttl finds the TTL or hop limit among control messages.
func ttl(control []byte) (int, bool) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0, false
	}
	for _, m := range messages {
		v4 := m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_TTL
		v6 := m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_HOPLIMIT
		if (v4 || v6) && len(m.Data) >= 4 {
			return int(m.Data[0]) | int(m.Data[1])<<8 | int(m.Data[2])<<16 | int(m.Data[3])<<24, true
		}
	}
	return 0, false
}
