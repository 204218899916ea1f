package keep

import (
	"time"

	"namecast/lib/peer/packet"
)

// A Verdict is what the own validation says of an answer; the zero one, nothing.
type Verdict struct {
	Until  time.Duration // when the first of the signatures ends that make it Secure; 0: not known
	MaxTTL uint32        // the least TTL that was signed, in seconds; 0: not known
	State  packet.State
}

// StateAt is the state at a time. What was Secure is not any more when a signature has
// ended, which does not make it wrong.
func (v Verdict) StateAt(now time.Duration) packet.State {
	if v.State == packet.Secure && v.Until != 0 && now >= v.Until {
		return packet.Unknown
	}
	return v.State
}

// Lasts is for how long, from when its age was 0, an answer may be taken as fresh by what
// was signed (RFC 4035 section 5.3.3), in seconds.
func (v Verdict) Lasts(base time.Duration) uint32 {
	least := uint32(MaxTTL / time.Second)
	if v.State != packet.Secure {
		return least
	}
	if v.MaxTTL > 0 {
		least = min(least, v.MaxTTL)
	}
	if v.Until != 0 {
		least = min(least, uint32(max(0, v.Until-base)/time.Second))
	}
	return least
}

// TTL is the most that an answer may be given with while it is fresh, in seconds; 0: no
// bound.
func (v Verdict) TTL(base, now time.Duration) uint32 {
	if v.State != packet.Secure || v.MaxTTL == 0 && v.Until == 0 {
		return 0
	}
	return uint32(max(1, int64(v.Lasts(base))-int64(max(0, now-base)/time.Second)))
}
