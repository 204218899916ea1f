package sock

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendWait is how long to wait for room in the socket's send buffer, in
// milliseconds. When that does not help, the network takes nothing.
const sendWait = 100

// Room is an empty slice with the capacity for a reply of max octets to
// datagram i. It is valid as the datagram is, and no part of it.
func (b *Batch) Room(i int) []byte {
	start := i * b.stride
	return b.replies[start : start : start+b.max]
}

// Reply queues a reply to the sender of datagram i, from the address that the
// datagram was sent to. The reply, in Room(i) or anywhere else, must stay as it
// is until Flush. An empty reply is none, and one to port 0 is dropped: nobody
// listens there, and whoever asked from it meant harm.
func (b *Batch) Reply(i int, reply []byte) {
	from := &b.from[i]
	if len(reply) == 0 || from.addrPort().Port() == 0 {
		return
	}
	if b.queued == BatchSize {
		b.Flush()
	}
	b.outVec[b.queued].Base = unsafe.SliceData(reply)
	b.outVec[b.queued].SetLen(len(reply))
	h := &b.out[b.queued].Hdr
	h.Name, h.Namelen = &from[0], uint32(from.size())
	control := sameSource(b.arrival(i))
	h.Control = unsafe.SliceData(control)
	h.SetControllen(len(control))
	b.queued++
}

// Flush sends what is queued. A reply that cannot be sent is a lost packet,
// whose sender asks again; the others leave.
func (b *Batch) Flush() {
	if b.queued == 0 {
		return
	}
	_ = b.raw.Control(b.sending) // the error is that the socket is closed
	b.queued = 0
}

// send sends what is queued. The kernel stops at the first reply that fails and
// tells why when the next call begins with it.
func (b *Batch) send(fd uintptr) {
	again := true
	for sent := 0; sent < b.queued; {
		n, errno := b.sendFrom(fd, sent)
		switch {
		case errno == 0:
			sent += n
			again = true
		case again: // the error may be of an earlier reply, or there may be room soon
			if errno == unix.EAGAIN && !waitToSend(fd) {
				return
			}
			again = false
		default:
			sent++
			again = true
		}
	}
}

// sendFrom sends what is queued from one reply on, and never blocks.
func (b *Batch) sendFrom(fd uintptr, first int) (n int, errno syscall.Errno) {
	r, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&b.out[first])), uintptr(b.queued-first), unix.MSG_DONTWAIT, 0, 0)
	return int(r), errno
}

// waitToSend waits until the send buffer has room and reports whether it has.
func waitToSend(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, sendWait)
	return n > 0 || err == unix.EINTR
}
