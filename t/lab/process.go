package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Command is a program to be started on a machine.
type Command struct {
	Path string   // of the program, or its name in $PATH
	Args []string // after the program's name
	Env  []string // "name=value", beside the test's own
	Dir  string   // where it starts; empty is the test's own folder
	// Name is that of its log, if it is not to be the program's.
	Name string
	// Pipe gives it a standard input, Process.Input; else it has none.
	Pipe bool
	// Ahead, in whole seconds, is by how much its boot and monotonic clocks are
	// ahead of the computer's; they may be behind, but not before zero.
	Ahead time.Duration
}

// A Process is a program that was started on a machine, in a process group of
// its own. Its output, both kinds, goes to a file.
type Process struct {
	// Input is the program's standard input, or nil without Command.Pipe.
	Input io.WriteCloser

	machine *Machine
	name    string
	log     string
	cmd     *exec.Cmd
	done    chan struct{} // closed when it has ended

	mu     sync.Mutex // keeps the number of the group from being another's
	reaped bool

	lineMu sync.Mutex
	offset int64 // into the log: WaitFor has looked at what is before it
}

// Start starts a program on the machine.
func (m *Machine) Start(path string, args ...string) *Process {
	m.lab.t.Helper()
	return m.StartCommand(Command{Path: path, Args: args})
}

// StartCommand starts a program on the machine. The kernel ends it if the test's
// process dies; the end of the lab ends it and all that it has started.
func (m *Machine) StartCommand(c Command) *Process {
	m.lab.t.Helper()
	p, err := m.TryStart(c)
	if err != nil {
		m.lab.t.Fatalf("lab: %v", err)
	}
	return p
}

// TryStart is StartCommand from any goroutine.
func (m *Machine) TryStart(c Command) (*Process, error) {
	p, err := m.start(c)
	if err != nil {
		return nil, fmt.Errorf("machine %s: start %s: %w", m.name, c.Path, err)
	}
	return p, nil
}

func (m *Machine) start(c Command) (*Process, error) {
	args, err := m.line(c)
	if err != nil {
		return nil, err
	}
	p := &Process{machine: m, name: c.Name, done: make(chan struct{})}
	if p.name == "" {
		p.name = filepath.Base(c.Path)
	}
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Dir = c.Dir
	p.cmd.Env = append(os.Environ(), c.Env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if c.Pipe {
		if p.Input, err = p.cmd.StdinPipe(); err != nil {
			return nil, err
		}
	}
	m.lab.mu.Lock()
	defer m.lab.mu.Unlock()
	p.log = filepath.Join(m.lab.logs, fmt.Sprintf("%02d-%s-%s.log", len(m.lab.processes), m.name, p.name))
	if err := p.launch(); err != nil {
		return nil, err
	}
	m.lab.processes = append(m.lab.processes, p)
	return p, nil
}

// line is what has to be executed so that the program runs on the machine: each
// word that is put before it ends by executing what follows it, so that the
// process is the program's in the end.
func (m *Machine) line(c Command) ([]string, error) {
	path, err := program(c.Path)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, err
	}
	ip, err := program("ip")
	if err != nil {
		return nil, err
	}
	args := []string{ip, "netns", "exec", m.ns}
	if c.Ahead != 0 {
		if c.Ahead%time.Second != 0 {
			return nil, fmt.Errorf("a clock that is ahead by %v: not in whole seconds", c.Ahead)
		}
		unshare, err := program("unshare")
		if err != nil {
			return nil, err
		}
		s := fmt.Sprint(int64(c.Ahead / time.Second))
		args = append(args, unshare, "--time", "--boottime", s, "--monotonic", s, "--")
	}
	return slices.Concat(args, []string{path}, c.Args), nil
}

// launch starts the program and the goroutine that waits for its end. The
// signal that follows the test's death is tied to the thread that has started
// the program, so that goroutine keeps its thread.
func (p *Process) launch() error {
	out, err := os.Create(p.log)
	if err != nil {
		return err
	}
	defer out.Close()
	p.cmd.Stdout, p.cmd.Stderr = out, out
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.reap()
		}
	}()
	return <-started
}

// reap waits for the program's end and ends what is left of its group, before
// the number of the group can be given to another.
func (p *Process) reap() {
	pid := p.cmd.Process.Pid
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reaped = true
	_ = syscall.Kill(-pid, syscall.SIGKILL) // there may be nothing left
	_ = p.cmd.Wait()                        // how it has ended is in ProcessState
}

