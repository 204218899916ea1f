package leveldb

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/storetest"
)

func openFollower(t *testing.T, dir string) *DB {
	t.Helper()
	return open(t, dir, Options{Follow: "test"})
}

// followedChange is a record of a chain that made a change.
func followedChange(chain uint8, lsn uint64, c store.Change) Followed {
	return Followed{Chain: chain, Place: Place{LSN: lsn, Hash: [16]byte{byte(lsn)}}, Change: &c}
}

func follow(t *testing.T, db *DB, records ...Followed) []store.Position {
	t.Helper()
	p, err := db.Follow(t.Context(), records)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// followSome has a database follow a little of everything: accounts 1 and 2, a
// rekey of the first to key 9, a claim, a note, and a record that did nothing.
func followSome(t *testing.T, db *DB) []store.Position {
	t.Helper()
	a, b, k := storetest.Account(1), storetest.Account(2), storetest.Account(9)
	rekey := storetest.Change(a, 2, storetest.Set("Www", 1, "aaaa"))
	rekey.Head.KeyID = k
	record := followedChange(5, 2, rekey)
	record.Keys = []string{k}
	claim := &store.Claim{Version: 1, Account: a}
	return follow(t, db,
		followedChange(5, 1, storetest.Change(a, 1)),
		record,
		Followed{Chain: 5, Place: Place{LSN: 3, Hash: [16]byte{3}}},
		followedChange(200, 1, storetest.Change(b, 1)),
		Followed{Chain: 200, Place: Place{LSN: 2}, Domain: rr.MustName("example.com"), Claim: claim},
		Followed{Chain: 200, Place: Place{LSN: 3}, Notes: []Note{{"x", []byte("y")}}},
	)
}

// checkSome checks what followSome has left.
func checkSome(t *testing.T, db *DB) {
	t.Helper()
	if p := db.Place(5); p != (Place{3, [16]byte{3}}) {
		t.Errorf("place %+v", p)
	}
	if h, err := db.Account(5, storetest.Account(1)); h != (Held{2, 2}) || err != nil {
		t.Errorf("account: %+v, %v", h, err)
	}
	if h, err := db.Claimed(200, rr.MustName("example.com")); h != (Held{2, 1}) || err != nil {
		t.Errorf("claim: %+v, %v", h, err)
	}
	if h, err := db.Account(5, storetest.Account(2)); h != (Held{}) || err != nil {
		t.Errorf("an account of another chain: %+v, %v", h, err)
	}
	if v, err := db.Note("x"); string(v) != "y" || err != nil {
		t.Errorf("note %q, %v", v, err)
	}
	v, err := db.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Release()
	if h, err := v.HeadByKey(storetest.Account(9)); err != nil || h.Account != storetest.Account(1) || v.Position() != 4 {
		t.Errorf("by key: %+v, %v at %d", h, err, v.Position())
	}
	n := 0
	for e, err := range db.Feed(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Change == nil && e.Claim == nil {
			break
		}
		n++
	}
	if n != 4 {
		t.Errorf("%d events", n)
	}
}

// TestFollow: records take effect with their places, in their order, durably;
// those that did nothing have a place, and no position.
func TestFollow(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	db := openFollower(t, dir)
	if got, want := followSome(t, db), []store.Position{1, 2, 2, 3, 4, 4}; !slices.Equal(got, want) {
		t.Errorf("positions %v, want %v", got, want)
	}
	checkSome(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openFollower(t, dir)
	defer db.Close()
	checkSome(t, db)
}

// TestFollowRefuses: records out of order, and changes of its own.
func TestFollowRefuses(t *testing.T) {
	db := openFollower(t, filepath.Join(t.TempDir(), "db"))
	defer db.Close()
	followSome(t, db)
	next := storetest.Change(storetest.Account(1), 3)
	for what, lsn := range map[string]uint64{"a gap": 5, "again": 3} {
		if _, err := db.Follow(t.Context(), []Followed{followedChange(5, lsn, next)}); !errors.Is(err, errOrder) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := db.Commit(t.Context(), next); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a change of its own: %v", err)
	}
	if err := db.CommitAll(t.Context(), []store.Change{next})[0]; !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("changes of its own: %v", err)
	}
	if err := db.Restore(t.Context(), nil); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("restore: %v", err)
	}
	checkSome(t, db)
}

