package load

import (
	"math/bits"
	"time"
)

// fine is how many buckets each doubling has: values are right within 1/fine.
const fine = 32

// A Histogram counts times from nanoseconds to hours in buckets that grow with
// the time, so that quantiles are right within 3 %.
type Histogram struct {
	buckets [64 * fine]uint64
	n       uint64
}

// Add counts one time.
func (h *Histogram) Add(d time.Duration) {
	h.buckets[bucket(uint64(max(d, 0)))]++
	h.n++
}

func bucket(v uint64) int {
	if v < fine {
		return int(v)
	}
	shift := bits.Len64(v) - bits.Len(fine)
	return (shift+1)*fine + int(v>>shift) - fine
}

// floor is the least time of a bucket.
func floor(b int) uint64 {
	if b < fine {
		return uint64(b)
	}
	return uint64(b%fine+fine) << (b/fine - 1)
}

// Quantile is the time that the part q of all counted does not exceed; 0 if
// nothing was counted.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := uint64(q * float64(h.n))
	var seen uint64
	for b, n := range h.buckets {
		if seen += n; seen > rank {
			return time.Duration(floor(b))
		}
	}
	return 0
}
