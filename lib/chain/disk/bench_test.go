package disk

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"testing"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// filled is a disk with a chain of keys with values of 200 octets, in tables.
func filled(b *testing.B, keys int) *Disk {
	b.Helper()
	d := open(b, filepath.Join(b.TempDir(), "db"), Options{})
	batch := replica.Batch{Seq: 1, Meta: &replica.Meta{Inc: 1}}
	for i := range keys {
		batch.Items = append(batch.Items, chain.Item{Key: fmt.Appendf(nil, "key%07d", i), Value: make([]byte, 200), Version: 1})
		if len(batch.Items) == 1000 || i == keys-1 {
			d.Write(5, batch)
			batch = replica.Batch{Seq: batch.Seq + 1}
		}
	}
	if err := d.Flush(); err != nil {
		b.Fatal(err)
	}
	return d
}

func BenchmarkGet(b *testing.B) {
	const keys = 200_000
	d := filled(b, keys)
	s := d.Storage(5)
	get := func(b *testing.B, key func(i int) string, found bool) {
		all := make([][]byte, 4096)
		for i := range all {
			all[i] = []byte(key(i * 7919))
		}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if _, ok := s.Get(all[i%len(all)]); ok != found {
				b.Fatal(ok, s.Err())
			}
			i++
		}
	}
	b.Run("hot", func(b *testing.B) { get(b, func(int) string { return "key0000100" }, true) })
	b.Run("many", func(b *testing.B) { get(b, func(i int) string { return fmt.Sprintf("key%07d", i%keys) }, true) })
	b.Run("missing", func(b *testing.B) { get(b, func(i int) string { return fmt.Sprintf("kez%07d", i%keys) }, false) })
}

// BenchmarkOutcome looks for requests that are not remembered, as every new one is not, in
// a chain that remembers 65,536 others.
func BenchmarkOutcome(b *testing.B) {
	d := open(b, filepath.Join(b.TempDir(), "db"), Options{})
	batch := replica.Batch{Seq: 1, Meta: &replica.Meta{Inc: 1}}
	r := rand.New(rand.NewPCG(1, 2))
	request := func() (q chain.RequestID) {
		binary.LittleEndian.PutUint64(q[:8], r.Uint64())
		binary.LittleEndian.PutUint64(q[8:], r.Uint64())
		return q
	}
	for lsn := range chain.LSN(chain.Window) {
		batch.Remembered = append(batch.Remembered, chain.Remembered{Request: request(), Outcome: chain.Outcome{Verdict: chain.Applied, LSN: lsn + 1}})
		if len(batch.Remembered) == 4096 {
			d.Write(5, batch)
			batch = replica.Batch{Seq: batch.Seq + 1}
		}
	}
	if err := d.Flush(); err != nil {
		b.Fatal(err)
	}
	for !d.chains[5].shown.Load().sieve.isWhole() {
		runtime.Gosched()
	}
	s := d.Storage(5)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := s.Outcome(request()); ok || s.Err() != nil {
			b.Fatal(ok, s.Err())
		}
	}
}

// BenchmarkCommit writes one record of 200 octets a batch, each writer waiting
// for its batch before it goes on.
func BenchmarkCommit(b *testing.B) {
	for _, writers := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprint(writers, " writers"), func(b *testing.B) { commits(b, writers) })
	}
}

func commits(b *testing.B, writers int) {
	written := make(chan chain.ID, writers)
	d := open(b, filepath.Join(b.TempDir(), "db"), Options{Written: func(id chain.ID, seq uint64) { written <- id }})
	models := make([]writer, writers)
	for i := range models {
		d.Write(chain.ID(i), models[i].next())
	}
	b.ReportAllocs()
	for b.Loop() {
		id := <-written
		d.Write(id, models[id].next())
	}
	b.StopTimer()
	s := d.Stats()
	b.ReportMetric(float64(s.Batches)/float64(s.Writes), "batches/write")
}

// A writer makes the batches of a chain that puts one key after the other.
type writer struct {
	seq  uint64
	hash chain.Hash
}

func (w *writer) next() replica.Batch {
	w.seq++
	key := fmt.Appendf(nil, "key%d", w.seq%1000)
	rec := chain.Record{LSN: chain.LSN(w.seq), Epoch: 1, Ops: []chain.Op{{Kind: chain.Put, Key: key, Value: make([]byte, 200)}}}
	rec.Hash = rec.Sum(w.hash)
	w.hash = rec.Hash
	b := replica.Batch{Seq: w.seq, Sync: true, Records: []chain.Record{rec}}
	b.Moved, b.State, b.Hash = true, rec.LSN, rec.Hash
	b.Changes = []replica.Change{{Item: chain.Item{Key: key, Value: rec.Ops[0].Value, Version: rec.LSN}}}
	b.Remembered = []chain.Remembered{{Request: rec.Request, Outcome: chain.Outcome{Verdict: chain.Applied, LSN: rec.LSN}}}
	return b
}

// BenchmarkOpen opens a disk whose chains have logs of 8192 records, as many as a
// replica keeps by default.
func BenchmarkOpen(b *testing.B) {
	const chains, records = 32, 8192
	dir := filepath.Join(b.TempDir(), "db")
	d := open(b, dir, Options{})
	models := make([]writer, chains)
	for n := range records {
		for i := range models {
			d.Write(chain.ID(i), models[i].next())
		}
		if n%64 == 0 {
			if err := d.Flush(); err != nil {
				b.Fatal(err)
			}
		}
	}
	d.Close()
	for b.Loop() {
		if err := open(b, dir, Options{}).Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(b.N*chains*records), "µs/record")
}
