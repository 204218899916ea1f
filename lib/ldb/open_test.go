package ldb_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/storage"

	"namecast/lib/ldb"
	"namecast/lib/ldb/ldbtest"
)

const (
	format  = "test 1"
	samples = 600
)

// small has tables made early, so that there is some of every file.
var small = ldb.Options{WriteBuffer: 16 << 10}

var synced = &opt.WriteOptions{Sync: true}

// open opens a folder, and fails the test if that cannot be done.
func open(t *testing.T, dir string) (*leveldb.DB, func()) {
	t.Helper()
	f, err := ldb.OpenFolder(dir, format)
	if err != nil {
		t.Fatal(err)
	}
	db, _, err := ldb.Open(f, small)
	if err == nil {
		err = f.Mark()
	}
	if err != nil {
		t.Fatal(err)
	}
	return db, func() {
		if err := errors.Join(db.Close(), f.Close()); err != nil {
			t.Error(err)
		}
	}
}

// sample gives the files of a database with keys 0 to samples-1, put one by one.
func sample(t *testing.T) map[string][]byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "db")
	for part := range 3 {
		db, done := open(t, dir)
		for i := part * samples / 3; i < (part+1)*samples/3; i++ {
			if err := db.Put(fmt.Appendf(nil, "%06d", i), fmt.Appendf(nil, "value %d%s", i, strings.Repeat("x", i%90)), synced); err != nil {
				t.Fatal(err)
			}
		}
		done()
	}
	return ldbtest.ReadFolder(t, dir)
}

// count opens a folder of files and gives how many keys it has, from 0 on, and
// whether a record was cut. An error is a refusal, at opening or at reading.
func count(t *testing.T, files map[string][]byte) (n int, cut bool, err error) {
	t.Helper()
	dir := ldbtest.WriteFolder(t, files)
	defer os.RemoveAll(dir)
	f, err := ldb.OpenFolder(dir, format)
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	db, cut, err := ldb.Open(f, small)
	if err != nil {
		return 0, cut, err
	}
	defer db.Close()
	it := db.NewIterator(nil, nil)
	defer it.Release()
	for ; it.Next(); n++ {
		if string(it.Key()) != fmt.Sprintf("%06d", n) || !strings.HasPrefix(string(it.Value()), fmt.Sprintf("value %d", n)) {
			t.Errorf("entry %d is %q", n, it.Key())
		}
	}
	return n, cut, ldb.Damage(it.Error())
}

// TestTornTail cuts the newest journal off, at every octet of its last records: all
// records before the cut are there, and nothing else.
func TestTornTail(t *testing.T) {
	files := sample(t)
	name := ldbtest.Newest(files, ".log")
	b := files[name]
	last, cuts := samples, 0
	for size := len(b); size >= 0; size-- {
		if size < len(b)-250 && size%499 > 0 {
			continue
		}
		files[name] = b[:size]
		n, cut, err := count(t, files)
		if err != nil || n > last {
			t.Fatalf("cut to %d of %d octets: %d keys after %d, %v", size, len(b), n, last, err)
		}
		if last = n; cut {
			cuts++
		}
	}
	if last == samples || cuts < 200 {
		t.Errorf("%d keys are left, %d openings had to cut", last, cuts)
	}
}

// TestFlippedBits: with one bit flipped the database opens whole or is refused.
func TestFlippedBits(t *testing.T) {
	files := sample(t)
	for name, b := range files {
		for at := 0; at < len(b); at += max(1, len(b)/40) {
			b[at] ^= 1 << (at % 8)
			n, _, err := count(t, files)
			b[at] ^= 1 << (at % 8)
			if err == nil && n != samples || err != nil && !errors.Is(err, ldb.ErrDamaged) && !errors.Is(err, ldb.ErrFormat) {
				t.Errorf("%s octet %d of %d: %d keys, %v", name, at, len(b), n, err)
			}
		}
	}
}

// TestMissingFiles: without any one of its files the database is refused, but for
// a spare copy, and for the mark, whose lack an interrupted making leaves.
func TestMissingFiles(t *testing.T) {
	files := sample(t)
	for name, b := range files {
		if name == "NAMECAST" || name == "CURRENT.bak" {
			continue
		}
		delete(files, name)
		if n, _, err := count(t, files); !errors.Is(err, ldb.ErrDamaged) {
			t.Errorf("without %s: %d keys, %v", name, n, err)
		}
		files[name] = b
	}
}

func TestFolder(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "db")
	_, done := open(t, dir)
	if _, err := ldb.OpenFolder(dir, format); !errors.Is(err, ldb.ErrLocked) {
		t.Errorf("open twice: %v", err)
	}
	done()
	_, err := ldb.OpenFolder(dir, "test 0")
	if want := `format of a newer program: it is a "test 1", this program knows "test 0"`; !errors.Is(err, ldb.ErrFormat) || err.Error() != want {
		t.Errorf("open as another format: %v", err)
	}
	if _, err := ldb.OpenFolder(filepath.Join(top, "no", "db"), format); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("open below a folder that is not there: %v", err)
	}
	if err := os.WriteFile(filepath.Join(top, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ldb.OpenFolder(filepath.Join(top, "file"), format); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("open a file: %v", err)
	}
	if _, err := ldb.OpenFolder(top, format); !errors.Is(err, ldb.ErrDamaged) {
		t.Errorf("open a folder with other things: %v", err)
	}
}

// TestFresh: only a database without anything, in a folder that never had a
// finished one, is new.
func TestFresh(t *testing.T) {
	files := storage.NewMemStorage()
	db, _, err := ldb.Open(files, ldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := ldb.Fresh(db, files); err != nil {
		t.Error(err)
	}
	if err := db.Put([]byte("x"), nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := ldb.Fresh(db, files); !errors.Is(err, ldb.ErrDamaged) {
		t.Errorf("with an entry: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "db")
	_, done := open(t, dir)
	done()
	f, err := ldb.OpenFolder(dir, format)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := ldb.Fresh(db, f); !errors.Is(err, ldb.ErrDamaged) {
		t.Errorf("in a finished folder: %v", err)
	}
}
