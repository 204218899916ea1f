package load

import (
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Echo sends back every packet that comes to addr, in batches, and does nothing
// else: what the kernel takes of a server's time whatever the server does. It
// returns on an error only; whoever started the process ends it.
func Echo(addr netip.AddrPort) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make a socket: %w", err)
	}
	grow(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}); err != nil {
		return fmt.Errorf("bind %s: %w", addr, err)
	}
	e := newEcho()
	for {
		if err := e.step(fd); err != nil {
			return err
		}
	}
}

// An echo is one batch, whose headers serve for both ways.
type echo struct {
	hdr  [batch]mmsghdr
	vec  [batch]unix.Iovec
	from [batch]unix.RawSockaddrInet4
	buf  []byte
}

func newEcho() *echo {
	e := &echo{buf: make([]byte, batch*maxPacket)}
	for i := range batch {
		e.vec[i].Base = &e.buf[i*maxPacket]
		e.hdr[i].hdr.Iov = &e.vec[i]
		e.hdr[i].hdr.SetIovlen(1)
		e.hdr[i].hdr.Name = (*byte)(unsafe.Pointer(&e.from[i]))
	}
	return e
}

func (e *echo) step(fd int) error {
	for i := range batch {
		e.vec[i].SetLen(maxPacket)
		e.hdr[i].hdr.Namelen = unix.SizeofSockaddrInet4
	}
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&e.hdr[0])), batch, unix.MSG_WAITFORONE, 0, 0)
	switch errno {
	case 0:
	case unix.EINTR:
		return nil
	default:
		return fmt.Errorf("receive: %w", errno)
	}
	for i := range int(n) {
		e.vec[i].SetLen(int(e.hdr[i].len))
	}
	for sent := 0; sent < int(n); {
		m, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&e.hdr[sent])), n-uintptr(sent), 0, 0, 0)
		if errno != 0 {
			break // a client that is gone
		}
		sent += int(m)
	}
	return nil
}
