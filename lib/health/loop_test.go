package health

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"namecast/lib/route"
	"namecast/lib/watch"
)

const onePrefix = "node=a\nprefix=192.0.2.0/24\ncomponent=dns restart=true\n" +
	"probe=dns component=dns at=127.0.0.1:1 name=d.example\n"

// A bench is a loop with a reader of its route lines, in a bubble of time.
type bench struct {
	t     *testing.T
	loop  *loop
	ill   atomic.Pointer[error] // what all looks come to; nil is well
	begun time.Time

	mu    sync.Mutex
	lines []string // "SECONDS LINE", the time since the start
}

// newBench makes a loop of a configuration whose looks come to b.ill.
func newBench(t *testing.T, conf string) *bench {
	t.Helper()
	plan, err := Parse(strings.NewReader(conf), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	plan.Watch.Rand = func() float64 { return 0 }
	b := &bench{t: t, begun: time.Now()}
	for i := range plan.Looks {
		plan.Looks[i].Look = func(context.Context) (string, error) {
			if err := b.ill.Load(); err != nil {
				return "", *err
			}
			return "seen", nil
		}
	}
	now := func() time.Duration { return time.Since(b.begun) + clockBase }
	w, err := watch.New(plan.Watch, now())
	if err != nil {
		t.Fatal(err)
	}
	n := newNotes(slog.New(slog.DiscardHandler))
	b.loop = &loop{watch: w, plan: plan, now: now, notes: n, link: newLink(n, beatOf(plan)),
		events: make(chan watch.Event), calls: make(chan func()),
		restart: func(watch.Restart) {}, beat: func(watch.Beat) {}, vote: func(watch.Vote) {}}
	return b
}

// run runs the loop and its looks until ctx ends, and reads its lines.
func (b *bench) run(ctx context.Context) (wait func() error) {
	ours, theirs := net.Pipe()
	b.loop.link.once = true
	var all sync.WaitGroup
	all.Go(func() { b.read(theirs) })
	b.loop.link.open(ours, nil)
	g := b.loop.look(ctx, b.loop.plan)
	var err error
	all.Go(func() {
		err = b.loop.run(ctx)
		ours.Close()
	})
	return func() error { g.end(); all.Wait(); return err }
}

// read keeps the lines with their times.
func (b *bench) read(r io.Reader) {
	for s := bufio.NewScanner(r); s.Scan(); {
		b.mu.Lock()
		b.lines = append(b.lines, s.Text())
		b.mu.Unlock()
	}
}

// last is the last line, and how many there were.
func (b *bench) last() (string, int) {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.lines) == 0 {
		return "", 0
	}
	return b.lines[len(b.lines)-1], len(b.lines)
}

// until waits, by the bubble's clock, until the last line begins as it should, and
// gives how long that took.
func (b *bench) until(begins string, limit time.Duration) time.Duration {
	b.t.Helper()
	begun := time.Now()
	for {
		line, _ := b.last()
		if strings.HasPrefix(line, begins) {
			return time.Since(begun)
		}
		if time.Since(begun) > limit {
			b.t.Fatalf("no %q within %v, but %q", begins, limit, line)
		}
		time.Sleep(time.Millisecond)
	}
}

// be sets what looks come to.
func (b *bench) be(err error) {
	if err == nil {
		b.ill.Store(nil)
		return
	}
	b.ill.Store(&err)
}

// TestLoop goes once around: verified, announced, failing, withdrawn, restarted,
// verified, held down, announced; and withdrawn at the end.
func TestLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, onePrefix)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		restarts := make(chan watch.Restart, 10)
		b.loop.restart = func(r watch.Restart) { restarts <- r }
		wait := b.run(ctx)
		b.until("withdraw 192.0.2.0/24", time.Second)
		if b.lines[0] != "beat 1500" {
			t.Errorf("the first line is %q", b.lines[0])
		}
		if took := b.until("announce 192.0.2.0/24", 10*time.Second); took < 3*time.Second-250*time.Millisecond || took > 4*time.Second {
			t.Errorf("announced %v after the start", took)
		}
		_, before := b.last()
		time.Sleep(10 * time.Second)
		if _, n := b.last(); n-before != 20 {
			t.Errorf("%d lines in 10 s, want the wish every 500 ms", n-before)
		}

		b.be(errors.New("wrong data"))
		if took := b.until("withdraw 192.0.2.0/24 ", time.Second); took > 500*time.Millisecond {
			t.Errorf("withdrawn after %v, want no more than two looks", took)
		}
		if line, _ := b.last(); !strings.Contains(line, "wrong data") {
			t.Errorf("no reason in %q", line)
		}
		r := <-restarts
		b.loop.send(ctx, watch.Restarted{Component: r.Component})
		b.be(nil)
		if took := b.until("announce", time.Minute); took < 10*time.Second || took > 15*time.Second {
			t.Errorf("announced again after %v", took)
		}
		cancel()
		if err := wait(); err != nil {
			t.Error(err)
		}
		if line, _ := b.last(); line != "withdraw 192.0.2.0/24 nc-watch ends" {
			t.Errorf("the last line is %q", line)
		}
	})
}

// TestLoopUnread sees that a reader who does not read ends the watch, and not only
// stops it.
func TestLoopUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, onePrefix)
		ours, theirs := net.Pipe()
		defer theirs.Close()
		b.loop.link.once, b.loop.link.to = true, ours
		begun := time.Now()
		err := b.loop.run(t.Context())
		if !errors.Is(err, ErrOutput) || !Transient(err) {
			t.Errorf("%v", err)
		}
		if took := time.Since(begun); took > 2*writeLimit {
			t.Errorf("after %v", took)
		}
	})
}

