package control

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/plan"
)

// in runs a test in time that passes only when all wait.
func in(t *testing.T, rows, replicas int, zones []string, do func(*testing.T, *board)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBoard(t, rows, replicas, zones...)
		defer b.stop()
		do(t, b)
	})
}

var five = []string{"a", "b", "c", "d", "e"}

// A node that dies has its registration deleted once, and leaves all of its
// chains together, as soon as the lease that it was seen to renew last is over.
func TestDeath(t *testing.T) {
	in(t, chain.Chains, 3, five, func(t *testing.T, b *board) {
		count, end := b.control("n2")
		defer end()
		time.Sleep(2 * time.Second)
		if w := b.steps(); len(w) != 0 {
			t.Errorf("without need: %v", w)
		}
		died := b.heard("n1")
		b.kill("n1")
		b.await(5*time.Second, b.without("n1"))
		took := b.latest() - died
		t.Logf("%d rows without n1, the last one %v after its last renewal", b.steps()[plan.Remove], took)
		if over := took - plan.LeaseWait(lease); over < 0 || over > 150*time.Millisecond {
			t.Errorf("it took %v longer than the leases", over)
		}
		if b.expelled() != 1 || count.Fences.Load() != 0 || count.Expelled.Load() != 1 || count.Waits.Load() != 1 {
			t.Errorf("%d registrations deleted, %d fences", b.expelled(), count.Fences.Load())
		}
		if n := count.Steps[plan.Remove].Load(); int(n) != b.steps()[plan.Remove] {
			t.Errorf("%d removals counted", n)
		}
		time.Sleep(7 * time.Second)
		if n := b.steps()[plan.Promote]; n != 0 {
			t.Errorf("%d recruited while it may come back", n)
		}
		b.await(30*time.Second, func() string { return b.whole(3) })
	})
}

// Two nodes that die together, which share chains, cost one wait.
func TestTwoDeaths(t *testing.T) {
	in(t, chain.Chains, 3, five, func(t *testing.T, b *board) {
		_, end := b.control("n3")
		defer end()
		time.Sleep(2 * time.Second)
		died := max(b.heard("n1"), b.heard("n2"))
		b.kill("n1")
		b.kill("n2")
		b.await(5*time.Second, b.without("n1"))
		b.await(5*time.Second, b.without("n2"))
		if over := b.latest() - died - plan.LeaseWait(lease); over > 200*time.Millisecond {
			t.Errorf("it took %v longer than the leases", over)
		}
	})
}

// A node that comes back at once, or that has ended itself, is not waited for,
// and takes its place again without another one being recruited.
func TestRestart(t *testing.T) {
	for _, how := range []string{"killed", "ended"} {
		t.Run(how, func(t *testing.T) {
			in(t, chain.Chains, 3, five, func(t *testing.T, b *board) {
				count, end := b.control("n2")
				defer end()
				time.Sleep(2 * time.Second)
				began, had := b.now(), plan.Load(b.table())["n1"]
				if how == "killed" {
					b.kill("n1")
				} else {
					b.end("n1")
					b.await(5*time.Second, b.without("n1"))
					if took := b.latest() - began; took > 100*time.Millisecond {
						t.Errorf("the rows without it came after %v", took)
					}
				}
				time.Sleep(300 * time.Millisecond)
				b.boot("n1")
				b.await(20*time.Second, func() string { return b.whole(3) })
				t.Logf("all whole %v after", b.latest()-began)
				if count.Expelled.Load() != 0 || count.Waits.Load() != 0 || count.Fences.Load() != 0 {
					t.Errorf("%d expelled, %d waits, %d fences", count.Expelled.Load(), count.Waits.Load(), count.Fences.Load())
				}
				if has := plan.Load(b.table())["n1"]; has != had {
					t.Errorf("it had %d chains, and has %d", had, has)
				}
			})
		})
	}
}

