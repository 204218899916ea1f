package host

import (
	"errors"
	"math/rand/v2"
	"time"
)

// The pauses before a node comes back as another incarnation. One that has not lasted
// doubles the next. A registration that lapses again and again says that the node or the
// coordinator has too much to do, of which to come back makes more: so that takes longer.
const (
	firstPause = 50 * time.Millisecond
	mostPause  = 5 * time.Second
	lapsePause = time.Second // at least, after a second lapse
	mostLapse  = 20 * time.Second
	lasted     = 30 * time.Second
)

// A backoff is how a node's incarnations have ended.
type backoff struct {
	pause  time.Duration // the last; 0 if the incarnation after it has lasted
	lapses int           // since one has lasted
}

// next gives the pause after an incarnation that has ended for a reason after some time,
// and up to half of it more, so that nodes do not come back together.
func (b *backoff) next(lived time.Duration, why error) time.Duration {
	if lived > lasted {
		*b = backoff{}
	}
	least, most := firstPause, mostPause
	if errors.Is(why, errLapsed) {
		if b.lapses++; b.lapses > 1 {
			least, most = lapsePause, mostLapse
		}
	}
	b.pause = min(max(2*b.pause, least), most)
	return b.pause + rand.N(b.pause/2)
}
