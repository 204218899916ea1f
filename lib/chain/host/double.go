package host

import (
	"errors"
	"sync"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain/frame"
	"namecast/lib/clock"
	"namecast/lib/link"
)

// Two programs with one identity replace each other's connection for ever. As many
// replacements of a client's in so long are told, and no oftener than that.
const (
	doubles     = 4
	doubleSpan  = time.Minute
	mostDoubles = 1024 // clients that are remembered
)

// A doubleTable counts how often connections of clients were replaced.
type doubleTable struct {
	mu  sync.Mutex
	all map[ca.Name]*double
}

type double struct {
	since time.Duration // of the count
	times int
}

// replaced takes down that a client's connection was replaced, and tells whether two
// programs seem to take turns.
func (t *doubleTable) replaced(name ca.Name, now time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.all[name]
	if d == nil || now-d.since > doubleSpan {
		if len(t.all) >= mostDoubles || t.all == nil {
			t.all = map[ca.Name]*double{}
		}
		d = &double{since: now}
		t.all[name] = d
	}
	d.times++
	return d.times == doubles
}

// tellDouble tells the log of a client that is there twice.
func (l *life) tellDouble(c *link.Conn, err error) {
	if c.Peer.Class == frame.ClassChain || !errors.Is(err, link.ErrReplaced) || !l.host.doubles.replaced(c.Peer.Name, clock.Boot()) {
		return
	}
	l.host.config.Log.Warn("two programs seem to have the same identity; each needs one of its own",
		"node", l.self.Node, "client", c.Peer.Name, "one_at", c.Peer.Addr)
}
