package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"namecast/lib/control"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
	"namecast/lib/store/mysql"
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

// Backup writes a backup of the database to w: through the process that owns it
// if one does, and otherwise by opening it. Of shared storage it is the replica's,
// as it is.
func Backup(ctx context.Context, c Config, w io.Writer) error {
	if _, err := os.Stat(c.DB); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	err := backupRunning(ctx, c.DB, w)
	if err == nil || !errors.Is(err, control.ErrNotRunning) {
		return err
	}
	follow, err := c.follows()
	if err != nil {
		return fmt.Errorf("%w%w", ErrConfig, err)
	}
	db, err := leveldb.Open(c.DB, leveldb.Options{Follow: follow})
	if err != nil {
		return err
	}
	return errors.Join(db.Backup(ctx, w), db.Close())
}

// follows is the name of the storage that the database is a replica of; "" if it is
// a database of its own.
func (c *Config) follows() (string, error) {
	switch {
	case !c.shared():
		return "", nil
	case strings.HasPrefix(c.Store, mysql.Scheme):
		base, err := c.base()
		return mysql.Follows(base), err
	}
	credentials, err := c.credentials()
	if err != nil {
		return "", err
	}
	return credentials.Identity().Name.Cluster, nil
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

// restoreWait is how long Restore waits for the storage to be there.
const restoreWait = 30 * time.Second

// Restore fills the empty or missing database from a backup, all of it or
// nothing; or shared storage that is empty, through a replica that no process
// owns: see package craq for what holds then.
func Restore(ctx context.Context, c Config, r io.Reader) error {
	db, err := c.openDatabase(nil)
	if err != nil {
		return err
	}
	if s, ok := db.(storage); ok {
		ready, cancel := context.WithTimeout(ctx, restoreWait)
		err = s.Ready(ready)
		cancel()
	}
	if err == nil {
		err = db.Restore(ctx, r)
	}
	return errors.Join(err, db.Close())
}
