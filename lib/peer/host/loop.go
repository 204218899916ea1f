package host

import (
	"context"
	"errors"
	"math"
	"sync"
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
	forever    = math.MaxInt64          // no time is after this
	maxPending = 10_000                 // questions that are not answered yet
	sayEvery   = time.Second            // the group is told how this node is
)

// errSilent: the loop does not answer.
var errSilent = errors.New("the daemon is busy")

// A loop is the Node and the Group, and what belongs to them. Whoever brings it something
// enters it, does what comes of that, and leaves: nobody else has to be woken between a
// question and its answer. One goroutine, run, does the same for time, and for those
// who have it call a function.
type loop struct {
	mu    sync.Mutex    // held by who is inside; all other fields are theirs, but for calls
	now   time.Duration // when they came in
	timer *time.Timer   // that run waits for
	due   time.Duration // when it comes
	over  bool          // nothing is taken any more
	calls cli.Calls

	node    *peer.Node
	group   *group.Group // nil: alone
	ports   map[portKey]*port
	links   []group.Link
	workers *workers
	tracer  *tracer
	log     *notes

	pending map[uint64]*query
	lastID  uint64
	crowded uint64       // questions that were refused because too many were pending
	later   []peer.Event // that came of what was done
	said    time.Time
	change  uint64 // of the group, as the Node last saw it
	paused  bool
	proof   *proof // of what the name servers are
	looped  func(server int, why string)
	split   *splitter
	site    uint64 // the network's identity
	renew   func() // this node's identity is somebody else's too
}

// A portKey is a link and a family.
type portKey struct {
	link int
	v6   bool
}

// enter waits until nobody else is inside.
func (l *loop) enter() {
	l.mu.Lock()
	l.now = clock.Boot()
}

// leave does what time wants done, has run come when it will want something again, and
// lets others in.
func (l *loop) leave() {
	defer l.mu.Unlock()
	if l.over {
		return
	}
	l.turn()
	if next := l.next(); next < l.due {
		l.due = next
		l.timer.Reset(max(0, next-l.now))
	}
}

// next is when something has to be done at the latest.
func (l *loop) next() time.Duration {
	next := min(l.node.Next(), l.now+maxIdle)
	if l.group != nil {
		next = min(next, l.group.Next())
	}
	return next
}

// run sees to time, and calls functions for others, until ctx ends.
func (l *loop) run(ctx context.Context) error {
	interval, pat := cli.Watchdog()
	patted := time.Time{}
	defer l.timer.Stop()
	for {
		if interval > 0 && time.Since(patted) >= interval/2 {
			pat()
			patted = time.Now()
		}
		select {
		case <-ctx.Done():
			l.end()
			return nil
		case f := <-l.calls:
			l.enter()
			f()
		case <-l.timer.C:
			l.enter()
			l.due = forever
		}
		l.leave()
	}
}

// finish takes what workers have done.
func (l *loop) finish(ev peer.Event) {
	l.enter()
	defer l.leave()
	if l.over {
		return
	}
	if a, ok := ev.(splitAnswer); ok {
		a.done()
		return
	}
	l.step(ev)
}

// turn does what time wants done.
func (l *loop) turn() {
	if l.group != nil && l.change != l.group.Change() {
		l.change = l.group.Change()
		l.step(peer.Tick{}) // the Node sees it at its next event, whatever that is
	}
	if l.node.Next() <= l.now {
		l.step(peer.Tick{})
	}
	if l.group == nil || l.paused {
		return
	}
	if time.Since(l.said) >= sayEvery {
		l.said = time.Now()
		l.group.Say(l.status())
	}
	if l.group.Next() <= l.now {
		l.send(l.group.Step(l.now))
		l.happened(l.group.Events())
		l.tracer.greets(l.group.Greeted())
	}
}

// end is the last that is done.
func (l *loop) end() {
	l.enter()
	defer l.mu.Unlock()
	l.over = true
	if l.group != nil && !l.paused {
		l.send(l.group.Bye(l.now, "ends"))
	}
}

// call has the loop call a function, and waits until it has. The error is ctx's.
func (l *loop) call(ctx context.Context, f func()) error { return l.calls.Do(ctx, f) }

// ask takes a client's question to the Node. Its caller is inside.
func (l *loop) ask(q *query) {
	if l.over {
		return // its client finds nobody here
	}
	if l.probed(q) || q.own == nil && l.split.take(q) {
		return
	}
	if len(l.pending) >= maxPending {
		l.crowded++
		q.fail(rcodeServFail)
		return
	}
	l.lastID++
	l.pending[l.lastID] = q
	l.step(peer.Query{ID: l.lastID, Question: q.q})
}

// hear takes a datagram of a peer, perhaps, to the Group.
func (l *loop) hear(d group.Datagram) {
	l.enter()
	defer l.leave()
	if l.group == nil || l.paused || l.over {
		return
	}
	events, out := l.group.Receive(l.now, d)
	l.send(out)
	l.happened(events)
}

// step takes an event to the Node, and does what comes of it.
func (l *loop) step(ev peer.Event) {
	l.do(l.node.Step(l.now, ev))
	for len(l.later) > 0 {
		ev := l.later[0]
		l.later = l.later[1:]
		l.do(l.node.Step(l.now, ev))
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
				l.send(l.group.Send(l.now, a))
			}
		case peer.Trace:
			l.tracer.trace(a)
			if a.Kind == peer.TraceServer {
				l.said = time.Time{} // the group is told at once
				l.proveAnew(true)
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
