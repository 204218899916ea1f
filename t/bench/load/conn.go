package load

import (
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batch     = 64   // packets in one call of the kernel
	maxPacket = 4096 // octets of a reply that are kept; no server here sends more
	sockBuf   = 4 << 20
)

// An mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// A conn is a connected UDP socket that never blocks and moves packets in batches.
type conn struct {
	fd     int
	in     [batch]mmsghdr
	inVec  [batch]unix.Iovec
	out    [batch]mmsghdr
	outVec [batch]unix.Iovec
	queued int
	buf    []byte
}

func dial(addr netip.AddrPort) (*conn, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a socket: %w", err)
	}
	grow(fd)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("connect to %s: %w", addr, err)
	}
	c := &conn{fd: fd, buf: make([]byte, batch*maxPacket)}
	for i := range batch {
		c.inVec[i].Base = &c.buf[i*maxPacket]
		c.inVec[i].SetLen(maxPacket)
		c.in[i].hdr.Iov, c.out[i].hdr.Iov = &c.inVec[i], &c.outVec[i]
		c.in[i].hdr.SetIovlen(1)
		c.out[i].hdr.SetIovlen(1)
	}
	return c, nil
}

// grow makes the socket's buffers large, as far as this process may.
func grow(fd int) {
	for _, o := range [][2]int{{unix.SO_RCVBUFFORCE, unix.SO_RCVBUF}, {unix.SO_SNDBUFFORCE, unix.SO_SNDBUF}} {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, o[0], sockBuf) != nil {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, o[1], sockBuf) // what the system gives is enough for the windows used
		}
	}
}

// receive takes what has come, at most a batch. Errors of the socket are old
// news of a server that was not there; the packets count as lost.
func (c *conn) receive() int {
	n, _, err := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(c.fd), uintptr(unsafe.Pointer(&c.in[0])), batch, unix.MSG_DONTWAIT, 0, 0)
	if err != 0 {
		return 0
	}
	return int(n)
}

// packet is the i-th of those received, until the next receive.
func (c *conn) packet(i int) []byte {
	return c.buf[i*maxPacket:][:min(int(c.in[i].len), maxPacket)]
}

// queue puts a packet into the batch to be sent; p is read when it is sent.
func (c *conn) queue(p []byte) {
	if c.queued == batch {
		c.flush()
	}
	c.outVec[c.queued].Base = &p[0]
	c.outVec[c.queued].SetLen(len(p))
	c.queued++
}

// flush sends the batch. What the kernel does not take after a second attempt
// counts as lost on the way, as it would a hop further.
func (c *conn) flush() {
	for sent, tries := 0, 0; sent < c.queued && tries < 2; {
		n, _, err := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(c.fd), uintptr(unsafe.Pointer(&c.out[sent])), uintptr(c.queued-sent), unix.MSG_DONTWAIT, 0, 0)
		if err != 0 {
			tries++
			continue
		}
		sent += int(n)
	}
	c.queued = 0
}

func (c *conn) close() { unix.Close(c.fd) }
