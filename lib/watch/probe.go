package watch

import (
	"fmt"
	"strings"
	"time"
)

// A verdict is what a probe's looks come to.
type verdict uint8

const (
	unknown verdict = iota
	passing
	failing
)

func (v verdict) String() string {
	return [...]string{"unknown", "passing", "failing"}[v]
}

// A probe is what is known by one.
type probe struct {
	conf      Probe
	verdict   verdict
	since     time.Duration   // of the verdict
	from      time.Duration   // what began earlier was a look at something else
	good      int             // looks in a row that passed
	goodSince time.Duration   // when the first of them began
	passes    []time.Duration // when the last of them began, as many as Rise
	bad       int             // looks in a row that failed
	refused   bool            // one of them was more than a timeout
	last      Outcome
	lastAt    time.Duration // when the last result that counted came
	detail    string        // its
	lastError string        // the last failure's detail
	blind     bool
}

// result takes what a look came to, unless this node was late.
func (w *Watch) result(r Result) {
	p := w.probe(r.Probe)
	if p == nil {
		return
	}
	patience := 2 * p.conf.Interval
	if r.Began-r.Due > patience || w.now-r.Began > p.conf.Timeout+patience {
		w.beLate(fmt.Sprintf("a look of probe %s began %v after its time and was reported %v later", p.conf.Name,
			max(0, r.Began-r.Due), w.now-r.Began))
	}
	if r.Began < w.distrust {
		w.discarded++
		return
	}
	if r.Began < p.from {
		return
	}
	p.last, p.lastAt, p.detail = r.Outcome, w.now, r.Detail
	if r.Outcome == Pass {
		w.pass(p, r)
	} else {
		w.fail(p, r)
	}
}

// pass takes a look that passed.
func (w *Watch) pass(p *probe, r Result) {
	p.bad, p.refused = 0, false
	if p.good == 0 {
		p.goodSince, p.passes = r.Began, nil
	}
	p.good++
	p.passes = append(p.passes, r.Began)
	p.passes = p.passes[max(0, len(p.passes)-p.conf.Rise):]
	if p.good >= p.conf.Rise {
		w.turn(p, passing, fmt.Sprintf("%d looks in a row passed", p.good))
	}
}

// fail takes a look that failed.
func (w *Watch) fail(p *probe, r Result) {
	p.lastError = r.Detail
	p.bad++
	p.refused = p.refused || r.Outcome != Timeout
	p.good = 0
	if p.bad >= p.conf.Fall {
		w.turn(p, failing, fmt.Sprintf("%d looks in a row failed, the last: %s", p.bad, r.Detail))
	}
}

// turn changes a probe's verdict.
func (w *Watch) turn(p *probe, v verdict, why string) {
	if p.verdict == v {
		return
	}
	p.verdict, p.since = v, w.now
	w.say(false, "probe "+p.conf.Name, fmt.Sprintf("%v: %s", v, why))
}

// afresh has a probe look at something new.
func (w *Watch) afresh(p *probe) {
	p.verdict, p.since, p.from = unknown, w.now, w.now
	p.good, p.bad, p.refused = 0, 0, false
}

// verified reports whether a probe has passed often enough and for long enough
// since a time, and still does.
func (w *Watch) verified(p *probe, mark time.Duration) bool {
	if p.good < p.conf.Rise || p.passes[0] < mark || w.isBlind(p) {
		return false
	}
	until := max(p.goodSince, mark) + w.conf.Timing.Verify
	w.wakeAt(until)
	return w.now >= until
}

// isBlind reports whether nothing has been learned from a probe for long.
func (w *Watch) isBlind(p *probe) bool { return w.now >= w.blindAt(p) }

func (w *Watch) blindAt(p *probe) time.Duration {
	return max(p.lastAt, w.begun) + max(w.conf.Timing.Blind, 5*p.conf.Interval)
}

// lookBlind tells when a probe goes blind, and when it sees again. No route
// changes for that: who cannot see does not act.
func (w *Watch) lookBlind(p *probe) {
	blind := w.isBlind(p)
	if blind != p.blind {
		p.blind = blind
		if blind {
			w.say(true, "probe "+p.conf.Name, "no result that counts for long: this node is too busy to judge itself, or the probe hangs")
		} else {
			w.say(false, "probe "+p.conf.Name, "has results again")
		}
	}
	w.wakeAt(w.blindAt(p))
}

// patience is how late Step may be called.
func (w *Watch) patience() time.Duration {
	d := w.conf.Timing.Repeat
	for _, p := range w.probes {
		d = min(d, 2*p.conf.Interval)
	}
	return d
}

// beLate throws away all looks that have begun by now (Lifeguard's local health:
// a slow observer distrusts itself first).
func (w *Watch) beLate(why string) {
	if w.late < w.now-10*time.Second || w.late == 0 {
		w.discarded = 0
		w.say(false, "this node", "is late itself and throws away what it is looking at: "+why)
	}
	w.late, w.distrust = w.now, w.now
}

// loopLate is for a Step that comes late: others may have been heard meanwhile,
// and are given time to be heard again. If three wishes were not repeated, nc-bgp
// has withdrawn everything, and what is known here is old: all is verified anew.
func (w *Watch) loopLate(now time.Duration) {
	by := now - w.wake
	for _, p := range w.peers {
		if p.fresh {
			p.until = max(p.until, now+w.conf.Timing.Fresh)
		}
	}
	w.now = max(w.now, now)
	w.beLate(fmt.Sprintf("it did nothing for %v", by.Round(time.Millisecond)))
	if now < w.repeat+2*w.conf.Timing.Repeat {
		return
	}
	for _, p := range w.prefixes {
		w.fell(p)
		p.mark = now
	}
}

func (w *Watch) probe(name string) *probe {
	for _, p := range w.probes {
		if p.conf.Name == name {
			return p
		}
	}
	return nil
}

// errorsOf are the last errors of the probes that fail.
func errorsOf(probes []*probe) string {
	var texts []string
	for _, p := range probes {
		if p.verdict == failing {
			texts = append(texts, fmt.Sprintf("probe %s: %s", p.conf.Name, p.lastError))
		}
	}
	return strings.Join(texts, "; ")
}
