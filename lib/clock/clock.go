// Package clock reads the clock that leases are measured by, and waits.
package clock

import (
	"context"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Boot is the time since the machine was started, also that which it has slept. It
// never goes back, and no one sets it.
//
// Its system call never waits, and the runtime is not told of it: that would wake the
// runtime's monitor each time in a program that has little to do.
func Boot() time.Duration {
	var t unix.Timespec
	if _, _, errno := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_BOOTTIME, uintptr(unsafe.Pointer(&t)), 0); errno != 0 {
		panic(fmt.Sprintf("the machine has no clock since boot: %v", errno)) // Linux has it since 2.6.39
	}
	return time.Duration(t.Nano())
}

// Sleep waits, and tells whether the context lasted.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
