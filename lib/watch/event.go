package watch

import (
	"net/netip"
	"time"
)

// An Event is something that happens to a node: one of the types below. Times in
// them are readings of the same clock as Step's.
type Event interface{ event() }

// An Outcome is how a look ended.
type Outcome uint8

// The outcomes.
const (
	Pass    Outcome = iota + 1 // all as it should be
	Fail                       // an answer that is wrong, or a refusal
	Timeout                    // no answer in time
)

// String is the outcome in a word.
func (o Outcome) String() string {
	return [...]string{"none", Pass: "pass", Fail: "fail", Timeout: "timeout"}[o]
}

// The events.
type (
	// Tick lets time pass; see [Watch.Wake].
	Tick struct{}

	// Result is what one look of a probe came to. Due is when the look should
	// have begun, the interval after the one before, and Began when it did.
	Result struct {
		Probe      string
		Due, Began time.Duration
		Outcome    Outcome
		Detail     string // what was seen, in words
	}

	// Progress says how many answers a component gave in a time, by its counters.
	Progress struct {
		Component string
		Answers   uint64
		Over      time.Duration
	}

	// Exited says that a component's process is gone. It counts at once.
	Exited struct {
		Component string
		Detail    string
	}

	// Started says that a component's process was found running. That it is the
	// one that is known already, by its PID, changes nothing.
	Started struct {
		Component string
		PID       int
	}

	// Restarted says that the command of a Restart has ended. There is one for
	// each Restart: who runs the commands gives them a limit of time.
	Restarted struct {
		Component string
		Err       string // empty if it succeeded
	}

	// Heard is a heartbeat of another node that is signed, new, and on time.
	Heard struct {
		Peer   string
		Claims []Claim
		Sees   []string // the other nodes that it finds well from outside
		Config [8]byte  // the hash of its configuration
	}

	// Outside is what one look at another node from outside came to.
	Outside struct {
		Peer       string
		Due, Began time.Duration
		Outcome    Outcome
		Detail     string
	}

	// Ordered says that nc-bgp obeys an order of other nodes not to announce a
	// prefix, for the time given unless it is renewed.
	Ordered struct {
		Prefix netip.Prefix
		For    time.Duration
		By     []string
	}

	// OrderEnded says that it does so no more.
	OrderEnded struct{ Prefix netip.Prefix }

	// Drained is the operator's wish that all prefixes be announced as drained.
	Drained struct{ Why string }

	// Undrained ends that, and gives components that were given up another chance.
	Undrained struct{}
)

func (Tick) event()       {}
func (Result) event()     {}
func (Progress) event()   {}
func (Exited) event()     {}
func (Started) event()    {}
func (Restarted) event()  {}
func (Heard) event()      {}
func (Outside) event()    {}
func (Ordered) event()    {}
func (OrderEnded) event() {}
func (Drained) event()    {}
func (Undrained) event()  {}

// A Standing is how a node stands with a prefix, as its heartbeats say. The
// numbers are those of quorum.State.
type Standing uint8

// The standings.
const (
	StandsAnnounced Standing = 1 + iota // announced for everybody, and well
	StandsDrained                       // announced as drained, and well
	StandsWithdrawn                     // not announced, though what it needs may be well
	StandsFailing                       // what it needs fails, whether it is announced or not
)

// String is the standing in a word.
func (s Standing) String() string {
	return [...]string{"unknown", "announced", "drained", "withdrawn", "failing"}[min(s, StandsFailing)]
}

// A Claim is what a node says of itself and a prefix.
type Claim struct {
	Prefix   netip.Prefix
	Standing Standing
}

// routed reports whether a claim is that of a node that announces the prefix and
// finds itself well.
func (c Claim) routed() bool { return c.Standing == StandsAnnounced || c.Standing == StandsDrained }
