package quorum

import (
	"errors"
	"fmt"
	"time"
)

// Reasons why a message that is signed well is not taken.
var (
	// ErrSkew: its time is more than MaxSkew away from the receiver's: the clocks
	// differ, or it is a replay.
	ErrSkew = errors.New("the time is too far off")
	// ErrReplay: it was taken before, or is older than what was.
	ErrReplay = errors.New("replayed")
)

// A Window takes each message of a node once. The zero value is ready. Only what
// has been opened may be asked about, since it remembers every name. It is not for
// several goroutines at once, and messages of the two kinds need one each.
type Window struct {
	seen map[string]*life
}

// A life is what was taken of one node.
type life struct {
	boot, seq uint64 // the greatest
	taken     uint64 // one bit for each seq, from the greatest downward
	at        time.Time
}

// reorder is how many messages may have been overtaken by others.
const reorder = 64

// forget is when the memory of a silent node is of no use: whatever was sent by
// then is refused for its time. It lets a node back in whose clock was set back
// between two lives.
const forget = 2 * MaxSkew

// Take tells whether a message is new and remembers it. A boot has to be the one
// before or greater, and within it each seq comes once and not long after greater
// ones. The errors are ErrSkew and ErrReplay.
func (w *Window) Take(from string, boot, seq uint64, sent, now time.Time) error {
	if off := now.Sub(sent); off > MaxSkew || off < -MaxSkew {
		return fmt.Errorf("node %s: %w: %v", from, ErrSkew, off.Round(time.Millisecond))
	}
	l := w.seen[from]
	if l == nil || boot > l.boot || now.Sub(l.at) > forget {
		if w.seen == nil {
			w.seen = make(map[string]*life)
		}
		w.drop(now)
		w.seen[from] = &life{boot: boot, seq: seq, taken: 1, at: now}
		return nil
	}
	if boot < l.boot || !l.take(seq) {
		return fmt.Errorf("node %s: %w: boot %d seq %d", from, ErrReplay, boot, seq)
	}
	l.at = now
	return nil
}

// take notes a seq of the present boot.
func (l *life) take(seq uint64) bool {
	if seq > l.seq {
		l.taken = l.taken<<min(seq-l.seq, reorder) | 1
		l.seq = seq
		return true
	}
	back := l.seq - seq
	if back >= reorder || l.taken>>back&1 != 0 {
		return false
	}
	l.taken |= 1 << back
	return true
}

// drop forgets nodes that have been silent, so that names that are no longer in
// the list do not stay.
func (w *Window) drop(now time.Time) {
	for name, l := range w.seen {
		if now.Sub(l.at) > forget {
			delete(w.seen, name)
		}
	}
}