// TestLoopLate sees that looks which were late themselves withdraw nothing, if the
// watch stood still for no longer than nc-bgp waits for it.
func TestLoopLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, onePrefix)
		ctx, cancel := context.WithCancel(t.Context())
		wait := b.run(ctx)
		b.until("announce", 10*time.Second)
		// The machine stands still in the middle of looks that time out for it.
		b.loop.call(ctx, func() {
			b.be(context.DeadlineExceeded)
			time.Sleep(900 * time.Millisecond)
			b.be(nil)
		})
		for range 100 {
			time.Sleep(50 * time.Millisecond)
			if line, _ := b.last(); !strings.HasPrefix(line, "announce") {
				t.Fatalf("a late watcher says %q: %+v", line, b.loop.notes.newest())
			}
		}
		cancel()
		wait()
	})
}

// TestLoopReconnects sees that a new nc-bgp is told everything, and that an order
// it tells of is believed.
func TestLoopReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, onePrefix)
		ctx, cancel := context.WithCancel(t.Context())
		wait := b.run(ctx)
		b.until("announce", 10*time.Second)
		again := &bench{t: t}
		ours, theirs := net.Pipe()
		var reader sync.WaitGroup
		reader.Go(func() { again.read(theirs) })
		b.loop.call(ctx, func() {
			b.loop.link.to.Close()
			b.loop.link.once = false
			b.loop.link.open(ours, b.loop.wishes)
		})
		again.until("announce 192.0.2.0/24", 0)
		again.mu.Lock()
		if got := strings.Join(again.lines, "; "); got != "beat 1500; status; announce 192.0.2.0/24" {
			t.Errorf("a new nc-bgp is told %q", got)
		}
		again.mu.Unlock()
		p := netip.MustParsePrefix("192.0.2.0/24")
		b.loop.call(ctx, func() {
			s := route.State{Kind: route.Order, Prefix: p, Is: route.Withdrawn, Until: time.Now().Add(30 * time.Second), By: []string{"b", "c"}}
			b.loop.step(b.loop.link.hear(s, time.Now()))
			if got := b.loop.watch.State().Prefixes[0]; got.Ordered == 0 || len(got.By) != 2 {
				t.Errorf("ordered: %+v", got)
			}
		})
		cancel()
		ours.Close()
		wait()
		reader.Wait()
	})
}

// TestHonest sees that a node does not say of itself that it announces what its
// nc-bgp has not announced to anybody.
func TestHonest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newBench(t, onePrefix).loop
		p := netip.MustParsePrefix("192.0.2.0/24")
		says := func(s watch.Standing) watch.Standing {
			return l.honest([]watch.Claim{{Prefix: p, Standing: s}})[0].Standing
		}
		heard := func(line string) {
			s, err := route.ParseState(line)
			if err != nil {
				t.Fatal(err)
			}
			l.link.hear(s, time.Now())
		}
		if got := says(watch.StandsAnnounced); got != watch.StandsWithdrawn {
			t.Errorf("without nc-bgp: %v", got)
		}
		heard("route 192.0.2.0/24 announced 0/1")
		if got := says(watch.StandsDrained); got != watch.StandsWithdrawn {
			t.Errorf("announced to nobody: %v", got)
		}
		heard("route 192.0.2.0/24 announced 1/2")
		if got := says(watch.StandsAnnounced); got != watch.StandsAnnounced {
			t.Errorf("announced to one: %v", got)
		}
		heard("route 192.0.2.0/24 withdrawn 0/2")
		if got := says(watch.StandsFailing); got != watch.StandsFailing {
			t.Errorf("failing: %v", got)
		}
		l.link.forget()
		l.link.once = true
		if got := says(watch.StandsAnnounced); got != watch.StandsAnnounced {
			t.Errorf("over standard output: %v", got)
		}
	})
}

// TestSpacing sees that a slow probe is looked at again soon after it failed, and
// that no probe is ever looked at twice at a time.
func TestSpacing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		begun := time.Now()
		l := &loop{now: func() time.Duration { return time.Since(begun) + clockBase }}
		g := &generation{loop: l, cancel: cancel}
		var at []time.Duration
		fail := true
		var looking atomic.Int64
		look := func(ctx context.Context) (string, error) {
			if looking.Add(1) > 1 {
				t.Error("two looks at a time")
			}
			defer looking.Add(-1)
			if fail {
				<-ctx.Done()
				return "", ctx.Err()
			}
			return "", nil
		}
		g.looks.Go(func() {
			g.repeat(ctx, look, 5*time.Second, 800*time.Millisecond, func(due, began time.Duration, o watch.Outcome, _ string) {
				if (o == watch.Timeout) != fail {
					t.Errorf("outcome %v", o)
				}
				at = append(at, began)
				fail = len(at) < 3
			})
		})
		time.Sleep(60 * time.Second)
		cancel()
		g.end()
		for i := 1; i < len(at); i++ {
			want := 5 * time.Second
			if i <= 3 {
				want = time.Second
			}
			if got := at[i] - at[i-1]; got != want {
				t.Errorf("look %d begins %v after the one before, want %v", i, got, want)
			}
		}
	})
}
