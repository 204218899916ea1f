package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/client"
)

// Sizes of what is filled in: values of 4 KiB, in records of many.
const (
	fillValue = 4096
	fillOps   = 64
	fillers   = 16
	copyLimit = 30 * time.Minute
	whileTime = 3 // times that of a measurement
)

// recruit measures row 11: a node of three loses its data, comes back, and gets it
// all from the others, while 64 clients write.
func (b *bench) recruit() error {
	c, err := b.cluster("recruit", b.dir, 3, -1)
	if err != nil {
		return err
	}
	if err := c.fill(b.recruitMB); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	b.say("%d MiB are written", b.recruitMB)
	if err := b.diskSpeed(); err != nil {
		return err
	}
	w := &work{b: b}
	stop := c.writeOn(&w.count)
	defer stop()
	return b.copyTo(c, c.nodes[1], w)
}

// copyTo has a node lose its data, and notes what work is done before, without it,
// and while it gets the data again.
func (b *bench) copyTo(c *cluster, victim *node, w *work) error {
	if err := w.measure(recruitBefore); err != nil {
		return err
	}
	victim.kill()
	if err := errors.Join(c.without(victim.name, nil), sleep(b.ctx, failSettled)); err != nil {
		return err
	}
	if err := w.measure(recruitTwo); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(victim.dir, "chains")); err != nil {
		return err
	}
	w.reset()
	if err := c.start(victim); err != nil {
		return err
	}
	if err := errors.Join(victim.wait(b.ctx, startLimit), c.whole(len(c.nodes), copyLimit)); err != nil {
		return err
	}
	took := w.note(recruitDuring)
	b.table.add(cell{rowRecruit, recruitCopy, "time"}, took.Seconds())
	b.table.add(cell{rowRecruit, recruitCopy, "size"}, float64(b.recruitMB))
	b.table.add(cell{rowRecruit, recruitCopy, "speed"}, float64(b.recruitMB)/took.Seconds())
	return nil
}

// work is what clients have had acknowledged since a time.
type work struct {
	b     *bench
	count atomic.Int64
	since time.Time
}

func (w *work) reset() {
	w.since = time.Now()
	w.count.Store(0)
}

// note puts the rate since reset into the table, and tells the time since then.
func (w *work) note(who string) time.Duration {
	took := time.Since(w.since)
	w.b.table.add(cell{rowRecruit, who, "rate"}, float64(w.count.Load())/took.Seconds())
	return took
}

// measure notes the rate of a while.
func (w *work) measure(who string) error {
	if err := sleep(w.b.ctx, w.b.warm()); err != nil {
		return err
	}
	w.reset()
	err := sleep(w.b.ctx, whileTime*w.b.measure)
	w.note(who)
	return err
}

// fill writes so many MiB to all chains alike.
func (c *cluster) fill(mib int) error {
	records := max(chain.Chains, mib<<20/(fillValue*fillOps))
	var next atomic.Int64
	errs := make(chan error, fillers)
	for range fillers {
		go func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= records {
					errs <- nil
					return
				}
				if err := c.fillOne(i); err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	var all error
	for range fillers {
		all = errors.Join(all, <-errs)
	}
	return all
}

// fillOne writes the i-th record.
func (c *cluster) fillOne(i int) error {
	ctx, cancel := context.WithTimeout(c.b.ctx, startLimit)
	defer cancel()
	m := chain.Propose{Request: client.NewRequest()}
	for k := range fillOps {
		var value []byte
		for len(value) < fillValue {
			value = append(value, newValue()...)
		}
		key := binary.BigEndian.AppendUint32([]byte("fill/"), uint32(i*fillOps+k))
		m.Ops = append(m.Ops, chain.Op{Kind: chain.Put, Key: key, Value: value[:fillValue]})
	}
	o, err := c.client.Propose(ctx, chain.ID(i%chain.Chains), m)
	if err == nil && o.Verdict != chain.Applied {
		err = fmt.Errorf("a write came to nothing: %s", o.Verdict)
	}
	return err
}

// writeOn has clients write until stop is called, and counts what is acknowledged.
func (c *cluster) writeOn(count *atomic.Int64) (stop func()) {
	ctx, cancel := context.WithCancel(c.b.ctx)
	var running sync.WaitGroup
	value := newValue()
	for i := range clients {
		running.Go(func() {
			for turn := i; ctx.Err() == nil; turn += clients + 1 {
				_, err := c.client.Propose(ctx, chain.ID(turn%chain.Chains), chain.Propose{
					Request: client.NewRequest(), Ops: []chain.Op{{Kind: chain.Put, Key: []byte("bench/w"), Value: value}}})
				if err == nil {
					count.Add(1)
				}
			}
		})
	}
	return func() { cancel(); running.Wait() }
}

// diskSpeed measures how fast a file of what a recruit copies is written and synced.
func (b *bench) diskSpeed() error {
	const block = 1 << 20
	f, err := os.Create(filepath.Join(b.dir, "speed"))
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	buf := make([]byte, 0, block)
	for len(buf) < block {
		buf = append(buf, newValue()...)
	}
	began := time.Now()
	for range b.recruitMB {
		if _, err := f.Write(buf[:block]); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	b.table.add(cell{rowRecruit, diskSpeed, "speed"}, float64(b.recruitMB)/time.Since(began).Seconds())
	return nil
}
