package host

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain/frame"
	"namecast/lib/clock"
)

// TestUnanswered: while renewals are not answered, the next ones are sent all the same, and
// the lease goes on with the first that is; those before it are given up.
func TestUnanswered(t *testing.T) {
	c := newCluster(t, 1, "n1")
	n := c.nodes["n1"]
	c.until("a lease", func() bool { return n.Status().Lease > 0 })
	const unanswered = 2
	n.view.mu.Lock()
	n.view.unanswered = unanswered
	n.view.mu.Unlock()
	c.until("renewals that are given up", func() bool {
		n.view.mu.Lock()
		defer n.view.mu.Unlock()
		return n.view.outdone == unanswered
	})
	if st := n.Status(); st.Incarnation != 1 || st.Lease <= 0 {
		t.Errorf("incarnation %d has a lease for %v", st.Incarnation, st.Lease)
	}
}

// TestLeaseFrom: a renewal whose answer comes late takes no lease back.
func TestLeaseFrom(t *testing.T) {
	c := newCluster(t, 1, "n1")
	n := c.nodes["n1"]
	c.until("a lease", func() bool { return n.Status().Lease > 0 })
	l := n.life.Load()
	n.view.cut(true)
	later := clock.Boot() + time.Minute
	l.leaseFrom(later)
	l.leaseFrom(later - time.Second)
	if got := time.Duration(l.until.Load()); got != later+lease {
		t.Errorf("the lease ends %v too soon", later+lease-got)
	}
}

// TestLoopHangs: a node of which a loop hangs does not renew its lease, says so, and goes on
// when the loop does.
func TestLoopHangs(t *testing.T) {
	if testing.Short() {
		t.Skip("takes six seconds")
	}
	c := newCluster(t, 1, "n1")
	n := c.nodes["n1"]
	tried := func() int {
		n.view.mu.Lock()
		defer n.view.mu.Unlock()
		return len(n.view.tried)
	}
	c.until("renewals", func() bool { return tried() > 0 })
	l := n.life.Load()
	if l.hangs(clock.Boot()) || n.Hangs() {
		t.Error("a loop hangs that does not")
	}
	free := make(chan struct{})
	began := clock.Boot()
	l.loops[len(l.loops)-1].put(input{do: func() { <-free }})
	until := func() time.Duration { return time.Duration(l.until.Load()) }
	c.until("the end of the lease", func() bool { return clock.Boot() > until() })
	if took := clock.Boot() - began; took < hung || !n.Hangs() {
		t.Errorf("the lease has ended after %v", took)
	}
	before := tried()
	close(free)
	c.until("renewals", func() bool { return tried() > before && !n.Hangs() && clock.Boot() < until() })
}

// TestBackoff: who does not last comes back later and later; who lapses again and
// again, later than others.
func TestBackoff(t *testing.T) {
	other := errors.New("another reason")
	for name, c := range map[string]struct {
		lived time.Duration
		why   error
		least []time.Duration
	}{
		"another reason": {time.Second, other, []time.Duration{50, 100, 200, 400, 800, 1600, 3200, 5000, 5000}},
		"lapsed":         {time.Second, errLapsed, []time.Duration{50, 1000, 2000, 4000, 8000, 16000, 20000, 20000}},
		"lasted":         {lasted + 1, errLapsed, []time.Duration{50, 50, 50}},
	} {
		t.Run(name, func(t *testing.T) {
			var b backoff
			for i, least := range c.least {
				least *= time.Millisecond
				if got := b.next(c.lived, c.why); got < least || got >= least+least/2 {
					t.Errorf("pause %d is %v, want %v and up to half of it more", i+1, got, least)
				}
			}
			if got := b.next(lasted+1, other); got >= 2*firstPause {
				t.Errorf("after one that has lasted: %v", got)
			}
		})
	}
}

// TestDoubles: two programs with one identity are told of once.
func TestDoubles(t *testing.T) {
	c := newCluster(t, 1)
	var mu sync.Mutex
	var text bytes.Buffer
	c.log = slog.New(slog.NewTextHandler(lockedWriter{&mu, &text}, nil))
	c.add("n1")
	c.until("registered", func() bool { return c.nodes["n1"].Status().Incarnation == 1 })
	one, other := c.user("u1"), c.user("u1")
	one.to(c.nodes["n1"], frame.ClassClient)
	other.to(c.nodes["n1"], frame.ClassClient)
	c.until("word of it", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(text.String(), "same identity") && strings.Contains(text.String(), "client/u1")
	})
	var table doubleTable
	name := ca.Name{Cluster: "c1", Role: ca.Client, ID: "u2"}
	told := 0
	for i := range 3 * doubles {
		if table.replaced(name, time.Duration(i)*time.Second) {
			told++
		}
	}
	if told != 1 || table.replaced(name, time.Hour) {
		t.Errorf("told %d times", told)
	}
}

// A lockedWriter is a buffer for several goroutines.
type lockedWriter struct {
	mu *sync.Mutex
	to *bytes.Buffer
}

func (w lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(b)
}
