package disk

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/syndtr/goleveldb/leveldb/util"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// linked makes a batch of records 1 to n, of which the state has some applied.
func linked(n, state chain.LSN) replica.Batch {
	b := replica.Batch{Seq: 1, Sync: true, Meta: &replica.Meta{Inc: 4, Row: chain.Row{Chain: 9, Epoch: 3}}}
	var hash chain.Hash
	for lsn := chain.LSN(1); lsn <= n; lsn++ {
		rec := chain.Record{LSN: lsn, Ops: []chain.Op{{Kind: chain.Put, Key: []byte("key"), Value: []byte{byte(lsn)}}}}
		rec.Hash = rec.Sum(hash)
		hash = rec.Hash
		b.Records = append(b.Records, rec)
		if lsn == state {
			b.Moved, b.State, b.Hash = true, lsn, hash
		}
	}
	b.Items = []chain.Item{{Key: []byte("key"), Value: []byte("value"), Version: state}}
	return b
}

// recordKey is the key of a record of chain 9 in its first generation.
func recordKey(lsn chain.LSN) []byte { return appendLSN(nil, kindRecord, 9, 0, lsn) }

// TestDoubts: a chain whose log does not hold together shows nothing and is no
// good but to be copied anew; the others are as they were; nothing is thrown away.
func TestDoubts(t *testing.T) {
	alter := func(d *Disk, lsn chain.LSN, how func(*chain.Record)) {
		b, _ := d.ldb.Get(recordKey(lsn), nil)
		rec, _ := parseRecord(lsn, b)
		how(&rec)
		d.ldb.Put(recordKey(lsn), appendRecord(nil, &rec), nil)
	}
	cases := []struct {
		name  string
		spoil func(d *Disk)
		want  string
	}{
		{"gap", func(d *Disk) { d.ldb.Delete(recordKey(5), nil) }, "record 5 is missing, the log has 1 to 8"},
		{"first", func(d *Disk) { d.ldb.Delete(recordKey(1), nil) }, "record 1 is missing"},
		{"last", func(d *Disk) { d.ldb.Delete(recordKey(8), nil) }, "record 8 is missing"},
		{"one more", func(d *Disk) { d.ldb.Put(recordKey(9), []byte("x"), nil) }, "record 9 is missing, the log has 1 to 8"},
		{"form", func(d *Disk) { d.ldb.Put(recordKey(3), []byte("x"), nil) }, "record 3 has an unknown form"},
		{"key", func(d *Disk) { d.ldb.Put(append(recordKey(3), 0), []byte("x"), nil) }, "record 4 is missing"},
		{"content", func(d *Disk) {
			alter(d, 7, func(r *chain.Record) { r.Ops[0].Value = []byte("other") })
		}, "the hash of record 7 does not follow"},
		{"hash", func(d *Disk) { alter(d, 8, func(r *chain.Record) { r.Hash[0]++ }) }, "the hash of record 8 does not follow"},
		{"state", func(d *Disk) {
			p := d.chains[9].next.place
			p.hash[3]++
			d.ldb.Put(appendChain(nil, kindPlace, 9), appendPlace(nil, p), nil)
		}, "the state has another hash than record 6"},
		{"position", func(d *Disk) {
			p := d.chains[9].next.place
			p.state = 9
			d.ldb.Put(appendChain(nil, kindPlace, 9), appendPlace(nil, p), nil)
		}, "the state is at 9, the log has 1 to 8"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "db")
			d := open(t, dir, Options{})
			d.Write(9, linked(8, 6))
			d.Write(10, linked(8, 6))
			if err := d.Flush(); err != nil {
				t.Fatal(err)
			}
			c.spoil(d)
			d.Close()
			doubtful(t, dir, c.want)
		})
	}
}

func doubtful(t *testing.T, dir, want string) {
	t.Helper()
	d, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Doubts(); len(got) != 1 || got[0].Chain != 9 || !strings.Contains(got[0].String(), want) {
		t.Errorf("doubts %v, want %q", got, want)
	}
	d.Close()
	d = open(t, dir, Options{}) // without a doubt
	held := d.Held()
	if held[9].Held() != 0 || held[9].Row.Epoch != 3 || held[10].Held() != 4 || len(held) != 2 {
		t.Errorf("held %v", held)
	}
	s := d.Storage(9)
	if first, last := s.Log(); first != 1 || last != 0 {
		t.Errorf("the log has %d to %d", first, last)
	}
	if it, ok := s.Get([]byte("key")); ok {
		t.Errorf("there is %v", it)
	}
	if it, ok := d.Storage(10).Get([]byte("key")); !ok {
		t.Errorf("chain 10 has %v, %v", it, ok)
	}
	if n := entries(t, d, 9); n < 8 {
		t.Errorf("of the doubtful chain only %d entries are left", n)
	}
	d.Write(9, replica.Batch{Seq: 1, Wipe: true, Sync: true})
	d.Write(9, linked(2, 1))
	until(t, "the old generation goes", func() bool { return entries(t, d, 9) == 2+1+2 })
	if err := s.Err(); err != nil {
		t.Error(err)
	}
}

// entries counts what there is of a chain, in all generations.
func entries(t *testing.T, d *Disk, id chain.ID) (n int) {
	t.Helper()
	for _, kind := range slices.Concat(ofGeneration[:], []byte{kindMeta, kindPlace}) {
		it := d.ldb.NewIterator(util.BytesPrefix(appendChain(nil, kind, id)), nil)
		for it.Next() {
			n++
		}
		it.Release()
		if err := it.Error(); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// until waits for something to come true.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for limit := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// TestRemoval: old generations go, also those whose removal was interrupted, and
// nothing else does.
func TestRemoval(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	d := open(t, dir, Options{})
	other := newModel(rand.New(rand.NewPCG(8, 8)))
	var big replica.Batch
	for i := range 10_000 {
		big.Items = append(big.Items, chain.Item{Key: []byte{byte(i >> 8), byte(i)}, Version: 1})
	}
	for round := range uint64(3) {
		for id := chain.ID(20); id < 23; id++ {
			big.Seq = 2*round + 1
			d.Write(id, big)
			d.Write(id, replica.Batch{Seq: 2*round + 2, Sync: true, Wipe: true})
		}
		for range 20 {
			d.Write(24, other.next())
		}
	}
	d.Close() // most likely before all is gone
	d = open(t, dir, Options{})
	for id := chain.ID(20); id < 23; id++ {
		until(t, "old generations go", func() bool { return entries(t, d, id) == 1 })
	}
	compare(t, d, 24, other.store, other.asked)
}
