package sock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// controlSize is the room for a control message of PKTINFO of either family.
const controlSize = 48

// A Back is the way back to the sender of a datagram: where it came from, and
// from which of this machine's addresses to answer. The zero Back leads nowhere.
type Back struct {
	to      netip.AddrPort
	control [controlSize]byte // a control message of PKTINFO
	n       int
}

// To is the sender. An IPv4 address has its own form, also where it came
// through an IPv6 socket.
func (b *Back) To() netip.AddrPort {
	return netip.AddrPortFrom(b.to.Addr().Unmap(), b.to.Port())
}

// Receive reads one datagram into buf and fills in the way back.
func Receive(c *net.UDPConn, buf []byte, back *Back) (n int, err error) {
	n, back.n, _, back.to, err = c.ReadMsgUDPAddrPort(buf, back.control[:])
	return n, err
}

// Reply sends a datagram back. One to port 0 is dropped: nobody listens there,
// and whoever asked from it meant harm.
func Reply(c *net.UDPConn, b []byte, back *Back) error {
	if back.to.Port() == 0 {
		return nil
	}
	_, _, err := c.WriteMsgUDPAddrPort(b, sameSource(back.control[:back.n]), back.to)
	return err
}

// noteDestination has the kernel tell to which address each datagram went, if
// the socket is bound to all of them: the answer must come from there.
func noteDestination(c *net.UDPConn, local netip.Addr) error {
	if !local.IsUnspecified() {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		if local.Is6() {
			failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, syscall.IPV6_RECVPKTINFO, 1)
			return
		}
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_PKTINFO, 1)
	})
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("udp %s: learn the destination of datagrams: %w", local, err)
	}
	return nil
}

// sameSource turns the control message that came with a datagram into the one
// that makes the answer leave from the address that was asked. The kernel uses
// one structure for both ways; only the interface is cleared, because the way
// back need not be the way here, except to link-local addresses.
func sameSource(control []byte) []byte {
	if len(control) < syscall.CmsgLen(syscall.SizeofInet4Pktinfo) {
		return nil
	}
	data := control[syscall.CmsgLen(0):]
	switch binary.NativeEndian.Uint32(control[syscall.SizeofCmsghdr-4:]) {
	case syscall.IPV6_PKTINFO:
		if len(data) < syscall.SizeofInet6Pktinfo {
			return nil
		}
		if a := netip.AddrFrom16([16]byte(data[:16])); !a.IsLinkLocalUnicast() {
			clear(data[16:20])
		}
	case syscall.IP_PKTINFO:
		clear(data[:4])
	}
	return control
}
