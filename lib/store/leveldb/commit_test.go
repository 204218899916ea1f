package leveldb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/storetest"
)

func openTestMemory(t *testing.T) *DB {
	t.Helper()
	db, err := OpenMemory(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// version gives the version at which a view has an account.
func version(t *testing.T, db *DB, account string) uint64 {
	t.Helper()
	v, err := db.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Release()
	h, err := v.Head(account)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	return h.Version
}

// TestCommitAll: of many changes in one call each has its own outcome, and they
// take effect in their order.
func TestCommitAll(t *testing.T) {
	db := openTestMemory(t)
	a, b, c := storetest.Account(1), storetest.Account(2), storetest.Account(3)
	set := storetest.Set("www", 1, "\x01\x02\x03\x04")
	bad := storetest.Change(c, 1, set, set)
	thief := storetest.Change(c, 1)
	thief.Head.KeyID = a
	changes := []store.Change{
		storetest.Change(a, 1, set),
		storetest.Change(b, 2),
		bad,
		storetest.Change(a, 2),
		storetest.Change(a, 2),
		thief,
		storetest.Change(b, 1, set),
	}
	want := []error{nil, store.Conflict{}, store.ErrBadChange, nil, store.Conflict{Version: 2}, store.ErrKeyTaken, nil}
	errs := db.CommitAll(t.Context(), changes)
	for i, err := range errs {
		if !errors.Is(err, want[i]) {
			t.Errorf("change %d: %v, want %v", i, err, want[i])
		}
	}
	if len(errs) != len(want) || version(t, db, a) != 2 || version(t, db, b) != 1 || version(t, db, c) != 0 {
		t.Errorf("%d errors; versions %d, %d, %d", len(errs), version(t, db, a), version(t, db, b), version(t, db, c))
	}
	if errs := db.CommitAll(t.Context(), nil); len(errs) != 0 {
		t.Errorf("errors of nothing: %v", errs)
	}
	var seen []store.Position
	for e, err := range db.Feed(t.Context(), 0) {
		if err != nil || e.Change == nil {
			break
		}
		seen = append(seen, e.Position)
	}
	if !slices.Equal(seen, []store.Position{1, 2, 3}) {
		t.Errorf("the feed has positions %v", seen)
	}
}

// TestCommitAllLarge: more than one batch takes is no error.
func TestCommitAllLarge(t *testing.T) {
	db := openTestMemory(t)
	var changes []store.Change
	for n := range 2*maxBatchSteps + 3 {
		changes = append(changes, storetest.Change(storetest.Account(n), 1))
	}
	big := rr.Data(bytes.Repeat([]byte{1}, 60_000))
	for n := range 60 {
		var sets []rr.Set
		for i := range 4 {
			sets = append(sets, storetest.Set(fmt.Sprint("big", i), 16, big))
		}
		changes = append(changes, storetest.Change(storetest.Account(100_000+n), 1, sets...))
	}
	for i, err := range db.CommitAll(t.Context(), changes) {
		if err != nil {
			t.Fatalf("change %d: %v", i, err)
		}
	}
	for _, c := range changes {
		if v := version(t, db, c.Head.Account); v != 1 {
			t.Fatalf("%s is at version %d", c.Head.Account, v)
		}
	}
}

// TestCommitAllOneSync: what comes in one call is one write with one fsync.
func TestCommitAllOneSync(t *testing.T) {
	db := openTestMemory(t)
	var positions []store.Position
	db.opts.Changed = func(c Touched) { positions = append(positions, c.Position) }
	var changes []store.Change
	for n := range 50 {
		changes = append(changes, storetest.Change(storetest.Account(n), 1))
	}
	db.CommitAll(t.Context(), changes)
	if len(positions) != 50 || positions[0] != 50 || positions[49] != 50 {
		t.Errorf("changes became visible at positions %v", positions)
	}
}

func TestCommitAllEnded(t *testing.T) {
	db := openTestMemory(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	changes := []store.Change{storetest.Change(storetest.Account(1), 1), {}}
	errs := db.CommitAll(ctx, changes)
	if !errors.Is(errs[0], store.ErrUnavailable) || !errors.Is(errs[0], context.Canceled) || !errors.Is(errs[1], store.ErrBadChange) {
		t.Errorf("%v", errs)
	}
	db.Close()
	if errs := db.CommitAll(t.Context(), changes); !errors.Is(errs[0], store.ErrUnavailable) {
		t.Errorf("closed: %v", errs)
	}
}

// TestMarks compares what the writer takes an account's head to be with what it
// is, while few places are shared by many accounts, views are old, and accounts
// get new keys.
func TestMarks(t *testing.T) {
	m := newMarks()
	r := rand.New(rand.NewPCG(1, 2))
	type past struct{ at, version uint64 }
	history := make([][]past, 3*markPlaces)
	accounts := make([]string, len(history))
	for i := range accounts {
		accounts[i] = storetest.Account(i)
	}
	known := 0
	for at := uint64(1); at < 100_000; at++ {
		i := r.IntN(len(accounts))
		if at%2 == 0 {
			i %= 64 // some change often
		}
		h := headMark{version: at, keyID: accounts[i]}
		m.change(accounts[i], h, store.Position(at))
		history[i] = append(history[i], past{at, at})
		for range 3 { // views that were opened some time ago read
			i, then := r.IntN(len(accounts)), at-min(at, r.Uint64N(50))
			if r.IntN(2) == 0 {
				i %= 64
			}
			for _, p := range slices.Backward(history[i]) {
				if p.at <= then {
					m.note(accounts[i], headMark{version: p.version, keyID: accounts[i]}, store.Position(then))
					break
				}
			}
			got, ok := m.get(accounts[i])
			if !ok {
				continue
			}
			known++
			if last := history[i][len(history[i])-1]; got.version != last.version {
				t.Fatalf("at %d account %d is taken to be at version %d, not %d", at, i, got.version, last.version)
			}
		}
	}
	if known < 1000 {
		t.Errorf("only %d were known", known)
	}
}

// TestMarksInUse lets goroutines read and change the same few accounts at once:
// of each version exactly one change is taken.
func TestMarksInUse(t *testing.T) {
	db, err := Open(filepath.Join(t.TempDir(), "db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const accounts, workers, rounds = 3, 8, 60
	var won [accounts][workers * rounds * 2]int
	var mu sync.Mutex
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := range rounds {
				n := (i + w) % accounts
				v, err := db.View()
				if err != nil {
					t.Error(err)
					return
				}
				h, err := v.HeadByKey(storetest.Account(n))
				v.Release()
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					t.Error(err)
					return
				}
				_, err = db.Commit(t.Context(), storetest.Change(storetest.Account(n), h.Version+1))
				switch {
				case err == nil:
					mu.Lock()
					won[n][h.Version]++
					mu.Unlock()
				case !errors.As(err, new(store.Conflict)):
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for n := range accounts {
		for v := range version(t, db, storetest.Account(n)) {
			if won[n][v] != 1 {
				t.Errorf("account %d: %d changes of version %d were taken", n, won[n][v], v)
			}
		}
	}
}

// TestPad: pieces do not touch each other, also where the room ends.
func TestPad(t *testing.T) {
	p := make(pad, 0, 10)
	var pieces [][]byte
	for i := range 8 {
		pieces = append(pieces, p.keep(append(p.free(), bytes.Repeat([]byte{byte(i)}, i)...)))
	}
	for i, b := range pieces {
		if !bytes.Equal(b, bytes.Repeat([]byte{byte(i)}, i)) || cap(b) != len(b) {
			t.Errorf("piece %d is %v, of capacity %d", i, b, cap(b))
		}
	}
}
