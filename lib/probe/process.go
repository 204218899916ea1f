package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A PidFunc tells which process is meant now. ErrExited: there is none.
type PidFunc func(ctx context.Context) (int, error)

// PidCommand has a command line print the number, as 'systemctl show -P MainPID
// nc-serve' does; 0 and nothing are no process.
func PidCommand(command string) PidFunc {
	return func(ctx context.Context) (int, error) {
		out, err := Shell(ctx, command)
		if err != nil {
			return 0, fmt.Errorf("ask for the process: %w", err)
		}
		return parsePid(out)
	}
}

// PidFile reads the number from a file.
func PidFile(path string) PidFunc {
	return func(context.Context) (int, error) {
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			return 0, fmt.Errorf("%w: %w", ErrExited, err)
		}
		if err != nil {
			return 0, err
		}
		return parsePid(text)
	}
}

// parsePid reads the number of a process; 0 and nothing are no process.
func parsePid(text []byte) (int, error) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || string(text) == "0" {
		return 0, ErrExited
	}
	pid, err := strconv.ParseUint(string(text), 10, 31)
	if err != nil || pid == 0 {
		return 0, wrong("no number of a process: %q", line(text))
	}
	return int(pid), nil
}

// A Process knows of a process's end when it comes, by a file descriptor of it
// (pidfd_open(2)), which never becomes that of another process.
type Process struct {
	Pid PidFunc
	pid int
	fd  *os.File // nil: none is known
}

// Look tells whether the process runs; the first look at one asks for its number.
func (p *Process) Look(ctx context.Context) (string, error) {
	if err := p.find(ctx); err != nil {
		return "", err
	}
	if p.ended() {
		return "", p.gone()
	}
	return fmt.Sprintf("process %d runs", p.pid), nil
}

// PID is the number of the process that the last look found.
func (p *Process) PID() int { return p.pid }

// Wait waits until the process that the last look found has ended, which is
// ErrExited, or until ctx has, which is no error. Without a process it waits for
// ctx.
func (p *Process) Wait(ctx context.Context) error {
	if p.fd == nil {
		<-ctx.Done()
		return nil
	}
	fd, interrupted := p.fd, make(chan struct{})
	fd.SetReadDeadline(time.Time{})
	stop := context.AfterFunc(ctx, func() {
		fd.SetReadDeadline(time.Unix(1, 0))
		close(interrupted)
	})
	ended := p.await()
	if !stop() {
		<-interrupted // its deadline is not that of the next wait
	}
	if ended {
		return p.gone()
	}
	return nil
}

// Close gives the descriptor back.
func (p *Process) Close() {
	if p.fd != nil {
		p.fd.Close()
		p.fd = nil
	}
}

func (p *Process) gone() error {
	p.Close()
	return fmt.Errorf("%w: it was %d", ErrExited, p.pid)
}

// find opens the process unless one is open.
func (p *Process) find(ctx context.Context) error {
	if p.fd != nil {
		return nil
	}
	pid, err := p.Pid(ctx)
	if err != nil {
		return err
	}
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.EINVAL) { // Linux before 5.10 has no such flag
		if fd, err = unix.PidfdOpen(pid, 0); err == nil {
			err = unix.SetNonblock(fd, true)
		}
	}
	switch {
	case errors.Is(err, unix.ESRCH):
		return fmt.Errorf("%w: it was %d", ErrExited, pid)
	case err != nil:
		return fmt.Errorf("open process %d: %w", pid, err)
	}
	p.pid, p.fd = pid, os.NewFile(uintptr(fd), "pidfd")
	return nil
}

// ended tells whether the process has ended.
func (p *Process) ended() (ended bool) {
	if raw, err := p.fd.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { ended = readable(fd) })
	}
	return ended
}

// await waits for the process's end or the deadline, and tells which it was.
func (p *Process) await() (ended bool) {
	if raw, err := p.fd.SyscallConn(); err == nil {
		raw.Read(func(fd uintptr) bool {
			ended = readable(fd)
			return ended
		})
	}
	return ended
}

// readable tells what a process's descriptor is from the process's end on.
func readable(fd uintptr) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return err == nil && n > 0
}
