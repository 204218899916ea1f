// Package clock reads the clock that leases are measured by, and waits.
package clock

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Boot is the time since the machine was started, also that which it has slept. It
// never goes back, and no one sets it.
func Boot() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic(fmt.Sprintf("the machine has no clock since boot: %v", err)) // Linux has it since 2.6.39
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
