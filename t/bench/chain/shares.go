package main

import (
	"errors"
	"fmt"
)

// shareWindow is how many requests are under way at a node with a share of a
// processor: enough that it always has some when its next period begins.
const shareWindow = 256

// shareWrites is how many writes are under way there. All members work on each.
const shareWrites = 64

// shares measures rows 1, 2 and 6.
func (b *bench) shares() error {
	if b.groups == nil {
		return nil
	}
	names := map[int]string{3: reads3, 5: reads5, 7: reads7}
	var all []*cluster
	for size := 3; size <= 7; size += 2 {
		c, err := b.cluster(fmt.Sprintf("s%d", size), b.dir, size, b.serverCPU)
		if err != nil {
			return err
		}
		if err := errors.Join(c.put(oneChain, readKey, newValue()), c.share(b.groups, b.percent)); err != nil {
			return err
		}
		all = append(all, c)
	}
	b.say("3, 5 and 7 nodes with %d %% of a processor each", b.percent)
	for range b.rounds {
		for _, c := range all {
			who := names[len(c.nodes)]
			if err := b.shareOf(c, who); err != nil {
				return fmt.Errorf("%s: %w", who, err)
			}
		}
	}
	return nil
}

func (b *bench) shareOf(c *cluster, who string) error {
	if b.wanted(1) || b.wanted(2) {
		if err := b.measured(rowShare, who, c.load, c.processes(), readers(oneChain, shareWindow, c.names()...)...); err != nil {
			return err
		}
	}
	if b.wanted(1) && who == reads3 {
		if err := b.measured(rowShare, readsTail, c.load, c.processes(), readers(oneChain, shareWindow, c.row(oneChain).Tail().Node)...); err != nil {
			return err
		}
	}
	if !b.wanted(6) {
		return nil
	}
	s, _, err := c.writer(oneChain, shareWrites)
	if err != nil {
		return err
	}
	return b.measured(rowShareWrites, who, c.load, c.processes(), s)
}
