package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/syndtr/goleveldb/leveldb"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// TestPatience: a batch that nothing waits for is written with the next one that
// something does wait for, and at the latest after 50 ms.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(progress)
		d := openMemory(t, Options{Written: p.note})
		put := func(seq uint64, sync bool) {
			d.Write(3, replica.Batch{Seq: seq, Sync: sync, Meta: &replica.Meta{Inc: 1}})
			synctest.Wait()
		}
		put(1, false)
		put(2, false)
		if n := p.of(3); n != 0 {
			t.Errorf("batch %d did not wait", n)
		}
		time.Sleep(patience)
		synctest.Wait()
		if n := p.of(3); n != 2 {
			t.Errorf("after %v batch %d is written", patience, n)
		}
		put(3, false)
		put(4, true)
		if n := p.of(3); n != 4 {
			t.Errorf("with a batch that says Sync batch %d is written", n)
		}
		if s := d.Stats(); s.Writes != 2 || s.Batches != 4 || s.Waiting != 0 {
			t.Errorf("counted %+v", s)
		}
		put(5, false)
		d.Close()
		if n := p.of(3); n != 5 {
			t.Errorf("after Close batch %d is written", n)
		}
		time.Sleep(time.Minute) // for goleveldb, which ends a goroutine late
	})
}

// TestManyUnsynced: what takes much memory does not wait.
func TestManyUnsynced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(progress)
		d := openMemory(t, Options{Written: p.note})
		for seq := range uint64(30) {
			d.Write(3, replica.Batch{Seq: seq + 1, Items: []chain.Item{{Key: []byte("x"), Value: make([]byte, 100_000)}}})
		}
		synctest.Wait()
		if n := p.of(3); n < 10 {
			t.Errorf("at once batch %d of 30 is written", n)
		}
		d.Close()
		time.Sleep(time.Minute) // for goleveldb, which ends a goroutine late
	})
}

// TestClosed: a closed disk takes nothing, and reading from it is an error.
func TestClosed(t *testing.T) {
	d := openMemory(t, Options{Written: func(chain.ID, uint64) { t.Error("something is reported") }})
	s := d.Storage(1)
	open := s.Snapshot()
	d.Close()
	d.Write(1, replica.Batch{Seq: 1, Sync: true})
	if err := d.Flush(); !errors.Is(err, errClosed) {
		t.Errorf("flush: %v", err)
	}
	if d.Err() != nil {
		t.Error(d.Err())
	}
	open.Items(nil, 100)
	open.Close()
	if s.Err() == nil {
		t.Error("no error of reading")
	}
	s = d.Storage(1)
	if s.Get([]byte("x")); s.Err() == nil {
		t.Error("no error of reading")
	}
	s = d.Storage(1)
	if s.Snapshot().Close(); s.Err() == nil || errors.Is(s.Err(), leveldb.ErrClosed) {
		t.Errorf("got %v", s.Err())
	}
}

// TestBadEntries: an entry of an unknown form is damage, and is told.
func TestBadEntries(t *testing.T) {
	d := openMemory(t, Options{})
	q := chain.RequestID{1}
	b := linked(3, 2)
	b.Remembered = []chain.Remembered{{Request: q, Outcome: chain.Outcome{Verdict: chain.Applied, LSN: 1}}}
	d.Write(9, b)
	if err := d.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, key := range [][]byte{
		recordKey(1), appendItem(nil, 9, 0, []byte("bad")), appendRequest(nil, 9, 0, q), appendLSN(nil, kindOrder, 9, 0, 1),
	} {
		d.ldb.Put(key, []byte{0xff}, nil)
	}
	for name, read := range map[string]func(*Storage){
		"record":     func(s *Storage) { s.Record(1) },
		"item":       func(s *Storage) { s.Get([]byte("bad")) },
		"outcome":    func(s *Storage) { s.Outcome(q) },
		"items":      func(s *Storage) { s.Snapshot().Items(nil, 1000) },
		"remembered": func(s *Storage) { s.Snapshot().Remembered(0, 5) },
	} {
		s := d.Storage(9)
		if read(s); !errors.Is(s.Err(), ErrDamaged) {
			t.Errorf("%s: got %v", name, s.Err())
		}
	}
	d.Write(9, replica.Batch{Seq: 2, Sync: true, Forget: 5})
	if err := d.Flush(); !errors.Is(err, ErrDamaged) {
		t.Errorf("forget: %v", err)
	}
}

// TestReadWhileWriting: whoever reads a key after a batch was reported finds what
// the batch put, or what a later one did.
func TestReadWhileWriting(t *testing.T) {
	const keys, rounds = 20, 3000
	var written atomic.Uint64
	d := openMemory(t, Options{Written: func(_ chain.ID, seq uint64) { written.Store(seq) }})
	var wg sync.WaitGroup
	for reader := range uint64(3) {
		wg.Go(func() {
			rng, s := rand.New(rand.NewPCG(reader, 1)), d.Storage(7)
			for at := uint64(0); at < rounds; {
				at = written.Load()
				n := rng.Uint64N(keys)
				it, ok := s.Get(fmt.Appendf(nil, "key%d", n))
				var got uint64
				if ok {
					got = binary.BigEndian.Uint64(it.Value)
				}
				if want := at - (at-n)%keys; at >= n && got < want || s.Err() != nil {
					t.Errorf("after batch %d key %d is of batch %d, %v", at, n, got, s.Err())
					return
				}
			}
		})
	}
	for seq := uint64(1); seq <= rounds; seq++ {
		it := chain.Item{Key: fmt.Appendf(nil, "key%d", seq%keys), Value: binary.BigEndian.AppendUint64(nil, seq)}
		d.Write(7, replica.Batch{Seq: seq, Sync: true, Changes: []replica.Change{{Item: it}}})
		if seq%3 == 0 {
			d.Flush()
		}
	}
	wg.Wait()
}

// TestCache: the cache keeps within its limits and gives what was put last.
func TestCache(t *testing.T) {
	c := newCache(1 << 20)
	rng := rand.New(rand.NewPCG(1, 1))
	truth := map[string]int{}
	for i := range 100_000 {
		key := fmt.Append(nil, rng.IntN(20_000))
		e, ok, changes := c.get(key)
		switch {
		case ok && int(e.version) != truth[string(key)]:
			t.Fatalf("key %s is at %d, not at %d", key, e.version, truth[string(key)])
		case !ok:
			c.put(key, cached{value: make([]byte, 100), version: chain.LSN(truth[string(key)])}, changes)
		case i%3 == 0:
			truth[string(key)] = i
			c.drop(key)
		}
	}
	n := 0
	for i := range c.parts {
		n += len(c.parts[i].new) + len(c.parts[i].old)
	}
	if n == 0 || n*(100+cachedSize) > 1<<20 {
		t.Errorf("the cache has %d entries", n)
	}
	key := []byte("overtaken")
	_, _, changes := c.get(key)
	c.drop(key)
	c.put(key, cached{version: 1}, changes)
	if _, ok, _ := c.get(key); ok {
		t.Error("what was overtaken is in the cache")
	}
	c.put([]byte("large"), cached{value: make([]byte, 1<<20)}, changes)
}
