package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"namecast/lib/store"
	"namecast/lib/store/storetest"
)

// replicated gives a server that is written and one that follows it, with a database;
// again starts the first anew.
func replicated(t *testing.T) (writer, reader *server, a Address, again func()) {
	t.Helper()
	port := freePort(t)
	args := []string{"--server-id=1", "--log-bin=bin", "--skip-networking=0", "--bind-address=127.0.0.1", fmt.Sprintf("--port=%s", port)}
	writer = privateServer(t, args...)
	reader = privateServer(t, "--server-id=2", "--log-bin=bin", "--log-slave-updates", "--relay-log=relay", "--read-only")
	root := func(s *server) Address { return Address{User: "root", Hosts: []string{s.socket}} }
	execute(t, root(writer), `CREATE USER copy@'%' IDENTIFIED BY 'swordfish'`, `GRANT REPLICATION SLAVE ON *.* TO copy@'%'`)
	execute(t, root(reader), fmt.Sprintf(`CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%s, MASTER_USER='copy',
		MASTER_PASSWORD='swordfish', MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1`, port), `START SLAVE`)
	a = writer.database(t)
	a.Hosts = []string{writer.socket, reader.socket}
	return writer, reader, a, func() {
		t.Helper()
		if err := writer.start(args...); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReadReplicas: one server is written and another follows it. Without the first,
// changes are refused until later, and what is read stays as it was, also if the other
// has less; when the other takes changes, it is written.
func TestReadReplicas(t *testing.T) {
	writer, reader, a, again := replicated(t)
	s, account := newStore(t, a), storetest.Account(1)
	readerHas := func(version uint64) {
		t.Helper()
		at := a
		at.Hosts = []string{reader.socket}
		db, err := open(at, "")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		until(t, fmt.Sprintf("version %d at the replica", version), func() bool {
			var got uint64
			err := db.QueryRow(`SELECT version FROM nc_accounts`).Scan(&got)
			return err == nil && got == version || errors.Is(err, sql.ErrNoRows) && version == 0
		})
	}
	commit := func(version uint64) error {
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		_, err := s.Commit(ctx, storetest.Change(account, version))
		return err
	}
	if err := commit(1); err != nil {
		t.Fatal(err)
	}
	readerHas(1)
	root := Address{User: "root", Hosts: []string{reader.socket}}
	execute(t, root, `STOP SLAVE`)
	if err := commit(2); err != nil {
		t.Fatal(err)
	}
	writer.end(syscall.SIGKILL)
	short, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if _, err := s.Commit(short, storetest.Change(account, 3)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("without the server that is written: %v", err)
	}
	failures := s.Stats().Failures
	until(t, "the replica to be asked", func() bool { return s.Stats().Failures > failures+2 })
	if got := s.Stats().Copies; !has(s, account, 2) || got != 0 {
		t.Errorf("at version 2: %v, %d copies", has(s, account, 2), got)
	}
	readerHas(1)

	again()
	version := uint64(3)
	until(t, "a commit", func() bool {
		err := commit(version)
		var c store.Conflict // the one that was not waited for was made
		if errors.As(err, &c) && c.Version == version {
			return true
		}
		return err == nil
	})
	execute(t, root, `START SLAVE`)
	readerHas(version)
	writer.end(syscall.SIGKILL)
	execute(t, root, `STOP SLAVE`, `SET GLOBAL read_only = 0`)
	version++
	until(t, "a commit at the other", func() bool {
		err := commit(version)
		var c store.Conflict
		return err == nil || errors.As(err, &c) && c.Version == version
	})
	readerHas(version)
	if got := s.Stats().Copies; got != 0 {
		t.Errorf("%d copies", got)
	}
}
