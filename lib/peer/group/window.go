package group

import "time"

// A window takes each message of one boot of one sender once. Sequence numbers are
// microseconds since the sender's start.
type window struct {
	top    uint64          // the greatest number taken
	floor  uint64          // this and what is below is refused
	recent [reorder]uint64 // the last numbers taken, in a ring
	next   int             // of the ring
	ahead  int64           // our clock minus the sender's, in microseconds
	timed  bool            // ahead is known
}

// reorder is how many messages may have been overtaken by others.
const reorder = 64

// overtaken is how much older than the first message of a boot another one may be.
const overtaken = 100 * time.Millisecond

// maxLate is how much longer than the fastest a message may have been under way.
const maxLate = 10 * time.Second

// newWindow begins with the first message of a boot.
func newWindow(seq uint64) window {
	return window{top: seq, floor: seq - min(seq, uint64(overtaken.Microseconds())), recent: [reorder]uint64{seq}, next: 1}
}

// take says why a message is refused, or takes it and returns Taken.
func (w *window) take(now time.Duration, seq uint64) Reason {
	if seq <= w.floor || seq > 1<<62 {
		return Replayed
	}
	ahead := now.Microseconds() - int64(seq)
	if w.timed && (ahead-w.ahead > maxLate.Microseconds() || w.ahead-ahead > maxLate.Microseconds()) {
		return Late
	}
	if seq < w.top {
		for _, taken := range w.recent {
			if taken == seq {
				return Replayed
			}
		}
	} else if seq == w.top {
		return Replayed
	}
	w.top = max(w.top, seq)
	w.floor = max(w.floor, w.recent[w.next])
	w.recent[w.next] = seq
	w.next = (w.next + 1) % reorder
	if w.timed {
		w.ahead = min(w.ahead, ahead)
	}
	return Taken
}

// prove sets the clocks against each other by a message that answers a challenge of
// a moment ago.
func (w *window) prove(now time.Duration, seq uint64) {
	w.ahead, w.timed = now.Microseconds()-int64(seq), true
}
