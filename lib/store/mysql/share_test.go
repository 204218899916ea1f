package mysql

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
	"namecast/lib/store/storetest"
)

// until polls for something that has to come.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30 s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// has reports whether a store's replica has an account at a version.
func has(s store.Store, account string, version uint64) bool {
	v, err := s.View()
	if err != nil {
		return false
	}
	defer v.Release()
	h, err := v.Head(account)
	return err == nil && h.Version == version
}

// via is an address by a relay.
func via(a Address, r *relay) Address {
	a.Hosts = []string{r.path}
	return a
}

func newStore(t *testing.T, a Address) *Store {
	t.Helper()
	s := openStore(t, filepath.Join(t.TempDir(), "db"), a, leveldb.Options{})
	t.Cleanup(func() { s.Close() })
	return s
}

// TestOtherNodes: what one node changes is in the others, also after their
// connections were lost, and a node that takes the account's next change after
// another's is not told a conflict.
func TestOtherNodes(t *testing.T) {
	a := theServer(t).database(t)
	r := newRelay(t, a.Hosts[0])
	s1, s2 := newStore(t, a), newStore(t, via(a, r))
	account := storetest.Account(1)
	for v := uint64(1); v <= 40; v++ {
		s := s1
		if v%2 == 0 {
			s = s2
		}
		if v%10 == 5 {
			r.cut()
		}
		if _, err := s.Commit(t.Context(), storetest.Change(account, v, storetest.Set("www", 1, "abcd"))); err != nil {
			t.Fatalf("version %d: %v", v, err)
		}
	}
	r.setAway(true)
	if _, err := s1.Commit(t.Context(), storetest.Change(account, 41)); err != nil {
		t.Fatal(err)
	}
	until(t, "the database away", func() bool { return s2.Stale() > 100*time.Millisecond })
	if has(s2, account, 41) {
		t.Error("a node has what it cannot know")
	}
	r.setAway(false)
	until(t, "version 41", func() bool { return has(s2, account, 41) })
	if p1, p2 := s1.Position(), s2.Position(); p1 != p2 {
		t.Errorf("positions %d and %d", p1, p2)
	}
}

// TestInSync: it returns when the other node has the account, tells if it has not, and
// does not wait for a node that has ended.
func TestInSync(t *testing.T) {
	a := theServer(t).database(t)
	r := newRelay(t, a.Hosts[0])
	s1, s2 := newStore(t, a), newStore(t, via(a, r))
	account := storetest.Account(1)
	for v := uint64(1); v <= 3; v++ {
		if _, err := s1.Commit(t.Context(), storetest.Change(account, v)); err != nil {
			t.Fatal(err)
		}
		if err := s1.InSync(t.Context(), account); err != nil {
			t.Fatal(err)
		}
		if !has(s2, account, v) {
			t.Fatalf("in sync, and the other node has not version %d", v)
		}
	}
	r.setAway(true)
	if _, err := s1.Commit(t.Context(), storetest.Change(account, 4)); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := s1.InSync(short, account); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("with the other node cut off: %v", err)
	}
	r.setAway(false)
	if err := s2.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s1.InSync(t.Context(), account); err != nil {
		t.Error(err)
	}
}

// TestAway: while the database is away, what the replica has is served, also by a
// node that is started then, and changes are put off.
func TestAway(t *testing.T) {
	a := theServer(t).database(t)
	r := newRelay(t, a.Hosts[0])
	dir := filepath.Join(t.TempDir(), "db")
	s := openStore(t, dir, via(a, r), leveldb.Options{})
	account := storetest.Account(1)
	if _, err := s.Commit(t.Context(), storetest.Change(account, 1)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r.setAway(true)
	s = openStore(t, dir, via(a, r), leveldb.Options{})
	defer s.Close()
	if !has(s, account, 1) {
		t.Error("the replica has not what it had")
	}
	if s.Stale() != Never {
		t.Errorf("stale for %v, want never current", s.Stale())
	}
	_, err := s.Commit(t.Context(), storetest.Change(account, 2))
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("commit: %v", err)
	}
	r.setAway(false)
	until(t, "a commit", func() bool {
		_, err := s.Commit(t.Context(), storetest.Change(account, 2))
		var c store.Conflict
		return err == nil || errors.As(err, &c) && c.Version == 2
	})
}

