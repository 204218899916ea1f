// Package limit holds budgets: how often something may happen, for everybody
// together or for each of very many keys, in memory that is fixed beforehand.
//
// A budget is the generic cell rate algorithm: one time stamp a key, the moment
// at which its budget is whole again. Keys share a table of fixed size through
// a hash with a random seed, so an attacker with many keys can neither grow the
// table nor aim at somebody else's place in it; two keys that meet by chance
// share a budget.
package limit

import (
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A Rate is N events in a period. The zero Rate has no limit. It is a
// flag.Value; its text is "10/s", "600/min", "50/h", or "none".
type Rate struct {
	N   int
	Per time.Duration
}

var units = map[string]time.Duration{"s": time.Second, "min": time.Minute, "h": time.Hour}

// Set reads the text form.
func (r *Rate) Set(s string) error {
	if s == "none" {
		*r = Rate{}
		return nil
	}
	num, unit, _ := strings.Cut(s, "/")
	n, err := strconv.Atoi(num)
	per, ok := units[unit]
	if err != nil || !ok || n < 1 || n > 1e9 {
		return fmt.Errorf("a rate is a number with /s, /min or /h, or none: %q", s)
	}
	*r = Rate{n, per}
	return nil
}

// String gives the text form.
func (r Rate) String() string {
	if r.N == 0 {
		return "none"
	}
	for unit, per := range units {
		if per == r.Per {
			return strconv.Itoa(r.N) + "/" + unit
		}
	}
	return fmt.Sprintf("%d/%s", r.N, r.Per)
}

// A Table is a budget for each key. Its methods may be called by many goroutines.
type Table struct {
	seed  maphash.Seed
	step  int64 // nanoseconds that one event costs
	burst int64 // nanoseconds that may be owed
	at    []atomic.Int64
}

// New makes a table in which each key may have events at rate, and burst of
// them at once. size is the number of places, 8 octets each; it is 1 for a
// budget that everybody shares.
func New(rate Rate, burst, size int) *Table {
	t := &Table{seed: maphash.MakeSeed(), at: make([]atomic.Int64, size)}
	if rate.N > 0 {
		t.step = max(1, int64(rate.Per)/int64(rate.N))
		t.burst = t.step * int64(max(burst, 1))
	}
	return t
}

// Wait says how long the key must wait for its next event; 0 if it may have
// one now. Nothing is taken.
func (t *Table) Wait(key string, now time.Time) time.Duration {
	if t.step == 0 {
		return 0
	}
	return t.wait(t.place(key).Load(), now.UnixNano())
}

func (t *Table) wait(whole, now int64) time.Duration {
	return time.Duration(max(0, max(whole, now)+t.step-now-t.burst))
}

// Take takes one event from the key's budget and returns 0, or takes nothing
// and says how long to wait.
func (t *Table) Take(key string, now time.Time) time.Duration {
	return t.TakeN(key, 1, now)
}

// TakeN is Take for something that costs as much as n events, n at least 1. It
// may leave the budget in debt, so that what costs more than a burst happens
// seldom and not never.
func (t *Table) TakeN(key string, n int, now time.Time) time.Duration {
	if t.step == 0 {
		return 0
	}
	return t.take(t.place(key), n, now)
}

// TakeBytes is Take for a key that stands in a buffer: the same octets are the
// same key.
func (t *Table) TakeBytes(key []byte, now time.Time) time.Duration {
	if t.step == 0 {
		return 0
	}
	return t.take(&t.at[maphash.Bytes(t.seed, key)%uint64(len(t.at))], 1, now)
}

func (t *Table) take(at *atomic.Int64, n int, now time.Time) time.Duration {
	clock := now.UnixNano()
	for {
		old := at.Load()
		if w := t.wait(old, clock); w > 0 {
			return w
		}
		if at.CompareAndSwap(old, max(old, clock)+int64(n)*t.step) {
			return 0
		}
	}
}

func (t *Table) place(key string) *atomic.Int64 {
	if len(t.at) == 1 {
		return &t.at[0]
	}
	return &t.at[maphash.String(t.seed, key)%uint64(len(t.at))]
}