// accountsOf gives the accounts that a view has, with their versions.
func accountsOf(t *testing.T, db *DB) map[string]uint64 {
	t.Helper()
	v, err := db.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Release()
	m := map[string]uint64{}
	for h, err := range v.Accounts() {
		if err != nil {
			t.Fatal(err)
		}
		m[h.Account] = h.Version
	}
	return m
}

// Accounts of a chain of which a copy is made: one that it has the same, one that
// it has newer, one that it has not, one that it alone has, and one of another chain.
var (
	copySame, copyNewer, copyGone = storetest.Account(1), storetest.Account(2), storetest.Account(3)
	copyFresh, copyOther          = storetest.Account(5), storetest.Account(4)
	copyDomain                    = rr.MustName("example.com") // that it has not
)

// followForCopy has the database follow chain 7 up to what a copy finds.
func followForCopy(t *testing.T, db *DB) {
	t.Helper()
	follow(t, db,
		followedChange(7, 1, storetest.Change(copySame, 1, storetest.Set("x", 1, "aaaa"))),
		followedChange(7, 2, storetest.Change(copyNewer, 1, storetest.Set("old", 1, "aaaa"))),
		followedChange(7, 3, storetest.Change(copyGone, 1, storetest.Set("x", 1, "aaaa"))),
		Followed{Chain: 7, Place: Place{LSN: 4}, Domain: copyDomain, Claim: &store.Claim{Version: 1, Account: copyGone}},
		followedChange(8, 1, storetest.Change(copyOther, 1)),
	)
}

