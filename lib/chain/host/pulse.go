package host

import (
	"sync/atomic"
	"time"

	"namecast/lib/clock"
)

// hung is how long a loop may take for what waits in it before the node's lease is
// not renewed any more: its chains stand still, and go on without the node once the
// lease has ended.
const hung = 5 * time.Second

// A pulse is whether a loop goes on: it is asked to answer, which it does in its turn.
type pulse struct {
	asked atomic.Int64 // the clock's reading then; 0 if nothing is
	slow  bool         // that was told
}

// hangs feels the pulse of every loop, and tells whether one has not answered for long.
// It is for one goroutine.
func (l *life) hangs(now time.Duration) (one bool) {
	for i, o := range l.loops {
		p := &l.pulses[i]
		asked := time.Duration(p.asked.Load())
		late := asked != 0 && now-asked > hung
		if late != p.slow {
			p.slow = late
			l.tellPulse(i, late)
		}
		one = one || late
		if asked == 0 {
			p.asked.Store(int64(now))
			if !o.put(input{do: func() { p.asked.Store(0) }}) {
				p.asked.Store(0) // it has ended
			}
		}
	}
	return one
}

// tellPulse logs that a loop hangs, or goes on again.
func (l *life) tellPulse(loop int, late bool) {
	log := l.host.config.Log.With("node", l.self.Node, "loop", loop)
	if late {
		log.Error("a loop hangs; the node's lease is not renewed", "for", hung)
	} else {
		log.Warn("a loop goes on that hung")
	}
}

// Hangs tells whether a loop of the node has done nothing for seconds, though it had
// something to do. Unlike Status it waits for none.
func (h *Host) Hangs() bool {
	l := h.life.Load()
	if l == nil {
		return false
	}
	now := clock.Boot()
	for i := range l.pulses {
		if asked := time.Duration(l.pulses[i].asked.Load()); asked != 0 && now-asked > hung {
			return true
		}
	}
	return false
}
