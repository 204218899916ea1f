package host

import (
	"context"
	"errors"
	"time"

	"namecast/lib/cli"
	"namecast/lib/clock"
	"namecast/lib/peer"
	"namecast/lib/peer/group"
)

// How the loop and those around it are bounded.
const (
	maxIdle    = 500 * time.Millisecond // the loop turns at least this often
	callLimit  = 2 * time.Second        // who asks the loop waits no longer
	maxPending = 10_000                 // questions that are not answered yet
	queueLen   = 1024                   // of each channel to the loop
	sayEvery   = time.Second            // the group is told how this node is
)

// errSilent: the loop does not answer.
var errSilent = errors.New("the daemon is busy")

// A loop is the goroutine that owns the Node and the Group. All of its fields are its
// own; others bring it what happens, or have it call a function.
type loop struct {
	node    *peer.Node
	group   *group.Group // nil: alone
	ports   map[portKey]*port
	links   []group.Link
	workers *workers
	tracer  *tracer
	log     *notes

	queries chan *query
	packets chan group.Datagram
	results chan peer.Event
	calls   cli.Calls

	pending map[uint64]*query
	lastID  uint64
	later   []peer.Event // that came of what was done
	said    time.Time
	paused  bool
	looping map[string]int // names of probes for loops, and the server that was asked
	looped  func(server int)
	split   *splitter
	site    uint64 // the network's identity
	renew   func() // this node's identity is somebody else's too
}

// A portKey is a link and a family.
type portKey struct {
	link int
	v6   bool
}

// run takes what happens until ctx ends.
func (l *loop) run(ctx context.Context) error {
	interval, pat := cli.Watchdog()
	patted := time.Time{}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if interval > 0 && time.Since(patted) >= interval/2 {
			pat()
			patted = time.Now()
		}
		timer.Reset(l.rest())
		select {
		case <-ctx.Done():
			l.end()
			return nil
		case q := <-l.queries:
			l.ask(q)
		case d := <-l.packets:
			l.hear(d)
		case ev := <-l.results:
			l.finish(ev)
		case f := <-l.calls:
			f()
		case <-timer.C:
		}
		l.turn()
	}
}

// finish takes what workers have done.
func (l *loop) finish(ev peer.Event) {
	if a, ok := ev.(splitAnswer); ok {
		a.done()
		return
	}
	l.step(ev)
}

// rest is for how long nothing has to be done.
func (l *loop) rest() time.Duration {
	next := l.node.Next()
	if l.group != nil {
		next = min(next, l.group.Next())
	}
	return max(0, min(next-clock.Boot(), maxIdle))
}

// turn does what time wants done.
func (l *loop) turn() {
	now := clock.Boot()
	if l.node.Next() <= now {
		l.step(peer.Tick{})
	}
	if l.group == nil || l.paused {
		return
	}
	if time.Since(l.said) >= sayEvery {
		l.said = time.Now()
		l.group.Say(l.status())
	}
	if l.group.Next() <= now {
		out := l.group.Step(now)
		l.tracer.greeted(out)
		l.send(out)
		l.happened(l.group.Events())
	}
}

// end is the last that is done.
func (l *loop) end() {
	if l.group != nil && !l.paused {
		l.send(l.group.Bye(clock.Boot(), "ends"))
	}
}

// call has the loop call a function, and waits until it has. The error is ctx's.
func (l *loop) call(ctx context.Context, f func()) error { return l.calls.Do(ctx, f) }

// ask takes a client's question to the Node.
func (l *loop) ask(q *query) {
	if server, ok := l.looping[string(q.q.Name)]; ok && q.own == nil {
		q.fail(rcodeRefused)
		l.looped(server)
		return
	}
	if q.own == nil && l.split.take(q) {
		return
	}
	if len(l.pending) >= maxPending {
		q.fail(rcodeServFail)
		return
	}
	l.lastID++
	l.pending[l.lastID] = q
	l.step(peer.Query{ID: l.lastID, Question: q.q})
}

// hear takes a datagram of a peer, perhaps, to the Group.
func (l *loop) hear(d group.Datagram) {
	if l.group == nil || l.paused {
		return
	}
	events, out := l.group.Receive(clock.Boot(), d)
	l.send(out)
	l.happened(events)
}

// step takes an event to the Node, and does what comes of it.
func (l *loop) step(ev peer.Event) {
	l.do(l.node.Step(clock.Boot(), ev))
	for len(l.later) > 0 {
		ev := l.later[0]
		l.later = l.later[1:]
		l.do(l.node.Step(clock.Boot(), ev))
	}
}

// do does what the Node wants done. Nothing of it waits.
func (l *loop) do(actions []peer.Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case peer.Reply:
			l.reply(&a)
		case peer.Fetch:
			l.start(l.workers.fetch(a))
		case peer.Iterate:
			l.start(l.workers.iterate(a))
		case peer.Validate:
			l.start(l.workers.validate(a))
		case peer.Send:
			if l.group != nil && !l.paused {
				l.tracer.sent(a)
				l.send(l.group.Send(clock.Boot(), a))
			}
		case peer.Trace:
			l.tracer.trace(a)
			if a.Kind == peer.TraceServer {
				l.said = time.Time{} // the group is told at once
			}
		}
	}
}

// start keeps what happened instead of work that could not be started.
func (l *loop) start(instead peer.Event) {
	if instead != nil {
		l.later = append(l.later, instead)
	}
}

// reply answers a client.
func (l *loop) reply(r *peer.Reply) {
	q := l.pending[r.ID]
	if q == nil {
		return
	}
	delete(l.pending, r.ID)
	if q.own != nil {
		q.own(r)
		return
	}
	l.tracer.answered(q, r)
	if !q.q.DO && r.Msg != nil {
		r.Msg = withoutSignatures(r.Msg, q.q.Type)
	}
	q.reply(q.answer(r, q.limit))
}

// send sends what the Group wants sent. What cannot be sent is a lost packet; a link
// that is gone says so itself.
func (l *loop) send(list []group.Send) {
	for _, s := range list {
		if p := l.ports[portKey{s.Link, s.To.Addr().Is6()}]; p != nil {
			if err := p.send(s.To, s.Data); err != nil {
				l.log.once("send on "+p.name, err.Error())
			}
		}
	}
}
