package disk

import (
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"

	"namecast/lib/chain"
	"namecast/lib/ldb/ldbtest"
)

// A progress keeps what a disk has reported.
type progress struct {
	mu      sync.Mutex
	written [chain.Chains]uint64
	back    int // reports that were not of a later batch
}

func (p *progress) note(id chain.ID, seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if seq <= p.written[id] {
		p.back++
	}
	p.written[id] = seq
}

func (p *progress) of(id chain.ID) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int(p.written[id])
}

// small has tables made early, so that there are some.
var small = Options{writeBuffer: 64 << 10}

func open(t testing.TB, dir string, o Options) *Disk {
	t.Helper()
	d, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if len(d.Doubts()) > 0 {
		t.Fatal(d.Doubts())
	}
	return d
}

// TestAsModel writes random batches to some chains, closes the disk and opens it
// again now and then: all chains are as the model says.
func TestAsModel(t *testing.T) {
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 1))
		dir, chains := filepath.Join(t.TempDir(), "db"), []chain.ID{0, 1, 77, 254, 255}
		models := make([]*model, len(chains))
		for i := range models {
			models[i] = newModel(rng)
		}
		p := new(progress)
		o := small
		o.Written = p.note
		d := open(t, dir, o)
		for n := range 1500 {
			i := rng.IntN(len(chains))
			d.Write(chains[i], models[i].next())
			if n%100 == 99 {
				if err := d.Flush(); err != nil {
					t.Fatal(err)
				}
			}
			if n%300 == 299 {
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				d = open(t, dir, o)
			}
			if n%100 == 99 {
				for i, m := range models {
					if p.of(chains[i]) != len(m.batches) {
						t.Fatalf("batch %d of %d is reported", p.of(chains[i]), len(m.batches))
					}
					compare(t, d, chains[i], m.store, m.asked)
				}
			}
		}
		d.Close()
		if p.back > 0 {
			t.Errorf("%d reports out of order", p.back)
		}
	}
}

// TestPowerCut takes copies of what a power cut would leave while batches are
// written: each copy opens, every chain is as after one of its batches, and that
// is not before one that was reported.
func TestPowerCut(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	dir := filepath.Join(t.TempDir(), "db")
	lossy := ldbtest.OpenLossy(t, dir, formatName)
	p := new(progress)
	o := small
	o.Written = p.note
	d, err := openStorage(dir, lossy, o)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	models := make([]*model, 6)
	for i := range models {
		models[i] = newModel(rng)
	}
	for range 40 {
		for range rng.IntN(60) {
			i := rng.IntN(len(models))
			d.Write(chain.ID(i), models[i].next())
		}
		if rng.IntN(2) == 0 {
			if err := d.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		var least [6]int
		for i := range models {
			least[i] = p.of(chain.ID(i))
		}
		after := open(t, lossy.Cut(t, rng), small)
		for i, m := range models {
			compareSome(t, after, chain.ID(i), m, least[i])
		}
		after.Close()
	}
}

// compareSome verifies that a chain is as after one of its batches.
func compareSome(t *testing.T, d *Disk, id chain.ID, m *model, least int) int {
	t.Helper()
	s := d.Storage(id)
	got := text(s, m.asked)
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	want := m.after(least)
	for n := least; ; n++ {
		if text(want, m.asked) == got {
			return n
		}
		if n == len(m.batches) {
			t.Fatalf("chain %d is as after none of the batches %d to %d:\n%s", id, least, n, got)
		}
		want.Apply(&m.batches[n])
	}
}