// A node that is drained is asked to stop, chain by chain; none has fewer members
// meanwhile.
func TestDrain(t *testing.T) {
	in(t, 64, 3, five, func(t *testing.T, b *board) {
		count, end := b.control("n2")
		defer end()
		b.change("n1", func(n *peer) { n.Drain = true })
		b.await(60*time.Second, func() string {
			b.mu.Lock()
			for _, row := range b.rows {
				if len(row.Members) < 3 {
					t.Errorf("%+v", row)
				}
			}
			b.mu.Unlock()
			return b.without("n1")()
		})
		b.await(60*time.Second, func() string { return b.whole(3) })
		if count.Fences.Load() == 0 || b.expelled() != 0 {
			t.Errorf("%d fences, %d registrations deleted", count.Fences.Load(), b.expelled())
		}
	})
}

// A node that lives and answers no Fence keeps its place: it is not expelled.
func TestDeaf(t *testing.T) {
	in(t, 8, 3, five, func(t *testing.T, b *board) {
		count, end := b.control("n2")
		defer end()
		had := plan.Load(b.table())["n1"]
		b.change("n1", func(n *peer) { n.Drain, n.deaf = true, true })
		time.Sleep(20 * time.Second)
		if has := plan.Load(b.table())["n1"]; b.expelled() != 0 || has != had || count.Unfenced.Load() == 0 {
			t.Errorf("%d registrations deleted, %d chains left of %d", b.expelled(), has, had)
		}
		b.change("n1", func(n *peer) { n.deaf = false })
		b.await(20*time.Second, b.without("n1"))
	})
}

// A controller whose picture stands still deletes no registration of a node that
// has renewed since, and removes nobody.
func TestStandstill(t *testing.T) {
	in(t, chain.Chains, 3, five, func(t *testing.T, b *board) {
		count, end := b.control("n2")
		defer end()
		time.Sleep(time.Second)
		b.mu.Lock()
		b.frozen = b.picture()
		b.mu.Unlock()
		time.Sleep(5 * time.Second)
		b.mu.Lock()
		b.frozen = nil
		b.mu.Unlock()
		time.Sleep(5 * time.Second)
		if b.expelled() != 0 || len(b.steps()) != 0 || count.Errors.Load() != 0 {
			t.Errorf("%d registrations deleted, and %v", b.expelled(), b.steps())
		}
	})
}

// When the coordinator was away, nobody is expelled for what he could not tell; a
// node that died meanwhile is found out all the same.
func TestAway(t *testing.T) {
	for _, long := range []time.Duration{700, 900, 1100, 1300, 3000, 30000} {
		long *= time.Millisecond
		t.Run(long.String(), func(t *testing.T) {
			in(t, chain.Chains, 3, five, func(t *testing.T, b *board) {
				_, end := b.control("n2")
				defer end()
				time.Sleep(1900 * time.Millisecond)
				for i := range 5 { // in the middle between renewals, and elsewhere
					b.change("n1", func(*peer) { b.away = true })
					time.Sleep(long)
					b.change("n1", func(*peer) { b.away = false })
					time.Sleep(5*time.Second + time.Duration(i)*77*time.Millisecond)
				}
				if b.expelled() != 0 || len(b.steps()) != 0 {
					t.Errorf("%d registrations deleted, and %v", b.expelled(), b.steps())
				}
				b.change("n1", func(*peer) { b.away = true })
				b.kill("n1")
				time.Sleep(long)
				b.change("n1", func(*peer) { b.away = false })
				took := b.await(5*time.Second, b.without("n1"))
				t.Logf("away for %v: the rows without n1 came %v later", long, took)
			})
		})
	}
}

// A recruit that makes no progress is tried less and less often, and another one
// first.
func TestDull(t *testing.T) {
	in(t, 1, 3, []string{"a", "b", "c", "d"}, func(t *testing.T, b *board) {
		count, end := b.control("n2")
		defer end()
		gone := b.table()[0].Members[0].Node
		for name := range b.nodes {
			if b.table()[0].Node(name).IsZero() {
				b.change(name, func(n *peer) { n.dull = true })
			}
		}
		b.kill(gone)
		time.Sleep(2 * time.Minute)
		if n := count.Steps[plan.Drop].Load(); n < 4 || n > 8 {
			t.Errorf("dropped %d times in two minutes", n)
		}
		b.boot(gone)
		b.await(70*time.Second, func() string { return b.whole(3) })
	})
}

