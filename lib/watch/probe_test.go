package watch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestLooksBeforeRestart: what was under way when something was restarted proves
// nothing of what runs now.
func TestLooksBeforeRestart(t *testing.T) {
	b := up(t, standard("b"))
	b.do(Exited{"dns", "killed"})
	b.now += 100 * ms
	b.do(Started{"dns", 101})
	for range 4 {
		b.do(Result{Probe: "udp", Due: b.now - 10*ms, Began: b.now - 10*ms, Outcome: Pass})
		b.do(Result{Probe: "lag", Due: b.now - 10*ms, Began: b.now - 10*ms, Outcome: Fail})
	}
	for _, p := range b.w.State().Probes {
		if p.Component == "dns" && (p.Good != 0 || p.Bad != 0) {
			t.Errorf("%+v", p)
		}
	}
}

// TestVerifiedAfterRestart: also what was not restarted has to pass anew, as often
// as it must. The probe of the update server looks every five seconds only.
func TestVerifiedAfterRestart(t *testing.T) {
	c := standard("b")
	c.Probes[3] = Probe{Name: "write", Component: "update", Interval: 5 * time.Second, Timeout: 5 * time.Second, Rise: 2}
	b := newBench(t, c)
	b.silent["write"] = true
	write := func() { b.do(Result{Probe: "write", Due: b.now, Began: b.now, Outcome: Pass}) }
	for range 4 {
		write()
		b.run(5 * time.Second)
	}
	b.want(Announce)
	b.do(Exited{"dns", "killed"})
	b.do(Started{"dns", 101})
	b.run(14 * time.Second)
	write()
	b.run(4 * time.Second)
	b.want(Withdraw, "not all has passed")
	b.run(time.Second)
	write()
	b.between("the hold-down after the second", b.until(Announce, time.Minute), 10*time.Second, 11*time.Second)
}

// TestNotNeeded: what a prefix does not need neither withdraws it nor keeps it from
// being verified.
func TestNotNeeded(t *testing.T) {
	c := standard("b")
	c.Prefixes[0].Needs = []string{"dns"}
	b := up(t, c)
	b.do(Exited{"dns", "killed"})
	b.do(Started{"dns", 101})
	for pid := range 20 {
		b.do(Exited{"store", "killed"})
		b.run(500 * ms)
		b.do(Started{"store", 200 + pid})
		b.run(500 * ms)
	}
	b.look["write"] = Fail
	b.run(time.Second)
	b.want(Announce)
}

func TestLateLooks(t *testing.T) {
	b := up(t, standard("b"))
	b.silent["udp"] = true
	fail := func(due, began time.Duration) {
		b.do(Result{Probe: "udp", Due: b.now - due, Began: b.now - began, Outcome: Timeout})
	}
	for range 8 {
		fail(800*ms, 250*ms)
		b.want(Announce)
		fail(760*ms, 760*ms)
		b.want(Announce)
		b.run(time.Second)
	}
	if s := b.w.State(); s.Discarded == 0 || s.Late == 0 {
		t.Errorf("late at %v, %d thrown away", s.Late, s.Discarded)
	}
	fail(250*ms, 250*ms)
	fail(250*ms, 250*ms)
	b.want(Withdraw)
}

// TestLateRound: with one late look all others that have begun are thrown away.
func TestLateRound(t *testing.T) {
	b := up(t, standard("b"))
	b.do(Result{Probe: "lag", Due: b.now - 800*ms, Began: b.now - 250*ms, Outcome: Pass})
	for range 2 {
		b.do(Result{Probe: "udp", Due: b.now, Began: b.now - ms, Outcome: Fail})
	}
	b.want(Announce)
	for range 2 {
		b.do(Result{Probe: "udp", Due: b.now, Began: b.now, Outcome: Fail})
	}
	b.want(Withdraw)
}

// TestStopped: the process was stopped for a while. Nothing that was under way
// counts, and the others are given time to be heard again.
func TestStopped(t *testing.T) {
	b := up(t, standard("b"))
	b.look["udp"] = Fail
	b.until(Withdraw, time.Second)
	begun := b.now
	b.now += time.Minute
	for _, p := range []string{"http", "write"} {
		for range 3 {
			b.do(Result{Probe: p, Due: begun, Began: begun, Outcome: Timeout})
		}
	}
	b.want(Withdraw, "others are well")
	for _, p := range b.w.State().Probes {
		if p.Component != "dns" && p.State != "passing" {
			t.Errorf("%+v", p)
		}
	}
	b.run(time.Second)
	b.want(Withdraw, "others are well")
}

// TestBlind: nothing is known, so nothing is done, but it is told; and it is no
// base for an announcement.
func TestBlind(t *testing.T) {
	b := up(t, standard("b"))
	b.silent["udp"] = true
	b.run(11 * time.Second)
	b.want(Announce)
	if p := b.w.State().Probes[0]; !p.Blind {
		t.Errorf("%+v", p)
	}
	told := slices.ContainsFunc(b.actions, func(a Action) bool { s, ok := a.(Say); return ok && s.Alarm && strings.Contains(s.About, "udp") })
	if !told {
		t.Error("not told")
	}
	b.look["write"] = Fail
	b.until(Withdraw, time.Second)
	b.look["write"] = Pass
	b.run(time.Minute)
	b.want(Withdraw)
	b.silent["udp"] = false
	b.between("sight", b.until(Announce, time.Minute), 0, 14*time.Second)
}

// TestSlowProbe: an update is tried every five seconds only.
func TestSlowProbe(t *testing.T) {
	c := standard("b")
	c.Probes[3] = Probe{Name: "write", Component: "update", Interval: 5 * time.Second, Timeout: 5 * time.Second, Rise: 1}
	b := newBench(t, c)
	b.silent["write"] = true
	for range 5 {
		b.do(Result{Probe: "write", Due: b.now, Began: b.now, Outcome: Pass})
		b.run(5 * time.Second)
	}
	b.want(Announce)
	for range 2 {
		b.do(Result{Probe: "write", Due: b.now - 9*time.Second, Began: b.now - 5*time.Second, Outcome: Timeout})
	}
	b.want(Withdraw)
}

// TestUnknownNames: events of a former configuration mean nothing.
func TestUnknownNames(t *testing.T) {
	b := up(t, standard("b"))
	for _, ev := range []Event{
		Result{Probe: "x", Outcome: Fail}, Progress{"x", 1, 1}, Exited{"x", ""}, Started{"x", 1}, Restarted{"x", ""},
		Heard{Peer: "x"}, Outside{Peer: "x"}, Ordered{Prefix: net6, For: 1}, OrderEnded{net6}, Exited{"update", ""},
		Restarted{"dns", "late"},
	} {
		b.do(ev)
		b.want(Announce)
	}
	if s := fmt.Sprint(b.w.State().Components); strings.Contains(s, "late") {
		t.Error(s)
	}
}
