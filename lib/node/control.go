package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"namecast/lib/store"
	"namecast/lib/store/leveldb"
)

// The process that owns a database takes requests of the operator's other
// processes on a socket in the database's folder: HTTP, so that a stream that
// was cut off is told from one that ended. Who may enter the folder may ask.
//
//	GET /backup   the store, as of one moment
const controlName = "control"

// control is that socket.
type control struct {
	net.Listener
	store store.Store
}

// listenControl makes the socket. One that a killed process left is replaced:
// the database's lock says that nobody owns it.
func listenControl(dir string, s store.Store) (*control, error) {
	path := filepath.Join(dir, controlName)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("replace socket %q: %w", path, err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen for backups: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("listen for backups: %w", err)
	}
	return &control{l, s}, nil
}

// serve answers until ctx ends.
func (c *control) serve(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /backup", func(w http.ResponseWriter, r *http.Request) {
		if err := c.store.Backup(r.Context(), w); err != nil {
			panic(http.ErrAbortHandler) // the reader sees a stream that is cut off
		}
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(c); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve backups: %w", err)
	}
	return nil
}

// Backup writes a backup of the database in dir to w: through the process that
// owns it if one does, and otherwise by opening it.
func Backup(ctx context.Context, dir string, w io.Writer) error {
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	err := backupRunning(ctx, dir, w)
	if err == nil || !errors.Is(err, errNotRunning) {
		return err
	}
	db, err := leveldb.Open(dir, leveldb.Options{})
	if err != nil {
		return err
	}
	return errors.Join(db.Backup(ctx, w), db.Close())
}

var errNotRunning = errors.New("no process owns the database")

func backupRunning(ctx context.Context, dir string, w io.Writer) error {
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, controlName))
		},
	}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://nc-serve/backup", nil)
	if err != nil {
		return err
	}
	r, err := client.Do(req)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return errNotRunning
	}
	if err != nil {
		return fmt.Errorf("ask the running node for a backup: %w", err)
	}
	defer r.Body.Close()
	if _, err := io.Copy(w, r.Body); err != nil {
		return fmt.Errorf("back up through the running node: %w", err)
	}
	return nil
}

// Restore fills the empty or missing database in dir from a backup, all of it
// or nothing.
func Restore(ctx context.Context, dir string, r io.Reader) error {
	db, err := leveldb.Open(dir, leveldb.Options{})
	if err != nil {
		return err
	}
	return errors.Join(db.Restore(ctx, r), db.Close())
}
