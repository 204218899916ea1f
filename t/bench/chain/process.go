package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"namecast/t/bench/load"
)

// A process is a server that was started here.
type process struct {
	cmd    *exec.Cmd
	log    string        // file of all that it writes
	done   chan struct{} // closed when it has ended
	ready  chan struct{} // closed when it has said that it serves
	status string        // what it said then; for who has waited for ready
}

// spawn starts a program in a process group of its own, on one processor, or on
// all if cpu is negative. The kernel ends it if this process dies first; that
// signal and the processor are those of the thread that starts the program, so the
// goroutine that waits for it keeps its thread.
func spawn(cpu int, dir, name, program string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(program, args...), log: filepath.Join(dir, name+".log"), done: make(chan struct{}), ready: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer out.Close()
	supervise, err := p.supervise(filepath.Join(dir, name+".sock"))
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		defer close(p.done)
		defer supervise.Close()
		var err error
		if cpu >= 0 {
			err = load.PinThread(cpu)
		} else {
			err = unpinThread()
		}
		if err == nil {
			err = p.cmd.Start()
		}
		started <- err
		if err == nil {
			p.cmd.Wait() // the exit number of a server that is told to end says nothing
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// unpinThread lets the calling thread run on every processor.
func unpinThread() error {
	var set unix.CPUSet
	for cpu := range runtime.NumCPU() {
		set.Set(cpu)
	}
	return unix.SchedSetaffinity(0, &set)
}

// supervise listens for the process's word that it serves, as a supervisor does
// (sd_notify(3)), until the listener is closed.
func (p *process) supervise(path string) (*net.UnixConn, error) {
	os.Remove(path)
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	p.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+path)
	go func() {
		buf := make([]byte, 4096)
		for told := false; ; {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			if text := string(buf[:n]); !told && strings.Contains(text, "READY=1") {
				told = true
				_, p.status, _ = strings.Cut(text, "STATUS=")
				close(p.ready)
			}
		}
	}()
	return c, nil
}

// wait waits until the process serves.
func (p *process) wait(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-p.ready:
		return nil
	case <-p.done:
		return fmt.Errorf("it has ended:\n%s", p.tail())
	case <-ctx.Done():
		return fmt.Errorf("it does not serve: %w\n%s", ctx.Err(), p.tail())
	}
}

// signal sends the process a signal, if it runs.
func (p *process) signal(s syscall.Signal) {
	if !p.ended() {
		_ = p.cmd.Process.Signal(s) // it may have ended by now
	}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill ends the process at once.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// stop asks the process to end, and ends what is left of its group then, or after
// ten seconds.
func (p *process) stop() {
	if p.ended() {
		return
	}
	p.signal(syscall.SIGTERM)
	t := time.NewTimer(10 * time.Second)
	defer t.Stop()
	select {
	case <-p.done:
	case <-t.C:
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // what is left of its group
		<-p.done
	}
}

// tail is the end of its log, for an error to show.
func (p *process) tail() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// cpuTime is the processor time of processes with all their threads, also those
// that ended. The clock of a process is what /proc/PID/stat shows in hundredths of
// a second, in nanoseconds.
func cpuTime(list []*process) time.Duration {
	var sum time.Duration
	for _, p := range list {
		const perProcess, schedClock = 0, 2
		clock := ^int32(p.cmd.Process.Pid)<<3 | perProcess | schedClock
		var t unix.Timespec
		if unix.ClockGettime(clock, &t) == nil {
			sum += time.Duration(t.Nano())
		}
	}
	return sum
}

// memory is the resident memory of a process in octets, without files that are
// mapped.
func memory(p *process) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		var kib int
		if n, _ := fmt.Sscanf(line, "RssAnon: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return 0
}