// TestLostReplies: the database commits, and the answer is lost. The change is made
// once, and whoever made it is told so.
func TestLostReplies(t *testing.T) {
	a := theServer(t).database(t)
	r := newRelay(t, a.Hosts[0])
	s1, s2 := newStore(t, via(a, r)), newStore(t, via(a, r))
	r.lose.Store(25)
	var all sync.WaitGroup
	for n := range 8 {
		s := s1
		if n%2 == 1 {
			s = s2
		}
		all.Go(func() {
			for v := uint64(1); v <= 25; v++ {
				if _, err := s.Commit(t.Context(), storetest.Change(storetest.Account(n), v)); err != nil {
					t.Errorf("account %d, version %d: %v", n, v, err)
					return
				}
			}
		})
	}
	all.Wait()
	if r.lost.Load() < 10 {
		t.Errorf("%d answers lost: the test tests little", r.lost.Load())
	}
	until(t, "position 200", func() bool { return s1.Position() == 200 && s2.Position() == 200 })
}

// TestLeftBehind: a node whose place is not in the table of changes any more, or has
// another hash there, makes its replica anew.
func TestLeftBehind(t *testing.T) {
	a := theServer(t).database(t)
	dir := filepath.Join(t.TempDir(), "db")
	s := openStore(t, dir, a, leveldb.Options{})
	account := storetest.Account(1)
	if _, err := s.Commit(t.Context(), storetest.Change(account, 1, storetest.Set("old", 1, "abcd"))); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	other := newStore(t, a)
	c := storetest.Change(account, 2, storetest.Set("new", 1, "abcd"))
	c.Delete = []store.SetKey{{Owner: rr.MustName("old"), Type: 1}}
	if _, err := other.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if _, err := other.db.Exec(`DELETE FROM nc_changes`); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir, a, leveldb.Options{})
	defer s.Close()
	until(t, "version 2", func() bool { return has(s, account, 2) })
	// What was copied can be read a moment before the copy is counted.
	until(t, "a copy", func() bool { return s.Stats().Copies == 1 })
	v, err := s.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Release()
	if sets, exists, err := v.Node(account, rr.MustName("old")); len(sets) > 0 || exists || err != nil {
		t.Errorf("old: %v, %v, %v", sets, exists, err)
	}
}

// TestOtherHistory: a database that went back, and forth another way.
func TestOtherHistory(t *testing.T) {
	a := theServer(t).database(t)
	s := newStore(t, a)
	account := storetest.Account(1)
	if _, err := s.Commit(t.Context(), storetest.Change(account, 1)); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`UPDATE nc_changes SET hash = REPEAT('x', 16)`, `UPDATE nc_state SET hash = REPEAT('x', 16)`,
	} {
		if _, err := s.db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "a copy", func() bool {
		return s.Stats().Copies == 1 && s.DB.Place(feed).Hash == [16]byte([]byte(strings.Repeat("x", 16)))
	})
}

// TestBetweenStores: a backup of one kind of store fills another, whole.
func TestBetweenStores(t *testing.T) {
	own, err := leveldb.OpenMemory(leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	for n := range 30 {
		for v := uint64(1); v <= 3; v++ {
			c := storetest.Change(storetest.Account(n), v, storetest.Set(fmt.Sprintf("Name%d", v), 16, "\x01t"))
			if v == 3 && n%3 == 0 {
				c.Head.KeyID = storetest.Account(1000 + n)
			}
			if _, err := own.Commit(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := own.SetClaim(t.Context(), rr.MustName("example.com"), 0, store.Claim{Version: 1, Account: storetest.Account(1)}); err != nil {
		t.Fatal(err)
	}
	s := newStore(t, theServer(t).database(t))
	again, err := leveldb.OpenMemory(leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	carry(t, own, s)
	carry(t, s, again)
	if d := cmp.Diff(items(t, own), items(t, again)); d != "" {
		t.Errorf("there and back (-want +got):\n%s", d)
	}
}

// carry restores a backup of one store into another.
func carry(t *testing.T, from, to store.Store) {
	t.Helper()
	var b bytes.Buffer
	if err := from.Backup(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if err := to.Restore(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
}

func items(t *testing.T, s store.Store) (list []store.Item) {
	t.Helper()
	var b bytes.Buffer
	if err := s.Backup(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	in, err := store.OpenBackup(&b)
	if err != nil {
		t.Fatal(err)
	}
	for item, err := range in.Items() {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, item)
	}
	return list
}
