package host

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"namecast/lib/peer/group"
)

// A mailbox reads and sends the datagrams of one socket. Its system calls never wait, and
// the runtime is not told of them: in a program that has little to do, that would wake the
// runtime's monitor each time. It reads for one goroutine, and sends for another.
type mailbox struct {
	raw  syscall.RawConn
	v6   bool
	link int

	in      message
	buf     [maxDatagram]byte
	control [128]byte
	size    int
	failure syscall.Errno
	reading func(fd uintptr) bool

	out     message
	sending func(fd uintptr)
	refused syscall.Errno
}

// A message is what the kernel reads or writes of a datagram.
type message struct {
	hdr  unix.Msghdr
	vec  unix.Iovec
	name [unix.SizeofSockaddrInet6]byte
}

// newMailbox makes that of a socket of a link.
func newMailbox(c *net.UDPConn, link int, v6 bool) (*mailbox, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	m := &mailbox{raw: raw, v6: v6, link: link}
	m.reading, m.sending = m.read, m.write
	m.in.vec.Base = &m.buf[0]
	m.in.vec.SetLen(len(m.buf))
	for _, x := range []*message{&m.in, &m.out} {
		x.hdr.Name, x.hdr.Iov = &x.name[0], &x.vec
		x.hdr.SetIovlen(1)
	}
	m.in.hdr.Control = &m.control[0]
	return m, nil
}

// receive waits for a datagram, whose data is valid until the next one. The error may be
// that of something that was sent before.
func (m *mailbox) receive() (d group.Datagram, err error) {
	if err := m.raw.Read(m.reading); err != nil {
		return d, err
	}
	switch {
	case m.failure != 0:
		return d, m.failure
	case m.in.hdr.Flags&unix.MSG_TRUNC != 0:
		return d, fmt.Errorf("a datagram of more than %d octets", len(m.buf))
	}
	d.Link, d.Data = m.link, m.buf[:m.size]
	d.From = m.from()
	d.TTL, d.To = m.arrival()
	return d, nil
}

// read takes the next datagram, and reports whether there was one, or an error.
func (m *mailbox) read(fd uintptr) bool {
	m.in.hdr.Namelen = uint32(len(m.in.name))
	m.in.hdr.SetControllen(len(m.control))
	n, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&m.in.hdr)), unix.MSG_DONTWAIT)
	m.size, m.failure = int(n), errno
	return errno != unix.EAGAIN
}

// from is the sender, without a zone.
func (m *mailbox) from() netip.AddrPort {
	name := &m.in.name
	port := binary.BigEndian.Uint16(name[2:])
	if m.v6 {
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(name[8:24])), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(name[4:8])), port)
}

// arrival is with which TTL or hop limit the datagram came, and to which address.
func (m *mailbox) arrival() (ttl int, to netip.AddrPort) {
	list, err := unix.ParseSocketControlMessage(m.control[:m.in.hdr.Controllen])
	if err != nil {
		return 0, to
	}
	for _, c := range list {
		switch {
		case (c.Header.Level == unix.IPPROTO_IPV6 && c.Header.Type == unix.IPV6_HOPLIMIT ||
			c.Header.Level == unix.IPPROTO_IP && c.Header.Type == unix.IP_TTL) && len(c.Data) >= 4:
			ttl = int(int32(binary.NativeEndian.Uint32(c.Data)))
		case c.Header.Level == unix.IPPROTO_IPV6 && c.Header.Type == unix.IPV6_PKTINFO && len(c.Data) >= unix.SizeofInet6Pktinfo:
			to = netip.AddrPortFrom(netip.AddrFrom16([16]byte(c.Data)), 0)
		case c.Header.Level == unix.IPPROTO_IP && c.Header.Type == unix.IP_PKTINFO && len(c.Data) >= unix.SizeofInet4Pktinfo:
			to = netip.AddrPortFrom(netip.AddrFrom4([4]byte(c.Data[8:])), 0)
		}
	}
	return ttl, to
}

// send sends a datagram, unless there is no room for it.
func (m *mailbox) send(to netip.AddrPort, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	m.address(to)
	m.out.vec.Base = unsafe.SliceData(b)
	m.out.vec.SetLen(len(b))
	err := m.raw.Control(m.sending)
	m.out.vec.Base = nil
	if err != nil {
		return err
	}
	if m.refused != 0 {
		return fmt.Errorf("to %v: %w", to, m.refused)
	}
	return nil
}

// write sends the datagram that is there. The first error may be that of an earlier one.
func (m *mailbox) write(fd uintptr) {
	for range 2 {
		_, _, m.refused = unix.RawSyscall(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&m.out.hdr)), unix.MSG_DONTWAIT)
		if m.refused == 0 || m.refused == unix.EAGAIN {
			return
		}
	}
}

// address sets where the next datagram goes. What has no meaning beyond the link goes out
// by its number: what number a name had, package net remembers for a minute.
func (m *mailbox) address(to netip.AddrPort) {
	name := &m.out.name
	clear(name[:])
	binary.BigEndian.PutUint16(name[2:], to.Port())
	if !m.v6 {
		a := to.Addr().As4()
		binary.NativeEndian.PutUint16(name[:], unix.AF_INET)
		copy(name[4:], a[:])
		m.out.hdr.Namelen = unix.SizeofSockaddrInet4
		return
	}
	a := to.Addr().As16()
	binary.NativeEndian.PutUint16(name[:], unix.AF_INET6)
	copy(name[8:], a[:])
	if to.Addr().IsLinkLocalUnicast() || to.Addr().IsMulticast() {
		binary.NativeEndian.PutUint32(name[24:], uint32(m.link))
	}
	m.out.hdr.Namelen = unix.SizeofSockaddrInet6
}
