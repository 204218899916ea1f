package watch

import (
	"slices"
	"time"
)

// mend restarts a component if that is its turn: it fails, all that it needs is
// well, and the pause is over.
func (w *Watch) mend(c *component) {
	c.next = 0
	if !c.conf.Restart || !c.condition.fails() || c.commanded || c.hopeless || w.rising(c) {
		return
	}
	due, ok := w.due(c)
	if !ok {
		return
	}
	c.next = due
	if w.now < due {
		w.wakeAt(due)
		return
	}
	c.restarts = w.lately(c)
	if len(c.restarts) >= w.conf.Timing.Restarts {
		c.hopeless = true
		w.judge(c)
		return
	}
	c.restarts = append(c.restarts, w.now)
	c.commanded, c.next, c.luck = true, 0, w.conf.Rand()
	w.emit(Restart{Component: c.conf.Name, Attempt: len(c.restarts), Why: c.why})
	w.renew(c)
	w.judge(c)
}

// rising reports whether a component that fails is about to pass: then it is left
// alone.
func (w *Watch) rising(c *component) bool {
	if c.condition != broken {
		return false
	}
	return !slices.ContainsFunc(c.probes[Fatal], func(p *probe) bool { return p.verdict == failing && p.bad > 0 })
}

// due is when a component is to be restarted, and false if something that it
// needs has to be well first.
func (w *Watch) due(c *component) (time.Duration, bool) {
	due := max(c.failedAt, c.restartAt) + w.pause(c)
	if c.condition == broken || c.awaited {
		due = max(due, c.starting)
	}
	for _, b := range c.below {
		if b.condition != well && b.condition != overloaded {
			return 0, false
		}
		if b.since > c.failedAt {
			due = max(due, b.since+w.conf.Timing.Settle)
		}
	}
	return due, true
}

// pause is how long to wait before a restart. It doubles with each that there
// was lately. It is longer while no other node is well and this one still answers
// something: the reason may be the same everywhere, and not all are to restart
// at once.
func (w *Watch) pause(c *component) time.Duration {
	t := w.conf.Timing
	d := t.Backoff
	for range w.lately(c) {
		d = min(2*d, t.BackoffMax)
	}
	d += time.Duration(float64(d) * c.luck / 2)
	if c.condition == broken && w.lastResort(c) {
		d = max(d, t.LastResort+time.Duration(float64(t.LastResort)*c.luck))
	}
	return d
}

// lately are the restarts that count.
func (w *Watch) lately(c *component) []time.Duration {
	return slices.DeleteFunc(slices.Clone(c.restarts), func(t time.Duration) bool {
		return t <= w.now-w.conf.Timing.RestartsIn
	})
}

// lastResort reports whether a component that fails gives answers, though wrong
// ones, at a prefix that is announced since no other node is well.
func (w *Watch) lastResort(c *component) bool {
	refused := slices.ContainsFunc(c.probes[Fatal], func(p *probe) bool { return p.verdict == failing && p.refused })
	return refused && slices.ContainsFunc(w.prefixes, func(p *prefix) bool {
		return !p.up && p.route == Last && slices.Contains(p.needs, c)
	})
}
