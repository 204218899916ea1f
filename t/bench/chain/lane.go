package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/t/bench/load"
)

// A stream is requests to one node, of which some are always under way: when an
// answer comes, the next request goes out.
type stream struct {
	node      string
	window    int     // requests under way
	perSecond float64 // requests a second, with up to window under way; 0 is as many as are answered
	source    source
	tally     *tally // of what comes back; several streams may have one together
}

// A source makes requests and judges the answers. It is for one stream.
type source interface {
	// next makes the next request of a slot, with an ID.
	next(slot int, id uint64) chain.Envelope
	// judge tells whether an answer to the slot's request is right.
	judge(slot int, m chain.Message) bool
}

// A tally is what came of streams while they were measured.
type tally struct {
	mu        sync.Mutex
	good, bad uint64
	elapsed   time.Duration
	latency   load.Histogram
}

func (t *tally) rate() float64 { return float64(t.good) / t.elapsed.Seconds() }

// count takes in an answer.
func (t *tally) count(good bool, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.latency.Add(took)
	if good {
		t.good++
	} else {
		t.bad++
	}
}

// drainLimit is how long answers may take at the end.
const drainLimit = 10 * time.Second

// errLost says that a request was never answered, or its connection ended.
var errLost = errors.New("requests were lost")

// A lane is a stream at work.
type lane struct {
	stream
	links *links
	port  *port
	begun time.Time

	mu    sync.Mutex
	slots []slot
	free  []int // slots without a request, of a stream with a rate
	phase phase
	under int // requests under way
	err   error
	ended bool
	idle  chan struct{} // closed by end: the lane has failed, or is ending and nothing is under way
}

type slot struct {
	id   uint64 // 0 if nothing is under way
	sent time.Duration
}

type phase int

const (
	warming phase = iota
	measuring
	ending
)

// run sends streams for a while that does not count, and then for one that does.
// mark, unless it is nil, is called when what counts begins and ends.
func (l *links) run(ctx context.Context, warm, measure time.Duration, mark func(), streams ...stream) error {
	lanes, err := l.newLanes(streams)
	defer leave(lanes)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var paced sync.WaitGroup
	for _, a := range lanes {
		if a.perSecond > 0 {
			paced.Go(func() { a.pace(ctx) })
		}
		a.fill()
	}
	enter := func(p phase) {
		for _, a := range lanes {
			a.enter(p)
		}
		if mark != nil {
			mark()
		}
	}
	err = sleep(ctx, warm)
	enter(measuring)
	began := time.Now()
	err = errors.Join(err, sleep(ctx, measure))
	elapsed := time.Since(began)
	enter(ending)
	stop()
	paced.Wait()
	for _, a := range lanes {
		err = errors.Join(err, a.drain())
		a.tally.elapsed = elapsed
	}
	return err
}

// newLanes puts streams on their connections; those that are there when it fails
// are returned too.
func (l *links) newLanes(streams []stream) (lanes []*lane, err error) {
	for _, s := range streams {
		a, err := l.newLane(s)
		if err != nil {
			return lanes, err
		}
		lanes = append(lanes, a)
	}
	return lanes, nil
}

// leave takes lanes off their connections.
func leave(lanes []*lane) {
	for _, a := range lanes {
		a.port.lane.Store(nil)
	}
}

func (l *links) newLane(s stream) (*lane, error) {
	p, err := l.port(s.node)
	if err != nil {
		return nil, err
	}
	a := &lane{stream: s, links: l, port: p, begun: time.Now(), slots: make([]slot, s.window), idle: make(chan struct{})}
	if !p.lane.CompareAndSwap(nil, a) {
		return nil, fmt.Errorf("two streams at %s", s.node)
	}
	return a, nil
}

// fill sends the first requests.
func (a *lane) fill() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.slots {
		if a.perSecond > 0 {
			a.free = append(a.free, i)
		} else {
			a.ask(i)
		}
	}
}

// pace sends requests at the stream's rate.
func (a *lane) pace(ctx context.Context) {
	const every = 2 * time.Millisecond
	t := time.NewTicker(every)
	defer t.Stop()
	for owed, last := 0.0, time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			owed = min(owed+now.Sub(last).Seconds()*a.perSecond, float64(a.window))
			last = now
		}
		a.mu.Lock()
		for ; owed >= 1 && len(a.free) > 0 && a.phase != ending; owed-- {
			a.ask(a.free[len(a.free)-1])
			a.free = a.free[:len(a.free)-1]
		}
		a.mu.Unlock()
	}
}

// ask sends a slot's next request. a.mu is locked.
func (a *lane) ask(i int) {
	id := a.links.lastID.Add(1)<<16 | uint64(i)
	a.slots[i] = slot{id, time.Since(a.begun)}
	a.under++
	if err := a.port.conn.Send(a.source.next(i, id)); err != nil {
		a.fail(err)
	}
}

// fail ends the lane. a.mu is locked.
func (a *lane) fail(err error) {
	if a.err == nil {
		a.err = fmt.Errorf("%w: %s: %w", errLost, a.node, err)
		a.end()
	}
}

// end tells drain that nothing more is waited for. a.mu is locked.
func (a *lane) end() {
	if !a.ended {
		a.ended = true
		close(a.idle)
	}
}

func (a *lane) broken(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail(fmt.Errorf("the connection has ended: %w", err))
}

// heard takes in an answer.
func (a *lane) heard(f frame.Frame) {
	e, err := frame.ParseMessage(f, chain.Member{})
	a.mu.Lock()
	defer a.mu.Unlock()
	i := int(f.Stream & 0xffff)
	if a.err != nil || i >= len(a.slots) || a.slots[i].id != f.Stream {
		return
	}
	took := time.Since(a.begun) - a.slots[i].sent
	a.slots[i].id = 0
	a.under--
	good := err == nil && a.source.judge(i, e.Body)
	if a.phase == measuring {
		a.tally.count(good, took)
	}
	switch {
	case a.phase == ending:
		if a.under == 0 {
			a.end()
		}
	case a.perSecond > 0:
		a.free = append(a.free, i)
	default:
		a.ask(i)
	}
}

func (a *lane) enter(p phase) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.phase = p
	if p == ending && a.under == 0 {
		a.end()
	}
}

// drain waits for the last answers.
func (a *lane) drain() error {
	t := time.NewTimer(drainLimit)
	defer t.Stop()
	select {
	case <-a.idle:
	case <-t.C:
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil && a.under > 0 {
		a.fail(fmt.Errorf("%d of %d under way have no answer after %s", a.under, a.window, drainLimit))
	}
	return a.err
}

// sleep waits, unless the context ends before.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
