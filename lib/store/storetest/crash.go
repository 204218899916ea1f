package storetest

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"

	"namecast/lib/rr"
	"namecast/lib/store"
)

// A Crasher says how a store is killed and opened again.
type Crasher struct {
	// Open opens the store in a folder, also after a crash.
	Open func(dir string) (store.Store, error)
	// Kills is how many times the process that writes is killed.
	Kills int
}

// crashDir tells a process that it is the one that writes, and where.
const crashDir = "NAMECAST_TEST_CRASH_DIR"

// Writers of the process that is killed, and the RRsets that each change leaves
// with the account's version in them.
const crashWriters = 8

var crashOwners = []string{"@", "www", "a.b.c", "z"}

// Crash starts the test's own program again, which then writes until it is
// killed in the middle, and checks that everything it had an answer for is there
// and that nothing is there by half. The test that calls it does nothing else.
func Crash(t *testing.T, c Crasher) {
	if dir := os.Getenv(crashDir); dir != "" {
		crashWrite(t, c, dir)
		return
	}
	dir := t.TempDir() + "/db"
	r := rand.New(rand.NewPCG(3, 4))
	answered := make(map[string]uint64)
	total := 0
	for range c.Kills {
		total += crashOnce(t, dir, 1+r.IntN(300), answered)
		s, err := c.Open(dir)
		if err != nil {
			t.Fatalf("open after a kill: %v", err)
		}
		crashCheck(t, s, answered)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d kills, %d answered changes", c.Kills, total)
}

// crashWrite is the process that is killed: it prints each version that it has
// an answer for.
func crashWrite(t *testing.T, c Crasher, dir string) {
	s, err := c.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out sync.Mutex
	var wg sync.WaitGroup
	for n := range crashWriters {
		wg.Go(func() {
			for version := crashVersion(s, n) + 1; ; version++ {
				if _, err := s.Commit(t.Context(), crashChange(n, version)); err != nil {
					t.Error(err)
					return
				}
				out.Lock()
				fmt.Printf("answer %s %d\n", Account(n), version)
				out.Unlock()
			}
		})
	}
	wg.Wait()
}

func crashVersion(s store.Store, n int) uint64 {
	v, err := s.View()
	if err != nil {
		return 0
	}
	defer v.Release()
	h, _ := v.Head(Account(n))
	return h.Version
}

func crashChange(n int, version uint64) store.Change {
	c := Change(Account(n), version)
	for _, o := range crashOwners {
		c.Put = append(c.Put, Set(o, 16, rr.Data(fmt.Sprint(version))))
	}
	return c
}

// crashOnce runs the process until it has given some answers, kills it, and
// notes every answer it gave.
func crashOnce(t *testing.T, dir string, answers int, answered map[string]uint64) int {
	t.Helper()
	cmd := exec.CommandContext(within(t), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	n := 0
	var talk []string
	for lines.Scan() {
		var account string
		var version uint64
		if _, err := fmt.Sscanf(lines.Text(), "answer %s %d", &account, &version); err != nil {
			talk = append(talk, lines.Text())
			continue
		}
		answered[account] = max(answered[account], version)
		if n++; n == answers {
			cmd.Process.Kill()
		}
	}
	io.Copy(io.Discard, out)
	cmd.Wait()
	if n < answers {
		t.Fatalf("the writer ended after %d answers: %q", n, talk)
	}
	return n
}

// crashCheck: every answered version is there, every account is whole, and the
// feed has no gap.
func crashCheck(t *testing.T, s store.Store, answered map[string]uint64) {
	t.Helper()
	v := view(t, s)
	defer v.Release()
	for account, version := range answered {
		h, err := v.Head(account)
		if err != nil || h.Version < version {
			t.Errorf("%s: version %d was answered, the store has %d, %v", account, version, h.Version, err)
		}
		for _, o := range crashOwners {
			sets, _, err := v.Node(account, rr.MustName(o))
			if err != nil || len(sets) != 1 || string(sets[0].Data[0]) != fmt.Sprint(h.Version) {
				t.Errorf("%s at version %d: %s holds %v, %v", account, h.Version, o, sets, err)
			}
		}
	}
	n := min(int(v.Position()), 50)
	events := follow(t, s, v.Position()-store.Position(n), n)
	if !slices.IsSortedFunc(events, func(a, b store.Event) int { return int(a.Position) - int(b.Position) }) {
		t.Error("the feed is out of order")
	}
}
