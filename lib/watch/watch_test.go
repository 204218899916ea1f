package watch

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestNothingBeforeVerification(t *testing.T) {
	b := newBench(t, standard("b"))
	b.want(Withdraw)
	b.between("the first announcement", b.until(Announce, 10*time.Second), 3*time.Second, 3500*ms)
}

// TestLastNodeStarts: where nobody else is well, the start takes less time.
func TestLastNodeStarts(t *testing.T) {
	b := newBench(t, standard("b"))
	b.peers["b"] = StandsFailing
	b.between("the last resort", b.until(Last, 10*time.Second), 1500*ms, 1600*ms)
	b.between("the announcement", b.until(Announce, 10*time.Second), 1500*ms, 2*time.Second)
}

// TestStaysDrained: a last resort that does not fail is not withdrawn for the short
// time until it is verified.
func TestStaysDrained(t *testing.T) {
	b := newBench(t, standard("b"))
	b.peers["b"] = StandsFailing
	b.until(Last, 10*time.Second)
	b.peers["b"] = StandsAnnounced
	b.run(600 * ms)
	b.want(Last, "stays drained")
	b.look["udp"] = Fail
	b.run(time.Second)
	b.want(Withdraw, "others are well")
}

// TestStartWithoutStorage: of the last node's components one does not run.
func TestStartWithoutStorage(t *testing.T) {
	c := standard("b")
	b := newBench(t, c)
	var err error
	if b.w, err = New(c, b.now); err != nil {
		t.Fatal(err)
	}
	b.do(Started{"dns", 1})
	b.peers["b"] = StandsFailing
	b.between("the last resort", b.until(Last, 10*time.Second), 1500*ms, 1600*ms)
}

func TestFailureWithdraws(t *testing.T) {
	b := up(t, standard("b", "c"))
	b.look["udp"] = Fail
	b.between("two looks", b.until(Withdraw, time.Second), 0, 750*ms)
	b.want(Withdraw, "others are well", "dns is failing", "seen by udp", "nodes that are well: b, c")
}

func TestExitCountsAtOnce(t *testing.T) {
	b := up(t, standard("b"))
	b.do(Exited{"dns", "signal 9"})
	b.want(Withdraw, "dns is dead", "signal 9")
	if len(b.restarts) != 0 {
		t.Error("restarted without a pause")
	}
	b.run(120 * ms)
	if !slices.Equal(b.restarts, []string{"dns"}) {
		t.Errorf("restarted %v", b.restarts)
	}
}

func TestAnotherProcess(t *testing.T) {
	b := up(t, standard("b"))
	b.do(Started{"dns", 100})
	b.want(Announce)
	b.do(Started{"dns", 101})
	b.want(Withdraw)
	b.between("back", b.until(Announce, time.Minute), 13*time.Second, 14*time.Second)
}

func TestStaysWhenCutOff(t *testing.T) {
	b := up(t, standard("b", "c"))
	b.peers = nil
	b.run(time.Hour)
	b.want(Announce, "nobody heard: stays")
}

// TestBackAsLastResort: all fail in the same second, and each sees the others
// well at first.
func TestBackAsLastResort(t *testing.T) {
	b := up(t, standard("b", "c"))
	b.look["udp"] = Fail
	b.until(Withdraw, time.Second)
	b.peers = map[string]Standing{"b": StandsFailing, "c": StandsFailing}
	b.between("the last resort", b.until(Last, 2*time.Second), 0, 600*ms)

	c := up(t, standard("b"))
	c.look["udp"] = Fail
	c.until(Withdraw, time.Second)
	c.peers = nil
	c.between("the last resort after silence", c.until(Last, 3*time.Second), 900*ms, 1500*ms)
}

// TestNotWellFromOutside: what another says of itself does not count if it fails
// as seen from here.
func TestNotWellFromOutside(t *testing.T) {
	b := up(t, standard("b"))
	for range 3 {
		b.run(time.Second)
		b.do(Outside{Peer: "b", Due: b.now, Began: b.now, Outcome: Timeout, Detail: "no answer"})
	}
	b.look["udp"] = Fail
	b.run(time.Second)
	b.want(Last, "nobody else is well")
}

