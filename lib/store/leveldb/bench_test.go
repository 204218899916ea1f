package leveldb

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/storetest"
)

// benchChange gives the next change of an account: four RRsets on creation, one
// after it, as a dynamic address does.
func benchChange(n int, version uint64) store.Change {
	address := rr.Data(binary.BigEndian.AppendUint32(nil, uint32(version)))
	c := storetest.Change(storetest.Account(n), version, storetest.Set("@", 1, address))
	c.Head.Key = make([]byte, 33)
	if version == 1 {
		c.Put = append(c.Put, storetest.Set("@", 28, rr.Data(make([]byte, 16))),
			storetest.Set("www", 1, address), storetest.Set("mail", 15, rr.MXData(10, rr.MustName("mail.example"))))
	}
	return c
}

// benchFill makes accounts with four RRsets each.
func benchFill(b *testing.B, db *DB, accounts int) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 64 {
		wg.Go(func() {
			for n := int(next.Add(1)); n <= accounts; n = int(next.Add(1)) {
				if _, err := db.Commit(b.Context(), benchChange(n, 1)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkCommit(b *testing.B) {
	for _, writers := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			db := open(b, filepath.Join(b.TempDir(), "db"), Options{})
			defer db.Close()
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ResetTimer()
			var wg sync.WaitGroup
			for n := range writers {
				wg.Go(func() {
					for version := uint64(1); left.Add(-1) >= 0; version++ {
						if _, err := db.Commit(b.Context(), benchChange(n, version)); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}

func BenchmarkRead(b *testing.B) {
	const accounts = 100_000
	dir := filepath.Join(b.TempDir(), "db")
	db := open(b, dir, Options{})
	benchFill(b, db, accounts)
	db.Close()
	db = open(b, dir, Options{})
	defer db.Close()
	<-db.names.loaded
	www := rr.MustName("www")
	read := func(name string, f func(v store.View, i int) error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				v, err := db.View()
				if err != nil {
					b.Fatal(err)
				}
				if err := f(v, 1+i*7919%accounts); err != nil {
					b.Fatal(err)
				}
				v.Release()
			}
		})
	}
	read("View", func(v store.View, i int) error { return nil })
	read("Head", func(v store.View, i int) error { _, err := v.Head(storetest.Account(i)); return err })
	read("Node", func(v store.View, i int) error {
		_, exists, err := v.Node(storetest.Account(i), www)
		if !exists {
			b.Error("missing")
		}
		return err
	})
	read("NodeSame", func(v store.View, i int) error { _, _, err := v.Node(storetest.Account(5), www); return err })
	read("NodeOfNobody", func(v store.View, i int) error { _, _, err := v.Node("nobody", www); return err })
	read("ClaimOfNobody", func(v store.View, i int) error { _, err := v.Claim(www); return err })
}

func BenchmarkOpen(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "db")
	db := open(b, dir, Options{})
	benchFill(b, db, 100_000)
	db.Close()
	b.ResetTimer()
	for b.Loop() {
		open(b, dir, Options{}).Close()
	}
}
