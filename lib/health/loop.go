package health

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"namecast/lib/cli"
	"namecast/lib/route"
	"namecast/lib/watch"
)

// A loop is the goroutine that decides. All of its fields are its own; others
// bring it events, or have it call a function.
type loop struct {
	watch  *watch.Watch
	plan   *Plan
	now    func() time.Duration // of the clock that Watch is stepped by
	notes  *notes
	link   *link
	wishes []route.Command // the last one for each prefix, in the order of their first coming
	status string          // what the supervisor was told last
	counts counts

	events chan watch.Event
	calls  cli.Calls

	// restart, beat and vote do what the Watch wants done, and do not wait.
	restart func(watch.Restart)
	beat    func(watch.Beat)
	vote    func(watch.Vote)
}

// counts is what the loop has done since the start. They are read by others.
type counts struct {
	changes  [watch.Announce + 1]atomic.Uint64 // of decisions, by what they became
	restarts atomic.Uint64
	votes    atomic.Uint64
}

// How the loop and those around it are bounded.
const (
	maxIdle    = 500 * time.Millisecond // the loop turns at least this often
	writeLimit = time.Second            // a route line is not waited for any longer
	callLimit  = time.Second            // who asks the loop waits no longer
)

// send brings the loop an event. It gives up when ctx ends.
func (l *loop) send(ctx context.Context, ev watch.Event) {
	select {
	case l.events <- ev:
	case <-ctx.Done():
	}
}

// call has the loop call a function, and waits until it has. The error is ctx's.
func (l *loop) call(ctx context.Context, f func()) error { return l.calls.Do(ctx, f) }

// run decides until ctx ends, and then withdraws everything. The error is that of
// route lines that nobody takes any more.
func (l *loop) run(ctx context.Context) error {
	interval, pat := cli.Watchdog()
	patted := time.Time{}
	timer := time.NewTimer(0)
	defer timer.Stop()
	l.step(watch.Tick{})
	for l.link.failed == nil {
		if interval > 0 && time.Since(patted) >= interval/2 {
			pat()
			patted = time.Now()
		}
		timer.Reset(max(0, min(l.watch.Wake()-l.now(), maxIdle)))
		select {
		case <-ctx.Done():
			l.withdrawAll()
			return nil
		case f := <-l.calls:
			f()
		case ev := <-l.events:
			l.step(ev)
		case <-timer.C:
			l.step(watch.Tick{})
		}
	}
	return fmt.Errorf("%w: %w", ErrOutput, l.link.failed)
}

// step takes an event to the Watch and does what comes of it.
func (l *loop) step(ev watch.Event) { l.do(l.watch.Step(l.now(), ev)) }

// do does what the Watch wants done. Wishes go out first, all in one write.
func (l *loop) do(actions []watch.Action) {
	var lines []route.Command
	for _, a := range actions {
		if w, ok := a.(watch.Wish); ok {
			lines = append(lines, l.wish(w))
		}
	}
	l.link.write(lines)
	for _, a := range actions {
		switch a := a.(type) {
		case watch.Restart:
			l.notes.add(note{Warn: true, About: "component " + a.Component, Text: fmt.Sprintf("restart %d: %s", a.Attempt, a.Why)})
			l.counts.restarts.Add(1)
			l.restart(a)
		case watch.Beat:
			a.Claims = l.honest(a.Claims)
			l.beat(a)
		case watch.Vote:
			l.notes.addOnce(note{Warn: true, About: "node " + a.Victim, Text: fmt.Sprintf("vote against %v there: %s", a.Prefix, a.Why)})
			a.Well = a.Well && l.link.reaches(a.Prefix)
			l.counts.votes.Add(1)
			l.vote(a)
		case watch.Say:
			l.notes.add(note{Alarm: a.Alarm, About: a.About, Text: a.Why})
		}
	}
	l.tell()
}

// honest takes back claims of routes that are only wished for: others must not count
// on what nc-bgp announces to nobody.
func (l *loop) honest(claims []watch.Claim) []watch.Claim {
	claims = slices.Clone(claims)
	for i, c := range claims {
		if c.Standing != watch.StandsFailing && !l.link.reaches(c.Prefix) {
			claims[i].Standing = watch.StandsWithdrawn
		}
	}
	return claims
}

// wish keeps a wish and gives its line.
func (l *loop) wish(w watch.Wish) route.Command {
	c := command(w)
	if w.Changed {
		l.counts.changes[w.Route].Add(1)
		l.notes.add(note{Warn: w.Route != watch.Announce, About: w.Prefix.String(), Text: fmt.Sprintf("%v: %s", w.Route, w.Why)})
	}
	for i := range l.wishes {
		if l.wishes[i].Prefix == c.Prefix {
			l.wishes[i] = c
			return c
		}
	}
	l.wishes = append(l.wishes, c)
	return c
}

// command gives the route line of a wish.
func command(w watch.Wish) route.Command {
	switch w.Route {
	case watch.Announce:
		return route.Command{Verb: route.Announce, Prefix: w.Prefix}
	case watch.Last:
		return route.Command{Verb: route.Drain, Prefix: w.Prefix}
	}
	return route.Command{Verb: route.Withdraw, Prefix: w.Prefix, Why: short(w.Why)}
}

// tell has the supervisor know the decision, when it is another one.
func (l *loop) tell() {
	if s := headline(l.watch.State()); s != l.status {
		l.status = s
		cli.Status(s)
	}
}

// withdrawAll is for the end.
func (l *loop) withdrawAll() {
	for i, c := range l.wishes {
		l.wishes[i] = route.Command{Verb: route.Withdraw, Prefix: c.Prefix, Why: "nc-watch ends"}
	}
	l.link.write(l.wishes)
	l.notes.add(note{About: "nc-watch", Text: "ends, and has withdrawn everything"})
}
