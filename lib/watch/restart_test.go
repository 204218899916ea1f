package watch

import (
	"slices"
	"testing"
	"time"
)

// wantRestarts checks what was restarted since the last call.
func (b *bench) wantRestarts(want ...string) {
	b.Helper()
	if !slices.Equal(b.restarts, want) {
		b.Errorf("at %v: restarted %v, want %v", b.now, b.restarts, want)
	}
	b.restarts = nil
}

// TestRestartOrder: storage fails and with it all that needs it.
func TestRestartOrder(t *testing.T) {
	b := up(t, standard("b"))
	for _, p := range []string{"udp", "http", "write"} {
		b.look[p] = Fail
	}
	b.run(5 * time.Second)
	b.wantRestarts("store")
	b.look["http"], b.look["write"] = Pass, Pass
	b.run(2900 * ms)
	b.wantRestarts("dns")
	b.look["udp"] = Pass
	b.run(5 * time.Second)
	b.wantRestarts()
}

// TestWellByItself: what needs the storage comes back with it.
func TestWellByItself(t *testing.T) {
	b := up(t, standard("b"))
	for _, p := range []string{"udp", "http", "write"} {
		b.look[p] = Fail
	}
	b.run(2 * time.Second)
	b.wantRestarts("store")
	b.look["http"] = Pass
	b.run(1500 * ms)
	b.look["udp"], b.look["write"] = Pass, Pass
	b.run(time.Minute)
	b.wantRestarts()
}

// TestBackoff: a process that dies at once each time, and is given up.
func TestBackoff(t *testing.T) {
	b := up(t, standard("b"))
	b.commands = false
	var at []time.Duration
	pid := 200
	die := func() { b.do(Exited{"dns", "exit status 1"}) }
	die()
	for b.now < 10*time.Minute && len(at) < 6 {
		b.step(10 * time.Minute)
		if len(b.restarts) == 0 {
			continue
		}
		b.wantRestarts("dns")
		at = append(at, b.now)
		pid++
		b.do(Started{"dns", pid})
		b.do(Restarted{Component: "dns"})
		die()
	}
	if len(at) != 5 {
		t.Fatalf("%d restarts", len(at))
	}
	for i := range at[1:] {
		want := 200 * ms << i
		b.between("a pause", at[i+1]-at[i], want, want+ms)
	}
	b.want(Withdraw, "given up")
	s := b.w.State().Components
	if c := s[slices.IndexFunc(s, func(c ComponentShot) bool { return c.Name == "dns" })]; !c.GivenUp || c.State != "given up" || c.Restarts > 5 {
		t.Errorf("%+v", c)
	}
}

// TestJitter: pauses are up to half as long again.
func TestJitter(t *testing.T) {
	c := standard("b")
	c.Rand = func() float64 { return 0.99 }
	b := up(t, c)
	b.do(Exited{"dns", "killed"})
	b.run(140 * ms)
	b.wantRestarts()
	b.run(20 * ms)
	b.wantRestarts("dns")
}

// abandoned is a bench whose DNS server was given up.
func abandoned(t *testing.T, c Config) *bench {
	t.Helper()
	b := up(t, c)
	b.look["udp"] = Fail
	b.run(time.Minute + 10*time.Second)
	b.wantRestarts("dns", "dns", "dns", "dns", "dns")
	b.run(20 * time.Minute)
	b.wantRestarts()
	b.want(Withdraw, "given up", "restarted 5 times within 10m0s")
	b.look["udp"] = Pass
	return b
}

func TestGivenUpUntilWellForLong(t *testing.T) {
	b := abandoned(t, standard("b"))
	b.between("trust", b.until(Announce, time.Hour), 10*time.Minute, 10*time.Minute+12*time.Second)
}

func TestGivenUpUntilTheOperator(t *testing.T) {
	b := abandoned(t, standard("b"))
	b.run(5 * time.Minute)
	b.want(Withdraw, "given up")
	b.do(Undrained{})
	b.between("another chance", b.until(Announce, time.Hour), 0, 13*time.Second)
}

// TestSlowStart: a server that takes its time to start is not killed meanwhile.
func TestSlowStart(t *testing.T) {
	c := standard("b")
	c.Components[0].Start = 20 * time.Second
	b := up(t, c)
	b.look["udp"] = Fail
	b.run(time.Second)
	b.wantRestarts("dns")
	b.run(19 * time.Second)
	b.wantRestarts()
	b.look["udp"] = Pass
	b.run(time.Minute)
	b.wantRestarts()
}