// makeCopy makes a copy of chain 7, or breaks it off before its end.
func makeCopy(t *testing.T, db *DB, end bool) {
	t.Helper()
	c, err := db.Copy(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(
		c.Account(1, storetest.Head(copySame, 1), nil, []rr.Set{storetest.Set("x", 1, "aaaa")}),
		c.Account(20, storetest.Head(copyNewer, 4), []string{storetest.Account(99)}, []rr.Set{storetest.Set("new", 1, "bbbb")}),
		c.Account(21, storetest.Head(copyFresh, 3), nil, nil),
	)
	if end {
		err = errors.Join(err, c.End(Place{30, [16]byte{3}}, []Note{{"n", []byte("m")}}, 0))
	} else {
		err = errors.Join(err, c.do(c.write))
		c.Abort()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// copied are the accounts with their versions, once the copy has come to the last:
// what goes is taken away as soon as something behind it comes.
var copied = map[string]uint64{copySame: 1, copyNewer: 4, copyOther: 1, copyFresh: 3}

// TestCopyBrokenOff: a chain of which there is half a copy has no place, takes no
// records, and is copied again.
func TestCopyBrokenOff(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	db := openFollower(t, dir)
	followForCopy(t, db)
	makeCopy(t, db, false)
	if got := accountsOf(t, db); !maps.Equal(got, copied) {
		t.Errorf("after half a copy: %v", got)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openFollower(t, dir)
	defer db.Close()
	if db.Place(7) != noPlace || db.Place(8).LSN != 1 {
		t.Errorf("places %+v and %+v after half a copy", db.Place(7), db.Place(8))
	}
	record := followedChange(7, 1, storetest.Change(copyGone, 2))
	if _, err := db.Follow(t.Context(), []Followed{record}); !errors.Is(err, errOrder) {
		t.Errorf("a record for half a copy: %v", err)
	}
	makeCopy(t, db, true)
	checkCopied(t, db)
}

// TestCopy: a copy takes the place of all that there was of its chain, and of
// nothing else; the position moves by what it brought; who asked is told of that.
func TestCopy(t *testing.T) {
	db := openFollower(t, filepath.Join(t.TempDir(), "db"))
	defer db.Close()
	followForCopy(t, db)
	var touched []Touched
	db.opts.Changed = func(c Touched) {
		c.Position = 0
		touched = append(touched, c)
	}
	makeCopy(t, db, true)
	checkCopied(t, db)
	want := []Touched{{Account: copyNewer}, {Account: copyGone}, {Account: copyFresh}, {Domain: copyDomain}}
	if !slices.Equal(touched, want) {
		t.Errorf("told of %+v, want %+v", touched, want)
	}
	follow(t, db, followedChange(7, 31, storetest.Change(copySame, 2)))
	for _, err := range db.Feed(t.Context(), positionOf(t, db)-2) {
		if !errors.Is(err, store.ErrTooOld) {
			t.Errorf("a feed over a copy: %v", err)
		}
	}
}

func checkCopied(t *testing.T, db *DB) {
	t.Helper()
	if got := accountsOf(t, db); !maps.Equal(got, copied) {
		t.Errorf("after the copy: %v", got)
	}
	// 5 events; newer by 3, fresh by 3, and two that are gone.
	if p := positionOf(t, db); p != 5+3+3+2 {
		t.Errorf("position %d", p)
	}
	v, err := db.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Release()
	for owner, there := range map[string]bool{"old": false, "new": true} {
		if _, exists, err := v.Node(copyNewer, rr.MustName(owner)); exists != there || err != nil {
			t.Errorf("%s: %v, %v", owner, exists, err)
		}
	}
	if c, err := v.Claim(copyDomain); c.Version != 0 || err != nil {
		t.Errorf("claim %+v, %v", c, err)
	}
	if _, err := v.HeadByKey(storetest.Account(99)); err != nil {
		t.Error(err)
	}
	if h, err := db.Account(7, copyGone); h != (Held{}) || err != nil {
		t.Errorf("what is gone is held: %+v, %v", h, err)
	}
	if db.Place(7) != (Place{30, [16]byte{3}}) || db.Place(8).LSN != 1 {
		t.Errorf("places %+v and %+v", db.Place(7), db.Place(8))
	}
}

func positionOf(t *testing.T, db *DB) store.Position {
	t.Helper()
	v, err := db.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Release()
	return v.Position()
}

// TestFollowFailure: a place that could not be written does not count.
func TestFollowFailure(t *testing.T) {
	db, disk, _ := openFaulty(t)
	defer db.Close()
	disk.Syncs.Store(true)
	_, err := db.Follow(t.Context(), []Followed{followedChange(1, 1, storetest.Change(storetest.Account(1), 1))})
	if !errors.Is(err, store.ErrUnavailable) || db.Place(1) != (Place{}) {
		t.Errorf("%v, place %+v", err, db.Place(1))
	}
	if <-db.Failed(); db.Err() == nil {
		t.Error("it goes on")
	}
}

// TestFollowerKilled: what a follower had an answer for is there after a kill,
// with the places of its chains.
func TestFollowerKilled(t *testing.T) {
	storetest.Crash(t, storetest.Crasher{
		Kills: 10,
		Open: func(dir string) (store.Store, error) {
			db, err := Open(dir, Options{Follow: "test", Log: 200, LogBytes: 1 << 20, WriteBuffer: 64 << 10})
			if err != nil {
				return nil, err
			}
			return &chained{DB: db}, nil
		},
	})
}

// chained makes a chain's records of changes, and follows them.
type chained struct {
	*DB
	mu sync.Mutex
}

func (c *chained) Commit(ctx context.Context, ch store.Change) (store.Position, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	held, err := c.Account(1, ch.Head.Account)
	if err != nil {
		return 0, err
	}
	if held.Version != ch.From {
		return 0, store.Conflict{Version: held.Version}
	}
	p, err := c.Follow(ctx, []Followed{followedChange(1, c.Place(1).LSN+1, ch)})
	if err != nil {
		return 0, err
	}
	return p[0], nil
}
