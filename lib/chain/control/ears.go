package control

import (
	"context"
	"sync"
	"time"
)

// Ears tell a node that is silent from a coordinator that is, or from a controller
// that stood still: when nothing was heard of anybody, nobody is to blame for it,
// and all have to be given time to be heard of again. They listen between terms
// too, so that a controller can act as soon as it is elected.
type ears struct {
	cfg    *Config
	mu     sync.Mutex
	looked time.Duration
	grace  time.Duration
}

// listen looks at a picture, and returns until when nobody counts as silent.
func (e *ears) listen(now time.Duration, pic *Picture) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	newest := time.Duration(0)
	for i := range pic.Nodes {
		if n := &pic.Nodes[i]; n.Live {
			newest = max(newest, n.Renewed)
		}
	}
	long := e.cfg.Suspect / 2
	if now-newest >= long || now-e.looked >= long {
		e.grace = now + e.cfg.Grace
	}
	e.looked = now
	return e.grace
}

// run listens until the context ends.
func (e *ears) run(ctx context.Context) {
	tick := time.NewTicker(e.cfg.Suspect / 10)
	defer tick.Stop()
	for {
		e.listen(e.cfg.Now(), e.cfg.Table.Picture())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
