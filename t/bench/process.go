package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"namecast/t/bench/load"
)

// A process is a server that was started here, alone on its processor.
type process struct {
	cmd     *exec.Cmd
	started time.Time
	log     string        // file of all that it writes
	done    chan struct{} // closed when it has ended
}

// spawn starts a program in a process group of its own. The kernel ends it if
// this process dies first; that signal and the processor are those of the thread
// that starts the program, so the goroutine that waits for it keeps its thread.
func spawn(cpu int, dir, logFile, program string, args ...string) (*process, error) {
	out, err := os.Create(logFile)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	defer out.Close()
	p := &process{cmd: exec.Command(program, args...), log: logFile, done: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		defer close(p.done)
		err := load.PinThread(cpu)
		p.started = time.Now()
		if err == nil {
			err = p.cmd.Start()
		}
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // the exit number of a server that is told to end says nothing
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return p, nil
}

// endedWithin waits a little and reports whether the process has ended.
func (p *process) endedWithin(d time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(d):
		return false
	}
}

// stop asks the process to end, and ends what is left of its group
// then, or after ten seconds.
func (p *process) stop() {
	if p.endedWithin(0) {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by now
	p.endedWithin(10 * time.Second)
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // what is left of its group
	<-p.done
}

// tail is the end of its log, for an error to show.
func (p *process) tail() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// family is the process and all that descend from it.
func (p *process) family() []int {
	parent := map[int]int{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // it ended meanwhile
		}
		// The name in parentheses may have anything in it; state and parent follow.
		rest := string(stat[strings.LastIndexByte(string(stat), ')')+1:])
		if f := strings.Fields(rest); len(f) > 1 {
			parent[pid], _ = strconv.Atoi(f[1])
		}
	}
	list := []int{}
	for pid := range parent {
		for at, depth := pid, 0; at > 1 && depth < 16; at, depth = parent[at], depth+1 {
			if at == p.cmd.Process.Pid {
				list = append(list, pid)
				break
			}
		}
	}
	return list
}

// cpuTime is the processor time of processes with all their threads, also
// those that ended. The clock of a process is what /proc/PID/stat shows in
// hundredths of a second, in nanoseconds.
func cpuTime(pids []int) time.Duration {
	var sum time.Duration
	for _, pid := range pids {
		const perProcess, schedClock = 0, 2
		clock := ^int32(pid)<<3 | perProcess | schedClock
		var t unix.Timespec
		if unix.ClockGettime(clock, &t) == nil {
			sum += time.Duration(t.Nano())
		}
	}
	return sum
}

// memory is the resident memory of processes in octets; what several share is
// counted once.
func memory(pids []int) int {
	var sum int
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) == 3 && f[0] == "Pss:" {
				kib, _ := strconv.Atoi(f[1])
				sum += kib << 10
			}
		}
	}
	return sum
}
