package leveldb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"namecast/lib/ldb/ldbtest"
	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/storetest"
)

func openFaulty(t *testing.T) (*DB, *ldbtest.Faulty, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "db")
	disk := ldbtest.OpenFaulty(t, dir, formatName)
	db, err := openStorage(dir, disk, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return db, disk, dir
}

// TestWriteFails: after the first write that fails nothing is written any more,
// also when the disk would take it; everything that was answered is there when
// the database is opened again, and nothing by half.
func TestWriteFails(t *testing.T) {
	cases := []struct {
		name  string
		fault func(*ldbtest.Faulty) *atomic.Bool
		cause error
	}{
		{"half a write", func(d *ldbtest.Faulty) *atomic.Bool { return &d.Writes }, syscall.ENOSPC},
		{"sync", func(d *ldbtest.Faulty) *atomic.Bool { return &d.Syncs }, syscall.EIO},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			db, disk, dir := openFaulty(t)
			last := make([]uint64, 8)
			fill := func(want error) {
				var wg sync.WaitGroup
				for n := range last {
					wg.Go(func() {
						for range 5 {
							if err := commitNext(t, db, n, last[n]+1); err != nil {
								if !errors.Is(err, want) || !errors.Is(err, c.cause) {
									t.Errorf("commit: %v", err)
								}
								return
							}
							last[n]++
						}
					})
				}
				wg.Wait()
			}
			fill(nil)
			c.fault(disk).Store(true)
			fill(store.ErrUnavailable)
			select {
			case <-db.Failed():
			default:
				t.Error("Failed is open")
			}
			c.fault(disk).Store(false)
			fill(store.ErrUnavailable)
			if err := db.Err(); !errors.Is(err, c.cause) || !strings.Contains(err.Error(), dir) {
				t.Errorf("Err: %v", err)
			}
			checkAfterFailure(t, db, last)
			db.Close()
			db = open(t, dir, Options{})
			checkAfterFailure(t, db, last)
			if err := commitNext(t, db, 99, 1); err != nil {
				t.Error(err)
			}
			db.Close()
		})
	}
}

func commitNext(t *testing.T, db *DB, n int, version uint64) error {
	text := rr.Data(fmt.Sprint(version))
	c := storetest.Change(storetest.Account(n), version, storetest.Set("x", 16, text), storetest.Set("y", 16, text))
	_, err := db.Commit(t.Context(), c)
	return err
}

// checkAfterFailure reads, which goes on: each account has what was answered,
// or one more after a new start, and is whole.
func checkAfterFailure(t *testing.T, db *DB, last []uint64) {
	t.Helper()
	v, err := db.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Release()
	for n, version := range last {
		h, err := v.Head(storetest.Account(n))
		if err != nil || h.Version != version && h.Version != version+1 {
			t.Errorf("account %d: version %d was answered, there is %d, %v", n, version, h.Version, err)
		}
		for s, err := range v.Sets(h.Account, "") {
			if err != nil || string(s.Data[0]) != fmt.Sprint(h.Version) {
				t.Errorf("account %d at version %d: %v, %v", n, h.Version, s, err)
			}
		}
	}
}

// TestFeedEndsOnFailure: whoever follows learns that there will be no more.
func TestFeedEndsOnFailure(t *testing.T) {
	db, disk, _ := openFaulty(t)
	defer db.Close()
	var got error
	for e, err := range db.Feed(t.Context(), 0) {
		if got = err; err == nil && e.Change == nil {
			disk.Syncs.Store(true)
			commitNext(t, db, 1, 1)
		}
	}
	if !errors.Is(got, store.ErrUnavailable) || !errors.Is(got, syscall.EIO) {
		t.Errorf("the feed ended with %v", got)
	}
}

