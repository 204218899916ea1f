package update

import (
	"context"
	"runtime"
	"sync"

	"namecast/lib/store"
)

// A group is tasks that are done together: what they change goes to the disk in
// one write. It is for one goroutine.
type group struct {
	*Server
	ctx   context.Context
	tasks []task
	ended func(i int)         // is called when a task has come to its end
	waits func(i int)         // is called with a task that waits; carryOut gives its reply
	pause func()              // is called between signatures, for others to run
	keys  map[string]struct{} // whose tasks are at work

	changes []store.Change
	of      []*task // whose the changes are
}

func (s *Server) newGroup(ctx context.Context) *group {
	return &group{Server: s, ctx: ctx, keys: map[string]struct{}{}}
}

// run takes all tasks to their end, or to where they wait. Tasks of one account
// take effect in the order in which they came, each once the one before it is on
// the disk: there are as many rounds as an account has tasks. It calls judged
// when all tasks of the first round are, and done after each round.
func (g *group) run(judged, done func()) {
	for i := range g.tasks {
		g.open(&g.tasks[i])
	}
	g.choose()
	g.judgeAll()
	judged()
	for {
		g.commitAll()
		g.report()
		done()
		if g.choose() == 0 {
			return
		}
		g.judgeAll()
	}
}

// choose takes the first task of each account that has one left, and gives
// their number.
func (g *group) choose() int {
	clear(g.keys)
	for i := range g.tasks {
		t := &g.tasks[i]
		if t.at > deferred {
			continue
		}
		t.at = deferred
		if _, taken := g.keys[t.keyID]; !taken {
			g.keys[t.keyID] = struct{}{}
			t.at = opened
		}
	}
	return len(g.keys)
}

// partOf is how many signatures are worth another goroutine.
const partOf = 4

// judgeAll judges the chosen tasks, on several processors if there are many.
func (g *group) judgeAll() {
	parts := min(runtime.GOMAXPROCS(0), (len(g.keys)+partOf-1)/partOf)
	if parts == 0 {
		return
	}
	var others sync.WaitGroup
	for first := 1; first < parts; first++ {
		others.Go(func() { g.judgePart(first, parts, runtime.Gosched) })
	}
	g.judgePart(0, parts, g.pause)
	others.Wait()
}

// judgePart judges every step-th of the tasks.
func (g *group) judgePart(first, step int, pause func()) {
	v, err := g.Store.View()
	if err == nil {
		defer v.Release()
	}
	for i := first; i < len(g.tasks); i += step {
		t := &g.tasks[i]
		switch {
		case t.at != opened:
		case err != nil:
			t.end(g.stalled(t.req, 0, err))
		default:
			g.judge(v, t)
			pause()
		}
	}
}

// report tells of the tasks that have come to their end, or to where they wait.
func (g *group) report() {
	for i := range g.tasks {
		t := &g.tasks[i]
		switch t.at {
		case ended:
			g.ended(i)
		case waiting:
			g.waits(i)
		default:
			continue
		}
		t.at = reported
	}
}
