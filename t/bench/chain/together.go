package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// clients is how many requests are under way where clients are compared.
const clients = 64

// A crowd is clients that each do one thing after the other.
type crowd struct {
	do       func(ctx context.Context, i int) error
	counting atomic.Bool
	over     atomic.Bool
	tally    tally
}

// run is the life of one client.
func (c *crowd) run(ctx context.Context, i int) {
	for !c.over.Load() {
		sent := time.Now()
		err := c.do(ctx, i)
		if c.counting.Load() {
			c.tally.count(err == nil, time.Since(sent))
		}
	}
}

// together has 64 clients do something for a while that does not count, and then for
// one that does, and notes what came of it, with the processor time of some processes.
func (b *bench) together(row, who string, of []*process, do func(ctx context.Context, i int) error) error {
	ctx, stop := context.WithCancel(b.ctx)
	defer stop()
	c := &crowd{do: do}
	var running sync.WaitGroup
	for i := range clients {
		running.Go(func() { c.run(ctx, i) })
	}
	err := sleep(ctx, b.warm())
	began, before := time.Now(), cpuTime(of)
	c.counting.Store(true)
	if err == nil {
		err = sleep(ctx, b.measure)
	}
	c.counting.Store(false)
	used := cpuTime(of) - before
	elapsed := time.Since(began)
	c.over.Store(true)
	defer time.AfterFunc(drainLimit, stop).Stop() // for requests that hang
	running.Wait()
	if err != nil {
		return err
	}
	c.tally.elapsed = elapsed
	return b.note(row, who, used, &c.tally)
}