// Pid is the number of the process.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// String names the process and its machine.
func (p *Process) String() string { return p.name + " on " + p.machine.name }

// Signal sends a signal to the program's group; to one that has ended, nothing.
func (p *Process) Signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return
	}
	if err := syscall.Kill(-p.Pid(), sig); err != nil {
		p.machine.lab.t.Errorf("lab: signal %v to %v: %v", sig, p, err)
	}
}

// Pause stops the program, and returns when it stands still.
func (p *Process) Pause() {
	p.Signal(syscall.SIGSTOP)
	err := until(5*time.Second, func() error {
		if p.Ended() || p.still() {
			return nil
		}
		return fmt.Errorf("%v does not stand still", p)
	})
	if err != nil {
		p.machine.lab.t.Errorf("lab: %v", err)
	}
}

// Resume lets a program that was paused go on.
func (p *Process) Resume() { p.Signal(syscall.SIGCONT) }

// still tells whether no thread of the program, which was sent SIGSTOP, runs:
// each is stopped (T), or in a wait that signals do not end (D), such as for a
// child that was stopped before it has executed its program, and will be stopped
// when it leaves that.
func (p *Process) still() bool {
	list, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.Pid()))
	if err != nil || len(list) == 0 {
		return false
	}
	for _, name := range list {
		stat, err := os.ReadFile(name)
		// The name in parentheses may have anything in it; the state follows.
		i := bytes.LastIndexByte(stat, ')') + 2
		if err == nil && i < len(stat) && stat[i] != 'T' && stat[i] != 'D' {
			return false
		}
	}
	return true
}

// Kill ends the program and its group with SIGKILL, and returns when they are
// gone.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.done
}

// Stop asks the program to end (SIGTERM), and returns how it has; one that is
// not gone after ten seconds is killed.
func (p *Process) Stop() error {
	p.Signal(syscall.SIGTERM)
	err := p.Wait(10 * time.Second)
	p.Kill()
	return err
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Ended tells whether the program has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Wait waits for the program's end. The error is nil if it ended with 0 within
// that time.
func (p *Process) Wait(within time.Duration) error {
	select {
	case <-p.done:
	case <-time.After(within):
		return fmt.Errorf("%v has not ended within %v", p, within)
	}
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("%v: %v", p, p.cmd.ProcessState)
	}
	return nil
}

// Code is the exit number of a program that has ended, and -1 if it has not or
// was ended by a signal.
func (p *Process) Code() int {
	if !p.Ended() {
		return -1
	}
	return p.cmd.ProcessState.ExitCode()
}

// state says in words whether it runs, or how it has ended.
func (p *Process) state() string {
	if !p.Ended() {
		return "runs"
	}
	return p.cmd.ProcessState.String()
}

// Log is all that the program has written.
func (p *Process) Log() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// WaitFor returns the next line of the log, after the one that it has returned
// before, in which the regular expression is found. It fails the test if there
// is none within that time, or if the program ends without it.
func (p *Process) WaitFor(within time.Duration, expr string) string {
	p.machine.lab.t.Helper()
	line, err := p.TryWaitFor(within, expr)
	if err != nil {
		p.machine.lab.t.Fatalf("lab: %v\n%s", err, tail(p.Log(), shown))
	}
	return line
}

// TryWaitFor is WaitFor from any goroutine.
func (p *Process) TryWaitFor(within time.Duration, expr string) (string, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return "", err
	}
	var line string
	err = until(within, func() error {
		ended := p.Ended() // before it is read, so that all was written
		found := false
		if line, found = p.next(re); found {
			return nil
		}
		if ended {
			return errEnded
		}
		return errors.New("it runs")
	})
	if err != nil {
		return "", fmt.Errorf("%v: no line %q within %v (%s)", p, expr, within, p.state())
	}
	return line, nil
}

// next looks for a whole line in what was written since it looked last.
func (p *Process) next(re *regexp.Regexp) (string, bool) {
	p.lineMu.Lock()
	defer p.lineMu.Unlock()
	f, err := os.Open(p.log)
	if err != nil {
		return "", false
	}
	defer f.Close()
	// It begins again where it was, if that fails.
	b, _ := io.ReadAll(io.NewSectionReader(f, p.offset, 1<<62))
	for line := range bytes.Lines(b) {
		if line[len(line)-1] != '\n' {
			break // the rest of it is to come
		}
		p.offset += int64(len(line))
		if re.Match(bytes.TrimSuffix(line, []byte("\n"))) {
			return strings.TrimSuffix(string(line), "\n"), true
		}
	}
	return "", false
}
