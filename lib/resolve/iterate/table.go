package iterate

import "time"

// A table keeps values for a time, and no more than so many.
type table[K comparable, V any] struct {
	max int
	m   map[K]entry[V]
}

type entry[V any] struct {
	value V
	until time.Duration // since boot
}

func newTable[K comparable, V any](max int) table[K, V] {
	return table[K, V]{max: max, m: map[K]entry[V]{}}
}

// get is what is kept of k and has not run out.
func (t *table[K, V]) get(now time.Duration, k K) (V, bool) {
	e, ok := t.m[k]
	if !ok || e.until <= now {
		var none V
		return none, false
	}
	return e.value, true
}

// put keeps v until then. A full table loses what has run out, among a few entries in
// the random order of a map, or else one of these.
func (t *table[K, V]) put(now time.Duration, k K, v V, until time.Duration) {
	if _, ok := t.m[k]; !ok && len(t.m) >= t.max {
		t.evict(now)
	}
	t.m[k] = entry[V]{v, until}
}

func (t *table[K, V]) drop(k K) { delete(t.m, k) }

func (t *table[K, V]) evict(now time.Duration) {
	const look = 16
	n := 0
	for k, e := range t.m {
		n++
		if e.until <= now || n == look {
			delete(t.m, k)
		}
		if n == look {
			return
		}
	}
}
