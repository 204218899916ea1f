package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// maxOutput is how much of a command's output is kept, in octets: its beginning.
const maxOutput = 4096

// Shell runs a command line with sh until it ends or ctx does; then it and what it
// started in its process group are killed. It gives the beginning of what the
// command wrote, on both streams. The error is ctx's, or tells the exit status.
func Shell(ctx context.Context, command string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // for one that has left the group and holds the stream
	out := &head{}
	cmd.Stdout, cmd.Stderr = out, out
	err := cmd.Run()
	switch {
	case err != nil && ctx.Err() != nil:
		err = fmt.Errorf("the command did not end in time: %w", ctx.Err())
	case errors.Is(err, exec.ErrWaitDelay):
		err = nil // it ended well, and left a child behind that holds its output
	}
	return out.text, err
}

// head keeps the beginning of what is written to it.
type head struct{ text []byte }

// Write implements io.Writer; it never fails.
func (h *head) Write(b []byte) (int, error) {
	h.text = append(h.text, b[:min(len(b), maxOutput-len(h.text))]...)
	return len(b), nil
}

// Command is a probe by a command line: exit status 0 is well, and the first line
// of its output says more.
func Command(command string) Func {
	return func(ctx context.Context) (string, error) {
		out, err := Shell(ctx, command)
		said := line(bytes.TrimSpace(out))
		if err != nil && said != "" && !Timeout(err) {
			err = fmt.Errorf("%w: %s", err, said)
		}
		return said, err
	}
}
