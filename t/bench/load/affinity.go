package load

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// PinAll moves every thread of this process to one processor. Threads that
// come later inherit it.
func PinAll(cpu int) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("list threads: %w", err)
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		if err := pin(id, cpu); err != nil && err != unix.ESRCH { // a thread may have ended
			return fmt.Errorf("pin to processor %d: %w", cpu, err)
		}
	}
	return nil
}

// PinThread moves the calling thread, which must be locked to its goroutine,
// and the programs that it will start.
func PinThread(cpu int) error {
	if err := pin(0, cpu); err != nil {
		return fmt.Errorf("pin to processor %d: %w", cpu, err)
	}
	return nil
}

func pin(id, cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	return unix.SchedSetaffinity(id, &set)
}
