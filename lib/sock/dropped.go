package sock

import (
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Dropped counts the datagrams that the kernel threw away because the socket had no room
// for them. It is 0 for a socket that is closed.
func Dropped(c *net.UDPConn) (n uint64) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { // the error is that it is closed
		var info [unix.SK_MEMINFO_VARS]uint32
		size := uint32(unsafe.Sizeof(info))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		if errno == 0 {
			n = uint64(info[unix.SK_MEMINFO_DROPS])
		}
	})
	return n
}
