package peer

import (
	"time"

	"namecast/lib/peer/packet"
)

// A health tells whether iteration works. When nobody answers, not even the servers of
// the root, questions are not kept waiting for it for long; when that happens again, and
// nobody has answered in between, it is left alone for a while, and then tried by one
// question at a time.
type health struct {
	fails int           // one after another
	at    time.Duration // of the last
	until time.Duration // it is left alone
}

// Times of iteration that does not work. A group of any size tries it 20 times a second at
// most, of which each costs some ten datagrams, and a member once a second; in a group so
// large that each has to wait for longer, one that finds that it works has others try, see
// rooted.
const (
	rootRest = time.Second
	rootMost = 10 * time.Second
	rootMany = 20 // members
)

// rest is how long the root is left alone, and only one question tries it.
func (n *Node) rest() time.Duration {
	if n.o.Ring == nil {
		return rootRest
	}
	return min(max(rootRest, time.Duration(n.o.Ring.Size())*time.Second/rootMany), rootMost)
}

// begun takes down that an iteration was begun.
func (h *health) begun(now, rest time.Duration) {
	if h.fails > 1 {
		h.until = max(h.until, now+rest)
	}
}

// failed takes down that nobody answered an iteration begun at a time. Of those that were
// under way together one counts.
func (h *health) failed(now, begun, rest time.Duration) {
	if h.fails > 0 && begun < h.at {
		return
	}
	h.fails++
	h.at = now
	if h.fails > 1 {
		h.until = now + rest
	}
}

// dead reports whether nobody answered the last time.
func (h *health) dead() bool { return h.fails > 0 }

// resting reports whether the root is left alone.
func (n *Node) resting() bool { return n.now < n.root.until }

// rooted takes a member's answer from the root on. That it was found just now says that the
// root answers: it is tried, and nothing else is believed.
func (n *Node) rooted(ex *exchange, r *packet.Record) {
	if r.Origin == ex.to && r.Age < time.Second {
		n.root.until = min(n.root.until, n.now)
	}
}
