package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A cutting is a world in which nothing is wrong but that some of the first members
// of the chain do not hear each other, or one does not answer, from some time on.
type cutting struct {
	links  string // such as "01 10": from the head to the middle and back
	hangs  int    // the member that neither takes nor sends anything, or -1
	weak   weakness
	nodes  int
	gap    time.Duration // the longest without a write done, from then on
	rests  bool          // the row does not change any more
	parted bool          // one of the two has left it
}

// run runs it with a seed, and gives the world at the end.
func (c cutting) run(seed uint64, trace bool) (cutting, *world) {
	w := newWorld(seed, c.weak, func(p *profile) {
		*p = profile{
			nodes: c.nodes, replicas: 3, delay: p.delay, clocks: p.clocks, confirm: p.confirm, lasts: time.Hour,
			writers: 2, readers: 2,
		}
	})
	if trace {
		w.trace = &strings.Builder{}
	}
	w.begin()
	w.run(600*time.Millisecond, nil)
	row := w.coord.row
	for link := range strings.FieldsSeq(c.links) {
		from, to := row.Members[link[0]-'0'].Node, row.Members[link[1]-'0'].Node
		w.blocked[[2]int{w.node(from).at, w.node(to).at}] = true
	}
	if c.hangs >= 0 {
		w.node(row.Members[c.hangs].Node).deaf = true
	}
	c.watch(w)
	w.run(4600*time.Millisecond, nil)
	epoch := w.coord.row.Epoch
	w.run(6600*time.Millisecond, nil)
	c.rests = w.coord.row.Epoch == epoch
	for _, m := range row.Members {
		c.parted = c.parted || w.coord.row.Index(m) < 0
	}
	return c, w
}

// tell runs it again, and gives what has become of the row.
func (c cutting) tell(seed uint64) string {
	c, w := c.run(seed, true)
	return fmt.Sprintf("seed %d: %s; no write for %v, rests %v, parted %v; the row is %+v\n%s",
		seed, w.failure, c.gap, c.rests, c.parted, w.coord.row, w.rows())
}

// watch measures how long no write is done.
func (c *cutting) watch(w *world) {
	last, count := w.now, 0
	var look func()
	look = func() {
		sum := 0
		for _, x := range w.writers {
			sum += x.done
		}
		c.gap = max(c.gap, w.now-last)
		if sum > count {
			last, count = w.now, sum
		}
		w.after(5*time.Millisecond, look)
	}
	look()
}

// TestCutForGood: two members that do not hear each other any more, one way or both,
// do not stop writes for more than the time to find out and the wait for a lease;
// one of them leaves the chain, and then nothing goes to and fro.
func TestCutForGood(t *testing.T) {
	const bound = unheard + silence + 2*lease + 600*time.Millisecond
	for _, links := range []string{"01", "10", "01 10", "12", "21", "12 21", "02", "20", "02 20"} {
		for nodes := 3; nodes <= 4; nodes++ {
			t.Run(fmt.Sprintf("%s of %d nodes", links, nodes), func(t *testing.T) {
				t.Parallel()
				longest := time.Duration(0)
				for seed := range uint64(12) {
					begun := cutting{links: links, hangs: -1, nodes: nodes}
					c, w := begun.run(seed, false)
					if w.failure != "" || c.gap > bound || !c.rests || !c.parted {
						t.Fatal(begun.tell(seed))
					}
					longest = max(longest, c.gap)
				}
				t.Logf("no write for %v at most, of %v", longest, bound)
			})
		}
	}
}

// TestCutUnseen: without the rule, a chain stands still whose records do not get on.
func TestCutUnseen(t *testing.T) {
	for _, links := range []string{"01", "12", "01 10", "12 21"} {
		c, _ := cutting{links: links, hangs: -1, nodes: 3, weak: weakness{name: "silence", noSilence: true}}.run(1, false)
		if c.gap < 5*time.Second {
			t.Errorf("%s: no write for %v only", links, c.gap)
		}
	}
}

// TestHang: a member whose node is well, but whose replica takes nothing in, leaves
// the chain when its predecessor has waited for it.
func TestHang(t *testing.T) {
	for hangs := 1; hangs <= 2; hangs++ {
		longest := time.Duration(0)
		for seed := range uint64(20) {
			begun := cutting{hangs: hangs, nodes: 4}
			c, w := begun.run(seed, false)
			if w.failure != "" || c.gap > 2*time.Second || !c.parted {
				t.Fatal(begun.tell(seed))
			}
			longest = max(longest, c.gap)
		}
		t.Logf("member %d hangs: no write for %v at most", hangs, longest)
	}
}

// rows are the lines of the trace that tell how the row changes.
func (w *world) rows() string {
	var out []string
	for line := range strings.Lines(w.trace.String()) {
		for _, part := range []string{"  row ", "plans", "Report", "starts", "VIOLATION"} {
			if strings.Contains(line, part) {
				out = append(out, line)
				break
			}
		}
	}
	return strings.Join(out, "")
}
