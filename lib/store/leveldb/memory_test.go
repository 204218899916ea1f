package leveldb

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"testing"

	"namecast/lib/ldb"
	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/storetest"
)

// Accounts with wideSets RRsets of 1 KiB each.
const wideSets = 32

// wideSet gives an RRset with octets that do not compress.
func wideSet(account, n int) rr.Set {
	var seed [32]byte
	binary.BigEndian.PutUint32(seed[:], uint32(account*wideSets+n))
	data := make([]byte, 1<<10)
	rand.NewChaCha8(seed).Read(data)
	return storetest.Set(fmt.Sprintf("name%d", n), 65280, rr.Data(data))
}

func wideChange(account int) store.Change {
	c := storetest.Change(storetest.Account(account), 1)
	for n := range wideSets {
		c.Put = append(c.Put, wideSet(account, n))
	}
	return c
}

// heap gives the octets of the Go heap that the process has from the system.
func heap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() + s[1].Value.Uint64() + s[2].Value.Uint64()
}

// TestLargerThanMemory: a database many times as large as the memory that it may
// take is read whole and right, and takes not much more than that.
func TestLargerThanMemory(t *testing.T) {
	const accounts = 3000 // 94 MiB
	options := Options{Memory: 4 << 20}
	dir := filepath.Join(t.TempDir(), "db")
	db := open(t, dir, options)
	var wg sync.WaitGroup
	for part := range 16 {
		wg.Go(func() {
			for n := part; n < accounts; n += 16 {
				if _, err := db.Commit(t.Context(), wideChange(n)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	db.Close()
	debug.FreeOSMemory()
	before, most := heap(), uint64(0)
	db = open(t, dir, options)
	defer db.Close()
	for n := range accounts {
		checkWide(t, db, n) // in the order of the keys
		most = max(most, heap())
	}
	for i := range accounts {
		checkWide(t, db, i*7919%accounts) // in another order
		most = max(most, heap())
	}
	t.Logf("heap of %d MiB before, %d at most", before>>20, most>>20)
	if most > before+ldb.MinMemory+16<<20 {
		t.Errorf("the heap grew from %d to %d MiB", before>>20, most>>20)
	}
}

func checkWide(t *testing.T, db *DB, n int) {
	t.Helper()
	v, err := db.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Release()
	want := wideSet(n, n%wideSets)
	sets, _, err := v.Node(storetest.Account(n), want.Owner)
	if err != nil || len(sets) != 1 || sets[0].Data[0] != want.Data[0] {
		t.Fatalf("account %d: %d RRsets, %v", n, len(sets), err)
	}
	if h, err := v.Head(storetest.Account(n)); err != nil || h.Version != 1 {
		t.Fatalf("account %d: version %d, %v", n, h.Version, err)
	}
}
