package leveldb

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/syndtr/goleveldb/leveldb/storage"

	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/storetest"
)

func TestKilled(t *testing.T) {
	storetest.Crash(t, storetest.Crasher{
		Kills: 20,
		Open:  func(dir string) (store.Store, error) { return Open(dir, sampleOptions) },
	})
}

// A lossy disk knows what of each file is synced, so that a copy can be made of
// what a power cut would leave.
type lossy struct {
	folder
	mu    sync.Mutex
	files map[string]*lossyFile
}

type lossyFile struct {
	storage.Writer
	disk            *lossy
	written, synced int
}

func (d *lossy) Create(fd storage.FileDesc) (storage.Writer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w, err := d.folder.Create(fd)
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
		return journalName(fd.Num)
	}
	return fmt.Sprintf("%06d.ldb", fd.Num)
}

func (d *lossy) Rename(from, to storage.FileDesc) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[fileName(to)] = d.files[fileName(from)]
	return d.folder.Rename(from, to)
}

func (d *lossy) Remove(fd storage.FileDesc) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.folder.Remove(fd)
}

func (d *lossy) SetMeta(fd storage.FileDesc) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.folder.SetMeta(fd)
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

// cut copies what a power cut now might leave: of each file what is synced, and
// any part of what is not.
func (d *lossy) cut(t *testing.T, r *rand.Rand) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	files := make(map[string][]byte)
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(d.dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if f := d.files[e.Name()]; f != nil && f.written > f.synced {
			b = b[:f.synced+r.IntN(f.written-f.synced)]
		}
		files[e.Name()] = b
	}
	delete(files, "LOCK")
	files[markName] = []byte(formatName + "\n")
	return writeFolder(t, files)
}

// TestPowerCut takes copies of what a power cut would leave while eight
// goroutines write; each copy opens and has everything that was answered before
// it was taken.
func TestPowerCut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	f, err := openFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	disk := &lossy{folder: f, files: make(map[string]*lossyFile)}
	db, err := openStorage(dir, disk, sampleOptions)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var answered [8]atomic.Uint64
	progress, stop := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	for n := range answered {
		wg.Go(func() {
			for version := uint64(1); ; version++ {
				text := rr.Data(fmt.Sprint(version))
				c := storetest.Change(storetest.Account(n), version, storetest.Set("x", 16, text), storetest.Set("y", 16, text))
				if _, err := db.Commit(t.Context(), c); err != nil {
					t.Error(err)
					return
				}
				answered[n].Store(version)
				select {
				case progress <- struct{}{}:
				case <-stop:
					return
				}
			}
		})
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range 25 {
		for range 20 {
			<-progress
		}
		least := make(map[string]uint64)
		for n := range answered {
			least[storetest.Account(n)] = answered[n].Load()
		}
		checkCut(t, disk.cut(t, r), least)
	}
	close(stop)
	wg.Wait()
}

func checkCut(t *testing.T, dir string, least map[string]uint64) {
	t.Helper()
	db, err := Open(dir, sampleOptions)
	if err != nil {
		t.Errorf("open after a power cut: %v", err)
		return
	}
	defer os.RemoveAll(dir)
	defer db.Close()
	v, err := db.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Release()
	for account, version := range least {
		h, err := v.Head(account)
		if version > 0 && (err != nil || h.Version < version) {
			t.Errorf("%s: version %d was answered, there is %d, %v", account, version, h.Version, err)
		}
		for s, err := range v.Sets(account, "") {
			if err != nil || string(s.Data[0]) != fmt.Sprint(h.Version) {
				t.Errorf("%s at version %d: %v, %v", account, h.Version, s, err)
			}
		}
	}
	if err := checkLog(db.ldb, v.(*view).snap.state, 0); err != nil {
		t.Error(err)
	}
}