func TestHoldDown(t *testing.T) {
	b := up(t, standard("b"))
	for i, hold := range []time.Duration{10 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, 30 * time.Minute} {
		b.look["write"] = Fail
		b.until(Withdraw, time.Second)
		b.look["write"] = Pass
		b.between(fmt.Sprintf("hold-down %d", i), b.until(Announce, time.Hour), hold+3*time.Second, hold+4*time.Second)
	}
	b.run(31 * time.Minute)
	b.look["write"] = Fail
	b.until(Withdraw, time.Second)
	b.look["write"] = Pass
	b.between("hold-down after a calm hour", b.until(Announce, time.Hour), 13*time.Second, 14*time.Second)
}

// TestHeldDownIsShown also has a failure during the hold-down, which is none more.
func TestHeldDownIsShown(t *testing.T) {
	b := up(t, standard("b"))
	b.look["write"] = Fail
	b.until(Withdraw, time.Second)
	b.look["write"] = Pass
	b.run(5 * time.Second)
	s := b.w.State().Prefixes[0]
	if left := s.Hold - b.now; left < 8*time.Second || left > 9*time.Second {
		t.Errorf("%v of the hold-down are left", left)
	}
	b.want(Withdraw, "held down for 10s; withdrawals that count: 1")
	b.look["write"] = Fail
	b.run(time.Second)
	b.look["write"] = Pass
	b.between("the same hold-down", b.until(Announce, time.Hour), 13*time.Second, 14*time.Second)
}

func TestAllVerifiedAfterTheLastRestart(t *testing.T) {
	b := up(t, standard("b"))
	b.do(Exited{"store", "killed"})
	b.until(Withdraw, 0)
	b.do(Started{"store", 200})
	b.run(9 * time.Second)
	b.do(Exited{"dns", "killed"})
	b.do(Started{"dns", 201})
	b.between("all of it anew", b.until(Announce, time.Minute), 13*time.Second, 14*time.Second)
}

func TestOperator(t *testing.T) {
	b := up(t, standard("b"))
	b.do(Drained{"new kernel"})
	b.want(Last, "drained by the operator", "new kernel")
	if s := b.w.State().Prefixes[0].Standing; s != StandsDrained {
		t.Errorf("stands %v", s)
	}
	b.look["udp"] = Fail
	b.run(time.Second)
	b.want(Withdraw)
	b.look["udp"] = Pass
	b.run(20 * time.Second)
	b.want(Last)
	b.do(Undrained{})
	b.want(Announce)
}

func TestWarnings(t *testing.T) {
	b := up(t, standard("b"))
	b.look["lag"] = Fail
	b.until(Last, time.Second)
	b.want(Last, "drained by a warning", "seen by lag")
	b.look["lag"] = Pass
	b.between("the end of the drain", b.until(Announce, time.Minute), 10*time.Second, 12*time.Second)
	if len(b.restarts) != 0 {
		t.Errorf("restarted %v", b.restarts)
	}
}

func TestOverload(t *testing.T) {
	for _, absorb := range []bool{false, true} {
		c := standard("b")
		c.Absorb = absorb
		b := up(t, c)
		b.look["udp"] = Timeout
		for range 10 {
			b.do(Progress{"dns", 50000, time.Second})
			b.run(time.Second)
		}
		b.want(map[bool]Route{true: Announce, false: Last}[absorb], "overloaded", "50000 answers a second")
		if len(b.restarts) != 0 {
			t.Errorf("restarted %v", b.restarts)
		}
		b.do(Progress{"dns", 3, time.Second})
		b.want(Withdraw, "dns is failing")
	}
}

// TestOverloadOnly: a wrong answer is none of too much to do, and counters that
// are not reported any more prove nothing.
func TestOverloadOnly(t *testing.T) {
	b := up(t, standard("b"))
	b.do(Progress{"dns", 50000, time.Second})
	b.look["udp"] = Fail
	b.until(Withdraw, time.Second)

	b = up(t, standard("b"))
	b.do(Progress{"dns", 50000, time.Second})
	b.look["udp"] = Timeout
	b.between("silence of the counters", b.until(Withdraw, 3*time.Second), 1900*ms, 2100*ms)
}

