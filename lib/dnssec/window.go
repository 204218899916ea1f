package dnssec

import (
	"hash/fnv"
	"time"

	"namecast/lib/rr"
)

// The validity of signatures. Clocks of nodes and validators may be wrong by
// Back; a node that cannot make signatures any more goes on being valid in
// caches, and secondaries, for Ahead.
const (
	Step  = 24 * time.Hour     // a signature is used for
	Back  = 6 * time.Hour      // inception before its use begins
	Ahead = 6 * 24 * time.Hour // expiration after its use ends
)

// window gives the validity of the signatures of an owner, in lower case, at a
// time, in Unix seconds. The moment at which one window follows another is
// another one for each name, so that nodes need not sign everything at once.
func window(owner rr.Name, now time.Time) (inception, expiration int64) {
	const step = int64(Step / time.Second)
	h := fnv.New64a()
	h.Write([]byte(owner))
	shift := int64(h.Sum64() % uint64(step))
	t := now.Unix() + shift
	start := t - t%step - shift
	return start - int64(Back/time.Second), start + step + int64(Ahead/time.Second)
}
