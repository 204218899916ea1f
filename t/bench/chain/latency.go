package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"namecast/lib/chain"
	"namecast/t/bench/load"
)

// latencyRequests is how many requests of each kind a round of row 4 sends, for each
// second of its time.
const latencyRequests = 400

// plainInMemory measures rows 3 and 4 with folders in memory, as the anchors of both
// are of storage in memory.
func (b *bench) plainInMemory() error {
	if b.memory == "" {
		b.say("/dev/shm is not in memory: rows 3 and 4 are of the disk only")
		return nil
	}
	c, err := b.cluster("memory", b.memory, 3, b.serverCPU)
	if err != nil {
		return err
	}
	if err := c.put(oneChain, readKey, newValue()); err != nil {
		return err
	}
	b.say("3 nodes in memory")
	if b.wanted(4) {
		if err := b.latency(c, inMemory); err != nil {
			return err
		}
	}
	for range b.rounds {
		if !b.wanted(3) {
			break
		}
		if err := b.busy(c, inMemory); err != nil {
			return err
		}
	}
	return nil
}

// latency measures how long a clean read, a write and a dirty read take when nothing
// else goes on. Dirty is a read that is sent right behind a write of its key, at the
// head: the node takes both up in this order, so the key is dirty then.
func (b *bench) latency(c *cluster, where string) error {
	row := c.row(oneChain)
	bases, err := c.bases(oneChain)
	if err != nil {
		return err
	}
	w := newWriter(1, bases, oneChain)
	w.key = readKey
	p := &pingPong{links: c.load, head: row.Head().Node, other: row.Members[1].Node, reader: reader{oneChain, readKey}, writer: w}
	kinds := []struct {
		name string
		do   func(context.Context) (time.Duration, error)
	}{{"clean read", p.clean}, {"dirty read", p.dirty}, {"write", p.write}}
	for range b.rounds {
		for _, k := range kinds {
			var h load.Histogram
			for range max(50, int(latencyRequests*b.measure.Seconds())) {
				took, err := k.do(b.ctx)
				if err != nil {
					return fmt.Errorf("%s: %w", k.name, err)
				}
				h.Add(took)
			}
			b.table.add(cell{rowLatency, k.name + ", " + where, "p50"}, h.Quantile(0.5).Seconds()*1e6)
			b.table.add(cell{rowLatency, k.name + ", " + where, "p99"}, h.Quantile(0.99).Seconds()*1e6)
		}
	}
	return nil
}

// A pingPong sends one request at a time, or a write and a read behind it.
type pingPong struct {
	links       *links
	head, other string // nodes
	reader      reader
	writer      *writer
}

func (p *pingPong) clean(ctx context.Context) (time.Duration, error) {
	c, sent, err := p.links.ask(p.other, func(id uint64) chain.Envelope { return p.reader.next(0, id) })
	return p.wait(ctx, c, sent, err, p.reader)
}

func (p *pingPong) write(ctx context.Context) (time.Duration, error) {
	c, sent, err := p.links.ask(p.head, func(id uint64) chain.Envelope { return p.writer.next(0, id) })
	return p.wait(ctx, c, sent, err, p.writer)
}

func (p *pingPong) dirty(ctx context.Context) (time.Duration, error) {
	w, written, err := p.links.ask(p.head, func(id uint64) chain.Envelope { return p.writer.next(0, id) })
	if err != nil {
		return 0, err
	}
	r, sent, err := p.links.ask(p.head, func(id uint64) chain.Envelope { return p.reader.next(0, id) })
	took, err := p.wait(ctx, r, sent, err, p.reader)
	_, errWrite := p.wait(ctx, w, written, nil, p.writer)
	return took, errors.Join(err, errWrite)
}

// wait waits for an answer, and tells how long it took.
func (p *pingPong) wait(ctx context.Context, c <-chan answer, sent time.Time, err error, s source) (time.Duration, error) {
	if err != nil {
		return 0, err
	}
	t := time.NewTimer(drainLimit)
	defer t.Stop()
	select {
	case a := <-c:
		if !s.judge(0, a.body) {
			return 0, fmt.Errorf("a wrong answer: %+v", a.body)
		}
		return a.at.Sub(sent), nil
	case <-t.C:
		return 0, errLost
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
