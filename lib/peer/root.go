package peer

import "time"

// A health tells whether iteration works. When nobody answers, not even the servers of
// the root, questions are not kept waiting for it for long; when that happens again, and
// nobody has answered in between, it is left alone for a while, and then tried by one
// question at a time.
type health struct {
	fails int           // one after another
	at    time.Duration // of the last
	until time.Duration // it is left alone
}

// Times of iteration that does not work.
const (
	rootTrial = time.Second // no other question tries for so long
	rootRest  = 2 * time.Second
	rootMost  = 10 * time.Second
)

// begun takes down that an iteration was begun.
func (h *health) begun(now time.Duration) {
	if h.fails > 1 {
		h.until = max(h.until, now+rootTrial)
	}
}

// failed takes down that nobody answered an iteration begun at a time. Of those that were
// under way together one counts.
func (h *health) failed(now, begun time.Duration) {
	if h.fails > 0 && begun < h.at {
		return
	}
	h.fails++
	h.at = now
	if h.fails > 1 {
		h.until = now + min(rootRest<<min(h.fails-2, 4), rootMost)
	}
}

// dead reports whether nobody answered the last time.
func (h *health) dead() bool { return h.fails > 0 }
