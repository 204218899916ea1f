package watch

import (
	"fmt"
	"slices"
	"time"
)

// A condition is how a component is.
type condition uint8

// The conditions. A component that is unknown has probes that have not decided:
// it has just been started, or this node has.
const (
	unjudged condition = iota
	well
	overloaded
	broken // probes fail
	dead   // its process is gone
	mending
	givenUp
)

func (c condition) String() string {
	return [...]string{"unknown", "well", "overloaded", "failing", "dead", "restarting", "given up"}[c]
}

// fails reports whether the condition takes routes away.
func (c condition) fails() bool { return c >= broken }

// A component is what is known by one.
type component struct {
	conf      Component
	below     []*component       // all that it needs, and what those need in turn
	answers   bool               // clients are answered by its process
	probes    [Tell + 1][]*probe // by their level
	condition condition
	since     time.Duration // of the condition
	why       string

	running bool // its process, if it is watched
	pid     int
	exit    string        // how it ended last
	runs    time.Duration // since when it runs

	failedAt  time.Duration // when it began to fail; zero if it does not
	luck      float64       // for the jitter of the next restart
	restarts  []time.Duration
	restartAt time.Duration // when the command of the last restart ended
	starting  time.Duration // until when probes may fail after a start
	awaited   bool          // a process is to come by itself until then
	err       string        // of the last restart's command
	next      time.Duration // when a restart is due; zero if none is
	commanded bool          // the command runs
	hopeless  bool          // it was given up
	fine      time.Duration // since when all passes by itself though it was given up

	busy   float64       // answers a second
	busyAt time.Duration // when that was reported
}

// progress notes how many answers a component gave.
func (w *Watch) progress(ev Progress) {
	if c := w.component(ev.Component); c != nil && ev.Over > 0 {
		c.busy, c.busyAt = float64(ev.Answers)/ev.Over.Seconds(), w.now
	}
}

// replaced reports whether another process has taken the place of one that was
// not seen to end.
func (w *Watch) replaced(s Started) bool {
	c := w.component(s.Component)
	return c != nil && c.running && c.pid != s.PID
}

// exited notes the end of a process.
func (w *Watch) exited(ev Exited) {
	c := w.component(ev.Component)
	if c == nil || !c.running {
		return
	}
	c.running, c.exit, c.fine = false, ev.Detail, 0
	if c.conf.Respawns {
		c.awaited, c.starting = true, w.now+c.conf.Start
	}
}

// started notes a process.
func (w *Watch) started(ev Started) {
	c := w.component(ev.Component)
	if c == nil || c.running {
		return
	}
	c.running, c.pid, c.runs, c.awaited = true, ev.PID, w.now, false
	c.starting = w.now + c.conf.Start
	w.renew(c)
	w.say(false, "component "+c.conf.Name, fmt.Sprintf("its process runs (pid %d)", ev.PID))
}

// restarted notes the end of a restart's command.
func (w *Watch) restarted(ev Restarted) {
	c := w.component(ev.Component)
	if c == nil || !c.commanded {
		return
	}
	c.commanded, c.err, c.restartAt, c.starting, c.awaited = false, ev.Err, w.now, 0, false
	if ev.Err == "" {
		c.starting, c.awaited = w.now+c.conf.Start, !c.running
	} else {
		w.say(true, "component "+c.conf.Name, "the restart failed: "+ev.Err)
	}
	w.renew(c)
}

// renew has a component be judged anew, and all that is needed together with it be
// verified anew.
func (w *Watch) renew(c *component) {
	for _, p := range w.prefixes {
		if slices.Contains(p.needs, c) {
			p.mark = w.now
		}
	}
	for _, probes := range c.probes {
		for _, p := range probes {
			w.afresh(p)
		}
	}
}

// judge says how a component is.
func (w *Watch) judge(c *component) {
	now, why := w.condition(c)
	w.trust(c, now)
	if c.hopeless {
		why = fmt.Sprintf("restarted %d times within %v, and that did not help; it is %v now: %s",
			w.conf.Timing.Restarts, w.conf.Timing.RestartsIn, now, why)
		now = givenUp
	}
	if now.fails() && c.failedAt == 0 {
		c.failedAt, c.luck = w.now, w.conf.Rand()
	} else if now == well || now == overloaded {
		c.failedAt, c.next = 0, 0
	}
	if now == well {
		c.starting = 0
	}
	c.why = why
	if now == c.condition {
		return
	}
	c.condition, c.since = now, w.now
	w.say(now.fails() && now != mending, "component "+c.conf.Name, fmt.Sprintf("%v: %s", now, why))
}

// condition is how a component is but for having been given up, and why.
func (w *Watch) condition(c *component) (condition, string) {
	fatal := c.probes[Fatal]
	verdict := passing
	soft := true
	for _, p := range fatal {
		switch {
		case p.verdict == failing:
			verdict = failing
			soft = soft && !p.refused
		case p.verdict == unknown && verdict == passing:
			verdict = unknown
		}
	}
	busy := c.conf.Busy > 0 && c.busy >= c.conf.Busy && c.busyAt > 0 && w.now-c.busyAt <= w.conf.Timing.Busy
	switch {
	case c.commanded:
		return mending, "its restart command runs"
	case c.conf.Process && !c.running && c.exit == "" && w.now < c.starting:
		w.wakeAt(c.starting)
		return unjudged, "its process was not found yet"
	case c.conf.Process && !c.running && c.exit == "":
		return dead, "its process was not found"
	case c.conf.Process && !c.running:
		return dead, "its process is gone: " + c.exit
	case verdict == failing && soft && busy:
		w.wakeAt(c.busyAt + w.conf.Timing.Busy + 1)
		return overloaded, fmt.Sprintf("it gives %.0f answers a second, and none in time to %s", c.busy, errorsOf(fatal))
	case verdict == failing:
		return broken, errorsOf(fatal)
	case verdict == unknown:
		return unjudged, "its probes have not decided yet"
	}
	return well, "all its probes pass"
}

// trust takes a component that was given up back when it has been well by itself
// for long.
func (w *Watch) trust(c *component, now condition) {
	switch {
	case !c.hopeless || now != well:
		c.fine = 0
		return
	case c.fine == 0:
		c.fine = w.now
	}
	w.wakeAt(c.fine + w.conf.Timing.Trust)
	if w.now >= c.fine+w.conf.Timing.Trust {
		w.forgive(c, fmt.Sprintf("well by itself for %v", w.conf.Timing.Trust))
	}
}

// forgive takes a component back that was given up.
func (w *Watch) forgive(c *component, why string) {
	if c.hopeless {
		w.say(false, "component "+c.conf.Name, "not given up any more: "+why)
	}
	c.hopeless, c.fine, c.restarts, c.failedAt = false, 0, nil, 0
}

// checked reports whether a component has been well for long enough since a time.
func (w *Watch) checked(c *component, mark time.Duration) bool {
	if c.condition != well {
		return false
	}
	ok := true
	for _, p := range c.probes[Fatal] {
		ok = w.verified(p, mark) && ok
	}
	if c.conf.Process {
		until := max(c.runs, mark) + w.conf.Timing.Verify
		w.wakeAt(until)
		ok = ok && w.now >= until
	}
	return ok
}

// well reports whether all of this node is.
func (w *Watch) well() bool {
	return !slices.ContainsFunc(w.components, func(c *component) bool { return c.condition != well })
}

func (w *Watch) component(name string) *component {
	for _, c := range w.components {
		if c.conf.Name == name {
			return c
		}
	}
	return nil
}
