package sim

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

var (
	seeds = flag.Uint64("seeds", 10000, "how many worlds to run")
	first = flag.Uint64("first", 1, "the first seed")
	one   = flag.Uint64("seed", 0, "run this seed alone, and print what happens")
)

// TestMain has the garbage collector run less often: a world is small and short.
func TestMain(m *testing.M) {
	debug.SetGCPercent(1600)
	os.Exit(m.Run())
}

// play runs a world from its beginning until all is well after the trouble.
func (w *world) play() {
	w.begin()
	w.run(w.now+time.Hour, func() bool { return w.calm && (w.well() || w.now > w.calmAt+calmTime) })
	if w.failure == "" && w.weak.name == "" && !w.well() {
		w.fail("all trouble ended %v ago, and not all is well: %s", calmTime, w.unwell())
	}
}

// begin has everybody begin.
func (w *world) begin() {
	for _, n := range w.nodes {
		n.boot()
	}
	w.found()
	for i, c := range w.writers {
		w.after(time.Duration(30+i)*time.Millisecond, c.begin)
	}
	for i, c := range w.readers {
		w.after(time.Duration(30+i)*time.Millisecond, c.begin)
	}
	w.after(40*time.Millisecond, w.follower.tick)
	for _, c := range w.boss {
		w.after(w.between(0, 40*time.Millisecond), c.tick)
	}
	w.boss[0].campaign()
	w.after(60*time.Millisecond, w.trouble)
}

// found makes the chain, as soon as there are nodes for it.
func (w *world) found() {
	row := chain.Row{Chain: theChain, Epoch: 1}
	for _, n := range w.nodes[:w.prof.replicas] {
		if n.rep != nil {
			row.Members = append(row.Members, n.self)
		}
	}
	if len(row.Members) < w.prof.replicas {
		w.after(5*time.Millisecond, w.found)
		return
	}
	if w.coord.row.Epoch == 0 {
		w.coord.publish(w.coord.term, row, nil)
	}
}

// well reports whether the chain is whole again, and everybody gets on.
func (w *world) well() bool { return w.calm && w.unwell() == "" }

// unwell says what is not well yet.
func (w *world) unwell() string {
	row := w.coord.row
	whole := w.prof.replicas
	if w.prof.stays {
		whole = min(whole, len(w.nodes)-1)
	}
	if len(row.Members) != whole || !row.Recruit.IsZero() {
		return fmt.Sprintf("the row is %+v", row)
	}
	last := w.check.last()
	for _, m := range row.Members {
		s := w.node(m.Node).seen
		if s.Role != replica.Serving || s.Row.Epoch != row.Epoch || s.Why != "" {
			return fmt.Sprintf("%v: %v in epoch %d of %d: %s", m, s.Role, s.Row.Epoch, row.Epoch, s.Why)
		}
	}
	for _, c := range w.writers {
		if c.done < 5 || c.began < w.calmAt {
			return fmt.Sprintf("writer %d has done %d", c.at, c.done)
		}
	}
	for _, c := range w.readers {
		if c.done < 5 || c.began < w.calmAt {
			return fmt.Sprintf("reader %d has done %d", c.at, c.done)
		}
	}
	if s := w.follower; s.fresh == 0 || s.applied+10 < last {
		return fmt.Sprintf("the subscriber is at %d of %d, after %d heartbeats", s.applied, last, s.fresh)
	}
	return ""
}

// end gives the last lines of the trace.
func (w *world) end(n int) string {
	lines := strings.Split(w.trace.String(), "\n")
	lines = lines[max(0, len(lines)-n):]
	for i, l := range lines {
		lines[i] = l[:min(len(l), 400)]
	}
	return strings.Join(lines, "\n")
}

// outcome is what came of a seed.
func outcome(seed uint64, weak weakness, shape func(*profile), trace bool) *world {
	w := newWorld(seed, weak, shape)
	if trace {
		w.trace = &strings.Builder{}
		w.logf("seed %d: %+v", seed, w.prof)
		for _, n := range w.nodes {
			w.logf("%s: clock %.3f, sync %v", n.name, n.rate, n.slow)
		}
	}
	w.play()
	return w
}

// hunt runs seeds on all processors until one fails, and gives the first of
// those that do, or nil.
func hunt(first, count uint64, weak weakness, shape func(*profile), each func(*world)) *world {
	var next atomic.Uint64
	var mu sync.Mutex
	var found *world
	var wg sync.WaitGroup
	next.Store(first)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				seed := next.Add(1) - 1
				mu.Lock()
				stop := seed >= first+count || found != nil && found.seed < seed
				mu.Unlock()
				if stop {
					return
				}
				w := outcome(seed, weak, shape, false)
				mu.Lock()
				if w.failure != "" && (found == nil || found.seed > seed) {
					found = w
				}
				if each != nil {
					each(w)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return found
}

// TestSeeds runs many worlds, none of which may break an invariant.
func TestSeeds(t *testing.T) {
	if *one != 0 {
		w := outcome(*one, weakness{}, nil, true)
		os.Stderr.WriteString(w.trace.String())
		if w.failure != "" {
			t.Errorf("seed %d: %s", *one, w.failure)
		}
		return
	}
	sum := map[string]int{}
	start := time.Now()
	n := *seeds
	if raced {
		n = min(n, 500)
	}
	w := hunt(*first, n, weakness{}, nil, func(w *world) {
		sum["steps"] += w.steps
		sum["epochs"] += int(w.coord.row.Epoch)
		sum["heartbeats"] += w.follower.fresh
		for k, v := range w.check.counts {
			sum[k] += v
		}
	})
	if w != nil {
		w = outcome(w.seed, weakness{}, nil, true)
		t.Fatalf("seed %d: %s\n%s\nall of it: go test ./lib/chain/sim -v -run Seeds -seed %d", w.seed, w.failure, w.end(200), w.seed)
	}
	t.Logf("%d seeds from %d in %v", n, *first, time.Since(start).Round(time.Millisecond))
	for _, k := range slices.Sorted(maps.Keys(sum)) {
		t.Logf("%12d %s", sum[k], k)
	}
	for _, k := range happens {
		if sum[k] == 0 && n >= 500 {
			t.Errorf("no %s in %d seeds", k, n)
		}
	}
}

// TestSameSeed runs worlds twice, which must be alike to the last message.
func TestSameSeed(t *testing.T) {
	for seed := range uint64(20) {
		a, b := outcome(seed, weakness{}, nil, true), outcome(seed, weakness{}, nil, true)
		if a.trace.String() != b.trace.String() {
			t.Errorf("seed %d makes two worlds", seed)
		}
	}
}

// happens is what must be met in a number of worlds, for them to mean anything.
var happens = []string{
	"chain.Propose", "chain.VersionQuery", "chain.Confirm", "chain.StaleEpoch", "copies to recruits",
	"copies to subscribers", "restarts", "promotions", "removals", "ready", "stalled", "fenced", "silent", "partings",
	"records applied", "records conflict", "records expired", "reads done", "reads unconfirmed", "writes busy",
	"writes unknown", "heartbeats",
}