// TestCommandFails: the command is tried again after its pause, which counts
// from its end.
func TestCommandFails(t *testing.T) {
	b := up(t, standard("b"))
	b.commands = false
	b.do(Exited{"dns", "killed"})
	b.run(time.Second)
	b.wantRestarts("dns")
	b.run(30 * time.Second)
	b.wantRestarts()
	b.want(Withdraw, "restarting")
	b.do(Restarted{Component: "dns", Err: "exit status 1"})
	b.run(150 * ms)
	b.wantRestarts()
	b.run(100 * ms)
	b.wantRestarts("dns")
	s := b.w.State().Components
	if c := s[slices.IndexFunc(s, func(c ComponentShot) bool { return c.Name == "dns" })]; c.LastError != "exit status 1" || !c.Restarting {
		t.Errorf("%+v", c)
	}
}

// TestProcessNotFoundYet: after a restart that has succeeded the process is waited
// for, and not restarted before it was seen.
func TestProcessNotFoundYet(t *testing.T) {
	b := up(t, standard("b"))
	b.do(Exited{"dns", "killed"})
	b.run(9 * time.Second)
	b.wantRestarts("dns")
	b.do(Started{"dns", 101})
	b.do(Exited{"dns", "killed"})
	b.run(300 * ms)
	b.wantRestarts("dns")
	b.run(11 * time.Second)
	b.wantRestarts("dns")
}

// TestRespawns: the supervisor starts a process that ended, and nobody else does
// unless it fails to. One that hangs is restarted as any other.
func TestRespawns(t *testing.T) {
	c := standard("b")
	c.Components[0].Respawns = true
	b := up(t, c)
	for pid := range 20 {
		b.do(Exited{"dns", "killed"})
		b.want(Withdraw, "dns is dead")
		b.run(9 * time.Second)
		b.do(Started{"dns", 200 + pid})
		b.run(time.Second)
	}
	b.wantRestarts()
	b.do(Exited{"dns", "killed"})
	b.run(11 * time.Second)
	b.wantRestarts("dns")
	b.do(Started{"dns", 300})
	b.run(10 * time.Second)
	b.look["udp"] = Timeout
	b.run(time.Second)
	b.wantRestarts("dns")
}

// TestStartOfTheWatch: processes that were not found yet are not restarted, until
// it is clear that there are none.
func TestStartOfTheWatch(t *testing.T) {
	c := standard("b")
	w, err := New(c, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, now: time.Minute, conf: c, w: w, commands: true, look: map[string]Outcome{},
		silent: map[string]bool{"udp": true, "lag": true, "http": true, "write": true}, next: map[string]time.Duration{}}
	b.run(9 * time.Second)
	b.wantRestarts()
	b.want(Withdraw)
	b.run(2 * time.Second)
	b.wantRestarts("store")
}

// TestLastResortRestarts: while no other node is well, what answers wrongly is
// restarted later, and what does not answer at once.
func TestLastResortRestarts(t *testing.T) {
	for _, o := range []Outcome{Fail, Timeout} {
		c := standard("b")
		c.Rand = func() float64 { return 0.5 }
		b := up(t, c)
		b.peers["b"] = StandsFailing
		b.run(time.Second)
		b.look["udp"] = o
		b.until(Last, time.Second)
		begun := b.now
		for len(b.restarts) == 0 && b.step(begun+time.Minute) {
		}
		want := map[Outcome]time.Duration{Fail: 7500 * ms, Timeout: 125 * ms}[o]
		b.between("a restart after "+o.String(), b.now-begun, want, want+ms)
	}
}

// TestWithdrawnBeforeRestart: clients leave before the restart begins.
func TestWithdrawnBeforeRestart(t *testing.T) {
	c := standard("b")
	c.Timing.Backoff = time.Nanosecond
	b := up(t, c)
	b.actions = nil
	b.do(Exited{"dns", "killed"})
	b.run(time.Second)
	withdrawn := slices.IndexFunc(b.actions, func(a Action) bool { w, ok := a.(Wish); return ok && w.Changed })
	restart := slices.IndexFunc(b.actions, func(a Action) bool { _, ok := a.(Restart); return ok })
	if withdrawn < 0 || restart < withdrawn {
		t.Errorf("wish %d, restart %d", withdrawn, restart)
	}
}
