package leveldb

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/storetest"
)

// A hearer keeps what the store says was changed, and what a view showed at
// that moment.
type hearer struct {
	db    *DB // set before the first commit
	heard []Touched
	seen  []uint64 // the version of the account or claim
}

func (h *hearer) changed(t Touched) {
	v, err := h.db.View()
	if err != nil {
		panic(err)
	}
	defer v.Release()
	if v.Position() < t.Position {
		panic(fmt.Sprintf("a view at %d, told of %d", v.Position(), t.Position))
	}
	h.heard = append(h.heard, t)
	switch {
	case t.Account != "":
		head, _ := v.Head(t.Account)
		h.seen = append(h.seen, head.Version)
	case t.Domain != "":
		c, _ := v.Claim(t.Domain)
		h.seen = append(h.seen, c.Version)
	default:
		h.seen = append(h.seen, uint64(v.Position()))
	}
}

func openHearing(t *testing.T) (*DB, *hearer) {
	t.Helper()
	h := new(hearer)
	db, err := OpenMemory(Options{Changed: h.changed})
	if err != nil {
		t.Fatal(err)
	}
	h.db = db
	t.Cleanup(func() { db.Close() })
	return db, h
}

// TestChangedBeforeAnswer: when a commit is answered, the call for it is over,
// and in the call a new view showed the change. The race detector watches that
// the answer comes after the call.
func TestChangedBeforeAnswer(t *testing.T) {
	db, h := openHearing(t)
	a, domain := storetest.Account(1), rr.MustName("example.com")
	heard := func(n int, want Touched, version uint64) {
		t.Helper()
		if len(h.heard) != n || h.heard[n-1] != want || h.seen[n-1] != version {
			t.Errorf("heard %+v of versions %d, want in place %d %+v of version %d", h.heard, h.seen, n, want, version)
		}
	}
	for version := uint64(1); version <= 3; version++ {
		if _, err := db.Commit(t.Context(), storetest.Change(a, version)); err != nil {
			t.Fatal(err)
		}
		heard(int(version), Touched{Account: a, Position: store.Position(version)}, version)
	}
	if _, err := db.SetClaim(t.Context(), domain, 0, store.Claim{Version: 1, Account: a}); err != nil {
		t.Fatal(err)
	}
	heard(4, Touched{Domain: domain, Position: 4}, 1)
	if _, err := db.Commit(t.Context(), storetest.Change(a, 9)); !errors.Is(err, store.Conflict{Version: 3}) {
		t.Errorf("commit on a version that is not there: %v", err)
	}
	heard(4, Touched{Domain: domain, Position: 4}, 1)
}

// TestChangedOncePerCommit: of many commits that are written together each is
// told of once, and a view in its call shows it.
func TestChangedOncePerCommit(t *testing.T) {
	const writers, each = 16, 30
	db, h := openHearing(t)
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			for version := uint64(1); version <= each; version++ {
				if err := commitNext(t, db, n, version); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if len(h.heard) != writers*each {
		t.Errorf("%d calls for %d commits", len(h.heard), writers*each)
	}
	told := make(map[string]uint64)
	for i, c := range h.heard {
		told[c.Account]++
		if h.seen[i] < told[c.Account] {
			t.Errorf("call %d for %s: a view shows version %d", told[c.Account], c.Account, h.seen[i])
		}
	}
	for n := range writers {
		if got := told[storetest.Account(n)]; got != each {
			t.Errorf("account %d: %d calls, want %d", n, got, each)
		}
	}
}

// TestChangedAfterRestore: a restore that is done says that everything may have
// changed, one that fails says nothing.
func TestChangedAfterRestore(t *testing.T) {
	from, _ := openHearing(t)
	if err := commitNext(t, from, 1, 1); err != nil {
		t.Fatal(err)
	}
	var backup bytes.Buffer
	if err := from.Backup(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	db, h := openHearing(t)
	half := backup.Bytes()[:backup.Len()-1]
	if err := db.Restore(t.Context(), bytes.NewReader(half)); err == nil {
		t.Error("half a backup was restored")
	}
	if len(h.heard) != 0 {
		t.Errorf("heard %+v of a restore that failed", h.heard)
	}
	if err := db.Restore(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	want := []uint64{1 + store.RestoreGap}
	if !slices.Equal(h.heard, []Touched{{All: true, Position: 1 + store.RestoreGap}}) || !slices.Equal(h.seen, want) {
		t.Errorf("heard %+v at %d, want all at %d", h.heard, h.seen, want)
	}
}

// TestChangedNotAfterFailure: nothing is told of a commit that was not written.
func TestChangedNotAfterFailure(t *testing.T) {
	db, disk, _ := openFaulty(t)
	defer db.Close()
	calls := 0
	db.opts.Changed = func(Touched) { calls++ }
	disk.Syncs.Store(true)
	if err := commitNext(t, db, 1, 1); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("commit to a disk that fails: %v", err)
	}
	if calls != 0 {
		t.Errorf("%d calls", calls)
	}
}
