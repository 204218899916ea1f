package sock

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// BatchSize is how many datagrams a Batch receives at once at most.
const BatchSize = 64

// maxFailures is how many errors in a row are taken for those of earlier
// replies. An ICMP error of such a reply may show where datagrams are received;
// it is nobody's fault and says nothing of the socket.
const maxFailures = 100

// A Batch receives and answers the datagrams of one socket, many in one call of
// the kernel. It is for one goroutine. Several Batches may share a socket, each
// with its goroutine: one of them waits for datagrams while others work.
//
// Nothing waits for a batch to fill: what has come is taken. A goroutine that
// waits in Receive has no thread and costs nothing.
type Batch struct {
	conn    *net.UDPConn
	raw     syscall.RawConn
	stride  int // octets from one buffer to the next
	max     int
	n       int // datagrams received
	queued  int // replies not sent yet
	failure syscall.Errno

	// The functions that raw calls, made once: each new one would be an allocation.
	receiving func(fd uintptr) bool
	sending   func(fd uintptr)

	in, out       [BatchSize]unix.Mmsghdr
	inVec, outVec [BatchSize]unix.Iovec
	from          [BatchSize]sockaddr
	control       [BatchSize][controlSize]byte
	packets       []byte
	replies       []byte
}

// NewBatch makes a Batch of a socket, whose deadlines and end remain its
// owner's. Of longer datagrams than max octets, 1 to 65535, only the first max
// are kept, and nothing tells that there were more: a limit is seen to be
// exceeded with a max one greater. Room for replies is max octets, too.
func NewBatch(c *net.UDPConn, max int) (*Batch, error) {
	if max < 1 || max > 65535 {
		return nil, fmt.Errorf("batch of udp %s: datagrams of %d octets", c.LocalAddr(), max)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("batch of udp %s: %w", c.LocalAddr(), err)
	}
	if err := noteDestination(c, c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()); err != nil {
		return nil, err
	}
	b := &Batch{conn: c, raw: raw, max: max, stride: stride(max)}
	b.packets, b.replies = make([]byte, BatchSize*b.stride), make([]byte, BatchSize*b.stride)
	b.receiving, b.sending = b.receive, b.send
	for i := range BatchSize {
		b.inVec[i].Base = &b.packets[i*b.stride]
		b.inVec[i].SetLen(max)
		h := &b.in[i].Hdr
		h.Name, h.Iov, h.Control = &b.from[i][0], &b.inVec[i], &b.control[i][0]
		h.SetIovlen(1)
		b.out[i].Hdr.Iov = &b.outVec[i]
		b.out[i].Hdr.SetIovlen(1)
	}
	b.n = BatchSize // all headers are to be made ready
	return b, nil
}

// stride is the distance of buffers for max octets: an odd number of cache
// lines, because the beginnings of buffers at a distance of a power of two
// would compete for few places in the processor's cache.
func stride(max int) int {
	const line = 64
	return ((max+line-1)/line | 1) * line
}

// Receive takes the datagrams that have come, at least one, for which it waits,
// and at most BatchSize. What it received before is no longer valid; replies
// still queued are sent first. The error is os.ErrDeadlineExceeded after the
// socket's read deadline, also if datagrams are there, net.ErrClosed when it is
// closed, or that of a socket that fails again and again.
func (b *Batch) Receive() (n int, err error) {
	b.Flush()
	for i := range b.n {
		b.in[i].Hdr.Namelen = uint32(len(b.from[i]))
		b.in[i].Hdr.SetControllen(len(b.control[i]))
	}
	b.n, b.failure = 0, 0
	if err = b.raw.Read(b.receiving); err == nil && b.failure != 0 {
		err = b.failure
	}
	if err != nil {
		return 0, fmt.Errorf("receive on udp %s: %w", b.conn.LocalAddr(), err)
	}
	return b.n, nil
}

// receive takes what has come; it reports false if that is nothing, and is
// called again when there may be more.
//
// Its system call, like that of sendFrom, never blocks, and the runtime is not
// told of it: that would wake the runtime's monitor, at twice the cost of a
// small batch where there is little to do, and half as much again of a large one
// where there is more than the processor can do.
func (b *Batch) receive(fd uintptr) (done bool) {
	for range maxFailures {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&b.in[0])), BatchSize, unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			b.n, b.failure = int(n), 0
			return true
		case unix.EAGAIN:
			b.failure = 0
			return false
		}
		b.failure = errno
	}
	return true
}

// Packet is the i-th datagram received, valid until the next Receive.
func (b *Batch) Packet(i int) []byte {
	start := i * b.stride
	return b.packets[start : start+int(b.in[i].Len) : start+b.max]
}

// From is the sender of datagram i. An IPv4 address has its own form, also
// where it came through an IPv6 socket; there is no zone.
func (b *Batch) From(i int) netip.AddrPort {
	a := b.from[i].addrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// Back is the way back to the sender of datagram i, for a reply that is made
// later, by whomever, and sent by Reply.
func (b *Batch) Back(i int) Back {
	name := b.from[i]
	back := Back{to: name.addrPort()}
	if zone := name.zone(); zone != "" {
		back.to = netip.AddrPortFrom(back.to.Addr().WithZone(zone), back.to.Port())
	}
	back.n = copy(back.control[:], b.arrival(i))
	return back
}

// arrival is the control message that came with datagram i.
func (b *Batch) arrival(i int) []byte {
	return b.control[i][:min(int(b.in[i].Hdr.Controllen), controlSize)]
}
