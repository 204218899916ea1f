package group

import "time"

// A rate is how often something may happen; a whole second's worth may happen at
// once.
type rate time.Duration

func perSecond(n int) rate { return rate(time.Second / time.Duration(n)) }

// Budgets of messages that are taken.
var (
	asksOfPeer    = perSecond(200)
	putsOfPeer    = perSecond(100)
	answersOfPeer = perSecond(500)
	callsOfPeer   = perSecond(5) // an Ask to all
	talkOfPeer    = perSecond(20)

	dataOfAll  = perSecond(1000)
	callsOfAll = perSecond(20)
	talkOfAll  = perSecond(1000) // Hello, Bye, Ping, Pong, Known
)

// A bucket is a budget: the moment at which it is whole again. The zero value is
// whole.
type bucket time.Duration

// take takes one event, or nothing and returns false.
func (b *bucket) take(now time.Duration, r rate) bool {
	whole := max(time.Duration(*b), now)
	if whole+time.Duration(r) > now+time.Second {
		return false
	}
	*b = bucket(whole + time.Duration(r))
	return true
}
