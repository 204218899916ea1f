package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"namecast/lib/control"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
)

// operator answers what the operator's other processes ask:
//
//	GET /backup   the store, as of one moment
func operator(s store.Store) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /backup", func(w http.ResponseWriter, r *http.Request) {
		if err := s.Backup(r.Context(), w); err != nil {
			panic(http.ErrAbortHandler) // the reader sees a stream that is cut off
		}
	})
	return mux
}

// Backup writes a backup of the database in dir to w: through the process that
// owns it if one does, and otherwise by opening it.
func Backup(ctx context.Context, dir string, w io.Writer) error {
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	err := backupRunning(ctx, dir, w)
	if err == nil || !errors.Is(err, control.ErrNotRunning) {
		return err
	}
	db, err := leveldb.Open(dir, leveldb.Options{})
	if err != nil {
		return err
	}
	return errors.Join(db.Backup(ctx, w), db.Close())
}

func backupRunning(ctx context.Context, dir string, w io.Writer) error {
	r, err := control.Do(ctx, dir, http.MethodGet, "/backup")
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