// TestFullDisk fills a small file system.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mount a small file system: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	dir = filepath.Join(dir, "db")
	db := open(t, dir, Options{WriteBuffer: 128 << 10})
	big := rr.Data(strings.Repeat("x", 10_000))
	version := uint64(0)
	var err error
	for err == nil && version < 1000 {
		var p store.Position
		c := storetest.Change(storetest.Account(int(version)), 1, storetest.Set("x", 16, big))
		if p, err = db.Commit(t.Context(), c); err == nil {
			version = uint64(p)
		}
	}
	if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), dir) {
		t.Errorf("commit on a full disk: %v", err)
	}
	db.Close()
	ballast := filepath.Join(filepath.Dir(dir), "ballast")
	if err := os.WriteFile(ballast, make([]byte, 2<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if _, err = Open(dir, Options{}); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), dir) {
		t.Errorf("open on a full disk: %v", err)
	}
	if err := syscall.Mount("", filepath.Dir(dir), "", syscall.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	db = open(t, dir, Options{})
	defer db.Close()
	v, err := db.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Release()
	if uint64(v.Position()) < version {
		t.Errorf("position %d after %d answers", v.Position(), version)
	}
	for i := range int(version) {
		if _, exists, err := v.Node(storetest.Account(i), rr.MustName("x")); !exists || err != nil {
			t.Errorf("account %d: exists %v, %v", i, exists, err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	top := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := put("file", "")
	put("other/notes.txt", "mine")
	put("newer/NAMECAST", "namecast store 2\n")
	put("strange/NAMECAST", "\x00\x01")
	put("emptied/NAMECAST", formatName+"\n")
	put("tables/000005.ldb", "")
	locked := open(t, filepath.Join(top, "locked"), Options{})
	defer locked.Close()
	cases := []struct {
		name, dir string
		want      error
		text      string
	}{
		{"missing parent", filepath.Join(top, "no/db"), os.ErrNotExist, `make the folder: "` + filepath.Join(top, "no") + `": no such file or directory`},
		{"a file", file, syscall.ENOTDIR, "not a directory"},
		{"below a file", filepath.Join(file, "db"), syscall.ENOTDIR, "not a directory"},
		{"locked", filepath.Join(top, "locked"), store.ErrLocked, "in use by another process"},
		{"something else", filepath.Join(top, "other"), store.ErrDamaged, `not a namecast database: it holds "notes.txt"`},
		{"newer format", filepath.Join(top, "newer"), store.ErrFormat, `it is a "namecast store 2", this program knows "namecast store 1"`},
		{"strange format", filepath.Join(top, "strange"), store.ErrFormat, `it is a "\x00\x01"`},
		{"emptied", filepath.Join(top, "emptied"), store.ErrDamaged, "CURRENT"},
		{"without entry point", filepath.Join(top, "tables"), store.ErrDamaged, "entry point"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			db, err := Open(c.dir, Options{})
			if err == nil {
				db.Close()
			}
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if s := err.Error(); !strings.HasPrefix(s, fmt.Sprintf("open database %q: ", c.dir)) || !strings.Contains(s, c.text) || strings.Contains(s, "\n") {
				t.Errorf("got %q, want %q in it", s, c.text)
			}
		})
	}
	if entries, _ := os.ReadDir(filepath.Join(top, "other")); len(entries) != 1 {
		t.Errorf("a refused folder now holds %v", entries)
	}
}

// TestOpenForeignLevelDB: a database of another program is left alone.
func TestOpenForeignLevelDB(t *testing.T) {
	db, err := OpenMemory(Options{})
	if err != nil {
		t.Fatal(err)
	}
	db.ldb.Delete(keyFormat, nil)
	st, err := db.load(false)
	if !errors.Is(err, store.ErrDamaged) {
		t.Errorf("state %v, %v", st, err)
	}
	db.ldb.Put(keyFormat, []byte("namecast store 9"), nil)
	if st, err = db.load(false); !errors.Is(err, store.ErrFormat) {
		t.Errorf("state %v, %v", st, err)
	}
	db.Close()
}

// TestHalfRestore: what an interrupted restore left is taken away at opening.
func TestHalfRestore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	db := open(t, dir, Options{})
	for _, k := range []string{"m/restoring", "a/x", "k/y", "o/z", "r/x\x00\x00\x00\x01"} {
		if err := db.ldb.Put([]byte(k), nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	db = open(t, dir, Options{})
	defer db.Close()
	v, err := db.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Release()
	var keys []string
	for p, err := range v.(*view).scan(nil) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, string(p.key))
	}
	if got := strings.Join(keys, " "); got != "m/format m/state" {
		t.Errorf("keys left: %q", got)
	}
}

// TestQueueFull: who waits for a full queue leaves when its context ends.
func TestQueueFull(t *testing.T) {
	db, err := OpenMemory(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	hold, held := make(chan struct{}), make(chan struct{})
	go db.send(t.Context(), &request{done: make(chan struct{}), alone: func(*writer) error {
		close(held)
		<-hold
		return nil
	}})
	<-held
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for n := range maxWaiting + 50 {
		wg.Go(func() {
			_, err := db.Commit(ctx, storetest.Change(storetest.Account(n), 1))
			if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, ctx.Err()) {
				t.Errorf("commit: %v", err)
			}
		})
	}
	wg.Wait()
	close(hold)
	if err := commitNext(t, db, 1, 1); err != nil {
		t.Error(err)
	}
	v, _ := db.View()
	defer v.Release()
	if v.Position() != 1 {
		t.Errorf("position %d: a commit that was given up was written", v.Position())
	}
}