func TestOrdered(t *testing.T) {
	b := up(t, standard("b", "c"))
	b.do(Ordered{Prefix: net4, For: 30 * time.Second, By: []string{"b", "c"}})
	b.want(Withdraw, "ordered away", "b, c")
	if s := b.w.State().Prefixes[0].Standing; s != StandsWithdrawn {
		t.Errorf("stands %v", s)
	}
	b.run(5 * time.Second)
	b.do(OrderEnded{net4})
	b.want(Withdraw, "not all has passed")
	b.between("verified anew", b.until(Announce, time.Minute), 13*time.Second, 14*time.Second)

	b.do(Ordered{Prefix: net4, For: 30 * time.Second, By: []string{"b"}})
	b.run(30*time.Second + ms)
	b.want(Withdraw, "not all has passed")
	if p := b.w.State().Prefixes[0]; p.Ordered != 0 || p.Level != 2 {
		t.Errorf("order until %v, level %d", p.Ordered, p.Level)
	}
}

// TestOrderedWithoutProcess has nothing but probes to verify by.
func TestOrderedWithoutProcess(t *testing.T) {
	c := standard("b", "c")
	c.Prefixes[0].Needs = []string{"update"}
	b := up(t, c)
	b.do(Ordered{Prefix: net4, For: 30 * time.Second, By: []string{"b", "c"}})
	b.do(OrderEnded{net4})
	b.between("verified anew", b.until(Announce, time.Minute), 13*time.Second, 14*time.Second)
}

// TestStoppedForLong: nc-bgp has withdrawn meanwhile, and nothing is known any more.
func TestStoppedForLong(t *testing.T) {
	b := up(t, standard("b"))
	b.now += 10 * time.Second
	b.do(Tick{})
	b.want(Withdraw, "not all has passed")
	b.between("all of it anew", b.until(Announce, time.Minute), 13*time.Second, 14*time.Second)
}

func TestReconfigure(t *testing.T) {
	b := up(t, standard("b"))
	c := standard("b")
	c.Prefixes = []Prefix{{Prefix: net4}, {Prefix: net6, Needs: []string{"dns"}}}
	c.Probes = append(c.Probes, Probe{Name: "tcp", Component: "dns"})
	b.next["tcp"] = b.now + time.Second
	b.conf = c
	if _, err := b.w.Reconfigure(b.now, c); err != nil {
		t.Fatal(err)
	}
	b.want(Announce)
	b.run(5 * time.Second)
	s := b.w.State()
	if s.Prefixes[0].Route != Announce || s.Prefixes[1].Route != Announce {
		t.Errorf("routes %+v", s.Prefixes)
	}
	c.Prefixes = c.Prefixes[1:]
	acts, err := b.w.Reconfigure(b.now, c)
	gone := Wish{Prefix: net4, Route: Withdraw, Why: "it is no more in the configuration"}
	if err != nil || !slices.Contains(acts, Action(gone)) {
		t.Errorf("%+v, %v", acts, err)
	}
	c.Probes[0].Component = "dsn"
	if _, err := b.w.Reconfigure(b.now, c); !errors.Is(err, ErrConfig) {
		t.Errorf("a bad configuration: %v", err)
	}
	b.run(time.Second)
	b.want(Announce)
}

func TestRepeats(t *testing.T) {
	b := up(t, standard("b"))
	b.actions = nil
	b.run(10 * time.Second)
	wishes, beats := 0, 0
	for _, a := range b.actions {
		switch a := a.(type) {
		case Wish:
			wishes++
			if a.Changed || a.Route != Announce || a.Why == "" {
				t.Errorf("%+v", a)
			}
		case Beat:
			beats++
			if !a.Well || !slices.Equal(a.Claims, []Claim{{net4, StandsAnnounced}}) {
				t.Errorf("%+v", a)
			}
		}
	}
	if wishes < 19 || wishes > 21 || beats != wishes {
		t.Errorf("%d wishes and %d heartbeats in 10 s", wishes, beats)
	}
}
