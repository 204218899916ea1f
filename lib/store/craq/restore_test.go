package craq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
	"namecast/lib/store/storetest"
)

// largeBackup is the backup of a database with an account that is more than a
// record takes, and many others.
func largeBackup(t *testing.T, accounts int) (stream []byte, at store.Position) {
	t.Helper()
	db, err := leveldb.OpenMemory(leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	add := func(c store.Change) {
		if at, err = db.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for version := range uint64(5) {
		var sets []rr.Set
		for i := range 4 {
			data := rr.Data(strings.Repeat(fmt.Sprint(version), 50_000))
			sets = append(sets, storetest.Set(fmt.Sprintf("x%d.y%d", i, version), 16, data))
		}
		add(storetest.Change(storetest.Account(1), version+1, sets...))
	}
	for n := 2; n < accounts; n++ {
		add(storetest.Change(storetest.Account(n), 1, storetest.Set("@", 1, "aaaa")))
	}
	rekey := storetest.Change(storetest.Account(2), 2)
	rekey.Head.KeyID = storetest.Account(1000)
	add(rekey)
	if at, err = db.SetClaim(t.Context(), rr.MustName("example.com"), 0, store.Claim{Version: 1, Account: storetest.Account(2)}); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := db.Backup(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), at
}

// afterPosition gives what of a backup stands behind its position.
func afterPosition(t *testing.T, stream []byte) []store.Item {
	t.Helper()
	b, err := store.OpenBackup(bytes.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	var items []store.Item
	for item, err := range b.Items() {
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	return items
}

// TestRestoreBrokenOff: half a restore serves nobody; the same backup finishes
// it, and no other does; then all nodes have it all, at one position.
func TestRestoreBrokenOff(t *testing.T) {
	stream, at := largeBackup(t, 300)
	other, _ := largeBackup(t, 3)
	c := newChains()
	s, second := node(t, c, "a"), node(t, c, "b")
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() { failed <- s.Restore(ctx, bytes.NewReader(stream)) }()
	await(t, "half of it", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		n := chain.LSN(0)
		for id := range c.all {
			n += c.all[id].last
		}
		c.down = n > 50
		return c.down
	})
	cancel()
	if err := <-failed; !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, context.Canceled) {
		t.Errorf("a restore that was broken off: %v", err)
	}
	c.set(func() { c.down = false })
	for i, n := range []*Store{s, second} {
		await(t, "the mark", func() bool { return n.Restoring() })
		if _, err := n.View(); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("node %d serves half: %v", i, err)
		}
		if _, err := n.Commit(t.Context(), storetest.Change(storetest.Account(9000), 1)); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("node %d takes changes: %v", i, err)
		}
	}
	if err := s.Restore(t.Context(), bytes.NewReader(other)); !errors.Is(err, store.ErrNotEmpty) {
		t.Errorf("another backup: %v", err)
	}
	if err := second.Restore(t.Context(), bytes.NewReader(stream)); err != nil {
		t.Fatalf("the same backup: %v", err)
	}
	await(t, "the end of the mark", func() bool { return !s.Restoring() })
	want := at + store.RestoreGap
	for i, n := range []*Store{s, second, node(t, c, "fresh")} {
		await(t, "everything", func() bool { return n.Position() == want })
		got := backup(t, n)
		if d := diffItems(afterPosition(t, stream), afterPosition(t, got)); d != "" {
			t.Errorf("node %d: %s", i, d)
		}
		if err := n.Restore(t.Context(), bytes.NewReader(stream)); !errors.Is(err, store.ErrNotEmpty) {
			t.Errorf("node %d restores again: %v", i, err)
		}
	}
}

func diffItems(want, got []store.Item) string {
	text := func(list []store.Item) (lines []string) {
		for _, it := range list {
			switch {
			case it.Head != nil:
				lines = append(lines, fmt.Sprintf("%+v", *it.Head))
			case it.Set != nil:
				lines = append(lines, fmt.Sprintf("%s %+v", it.Account, *it.Set))
			case it.Key != nil:
				lines = append(lines, fmt.Sprintf("%+v", *it.Key))
			default:
				lines = append(lines, fmt.Sprintf("%+v", *it.Claim))
			}
		}
		return lines
	}
	w, g := text(want), text(got)
	if len(w) != len(g) {
		return fmt.Sprintf("%d items, want %d", len(g), len(w))
	}
	for i := range w {
		if w[i] != g[i] {
			return fmt.Sprintf("item %d is %.200s, want %.200s", i, g[i], w[i])
		}
	}
	return ""
}

// TestRestoreInUse: a service that has ever had a change is not restored into,
// also if the replica does not know of the change yet.
func TestRestoreInUse(t *testing.T) {
	stream, _ := largeBackup(t, 3)
	c := newChains()
	s, second := node(t, c, "a"), node(t, c, "b")
	c.set(func() { c.cut = true })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Commit(ctx, storetest.Change(storetest.Account(1), 1)); err != nil {
		t.Fatal(err)
	}
	if err := second.Restore(t.Context(), bytes.NewReader(stream)); !errors.Is(err, store.ErrNotEmpty) {
		t.Errorf("%v", err)
	}
}

// TestRestoreTooLarge: a backup with an RRset that no record takes is refused
// before anything is written.
func TestRestoreTooLarge(t *testing.T) {
	db, err := leveldb.OpenMemory(leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	set := storetest.Set("x", 16)
	for range 5 {
		set.Data = append(set.Data, rr.Data(strings.Repeat("x", 60_000)))
	}
	if _, err := db.Commit(t.Context(), storetest.Change(storetest.Account(1), 1, set)); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := db.Backup(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	c := newChains()
	if err := node(t, c, "a").Restore(t.Context(), &b); !errors.Is(err, store.ErrBadChange) {
		t.Errorf("%v", err)
	}
	for id := range c.all {
		if c.all[id].last > 0 {
			t.Errorf("chain %d has a record", id)
		}
	}
}
