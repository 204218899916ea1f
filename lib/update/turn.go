package update

import (
	"encoding/binary"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A turn lets everybody else in the process have one: goroutines that are ready,
// and those that wait for sockets. The runtime looks at sockets when a processor
// has nothing to do, or else every ten milliseconds; somebody who computes for
// long, yielding or not, keeps all others from the network until then. So who
// takes a turn waits for the network too, for something that comes at once.
type turn struct {
	file  *os.File // an eventfd
	raw   syscall.RawConn
	wrote bool
	octet [8]byte // what an eventfd takes and gives: a number
	step  func(fd uintptr) bool
}

// newTurn makes a turn, for one goroutine, which closes it.
func newTurn() (*turn, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make an eventfd: %w", err)
	}
	t := &turn{file: os.NewFile(uintptr(fd), "eventfd")}
	t.step = t.pass
	if t.raw, err = t.file.SyscallConn(); err != nil {
		t.file.Close()
		return nil, err
	}
	return t, nil
}

// take takes a turn.
func (t *turn) take() {
	t.wrote = false
	_ = t.raw.Read(t.step) // fails only once the turn is closed
}

// pass is called twice. First it makes the eventfd readable and says that there
// is nothing to read yet, so that the runtime waits for that; then it reads.
func (t *turn) pass(fd uintptr) (done bool) {
	number := uintptr(unsafe.Pointer(&t.octet))
	if !t.wrote {
		t.wrote = true
		binary.NativeEndian.PutUint64(t.octet[:], 1)
		_, _, err := unix.RawSyscall(unix.SYS_WRITE, fd, number, uintptr(len(t.octet)))
		return err != 0
	}
	_, _, err := unix.RawSyscall(unix.SYS_READ, fd, number, uintptr(len(t.octet)))
	return err != unix.EAGAIN
}

func (t *turn) close() { t.file.Close() }
