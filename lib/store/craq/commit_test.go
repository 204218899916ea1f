package craq

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/client"
	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
	"namecast/lib/store/storetest"
)

// node opens a store on chains, and closes it with the test.
func node(t *testing.T, c *chains, name string) *Store {
	t.Helper()
	s := open(t, filepath.Join(t.TempDir(), name), c.client(name), leveldb.Options{})
	t.Cleanup(func() { s.Close() })
	return s
}

func commit(t *testing.T, s *Store, c store.Change) {
	t.Helper()
	if _, err := s.Commit(t.Context(), c); err != nil {
		t.Fatalf("commit %s version %d: %v", c.Head.Account, c.Head.Version, err)
	}
}

// version gives the version at which a node has an account.
func version(t *testing.T, s *Store, account string) uint64 {
	t.Helper()
	h, err := s.head(account)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	return h.Version
}

// TestLostAnswers: a change whose answer is lost is known by the feed, the
// change as well as its refusal.
func TestLostAnswers(t *testing.T) {
	c := newChains()
	s := node(t, c, "a")
	c.set(func() { c.lose = 100 })
	a, b := storetest.Account(1), storetest.Account(2)
	commit(t, s, storetest.Change(a, 1))
	commit(t, s, storetest.Change(b, 1))
	other := node(t, c, "b")
	c.set(func() { c.cut = true })
	// The other node does not learn of the next version, and so is refused.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Commit(ctx, storetest.Change(a, 2)); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("neither answer nor feed: %v", err)
	}
	got := make(chan error, 1)
	go func() {
		_, err := other.Commit(t.Context(), storetest.Change(a, 2))
		got <- err
	}()
	await(t, "the refusal", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.all[chainOf(a)].last == 3
	})
	c.set(func() { c.cut = false })
	if err := <-got; !errors.Is(err, store.Conflict{Version: 2}) {
		t.Errorf("a change that came second: %v", err)
	}
	// The same again, by who does not know that it was done.
	if _, err := s.Commit(t.Context(), storetest.Change(a, 2)); !errors.Is(err, store.Conflict{Version: 2}) {
		t.Errorf("the same again: %v", err)
	}
}

// TestAway: without the storage, what there is is read, and changes are put off.
func TestAway(t *testing.T) {
	c := newChains()
	dir := filepath.Join(t.TempDir(), "db")
	s := open(t, dir, c.client("a"), leveldb.Options{})
	a := storetest.Account(1)
	commit(t, s, storetest.Change(a, 1, storetest.Set("x", 1, "aaaa")))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c.set(func() { c.down = true })
	s = open(t, dir, c.client("a"), leveldb.Options{})
	if v := version(t, s, a); v != 1 {
		t.Errorf("version %d", v)
	}
	if d := s.Stale(); d != client.Never {
		t.Errorf("stale for %v", d)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Commit(ctx, storetest.Change(a, 2)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("commit: %v", err)
	}
	if _, err := s.SetClaim(t.Context(), rr.MustName("example.com"), 3, store.Claim{Version: 4, Account: a}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("claim: %v", err)
	}
	waiting := make(chan error, 1)
	go func() {
		_, err := s.Commit(context.Background(), storetest.Change(a, 2))
		waiting <- err
	}()
	await(t, "the commit", func() bool {
		s.waits.mu.Lock()
		defer s.waits.mu.Unlock()
		return len(s.waits.requests) > 0
	})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-waiting; !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a commit that Close gave up: %v", err)
	}
}

// TestFirstCopy: a replica that was never whole serves nothing.
func TestFirstCopy(t *testing.T) {
	c := newChains()
	commit(t, node(t, c, "a"), storetest.Change(storetest.Account(1), 1))
	c.set(func() { c.cut = true })
	s, err := Open(filepath.Join(t.TempDir(), "db"), c.client("b"), Options{Service: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Ready(ctx); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("ready: %v", err)
	}
	if _, err := s.View(); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("view: %v", err)
	}
	if _, err := s.Commit(t.Context(), storetest.Change(storetest.Account(2), 1)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("commit: %v", err)
	}
	if s.Absent([]byte(storetest.Account(1))) {
		t.Error("what is not known yet is said to be absent")
	}
	c.set(func() { c.cut = false })
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v := version(t, s, storetest.Account(1)); v != 1 {
		t.Errorf("version %d", v)
	}
}

