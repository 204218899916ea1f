package leveldb

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/storetest"
)

var (
	scale     = flag.Int("scale", 0, "measure a database of this many accounts with four RRsets each; 0 does not")
	scaleDir  = flag.String("scale-dir", "", "folder to keep the database of -scale in (default a temporary one)")
	scaleSize = flag.String("scale-memory", "64,256", "values of Options.Memory to measure, in MiB")
)

// scaleStep tells a process that it is to measure a database, and how.
const scaleStep = "NAMECAST_TEST_SCALE_STEP"

// scaleAccount gives an account's name as random as a hash of a key is.
func scaleAccount(n int) string {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
	return strings.ToLower(base32.HexEncoding.EncodeToString(sum[:20]))
}

// scaleChange gives an account's first change, with four RRsets, or a later one,
// as a dynamic address sends; octets that are random in practice are so here.
func scaleChange(n int, version uint64) store.Change {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte{byte(version)}, uint64(n)))
	address := rr.Data(sum[:4])
	c := storetest.Change(scaleAccount(n), version, storetest.Set("@", 1, address))
	c.Head.Key, c.Head.LastHash = sum[:], sum
	if version == 1 {
		c.Put = append(c.Put, storetest.Set("@", 28, rr.Data(sum[4:20])),
			storetest.Set("www", 1, address), storetest.Set("mail", 15, rr.MXData(10, rr.MustName("mail.example"))))
	}
	return c
}

// scaleFill commits the next version of the accounts 1 to n from many goroutines.
func scaleFill(t testing.TB, db *DB, n int) {
	t.Helper()
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 256 {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				if _, err := db.Commit(t.Context(), scaleChange(i, 1+scaleVersion(db, i))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// scaleVersion gives the version that account n has.
func scaleVersion(db *DB, n int) uint64 {
	v, err := db.View()
	if err != nil {
		return 0
	}
	defer v.Release()
	h, _ := v.Head(scaleAccount(n))
	return h.Version
}

// TestScale measures a large database; see the flags -scale.
func TestScale(t *testing.T) {
	if step := os.Getenv(scaleStep); step != "" {
		scaleMeasure(t, step)
		return
	}
	if *scale == 0 {
		t.Skip("needs -scale")
	}
	dir := *scaleDir
	if dir == "" {
		dir = filepath.Join(t.TempDir(), "db")
	}
	if _, err := os.Stat(dir); err != nil {
		scaleMake(t, dir)
	}
	octets := folderSize(t, dir)
	t.Logf("on disk: %d MiB, %.0f octets an RRset", octets>>20, float64(octets)/float64(4**scale))
	for _, memory := range strings.Split(*scaleSize, ",") {
		scaleProcess(t, dir, memory, "read")
	}
	scaleProcess(t, dir, "256", "kill")
	scaleProcess(t, dir, "256", "read")
}

func scaleMake(t *testing.T, dir string) {
	db := open(t, dir, Options{})
	start, before := time.Now(), cpu()
	scaleFill(t, db, *scale)
	t.Logf("filled in %.1f s, %.1f s of CPU", time.Since(start).Seconds(), (cpu() - before).Seconds())
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("closed after %.1f s, %.1f s of CPU", time.Since(start).Seconds(), (cpu() - before).Seconds())
}

// scaleProcess runs one step in a process of its own.
func scaleProcess(t *testing.T, dir, memory, step string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestScale$", "-test.v", "-scale="+strconv.Itoa(*scale), "-scale-dir="+dir, "-scale-memory="+memory)
	cmd.Env = append(os.Environ(), scaleStep+"="+step)
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if _, text, found := strings.Cut(line, "SCALE "); found {
			t.Logf("%s, %s MiB: %s", step, memory, strings.TrimSpace(text))
		}
	}
	if killed := step == "kill"; (err == nil) == killed {
		t.Errorf("%s: %v\n%s", step, err, out)
	}
}

// scaleMeasure is what the process does.
func scaleMeasure(t *testing.T, step string) {
	memory, err := strconv.Atoi(*scaleSize)
	if err != nil {
		t.Fatal(err)
	}
	scaleForget(t, *scaleDir)
	say := func(format string, args ...any) { fmt.Printf("SCALE "+format+"\n", args...) }
	say("resident before: %d MiB", resident(t)>>20)
	start, before := time.Now(), cpu()
	db := open(t, *scaleDir, scaleOptions(memory))
	opened := time.Since(start)
	scaleRead(t, db, 1)
	say("open %.0f ms, first answer after %.0f ms", opened.Seconds()*1e3, time.Since(start).Seconds()*1e3)
	<-db.names.loaded
	say("directory after %.0f ms; %.0f ms of CPU since the start", time.Since(start).Seconds()*1e3, (cpu()-before).Seconds()*1e3)
	say("resident: %d MiB", resident(t)>>20)
	if step == "kill" {
		scaleFill(t, db, min(15000, *scale))
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	const reads = 1_000_000
	start, before = time.Now(), cpu()
	for range reads {
		scaleRead(t, db, 1+rand.IntN(*scale))
	}
	say("read: %.2f us, %.2f us of CPU", float64(time.Since(start).Microseconds())/reads, float64((cpu()-before).Microseconds())/reads)
	say("resident after reads: %d MiB", resident(t)>>20)
	before = cpu()
	for range reads {
		if !db.names.absent(prefixHead, "nobody") {
			t.Fatal("nobody is there")
		}
	}
	say("absent: %.4f us of CPU", float64((cpu()-before).Microseconds())/reads)
	db.Close()
}

func scaleRead(t *testing.T, db *DB, n int) {
	v, err := db.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Release()
	sets, _, err := v.Node(scaleAccount(n), "\x03www")
	if err != nil || len(sets) != 1 {
		t.Fatalf("account %d: %v, %v", n, sets, err)
	}
}

// scaleForget makes the system forget the files' octets.
func scaleForget(t *testing.T, dir string) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func folderSize(t *testing.T, dir string) (octets int64) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		octets += info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return octets
}

// cpu gives the CPU time that the process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident gives the octets of memory that the process has.
func resident(t *testing.T) int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(b), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// scaleOptions gives the options for a number of MiB.
func scaleOptions(memory int) Options { return Options{Memory: int64(memory) << 20} }