// All nodes die, and come back one by one.
func TestOutage(t *testing.T) {
	in(t, 64, 3, five, func(t *testing.T, b *board) {
		_, end := b.control("n0")
		defer end()
		time.Sleep(time.Second)
		for name := range b.nodes {
			b.kill(name)
		}
		time.Sleep(20 * time.Second)
		for name := range b.nodes {
			b.boot(name)
			time.Sleep(100 * time.Millisecond)
		}
		b.await(30*time.Second, func() string { return b.whole(3) })
		if b.steps()[plan.Restart] < 64 {
			t.Errorf("%d restarted", b.steps()[plan.Restart])
		}
	})
}

// The first table waits for nodes, but not for ever; where nodes have data it is
// not made at all.
func TestFound(t *testing.T) {
	in(t, 0, 3, five, func(t *testing.T, b *board) {
		_, end := b.control("n1")
		defer end()
		b.await(time.Second, func() string { return b.whole(3) })
		if b.count() != chain.Chains {
			t.Fatalf("%d rows", b.count())
		}
	})
	in(t, 0, 3, five[:1], func(t *testing.T, b *board) {
		_, end := b.control("n1")
		defer end()
		time.Sleep(time.Second)
		if b.count() != 0 {
			t.Fatal("it does not wait for nodes")
		}
		time.Sleep(2 * time.Second)
		if w := b.whole(1); b.count() != chain.Chains || w != "" {
			t.Fatalf("%d rows; %s", b.count(), w)
		}
	})
	in(t, 0, 3, five, func(t *testing.T, b *board) {
		b.change("n4", func(n *peer) { n.Held[9] = plan.Holding{Inc: 1} })
		_, end := b.control("n1")
		defer end()
		time.Sleep(time.Minute)
		if b.count() != 0 {
			t.Error("a table is made where there was one")
		}
	})
}

// Whatever happens to nodes and controllers, nobody is left out who could still
// answer (which the board asserts), and all becomes well again.
func TestChaos(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			in(t, 24, 3, []string{"x/1", "x/2", "y/1", "y/2", "z"}, func(t *testing.T, b *board) {
				_, end1 := b.control("n1")
				defer end1()
				_, end2 := b.control("n2")
				defer end2()
				luck := rand.New(rand.NewPCG(seed, 2)) // under the board's lock
				lose := r.Float64() * 0.3
				b.mu.Lock()
				b.flaky = func() bool { return luck.Float64() < lose }
				b.mu.Unlock()
				for range 60 {
					b.mischief(r)
					time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond)
				}
				b.mu.Lock()
				b.flaky, b.away = func() bool { return false }, false
				b.mu.Unlock()
				for name := range b.nodes {
					b.boot(name)
					b.change(name, func(n *peer) { n.Drain, n.deaf, n.dull, n.Silent = false, false, false, nil })
				}
				b.await(200*time.Second, func() string { return b.whole(3) })
			})
		})
	}
}

// mischief does something to somebody.
func (b *board) mischief(r *rand.Rand) {
	name := b.pick(r)
	switch r.IntN(11) {
	case 0:
		b.kill(name)
	case 1:
		b.end(name)
	case 2, 3, 4:
		b.boot(name)
	case 5:
		b.change(name, func(n *peer) { n.Drain = !n.Drain })
	case 6:
		b.change(name, func(n *peer) { n.deaf, n.dull = r.IntN(2) == 0, r.IntN(4) == 0 })
	case 7:
		b.usurp(time.Duration(r.IntN(3000)) * time.Millisecond)
	case 8:
		b.change(name, func(*peer) { b.away = !b.away })
	case 10:
		b.apart(name, b.pick(r), r.IntN(3) > 0)
	case 9:
		b.kill(name)
		b.kill(b.pick(r))
	}
}

func TestConfig(t *testing.T) {
	if err := Run(t.Context(), Config{}); !errors.Is(err, ErrConfig) {
		t.Errorf("%v", err)
	}
}
