package disk

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
	"namecast/lib/ldb/ldbtest"
)

// TestWriteFails: after the first write that fails nothing is written or reported
// any more, also when the disk would take it, and what was reported is there when
// the database is opened again.
func TestWriteFails(t *testing.T) {
	cases := []struct {
		name  string
		fault func(*ldbtest.Faulty) *atomic.Bool
		cause error
	}{
		{"half a write", func(d *ldbtest.Faulty) *atomic.Bool { return &d.Writes }, syscall.ENOSPC},
		{"sync", func(d *ldbtest.Faulty) *atomic.Bool { return &d.Syncs }, syscall.EIO},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "db")
			faulty := ldbtest.OpenFaulty(t, dir, formatName)
			p := new(progress)
			d, err := openStorage(dir, faulty, Options{Written: p.note})
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(1, 2))
			models := []*model{newModel(rng), newModel(rng), newModel(rng)}
			give := func(n int) {
				for range n {
					for id, m := range models {
						d.Write(chain.ID(id), m.next())
					}
				}
			}
			give(50)
			if err := d.Flush(); err != nil {
				t.Fatal(err)
			}
			c.fault(faulty).Store(true)
			give(20)
			<-d.Failed()
			c.fault(faulty).Store(false)
			give(20)
			for _, err := range []error{d.Err(), d.Flush()} {
				if !errors.Is(err, c.cause) || !strings.Contains(err.Error(), dir) {
					t.Errorf("got %v", err)
				}
			}
			for id := range models {
				if n := p.of(chain.ID(id)); n != 50 {
					t.Errorf("%d batches are reported of 50", n)
				}
			}
			d.Close()
			d = open(t, dir, Options{})
			for id, m := range models {
				compareSome(t, d, chain.ID(id), m, 50)
			}
		})
	}
}

// TestFullDisk fills a small file system.
func TestFullDisk(t *testing.T) {
	top := t.TempDir()
	if err := syscall.Mount("tmpfs", top, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mount a small file system: %v", err)
	}
	defer syscall.Unmount(top, syscall.MNT_DETACH)
	dir := filepath.Join(top, "db")
	p := new(progress)
	o := Options{Written: p.note, writeBuffer: 128 << 10}
	d := open(t, dir, o)
	var w writer
	var err error
	for n := 0; err == nil && n < 20_000; n++ {
		d.Write(0, w.next())
		if n%10 == 0 {
			err = d.Flush()
		}
	}
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), dir) {
		t.Fatalf("flush on a full disk: %v", err)
	}
	d.Close()
	if err := os.WriteFile(filepath.Join(top, "ballast"), make([]byte, 2<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if _, err := Open(dir, o); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), dir) {
		t.Errorf("open on a full disk: %v", err)
	}
	if err := syscall.Mount("", top, "", syscall.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	if at, _ := open(t, dir, Options{}).State(0); int(at) < p.of(0) || uint64(at) > w.seq {
		t.Errorf("the state is at %d; %d batches are reported of %d", at, p.of(0), w.seq)
	}
}

