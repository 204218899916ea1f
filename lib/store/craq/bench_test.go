package craq

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"namecast/lib/chain/replica"
	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
	"namecast/lib/store/storetest"
)

// benchChange is a change as a dynamic address makes.
func benchChange(n int, version uint64) store.Change {
	address := rr.Data(binary.BigEndian.AppendUint32(nil, uint32(version)))
	return storetest.Change(storetest.Account(n), version, storetest.Set("@", 1, address))
}

// BenchmarkCommit commits through one node of the service to storage of one and of
// three nodes, all in this process.
func BenchmarkCommit(b *testing.B) {
	for _, nodes := range []int{1, 3} {
		for _, writers := range []int{1, 64} {
			b.Run(fmt.Sprintf("nodes=%d/writers=%d", nodes, writers), func(b *testing.B) {
				s := open(b, filepath.Join(b.TempDir(), "db"), newNodes(b, nodes, replica.Options{}).client(), leveldb.Options{})
				defer s.Close()
				var left atomic.Int64
				left.Store(int64(b.N))
				b.ResetTimer()
				var wg sync.WaitGroup
				for n := range writers {
					wg.Go(func() {
						for version := uint64(1); left.Add(-1) >= 0; version++ {
							if _, err := s.Commit(b.Context(), benchChange(n, version)); err != nil {
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
}

// BenchmarkVisible measures how long after the begin of a commit at one node
// another has it, with storage of three nodes.
func BenchmarkVisible(b *testing.B) {
	c := newNodes(b, 3, replica.Options{})
	heard := make(chan store.Position, 1024)
	s := open(b, filepath.Join(b.TempDir(), "a"), c.client(), leveldb.Options{})
	defer s.Close()
	other := open(b, filepath.Join(b.TempDir(), "b"), c.client(), leveldb.Options{
		Changed: func(t leveldb.Touched) { heard <- t.Position },
	})
	defer other.Close()
	var took []time.Duration
	version := uint64(0)
	for b.Loop() {
		version++
		began := time.Now()
		if _, err := s.Commit(b.Context(), benchChange(1, version)); err != nil {
			b.Fatal(err)
		}
		<-heard
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs-p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs-p99")
}
