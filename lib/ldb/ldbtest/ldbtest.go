// Package ldbtest has disks that fail and that lose power, for the tests of rooms
// that keep a goleveldb database.
package ldbtest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/syndtr/goleveldb/leveldb/storage"

	"namecast/lib/ldb"
)

// markName is the file that names the format.
const markName = "NAMECAST"

// openFolder opens a folder of a format.
func openFolder(t testing.TB, dir, format string) ldb.Folder {
	t.Helper()
	f, err := ldb.OpenFolder(dir, format)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A Faulty disk is a folder whose journals' writes or syncs fail from some moment
// on: of a write, the first half is made.
type Faulty struct {
	ldb.Folder
	Writes, Syncs atomic.Bool // they fail
}

// OpenFaulty opens a folder of a format as a disk that does not fail yet.
func OpenFaulty(t testing.TB, dir, format string) *Faulty {
	t.Helper()
	return &Faulty{Folder: openFolder(t, dir, format)}
}

type faultyFile struct {
	storage.Writer
	disk *Faulty
}

// Create makes a file.
func (d *Faulty) Create(fd storage.FileDesc) (storage.Writer, error) {
	w, err := d.Folder.Create(fd)
	if err != nil || fd.Type != storage.TypeJournal {
		return w, err
	}
	return faultyFile{w, d}, nil
}

func (f faultyFile) Write(b []byte) (int, error) {
	if f.disk.Writes.Load() {
		n, _ := f.Writer.Write(b[:len(b)/2])
		return n, syscall.ENOSPC
	}
	return f.Writer.Write(b)
}

func (f faultyFile) Sync() error {
	if f.disk.Syncs.Load() {
		return syscall.EIO
	}
	return f.Writer.Sync()
}

// A Lossy disk is a folder that knows what of each file is synced, so that a copy
// can be made of what a power cut would leave.
type Lossy struct {
	ldb.Folder
	dir, format string
	mu          sync.Mutex
	files       map[string]*lossyFile
}

// OpenLossy opens a folder of a format.
func OpenLossy(t testing.TB, dir, format string) *Lossy {
	t.Helper()
	return &Lossy{Folder: openFolder(t, dir, format), dir: dir, format: format, files: make(map[string]*lossyFile)}
}

type lossyFile struct {
	storage.Writer
	disk            *Lossy
	written, synced int
}

// Create makes a file.
func (d *Lossy) Create(fd storage.FileDesc) (storage.Writer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w, err := d.Folder.Create(fd)
	if err != nil {
		return nil, err
	}
	f := &lossyFile{Writer: w, disk: d}
	d.files[fileName(fd)] = f
	return f, nil
}

func fileName(fd storage.FileDesc) string {
	switch fd.Type {
	case storage.TypeManifest:
		return fmt.Sprintf("MANIFEST-%06d", fd.Num)
	case storage.TypeJournal:
		return fmt.Sprintf("%06d.log", fd.Num)
	}
	return fmt.Sprintf("%06d.ldb", fd.Num)
}

// Rename renames a file.
func (d *Lossy) Rename(from, to storage.FileDesc) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[fileName(to)] = d.files[fileName(from)]
	return d.Folder.Rename(from, to)
}

// Remove removes a file.
func (d *Lossy) Remove(fd storage.FileDesc) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.Folder.Remove(fd)
}

// SetMeta says which manifest counts.
func (d *Lossy) SetMeta(fd storage.FileDesc) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.Folder.SetMeta(fd)
}

func (f *lossyFile) Write(b []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	n, err := f.Writer.Write(b)
	f.written += n
	return n, err
}

func (f *lossyFile) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	err := f.Writer.Sync()
	f.synced = f.written
	return err
}

// Cut makes a folder of what a power cut now might leave: of each file what is
// synced, and any part of what is not.
func (d *Lossy) Cut(t testing.TB, r *rand.Rand) string {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	files := ReadFolder(t, d.dir)
	for name, b := range files {
		if f := d.files[name]; f != nil && f.written > f.synced {
			files[name] = b[:min(len(b), f.synced+r.IntN(f.written-f.synced))] // a table has a buffer
		}
	}
	files[markName] = []byte(d.format + "\n")
	return WriteFolder(t, files)
}

// ReadFolder gives the files of a folder, but for the lock and the library's
// diary.
func ReadFolder(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "LO") {
			continue
		}
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// WriteFolder makes a folder of files, in memory where the system has such a
// place: the disk is not what is tested. It goes when the test ends.
func WriteFolder(t testing.TB, files map[string][]byte) string {
	t.Helper()
	top := "/dev/shm"
	if _, err := os.Stat(top); err != nil {
		top = t.TempDir()
	}
	dir, err := os.MkdirTemp(top, "namecast-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Newest gives the file with the highest number among those with a part in their
// names.
func Newest(files map[string][]byte, part string) (name string) {
	for n := range files {
		if strings.Contains(n, part) {
			name = max(name, n)
		}
	}
	return name
}
