package anycast

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"namecast/lib/route"
)

// An owner is who commands: standard input and output, or one connection.
type owner struct {
	out  *Lines
	gone chan struct{} // closed when nobody takes its lines any more
	end  func()        // ends what it reads and writes; may be nil
	n    int           // lines that have come from it
}

// A line is one line of an owner, or its end.
type line struct {
	from *owner
	text string
	err  error // the line is too long; io.EOF or another error is the owner's end
}

// newOwner makes an owner that writes to w.
func newOwner(w io.Writer, end func()) *owner {
	lost := func(n int) string { return route.State{Kind: route.Lost, N: n}.String() }
	return &owner{out: NewLines(w, lost), gone: make(chan struct{}), end: end}
}

// leave ends an owner, whose last lines have so long to be written.
func (o *owner) leave(within time.Duration) {
	close(o.gone)
	o.out.Close(within)
	if o.end != nil {
		o.end()
	}
}

// read hands on the lines of r until it ends or the owner has gone. A line without
// an end is none: it may have been cut off.
func (o *owner) read(r io.Reader, to chan<- line) {
	in := bufio.NewReaderSize(r, route.MaxLine+2)
	long := false
	for {
		text, err := in.ReadSlice('\n')
		l := line{from: o, text: string(text)}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			long = true
			continue
		case err != nil:
			l.err = err
		case long:
			l.err, long = errLong, false
		}
		select {
		case to <- l:
		case <-o.gone:
			return
		}
		if err != nil {
			return
		}
	}
}

// errLong: a line has more than route.MaxLine octets.
var errLong = fmt.Errorf("longer than %d octets", route.MaxLine)

// A listener takes connections of owners at a socket.
type listener struct {
	l     *net.UnixListener
	owner int // user id that may connect, besides root
	log   *slog.Logger
}

// errInUse: another process listens at the socket.
var errInUse = errors.New("another process listens there")

// listen makes the socket. One that a killed process left is replaced. If the owner
// is another user, everybody may open the file, and who may connect is asked of the
// kernel alone.
func listen(path string, owner int, log *slog.Logger) (*listener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("listen at %q: %w", path, errInUse)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil, fmt.Errorf("listen at %q: %w", path, fs.ErrExist)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listen at %q: %w", path, cause(err))
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen at %q: %w", path, cause(err))
	}
	mode := fs.FileMode(0o600)
	if owner != os.Getuid() {
		mode = 0o666
	}
	if err := os.Chmod(path, mode); err != nil {
		l.Close()
		return nil, fmt.Errorf("listen at %q: %w", path, cause(err))
	}
	return &listener{l: l, owner: owner, log: log}, nil
}

// accept hands on the connections of those who may command until ctx ends.
func (l *listener) accept(ctx context.Context, to chan<- *net.UnixConn) error {
	defer context.AfterFunc(ctx, func() { l.l.Close() })()
	for {
		c, err := l.l.AcceptUnix()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return nil
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ECONNABORTED):
			// There may be a file for it in a while.
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		case err != nil:
			return fmt.Errorf("take who commands: %w", err)
		}
		if uid, err := user(c); err != nil || uid != 0 && uid != l.owner {
			l.log.Warn("refused who may not command", "uid", uid, "error", err)
			refuse(c, "user may not command")
			continue
		}
		select {
		case to <- c:
		case <-ctx.Done():
			c.Close()
		}
	}
}

// refuse says why a connection is closed. A new connection has room for the line.
func refuse(c *net.UnixConn, why string) {
	_, _ = io.WriteString(c, route.State{Kind: route.Error, Text: why}.String()+"\n")
	c.Close()
}

// user is the user id of the process at the other end, as it was when it connected.
func user(c *net.UnixConn) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	uid := -1
	var failed error
	err = raw.Control(func(fd uintptr) {
		var cred *unix.Ucred
		if cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); failed == nil {
			uid = int(cred.Uid)
		}
	})
	return uid, errors.Join(err, failed)
}

// A crew is the goroutines that work for the main one.
type crew struct {
	sync.WaitGroup
	failed chan error // what one of them could not go on with
}

// start has f run until the context that it knows ends.
func (c *crew) start(f func() error) {
	c.Go(func() {
		if err := f(); err != nil {
			select {
			case c.failed <- err:
			default:
			}
		}
	})
}
