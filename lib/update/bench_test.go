package update

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"namecast/lib/nup"
	"namecast/lib/store/leveldb"
)

// BenchmarkUpdate is the whole way of an update but its sockets, on a disk, for
// 64 accounts at once.
func BenchmarkUpdate(b *testing.B) {
	db, err := leveldb.Open(filepath.Join(b.TempDir(), "db"), leveldb.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	const accounts = 64
	packets := make([][][]byte, accounts)
	for i := range packets {
		o := newOwner(b)
		for seq := range b.N/accounts + 1 {
			packets[i] = append(packets[i], o.packet(int64(seq), fmt.Sprintf("replace home 60 A 192.0.2.%d", seq%250), nil))
		}
	}
	s := New(config(db))
	var next atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.SetParallelism(accounts / 2)
	b.RunParallel(func(pb *testing.PB) {
		mine := packets[int(next.Add(1)-1)%accounts]
		for i := 0; pb.Next(); i++ {
			r, err := nup.ParseReply(s.Handle(b.Context(), mine[i%len(mine)], home))
			if err != nil || r.Status != nup.StatusOK && r.Status != nup.StatusWrongSequence {
				b.Errorf("%v, %v", r, err)
			}
		}
	})
}

// BenchmarkGroup is the same for groups of 32 updates that have come together.
func BenchmarkGroup(b *testing.B) {
	db, err := leveldb.Open(filepath.Join(b.TempDir(), "db"), leveldb.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	const accounts, together = 1024, 32
	var packets [][]byte
	owners := make([]owner, accounts)
	for i := range owners {
		owners[i] = newOwner(b)
	}
	for n := range b.N + together {
		seq := n / accounts
		packets = append(packets, owners[n%accounts].packet(int64(seq), fmt.Sprintf("replace home 60 A 192.0.2.%d", seq%250), nil))
	}
	s := New(config(db))
	g := s.newGroup(b.Context())
	room := make([]byte, 0, 1000)
	g.pause = func() {}
	g.ended = func(i int) {
		if r := g.tasks[i].reply; r == nil || r.Status != nup.StatusOK {
			b.Errorf("%+v", r)
		}
		g.tasks[i].answer(room)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += together {
		g.tasks = g.tasks[:0]
		for _, p := range packets[n : n+together] {
			g.tasks = append(g.tasks, newTask(p, home, s.Now()))
		}
		g.run(g.pause, g.pause)
	}
}