// sample makes a database with something in every kind of file, and gives its
// files and the chains' models.
func sample(t *testing.T) (map[string][]byte, []*model) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	dir, models := filepath.Join(t.TempDir(), "db"), []*model{newModel(rng), newModel(rng), newModel(rng)}
	for range 3 {
		d := open(t, dir, small)
		for range 40 {
			for id, m := range models {
				d.Write(chain.ID(id), m.next())
			}
			if err := d.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		d.fail(errors.New("so that the end writes nothing, and leaves the journal"))
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return ldbtest.ReadFolder(t, dir), models
}

// check opens a folder and gives after how many batches each chain is, by all that
// it shows or by where it stands. An error is a refusal, at opening or at reading;
// what no batch left fails the test.
func check(t *testing.T, files map[string][]byte, models []*model, all bool) (at []int, err error) {
	t.Helper()
	dir := ldbtest.WriteFolder(t, files)
	defer os.RemoveAll(dir)
	d, err := Open(dir, small)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	if len(d.Doubts()) > 0 {
		t.Errorf("doubts: %v", d.Doubts())
	}
	for id, m := range models {
		s := d.Storage(chain.ID(id))
		got := ends(s)
		if all {
			got = text(s, m.asked)
		}
		if s.Err() != nil {
			return nil, s.Err()
		}
		at = append(at, m.find(got))
		if at[id] < 0 {
			t.Errorf("chain %d is as after none of its batches:\n%s", id, got)
		}
	}
	return at, nil
}

// TestTornTail cuts the newest journal off at every octet of its end and at many
// others, as a power cut may:
// the database opens with all chains as after some batch, and no chain goes on
// where another is behind.
func TestTornTail(t *testing.T) {
	files, models := sample(t)
	name := ldbtest.Newest(files, ".log")
	b := files[name]
	if len(b) < 10_000 {
		t.Fatalf("the newest journal has %d octets", len(b))
	}
	last := []int{len(models[0].batches), len(models[1].batches), len(models[2].batches)}
	for size := len(b); size >= 0; size-- {
		all := size%997 == 0
		if !all && size < len(b)-300 {
			continue
		}
		for _, zeros := range []int{0, 300} {
			files[name] = b[:size:size]
			if zeros > 0 && size%7 > 0 {
				continue
			}
			if zeros > 0 { // the file may have grown before all of its sectors came
				sectors := size / 512 * 512
				files[name] = append(b[:sectors:sectors], make([]byte, zeros)...)
			}
			at, err := check(t, files, models, all)
			if err != nil {
				t.Fatalf("cut to %d of %d octets: %v", size, len(b), err)
			}
			for id := range at {
				if at[id] > last[id] {
					t.Errorf("cut to %d octets: chain %d is after batch %d, was after %d", size, id, at[id], last[id])
				}
				if zeros == 0 {
					last[id] = at[id]
				}
			}
		}
	}
	if last[0] == len(models[0].batches) {
		t.Error("no cut lost anything")
	}
}

// TestFlippedBits flips one bit at a time all over the database: it either opens
// and shows everything or refuses, and never leaves something out.
func TestFlippedBits(t *testing.T) {
	files, models := sample(t)
	refused := map[string]int{}
	for name, b := range files {
		for at := 0; at < len(b); at += max(1, len(b)/30) {
			b[at] ^= 1 << (at % 8)
			after, err := check(t, files, models, true)
			b[at] ^= 1 << (at % 8)
			switch {
			case err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrFormat):
				t.Errorf("%s octet %d: refused with %v", name, at, err)
			case err != nil:
				refused[filepath.Ext(name)]++
				if errors.Is(err, ErrDamaged) && !strings.Contains(err.Error(), "move the folder away") {
					t.Errorf("no word to the operator: %v", err)
				}
			default:
				for id := range after {
					if after[id] != len(models[id].batches) {
						t.Errorf("%s octet %d: chain %d is after batch %d of %d", name, at, id, after[id], len(models[id].batches))
					}
				}
			}
		}
	}
	for _, ext := range []string{".log", ".ldb", ""} {
		if refused[ext] == 0 {
			t.Errorf("no flipped bit in a file %q was refused: %v", ext, refused)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	top := t.TempDir()
	put := func(name, text string) {
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("other/notes.txt", "mine")
	put("newer/NAMECAST", "namecast chain 2\n")
	put("store/NAMECAST", "namecast store 1\n")
	put("emptied/NAMECAST", formatName+"\n")
	open(t, filepath.Join(top, "locked"), Options{})
	cases := []struct {
		name string
		want error
		text string
	}{
		{"no/db", os.ErrNotExist, "make the folder"},
		{"locked", ErrLocked, "in use by another process"},
		{"other", ErrDamaged, `it holds "notes.txt"; move the folder away and start again`},
		{"newer", ErrFormat, `it is a "namecast chain 2", this program knows "namecast chain 1"`},
		{"store", ErrFormat, `it is a "namecast store 1"`},
		{"emptied", ErrDamaged, "CURRENT"},
	}
	for _, c := range cases {
		dir := filepath.Join(top, c.name)
		_, err := Open(dir, Options{})
		if !errors.Is(err, c.want) || !strings.HasPrefix(err.Error(), fmt.Sprintf("open database %q: ", dir)) ||
			!strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

// TestContradiction: a batch that does not follow from those before it ends the
// disk, and leaves no trace.
func TestContradiction(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	d := open(t, dir, Options{})
	d.Write(4, replica.Batch{Seq: 1, Sync: true, Records: []chain.Record{{LSN: 2}}})
	select {
	case <-d.Failed():
	case <-time.After(10 * time.Second):
		t.Fatal("the disk goes on")
	}
	if want := "chain 4: batch 1: record 2 after record 0"; !strings.Contains(d.Err().Error(), want) {
		t.Errorf("got %v", d.Err())
	}
	d.Close()
	if first, last := open(t, dir, Options{}).Storage(4).Log(); first != 1 || last != 0 {
		t.Errorf("the log has %d to %d", first, last)
	}
}