// TestBehind: a node whose replica is behind makes changes from versions that it
// does not have yet, and waits for what it must tell of.
func TestBehind(t *testing.T) {
	c := newChains()
	ahead, behind := node(t, c, "a"), node(t, c, "b")
	a := storetest.Account(1)
	commit(t, ahead, storetest.Change(a, 1))
	await(t, "version 1", func() bool { return version(t, behind, a) == 1 })
	c.set(func() { c.cut = true })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := ahead.Commit(ctx, storetest.Change(a, 2)); err != nil {
		t.Errorf("committed, and not yet here: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := behind.Commit(ctx, storetest.Change(a, 3)); err != nil {
		t.Errorf("from a version that is not here: %v", err)
	}
	if v := version(t, behind, a); v != 1 {
		t.Errorf("version %d, and nothing was fed", v)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := behind.Commit(ctx, storetest.Change(a, 3)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a conflict that is not here yet: %v", err)
	}
	c.set(func() { c.cut = false })
	if _, err := behind.Commit(t.Context(), storetest.Change(a, 3)); !errors.Is(err, store.Conflict{Version: 3}) {
		t.Errorf("a conflict: %v", err)
	}
	if v := version(t, behind, a); v != 3 {
		t.Errorf("version %d after the conflict was told", v)
	}
	if err := ahead.InSync(t.Context(), a); err != nil {
		t.Error(err)
	}
	if v := version(t, ahead, a); v != 3 {
		t.Errorf("version %d at the other node, which is in sync", v)
	}
}

// TestReservation: a rekey that was broken off between its two records is finished
// by the same account, and by no other.
func TestReservation(t *testing.T) {
	c := newChains()
	s := node(t, c, "a")
	a, b, k := storetest.Account(1), storetest.Account(2), storetest.Account(100)
	commit(t, s, storetest.Change(a, 1))
	commit(t, s, storetest.Change(b, 1))
	if err := s.reserve(t.Context(), k, a); err != nil {
		t.Fatal(err)
	}
	rekey := func(account string) error {
		ch := storetest.Change(account, 2)
		ch.Head.KeyID = k
		_, err := s.Commit(t.Context(), ch)
		return err
	}
	if known, err := s.known(k); known || err != nil {
		t.Errorf("a reserved key counts: %v", err)
	}
	if err := rekey(b); !errors.Is(err, store.ErrKeyTaken) {
		t.Errorf("another account: %v", err)
	}
	if _, err := s.Commit(t.Context(), storetest.Change(k, 1)); !errors.Is(err, store.ErrKeyTaken) {
		t.Errorf("an account of that name: %v", err)
	}
	if err := rekey(a); err != nil {
		t.Errorf("the same account: %v", err)
	}
	if known, err := s.known(k); !known || err != nil {
		t.Errorf("the key does not count: %v", err)
	}
}

// TestTooLarge: what no record takes is refused before anything is done.
func TestTooLarge(t *testing.T) {
	c := newChains()
	s := node(t, c, "a")
	set := func(owner string, n int) rr.Set {
		set := storetest.Set(owner, 16)
		for range n {
			set.Data = append(set.Data, rr.Data(strings.Repeat("x", 60_000)))
		}
		return set
	}
	for name, sets := range map[string][]rr.Set{
		"RRset":  {set("x", 5)},
		"change": {set("a", 4), set("b", 4), set("c", 4)},
	} {
		ch := storetest.Change(storetest.Account(1), 1, sets...)
		ch.Head.KeyID = storetest.Account(2)
		if _, err := s.Commit(t.Context(), ch); !errors.Is(err, store.ErrBadChange) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for id := range c.all {
		if c.all[id].last > 0 {
			t.Errorf("chain %d has a record", id)
		}
	}
	commit(t, s, storetest.Change(storetest.Account(1), 1, set("x", 4), set("y", 3)))
}

// TestCommitAll: each change has its own outcome, and those of one account take
// effect in their order.
func TestCommitAll(t *testing.T) {
	s := node(t, newChains(), "a")
	a, b := storetest.Account(1), storetest.Account(2)
	errs := s.CommitAll(t.Context(), []store.Change{
		storetest.Change(a, 1), storetest.Change(b, 2), storetest.Change(a, 2), storetest.Change(a, 2), storetest.Change(b, 1),
	})
	want := []error{nil, store.Conflict{}, nil, store.Conflict{Version: 2}, nil}
	for i, err := range errs {
		if !errors.Is(err, want[i]) {
			t.Errorf("change %d: %v, want %v", i, err, want[i])
		}
	}
}

// TestUnknownRecord: what cannot be read is left out, also of a copy, and the rest goes
// on.
func TestUnknownRecord(t *testing.T) {
	c := newChains()
	s := node(t, c, "a")
	foreign := c.client("b")
	for _, key := range []string{"z/new", "a/x", "a/\x00", "o/\x07", "a/one\x00r/?"} {
		ops := []chain.Op{{Kind: chain.Put, Key: []byte(key), Value: []byte("x")}}
		if _, err := foreign.Propose(t.Context(), 7, chain.Propose{Request: client.NewRequest(), Ops: ops}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 20 { // one of them is of the same chain, or another: all go on
		if _, err := s.Commit(t.Context(), storetest.Change(storetest.Account(n), 1)); err != nil {
			t.Fatalf("account %d: %v", n, err)
		}
	}
	for s.Unread() < 5 && t.Context().Err() == nil {
		runtime.Gosched()
	}
	late := node(t, c, "late")
	if err := late.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := late.Unread(); n == 0 {
		t.Error("a copy has read everything")
	}
	for n := range 20 {
		if version(t, late, storetest.Account(n)) != 1 {
			t.Errorf("account %d is not in the copy", n)
		}
	}
	if s.Err() != nil || late.Err() != nil {
		t.Errorf("%v, %v", s.Err(), late.Err())
	}
}

// TestOtherUse: a folder is a replica of one service's storage, or a database.
func TestOtherUse(t *testing.T) {
	c := newChains()
	replica, own := filepath.Join(t.TempDir(), "replica"), filepath.Join(t.TempDir(), "own")
	s := open(t, replica, c.client("a"), leveldb.Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := leveldb.Open(own, leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := leveldb.Open(replica, leveldb.Options{}); !errors.Is(err, store.ErrOtherUse) || !strings.Contains(err.Error(), `"test"`) {
		t.Errorf("a replica as a database: %v", err)
	}
	for dir, service := range map[string]string{own: "test", replica: "other"} {
		if _, err := Open(dir, c.client("a"), Options{Service: service}); !errors.Is(err, store.ErrOtherUse) {
			t.Errorf("%s for service %s: %v", dir, service, err)
		}
	}
}
