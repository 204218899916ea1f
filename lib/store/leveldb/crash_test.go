package leveldb

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"namecast/lib/ldb/ldbtest"
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

// TestPowerCut takes copies of what a power cut would leave while eight
// goroutines write; each copy opens and has everything that was answered before
// it was taken.
func TestPowerCut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	disk := ldbtest.OpenLossy(t, dir, formatName)
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
		checkCut(t, disk.Cut(t, r), least)
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
