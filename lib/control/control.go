// Package control is how an operator's command reaches the daemon that owns a
// folder: HTTP on a socket in that folder, so that a stream that was cut off is
// told from one that ended. Who may enter the folder may ask.
package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// name is that of the socket in the folder.
const name = "control"

// ErrNotRunning: no daemon owns the folder.
var ErrNotRunning = errors.New("no daemon runs on this folder")

// A Listener is the daemon's side.
type Listener struct{ l net.Listener }

// Listen makes the socket. One that a killed process left is replaced: the caller
// holds the folder's lock, so nobody owns it.
func Listen(dir string) (*Listener, error) {
	path := filepath.Join(dir, name)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("replace socket %q: %w", path, err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen for the operator: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("listen for the operator: %w", err)
	}
	return &Listener{l}, nil
}

// Serve answers until ctx ends. A handler that panics with http.ErrAbortHandler
// cuts its stream off.
func (l *Listener) Serve(ctx context.Context, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	if err := srv.Serve(l.l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the operator: %w", err)
	}
	return nil
}

// Close takes the socket away.
func (l *Listener) Close() error { return l.l.Close() }

// Do asks the daemon that owns a folder: a method and a path with its query, as
// "GET", "/status". ErrNotRunning if there is none. The caller closes the body.
func Do(ctx context.Context, dir, method, path string) (*http.Response, error) {
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, name))
		},
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://daemon"+path, nil)
	if err != nil {
		return nil, err
	}
	r, err := (&http.Client{Transport: transport}).Do(req)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("%w: %q", ErrNotRunning, dir)
	}
	return r, err
}
