// Package rrl limits the rate of responses that are alike to one network: what
// is sent over UDP to an address that did not ask for it is a weapon, and
// resolvers, which cache, do not ask the same thing again and again.
//
// It is the scheme of "DNS Response Rate Limiting" (Vixie and Schryver, 2012),
// which BIND, NSD and Knot DNS have: responses over the limit are dropped, but
// for every Nth, which is truncated so that an honest client asks again over
// TCP. Memory is fixed; the time is given to it.
package rrl

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"

	"namecast/lib/limit"
)

// A Class is a kind of response; within a class, responses for one name are alike.
type Class byte

// The classes, and the name that counts with each.
const (
	Positive Class = iota // the owner of the answer; of a wildcard's, the wildcard
	Negative              // the zone: the names that do not exist are without end
	Referral              // the delegation
	Error                 // none
)

// A Verdict is what becomes of a response.
type Verdict int

// The verdicts.
const (
	Send Verdict = iota
	Slip         // send it truncated, or whatever else shows that the client is real
	Drop
)

const (
	places  = 1 << 20 // budgets, 8 octets each
	slips   = 1 << 14 // counters of networks, 4 octets each
	allRate = 10      // responses of all kinds to one network, in budgets of one
)

// A Limiter holds the budgets. Its methods may be called by many goroutines.
type Limiter struct {
	alike, all *limit.Table
	slip       uint32
	seed       maphash.Seed
	over       []atomic.Uint32 // responses over the limit, by network
}

// New makes a limiter of responses that are alike; all responses together may
// have ten times the rate, so that many names do not make a way around it. Every
// slip-th response over the limit slips; none does if slip is 0. Without a rate
// there is no limiter: nil.
func New(rate limit.Rate, slip int) *Limiter {
	if rate.N == 0 {
		return nil
	}
	all := limit.Rate{N: rate.N * allRate, Per: rate.Per}
	return &Limiter{
		alike: limit.New(rate, second(rate), places), all: limit.New(all, second(all), places/16),
		slip: uint32(max(slip, 0)), seed: maphash.MakeSeed(), over: make([]atomic.Uint32, slips),
	}
}

// second is how many events a rate has in a second: so many may come at once.
func second(r limit.Rate) int {
	return max(1, int(int64(r.N)*int64(time.Second)/int64(r.Per)))
}

// Judge counts a response to an address. The name is in lower case, in any form
// that is always the same. A nil limiter sends everything.
func (l *Limiter) Judge(to netip.Addr, c Class, name []byte, now time.Time) Verdict {
	if l == nil {
		return Send
	}
	var buf [256 + 16]byte
	network := appendNetwork(buf[:0], to)
	key := append(append(network, byte(c)), name...)
	if l.alike.TakeBytes(key, now) == 0 && l.all.TakeBytes(network, now) == 0 {
		return Send
	}
	if l.slip == 0 {
		return Drop
	}
	if n := l.over[maphash.Bytes(l.seed, network)%slips].Add(1); n%l.slip == 0 {
		return Slip
	}
	return Drop
}

// appendNetwork appends who is limited together: an IPv4 /24, an IPv6 /56.
func appendNetwork(b []byte, a netip.Addr) []byte {
	full := a.As16()
	if a.Is4() || a.Is4In6() {
		return append(append(b, 4), full[12:15]...)
	}
	return append(append(b, 6), full[:7]...)
}
