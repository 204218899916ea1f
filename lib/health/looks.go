package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"namecast/lib/clock"
	"namecast/lib/probe"
	"namecast/lib/quorum"
	"namecast/lib/watch"
)

// How looks are spaced.
const (
	again     = time.Second            // after a look of a slow probe that failed
	findSoon  = 50 * time.Millisecond  // between looks for a process that is gone, at first
	findFor   = 2 * time.Second        // how long that is
	findLater = 250 * time.Millisecond // and from then on
	findLimit = 5 * time.Second        // of the command that tells a process
	askEvery  = time.Second            // between looks at another node, if nothing else is said
)

// A generation is what looks by one configuration. Its goroutines end with it.
type generation struct {
	loop   *loop
	cancel context.CancelFunc
	looks  sync.WaitGroup
}

// look starts to look by a plan, until ctx ends or the generation is ended.
func (l *loop) look(ctx context.Context, p *Plan) *generation {
	ctx, cancel := context.WithCancel(ctx)
	g := &generation{loop: l, cancel: cancel}
	for _, x := range p.Looks {
		look := x.Look
		if look == nil {
			look = l.link.look(x.BGP)
		}
		g.looks.Go(func() {
			g.repeat(ctx, look, x.Interval, x.Timeout, func(due, began time.Duration, o watch.Outcome, detail string) {
				l.send(ctx, watch.Result{Probe: x.Name, Due: due, Began: began, Outcome: o, Detail: detail})
			})
		})
	}
	for name, part := range p.Parts {
		if part.Pid != nil {
			g.looks.Go(func() { g.follow(ctx, name, part.Pid) })
		}
	}
	for _, c := range p.Counters {
		g.looks.Go(func() { g.count(ctx, c) })
	}
	for _, n := range p.Nodes.Others(p.Watch.Name) {
		if p.Outside != nil && n.DNS.IsValid() {
			g.looks.Go(func() { g.outside(ctx, n, p.Outside.Questions, cmp.Or(p.Watch.Timing.Ask, askEvery)) })
		}
	}
	return g
}

// end ends all looks and waits for them.
func (g *generation) end() {
	g.cancel()
	g.looks.Wait()
}

// repeat looks again and again, never twice at a time, beginning somewhere within
// an interval, so that not all look at the same moment. A look that could not begin in time says so by its due time.
func (g *generation) repeat(ctx context.Context, look probe.Func, interval, timeout time.Duration, report func(due, began time.Duration, o watch.Outcome, detail string)) {
	now := g.loop.now
	due := now() + rand.N(min(interval, again))
	for clock.Sleep(ctx, due-now()) {
		began := now()
		limited, cancel := context.WithTimeout(ctx, timeout)
		detail, err := look(limited)
		cancel()
		if ctx.Err() != nil {
			return
		}
		outcome := watch.Pass
		if err != nil {
			outcome, detail = watch.Fail, err.Error()
			if probe.Timeout(err) {
				outcome = watch.Timeout
			}
		}
		report(due, began, outcome, printable(detail))
		switch due += interval; {
		case err != nil && interval > again:
			due = began + again
		case began > due:
			due = began + interval // what was missed is not made up for
		}
	}
}

// follow tells the loop of a component's process: when there is one, and when it
// has ended.
func (g *generation) follow(ctx context.Context, component string, pid probe.PidFunc) {
	p := probe.Process{Pid: pid}
	defer p.Close()
	gone, ended := "", time.Now()
	for ctx.Err() == nil {
		limited, cancel := context.WithTimeout(ctx, findLimit)
		_, err := p.Look(limited)
		cancel()
		if err == nil {
			gone = ""
			g.loop.send(ctx, watch.Started{Component: component, PID: p.PID()})
			err = p.Wait(ctx)
			ended = time.Now()
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil && printable(err.Error()) != gone {
			gone = printable(err.Error())
			g.lose(ctx, component, err)
		}
		if time.Since(ended) < findFor {
			clock.Sleep(ctx, findSoon)
		} else {
			clock.Sleep(ctx, findLater)
		}
	}
}

// lose tells that a component's process is gone, or that it cannot be told: who
// cannot be asked for is not gone.
func (g *generation) lose(ctx context.Context, component string, err error) {
	if errors.Is(err, probe.ErrExited) {
		detail := strings.TrimPrefix(err.Error(), probe.ErrExited.Error()+": ")
		g.loop.send(ctx, watch.Exited{Component: component, Detail: printable(detail)})
		return
	}
	g.loop.notes.add(note{Alarm: true, About: "component " + component, Text: "its process is not known: " + err.Error()})
}

// count tells the loop of a component's progress.
func (g *generation) count(ctx context.Context, c Counter) {
	var last float64
	var at time.Duration // of the last reading; 0 if it failed
	for clock.Sleep(ctx, c.Interval) {
		limited, cancel := context.WithTimeout(ctx, c.Interval)
		value, err := c.Metric.Read(limited)
		cancel()
		if err != nil {
			at = 0
			continue
		}
		now := g.loop.now()
		if at > 0 && value >= last {
			g.loop.send(ctx, watch.Progress{Component: c.Component, Answers: uint64(value - last), Over: now - at})
		}
		last, at = value, now
	}
}

// outside asks another node at its own address.
func (g *generation) outside(ctx context.Context, n quorum.Node, questions []probe.Question, every time.Duration) {
	d := &probe.DNS{At: n.DNS, Questions: questions}
	g.repeat(ctx, d.Look, every, every, func(due, began time.Duration, o watch.Outcome, detail string) {
		g.loop.send(ctx, watch.Outside{Peer: n.Name, Due: due, Began: began, Outcome: o, Detail: detail})
	})
}

// restart runs a component's command, and tells the loop how it ended.
func (d *daemon) restart(ctx context.Context, part Part, component string) {
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, part.Limit)
	defer cancel()
	out, err := probe.Shell(limited, part.Restart)
	if ctx.Err() != nil {
		return
	}
	text, failure := fmt.Sprintf("the restart command ended after %v", time.Since(began).Round(time.Millisecond)), ""
	if err != nil {
		failure = printable(err.Error())
		text = "the restart command failed: " + failure
	}
	if said := printable(string(out)); said != "" {
		text += ", and said: " + short(said)
	}
	d.notes.add(note{Warn: err != nil, About: "component " + component, Text: text})
	d.loop.send(ctx, watch.Restarted{Component: component, Err: failure})
}
