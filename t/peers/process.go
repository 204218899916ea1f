package peers

import (
	"bytes"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A process is one program and what it has written.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the program has ended
	once sync.Once

	mu  sync.Mutex
	out bytes.Buffer
}

// maxLog bounds what is kept of a program's output, in octets.
const maxLog = 1 << 20

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out.Len() < maxLog {
		p.out.Write(b)
	}
	return len(b), nil
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// spawn starts a program in a process group of its own. The kernel ends it if
// the test's process dies first; that signal is tied to the thread that started
// the program, so the goroutine that waits for it keeps its thread.
func spawn(t testing.TB, dir, program string, args ...string) *process {
	t.Helper()
	p := &process{done: make(chan struct{})}
	p.cmd = exec.Command(program, args...)
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // the exit number of a server that is told to end says nothing
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	return p
}

// endedWithin waits a little and reports whether the program has ended.
func (p *process) endedWithin(d time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(d):
		return false
	}
}

// stop asks the program to end and, after five seconds, ends its group.
func (p *process) stop() {
	p.once.Do(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		if !p.endedWithin(5 * time.Second) {
			_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
			<-p.done
		}
	})
}
