package main

import (
	"fmt"
	"time"
)

// plain measures the rows of three nodes that share a processor.
func (b *bench) plain() error {
	c, err := b.cluster("disk", b.dir, 3, b.serverCPU)
	if err != nil {
		return err
	}
	if err := c.put(oneChain, readKey, newValue()); err != nil {
		return err
	}
	b.say("3 nodes")
	if b.wanted(4) {
		if err := b.latency(c, onDisk); err != nil {
			return err
		}
	}
	peers, closePeers, err := b.startPeers(c)
	if err != nil {
		return err
	}
	defer closePeers()
	for range b.rounds {
		for _, do := range []struct {
			row int
			do  func(*cluster) error
		}{{3, func(c *cluster) error { return b.busy(c, onDisk) }}, {5, b.conditional}, {7, peers.writes}, {8, peers.reads}, {9, peers.echoes}} {
			if !b.wanted(do.row) {
				continue
			}
			if err := do.do(c); err != nil {
				return fmt.Errorf("row %d: %w", do.row, err)
			}
		}
	}
	return nil
}

// busy measures reads of a key without and with writes of it, at the members behind
// the head: a link has one stream, and the head's has the writes.
func (b *bench) busy(c *cluster, where string) error {
	if err := b.measured(rowBusy, readsQuiet+", "+where, c.load, c.processes(), readers(oneChain, clients/2, c.behind(oneChain)...)...); err != nil {
		return err
	}
	s, w, err := c.writer(oneChain, clients/2)
	if err != nil {
		return err
	}
	w.key, s.perSecond = readKey, 250
	return b.besides(c, s, where)
}

// besides measures reads besides writes.
func (b *bench) besides(c *cluster, writes stream, where string) error {
	nodes := c.behind(oneChain)
	reads, written := &tally{}, &tally{}
	writes.tally = written
	streams := append(readers(oneChain, clients/2, nodes...), writes)
	for i := range nodes {
		streams[i].tally = reads
	}
	var marks []time.Duration
	if err := c.load.run(b.ctx, b.warm(), b.measure, func() { marks = append(marks, cpuTime(c.processes())) }, streams...); err != nil {
		return err
	}
	b.table.add(cell{rowBusy, "the writes, " + where, "rate"}, written.rate())
	b.table.add(cell{rowBusy, "the writes, " + where, "p50"}, written.latency.Quantile(0.5).Seconds()*1e6)
	return b.note(rowBusy, readsBusy+", "+where, marks[1]-marks[0], reads)
}

// conditional measures plain and conditional writes to one chain.
func (b *bench) conditional(c *cluster) error {
	for _, who := range []string{writesPlain, writesCond} {
		s, w, err := c.writer(oneChain, clients)
		if err != nil {
			return err
		}
		w.cond = who == writesCond
		if err := b.measured(rowCond, who, c.load, c.processes(), s); err != nil {
			return err
		}
	}
	return nil
}
