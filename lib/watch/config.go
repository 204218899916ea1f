package watch

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// ErrConfig: a configuration does not hold together.
var ErrConfig = errors.New("bad configuration")

// ErrDrops: a new configuration has none of the prefixes of the one in force.
var ErrDrops = errors.New("drops every prefix there is")

// A Config is what a node watches, and how it decides.
type Config struct {
	Name       string // of this node
	Prefixes   []Prefix
	Components []Component
	Probes     []Probe
	Peers      []Peer // the other nodes; without any this node is alone
	// MinLive is how many other nodes have to announce a prefix and be well before
	// this one withdraws it, at least 1. 0 is 1.
	MinLive int
	// Remote: votes against other nodes are allowed, as a quorum without the
	// victim can exist.
	Remote bool
	// Keep: a node that is alone announces a prefix as drained when probes fail,
	// rather than withdraw it.
	Keep bool
	// Absorb: an overloaded node goes on announcing (RFC 9199 has why). Else it
	// announces as drained, so that others take what they can.
	Absorb bool
	Timing Timing
	// Rand gives numbers in [0, 1), for jitter. It must not be nil.
	Rand func() float64
}

// A Prefix is one that this node announces.
type Prefix struct {
	Prefix netip.Prefix
	// Needs are the components that have to be well for it, and no others: not
	// those that they need in turn, for a server may answer well from what it has
	// while its storage is down. None means all components.
	Needs []string
}

// A Component is a part of the node that works or fails as a whole.
type Component struct {
	Name  string
	Needs []string // components that are restarted before it, if they fail
	// Process: its process is watched, and reported with Started and Exited.
	Process bool
	// Answers: its process is the one that clients are answered by, so that there
	// is no point in announcing while it is dead. If it is set for no component,
	// it holds for those that no other needs.
	Answers bool
	// Restart: there is a command that restarts it.
	Restart bool
	// Respawns: who supervises it starts it again when its process ends. Then the
	// command is run for that only when no process has come for Start.
	Respawns bool
	// Start is how long it may take from the end of that command until its process
	// is found, and from then until its probes pass; meanwhile it is not restarted
	// unless the process that was found ends. 0 is 10 s.
	Start time.Duration
	// Busy is how many answers a second, by its own counters, show that it works
	// and only has too much to do; 0 means that its probes alone are believed.
	// It has to be well above what the probes themselves cause.
	Busy float64
}

// A Level is what may come of a probe that fails.
type Level uint8

// The levels.
const (
	Fatal Level = iota // its component fails
	Drain              // prefixes that need its component are announced as drained
	Tell               // it is told, and no more
)

// String is the level in a word.
func (l Level) String() string {
	return [...]string{Fatal: "fatal", Drain: "drain", Tell: "tell"}[l]
}

// A Probe is one that looks at a component, again and again, never twice at a
// time.
type Probe struct {
	Name      string
	Component string
	Level     Level
	Interval  time.Duration // from one look to the next; 0 is 250 ms
	Timeout   time.Duration // of a look; 0 is 250 ms
	Fall      int           // looks in a row that fail until the probe does; 0 is 2
	Rise      int           // looks in a row that pass until the probe does; 0 is 4
}

// A Peer is another node.
type Peer struct {
	Name   string
	Asked  bool // this node asks it from outside, and reports with Outside
	Voting bool // votes can be sent to it
}

// Timing is how fast things go. A zero field is its default.
type Timing struct {
	// Verify is how long all probes that a prefix needs have to pass, without a
	// break and after the last restart among their components, before it is
	// announced. 3 s.
	Verify time.Duration
	// Hold is how long a prefix that is verified waits before it is announced
	// again: the first after one withdrawal, the second after two, the last after
	// any number. 10 s, 2 min, 10 min, 30 min.
	Hold []time.Duration
	// Calm is how long after the last withdrawal they are forgotten. 1 h.
	Calm time.Duration
	// Backoff is the pause between two restarts of a component, doubled each time
	// up to BackoffMax, and up to half as long again by chance. 100 ms and 30 s.
	Backoff, BackoffMax time.Duration
	// Restarts within RestartsIn are the limit, after which a component is given
	// up until it has been well by itself for Trust. 5, 10 min and 10 min.
	Restarts   int
	RestartsIn time.Duration
	Trust      time.Duration
	// Settle is how long a component has to become well by itself after all that
	// it needs is well again, before it is restarted. 1 s.
	Settle time.Duration
	// LastResort is the pause, and up to as much again by chance, before a
	// component that runs and answers wrongly is restarted while no other node is
	// well: so that not all restart at once. 5 s.
	LastResort time.Duration
	// Repeat is how often wishes and heartbeats are repeated. 500 ms.
	Repeat time.Duration
	// Fresh is how long a heartbeat is believed. 1.5 s.
	Fresh time.Duration
	// Hear is how long after the start others are listened for, before it is
	// concluded that there are none. 1.5 s.
	Hear time.Duration
	// Busy is how long a report of progress is believed. 2 s.
	Busy time.Duration
	// Blind is how long a probe may have no result that counts until that is told;
	// at least five of its intervals. 10 s.
	Blind time.Duration
	// Ask is how often each other node is asked from outside. 1 s.
	Ask time.Duration
	// Outside is how many of those looks have to fail in a row for a vote. 3.
	Outside int
	// Vote is how often a vote is renewed, after the first few, and Lease how long
	// each holds. 5 s and 30 s.
	Vote, Lease time.Duration
}

// setDefault sets what is zero.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// withDefaults gives the timing with every field set.
func (t Timing) withDefaults() Timing {
	setDefault(&t.Verify, 3*time.Second)
	if len(t.Hold) == 0 {
		t.Hold = []time.Duration{10 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute}
	}
	setDefault(&t.Calm, time.Hour)
	setDefault(&t.Backoff, 100*time.Millisecond)
	setDefault(&t.BackoffMax, 30*time.Second)
	setDefault(&t.Restarts, 5)
	setDefault(&t.RestartsIn, 10*time.Minute)
	setDefault(&t.Trust, 10*time.Minute)
	setDefault(&t.Settle, time.Second)
	setDefault(&t.LastResort, 5*time.Second)
	setDefault(&t.Repeat, 500*time.Millisecond)
	setDefault(&t.Fresh, 1500*time.Millisecond)
	setDefault(&t.Hear, 1500*time.Millisecond)
	setDefault(&t.Busy, 2*time.Second)
	setDefault(&t.Blind, 10*time.Second)
	setDefault(&t.Ask, time.Second)
	setDefault(&t.Outside, 3)
	setDefault(&t.Vote, 5*time.Second)
	setDefault(&t.Lease, 30*time.Second)
	return t
}

// CheckPrefixes refuses a new list of prefixes that has none of those of the list
// in force, unless that is empty: such a mistake takes a whole service off the
// net, as it has done. The error wraps ErrDrops.
func CheckPrefixes(old, new []Prefix) error {
	kept := func(p Prefix) bool {
		return slices.ContainsFunc(new, func(q Prefix) bool { return p.Prefix == q.Prefix })
	}
	if len(old) == 0 || slices.ContainsFunc(old, kept) {
		return nil
	}
	var names []string
	for _, p := range old {
		names = append(names, p.Prefix.String())
	}
	return fmt.Errorf("new configuration %w: %s", ErrDrops, strings.Join(names, ", "))
}
