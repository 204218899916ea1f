package iterate

import (
	"context"
	"fmt"
	"time"

	"github.com/miekg/dns"
)

// A doubt is whether anybody answers at all. When nobody has for a while, in this race or
// in any other, servers of the root are asked twice for what they have at hand: if they
// answer it is the zone whose servers are dead, and if they do not, the network is.
type doubt struct {
	after time.Duration // of silence it begins; 0: not known yet
	since time.Duration // the root's servers were asked; 0: they were not
	until time.Duration // they are waited for
	again bool          // it is the second time
	over  bool          // somebody has answered
}

// Times of a doubt, and how many servers of the root are asked.
const (
	leastDoubt = 150 * time.Millisecond
	mostDoubt  = 400 * time.Millisecond
	leastProof = 500 * time.Millisecond
	mostProof  = 1200 * time.Millisecond
	maxProofs  = 3
)

// expect sets the time of silence by what the first server that is asked usually takes.
func (d *doubt) expect(usual time.Duration) {
	if d.after == 0 {
		d.after = min(max(2*usual, leastDoubt), mostDoubt)
	}
}

// silentSince is since when nobody has answered, as far as the race knows.
func (c *race) silentSince() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(c.began, c.answer)
}

// nextLook is the time until it has to be looked whether anybody answers.
func (c *race) nextLook() time.Duration {
	at := c.silentSince() + c.doubt.after
	switch {
	case c.doubt.over:
		return patience
	case c.doubt.since > 0:
		at = c.doubt.until
	}
	return max(at-c.o.Now(), time.Millisecond)
}

// look begins to doubt, or ends it: its error is ErrSilent when nobody answers.
func (c *race) look(ctx context.Context) error {
	now, silent := c.o.Now(), c.silentSince()
	switch {
	case c.doubt.over:
	case c.doubt.since == 0:
		if now-silent >= c.doubt.after {
			return c.prove(ctx, now)
		}
	case silent > c.doubt.since:
		c.doubt.over = true
	case now >= c.doubt.until && !c.doubt.again:
		c.doubt.again = true
		return c.prove(ctx, now)
	case now >= c.doubt.until:
		return fmt.Errorf("%w: for %v", ErrSilent, now-silent)
	}
	return nil
}

// prove asks servers of the root, and says until when they are waited for.
func (c *race) prove(ctx context.Context, now time.Duration) error {
	c.mu.Lock()
	z, ok := c.zones.get(now, "")
	c.mu.Unlock()
	if !ok {
		z = &zone{hints: c.o.Hints}
	}
	list := c.serving(z)
	c.sort(z, list)
	wait := leastProof
	for _, s := range list[:min(len(list), maxProofs)] {
		wait = max(wait, 3*c.wait(s))
		if err := c.start(ctx, s, rootServers, patience); err != nil {
			return err
		}
	}
	c.doubt.since, c.doubt.until = now, now+min(wait, mostProof)
	return nil
}

// rootServers is what servers of the root are asked to show that they answer.
var rootServers = Question{Type: dns.TypeNS}
