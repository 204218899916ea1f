package watch

import (
	"net/netip"
	"time"
)

// An Action is something that a Watch wants done: one of the types below. Each
// says why in words.
type Action interface{ action() }

// A Route is what is wished of a prefix's route.
type Route uint8

// The routes.
const (
	Withdraw Route = iota // not announced
	Last                  // announced as drained: for when no other route is left (RFC 8326)
	Announce              // announced for everybody
)

// String is the route in a word.
func (r Route) String() string {
	return [...]string{Withdraw: "withdrawn", Last: "drained", Announce: "announced"}[r]
}

// The actions.
type (
	// Wish is what nc-bgp is to do with a prefix from now on. All wishes are
	// repeated every Timing.Repeat, those for prefixes that a new configuration
	// has no more as Withdraw.
	Wish struct {
		Prefix  netip.Prefix
		Route   Route
		Changed bool // it is not what the last wish was
		Why     string
	}

	// Restart runs the command that restarts a component. Its end is reported
	// with Restarted.
	Restart struct {
		Component string
		Attempt   int // the number of restarts within Timing.RestartsIn, from 1
		Why       string
	}

	// Beat is a heartbeat for all other nodes, every Timing.Repeat and whenever
	// a claim has changed.
	Beat struct {
		Claims []Claim
		Well   bool     // all fatal probes pass, all processes run
		Sees   []string // the other nodes that are well from outside, sorted
		Why    string   // why now
	}

	// Vote is a vote against another node, to be sent to it.
	Vote struct {
		Victim string
		Prefix netip.Prefix
		Lease  time.Duration
		Well   bool // this node announces the prefix itself and is well
		Why    string
	}

	// Say is something that the operator has to know.
	Say struct {
		Alarm bool // somebody has to come
		About string
		Why   string
	}
)

func (Wish) action()    {}
func (Restart) action() {}
func (Beat) action()    {}
func (Vote) action()    {}
func (Say) action()     {}
