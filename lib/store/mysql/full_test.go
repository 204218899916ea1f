package mysql

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/storetest"
)

// TestServerDiskFull: the server's disk fills up, which may be its end. Changes are
// refused until later, with the reason, and nothing that was acknowledged is lost; when
// there is room again they are taken.
func TestServerDiskFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a small disk")
	}
	theServer(t)
	dir, err := os.MkdirTemp("", "nc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=400m"); err != nil {
		t.Skipf("no small disk: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	const small = "--innodb-log-file-size=16M"
	s, err := newServer(dir)
	if err == nil {
		err = s.start(small)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.end(syscall.SIGKILL) })
	m := newStore(t, s.database(t))
	fill(t, filepath.Join(dir, "ballast"))

	account, data := storetest.Account(1), strings.Repeat("\xff"+strings.Repeat("x", 255), 100)
	version, refused := uint64(0), error(nil)
	commit := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		_, err := m.Commit(ctx, storetest.Change(account, version+1, storetest.Set(fmt.Sprintf("n%d", version), rr.TypeTXT, rr.Data(data))))
		var c store.Conflict
		if err == nil || errors.As(err, &c) && c.Version == version+1 {
			version++
			return nil
		}
		return err
	}
	for range 4000 {
		if refused = commit(); refused != nil {
			break
		}
	}
	if !errors.Is(refused, store.ErrUnavailable) || !strings.Contains(refused.Error(), "disk is full") && !strings.Contains(refused.Error(), s.socket) {
		t.Fatalf("after %d changes: %v", version, refused)
	}
	t.Logf("after %d changes: %v", version, refused)
	if !has(m, account, version) {
		t.Errorf("version %d is not there", version)
	}
	if err := os.Remove(filepath.Join(dir, "ballast")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.done:
		if err := s.start(small); err != nil {
			t.Fatal(err)
		}
	default:
	}
	until(t, "a commit", func() bool { return commit() == nil })
	if !has(m, account, version) {
		t.Errorf("version %d is not there", version)
	}
}

// fill leaves 4 MiB of a disk.
func fill(t *testing.T, path string) {
	t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &fs); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Repeat([]byte{1}, int(fs.Bavail)*int(fs.Bsize)-4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestOtherCharacterSets: what a server takes for text by default does not matter.
func TestOtherCharacterSets(t *testing.T) {
	for _, set := range []string{"latin1", "utf16", "utf8mb3"} {
		a := theServer(t).database(t)
		a.Database += set
		execute(t, Address{User: "root", Hosts: a.Hosts}, "CREATE DATABASE "+a.Database+" CHARACTER SET "+set)
		if err := Migrate(t.Context(), a, "", testService().Base); err != nil {
			t.Fatalf("%s: %v", set, err)
		}
		s, account := newStore(t, a), storetest.Account(1)
		owner := "caf\xc3\xa9 \xf0\x9f\x8c\x90 \xff"
		c := storetest.Change(account, 1)
		c.Put = []rr.Set{{Owner: rr.Name(string(rune(len(owner))) + owner), Type: rr.TypeTXT, TTL: 60, Data: []rr.Data{"\x03\x00\xff\x80"}}}
		if _, err := s.Commit(t.Context(), c); err != nil {
			t.Errorf("%s: %v", set, err)
			continue
		}
		other := newStore(t, a)
		v, err := other.View()
		if err != nil {
			t.Fatal(err)
		}
		sets, _, err := v.Node(account, c.Put[0].Owner)
		if err != nil || len(sets) != 1 || sets[0].Data[0] != c.Put[0].Data[0] {
			t.Errorf("%s: %v, %v", set, sets, err)
		}
		v.Release()
	}
}
