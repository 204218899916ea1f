package leveldb

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/syndtr/goleveldb/leveldb"

	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/storetest"
)

// readyDirectory gives a directory that has nothing to load.
func readyDirectory() *directory {
	d := newDirectory()
	d.ready.Store(true)
	return d
}

func TestDirectoryKnowsWhatWasAdded(t *testing.T) {
	const names = 5 << firstTable // the table grows several times
	d := readyDirectory()
	prefixes := []string{prefixHead, prefixKey, prefixClaim}
	name := func(n int) string { return fmt.Sprintf("name %d", n) }
	for n := range names {
		d.add(prefixes[n%3] + name(n))
		if n%100 == 0 {
			d.add(prefixes[n%3] + name(n)) // twice is once
		}
	}
	wrong := 0
	for n := range names {
		for i, prefix := range prefixes {
			got := d.absent(prefix, name(n))
			if got != d.absentKey([]byte(prefix+name(n))) {
				t.Fatalf("absent and absentKey differ for %s%s", prefix, name(n))
			}
			if i == n%3 && got {
				t.Fatalf("%s%s was added and is absent", prefix, name(n))
			}
			if i != n%3 && !got {
				wrong++
			}
		}
	}
	if wrong > 10 { // about 0.01 is to be expected
		t.Errorf("%d names of %d that nobody added may be there", wrong, 2*names)
	}
}

// TestDirectoryWhileAdding: what was added before is there in every table that
// a reader meets.
func TestDirectoryWhileAdding(t *testing.T) {
	const names = 20_000
	d := readyDirectory()
	var added atomic.Int64
	var wg sync.WaitGroup
	for seed := range uint64(3) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, 1))
			for n := added.Load(); n < names; n = added.Load() {
				if n == 0 {
					continue
				}
				if i := r.Int64N(n); d.absent(prefixHead, fmt.Sprint(i)) {
					t.Errorf("name %d of %d is absent", i, n)
					return
				}
			}
		})
	}
	for n := range names {
		d.add(prefixHead + fmt.Sprint(n))
		added.Store(int64(n + 1))
	}
	wg.Wait()
}

// TestDirectorySize: a name takes at most 11 octets when the table has just
// grown, by the largest of its sizes up to a million names.
func TestDirectorySize(t *testing.T) {
	d := newDirectory()
	r := rand.New(rand.NewPCG(1, 2))
	worst := 0.0
	for d.count < 1_000_000 {
		d.insert(max(r.Uint32(), 1))
		if d.count > 1<<firstTable {
			worst = max(worst, 4*float64(len(d.table.Load().words))/float64(d.count))
		}
	}
	now := 4 * float64(len(d.table.Load().words)) / float64(d.count)
	t.Logf("%.1f octets a name at most, %.1f at a million", worst, now)
	if worst > 11 {
		t.Errorf("%.1f octets a name", worst)
	}
}

func loadedDirectory(t *testing.T, db *DB, stop <-chan struct{}) *directory {
	t.Helper()
	snap, err := db.ldb.GetSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	d := newDirectory()
	d.load(snap, stop)
	<-d.loaded
	return d
}

// TestDirectoryLoads: names of every kind come in from a snapshot, more of them
// than are put in at once; until then nothing is absent.
func TestDirectoryLoads(t *testing.T) {
	db, err := OpenMemory(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var b leveldb.Batch
	name := func(n int) string { return fmt.Sprint("name", n) }
	const names = 2*loadBatch + 1
	for n := range names {
		b.Put(joinKey(prefixHead, name(n)), nil)
	}
	b.Put(joinKey(prefixKey, "key"), nil)
	b.Put(joinKey(prefixClaim, "\x03com"), nil)
	if err := db.ldb.Write(&b, nil); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	close(stop)
	if d := loadedDirectory(t, db, stop); d.absent(prefixHead, "nobody") {
		t.Error("a name is absent when the loading was stopped")
	}
	d := loadedDirectory(t, db, nil)
	for n := range names {
		if d.absent(prefixHead, name(n)) {
			t.Fatalf("name %d was loaded and is absent", n)
		}
	}
	if d.absent(prefixKey, "key") || d.absent(prefixClaim, "\x03com") || !d.absent(prefixClaim, "nobody") {
		t.Error("keys or domains are wrong")
	}
}

func TestAbsent(t *testing.T) {
	dir := t.TempDir() + "/db"
	db := open(t, dir, Options{})
	a, later, domain := storetest.Account(1), storetest.Account(2), rr.MustName("example.com")
	if err := commitNext(t, db, 1, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := db.SetClaim(t.Context(), domain, 0, store.Claim{Version: 1, Account: a}); err != nil {
		t.Fatal(err)
	}
	db.Close()
	db = open(t, dir, Options{})
	defer db.Close()
	<-db.names.loaded
	if err := commitNext(t, db, 2, 1); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{a: false, later: false, "nobody": true, "": true, string(domain): true} {
		if got := db.Absent([]byte(name)); got != want {
			t.Errorf("account %q: absent is %v", name, got)
		}
	}
	for name, want := range map[string]bool{string(domain): false, a: true, "\x03com": true, "": true} {
		if got := db.AbsentDomain([]byte(name)); got != want {
			t.Errorf("domain %q: absent is %v", name, got)
		}
	}
}

func TestAbsentDoesNotAllocate(t *testing.T) {
	db, err := OpenMemory(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	name := []byte("nobody-has-this-name-of-an-account")
	n := testing.AllocsPerRun(1000, func() {
		if db.Absent(name) != db.AbsentDomain(name) {
			runtime.Gosched() // the directory became ready in between
		}
		db.names.absent(prefixHead, "nobody-has-this-name-of-an-account")
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAbsent(b *testing.B) {
	for _, names := range []int{1000, 1_000_000} {
		d := readyDirectory()
		r := rand.New(rand.NewPCG(1, 2))
		for d.count < names {
			d.insert(max(r.Uint32(), 1))
		}
		b.Run(fmt.Sprint(names), func(b *testing.B) {
			name := []byte("a/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
			b.ReportAllocs()
			for i := range b.N {
				name[10], name[11], name[12], name[13] = byte(i), byte(i>>8), byte(i>>16), byte(i>>24)
				d.absentKey(name)
			}
		})
	}
}
