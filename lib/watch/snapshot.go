package watch

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// A Snapshot is all that a Watch knows and why it decided so, for people. It
// shares nothing with the Watch. Times are readings of Step's clock.
type Snapshot struct {
	At         time.Duration // of the last Step
	Prefixes   []PrefixShot
	Components []ComponentShot
	Probes     []ProbeShot
	Peers      []PeerShot
	Drained    string        // the operator's reason for a drain, or empty
	Late       time.Duration // when this node last found itself late; zero if never
	Discarded  uint64        // results thrown away since this node was late
}

// A PrefixShot is a prefix.
type PrefixShot struct {
	Prefix   netip.Prefix
	Route    Route
	Standing Standing
	Since    time.Duration // of the route
	Row      string        // the rule that decided
	Why      string        // the whole reason, in a sentence
	Level    int           // withdrawals that count for the hold-down
	Hold     time.Duration // until when it is held down; zero if it is not
	Mark     time.Duration // what has passed before does not count: the last restart of what it needs
	Ordered  time.Duration // until when others' order holds; zero if there is none
	By       []string      // whose order
}

// A ComponentShot is a component.
type ComponentShot struct {
	Name       string
	State      string // well, failing, dead, overloaded, restarting, given up, unknown
	Why        string
	Since      time.Duration // of the state
	Running    bool          // its process runs, as far as it is watched
	Restarts   int           // within Timing.RestartsIn
	LastError  string        // of the last restart's command, or empty
	NextTry    time.Duration // the earliest next restart; zero if none is waited for
	GivenUp    bool
	Busy       float64 // answers a second, by its counters
	Restarting bool
}

// A ProbeShot is a probe.
type ProbeShot struct {
	Name, Component string
	Level           Level
	State           string        // passing, failing, or unknown
	Since           time.Duration // of the state
	Good, Bad       int           // looks in a row that passed, that failed
	Last            Outcome
	LastAt          time.Duration // when the last result that counted came
	Detail          string        // of the last result
	LastError       string        // the last failure's detail
	Blind           bool          // no result that counts for long
}

// A PeerShot is another node.
type PeerShot struct {
	Name    string
	Fresh   bool          // heard of lately
	Heard   time.Duration // when last; zero if never
	Claims  []Claim
	Sees    []string
	Config  [8]byte
	Outside Outcome // of the last look from outside; zero if there was none
	Bad     int     // looks from outside that failed in a row
	Detail  string  // of the last one
	Voting  string  // why this node votes against it, or empty
}

// State gives all that is known, as of the last Step.
func (w *Watch) State() Snapshot {
	s := Snapshot{At: w.now, Drained: w.drained, Late: w.late, Discarded: w.discarded}
	for _, p := range w.prefixes {
		s.Prefixes = append(s.Prefixes, w.prefixShot(p))
	}
	for _, c := range w.components {
		s.Components = append(s.Components, w.componentShot(c))
	}
	for _, p := range w.probes {
		s.Probes = append(s.Probes, ProbeShot{
			Name: p.conf.Name, Component: p.conf.Component, Level: p.conf.Level,
			State: p.verdict.String(), Since: p.since, Good: p.good, Bad: p.bad,
			Last: p.last, LastAt: p.lastAt, Detail: p.detail, LastError: p.lastError,
			Blind: p.blind,
		})
	}
	for _, p := range w.peers {
		s.Peers = append(s.Peers, w.peerShot(p))
	}
	return s
}

func (w *Watch) prefixShot(p *prefix) PrefixShot {
	shot := PrefixShot{
		Prefix: p.conf.Prefix, Route: p.route, Standing: p.standing(), Since: p.since, Mark: p.mark,
		Row: p.row, Why: p.why(), Level: p.level, Ordered: p.ordered, By: slices.Clone(p.by),
	}
	if p.verified > 0 && !p.up {
		shot.Hold = w.heldUntil(p)
	}
	return shot
}

func (w *Watch) componentShot(c *component) ComponentShot {
	return ComponentShot{
		Name: c.conf.Name, State: c.condition.String(), Why: c.why, Since: c.since,
		Running: c.running, Restarts: len(w.lately(c)), LastError: c.err, NextTry: c.next,
		GivenUp: c.hopeless, Busy: c.busy, Restarting: c.commanded,
	}
}

func (w *Watch) peerShot(p *peer) PeerShot {
	var votes []string
	for _, prefix := range prefixesOf(p) {
		if c := p.votes[prefix]; c.why != "" {
			votes = append(votes, fmt.Sprintf("%v: %s", prefix, c.why))
		}
	}
	return PeerShot{
		Name: p.conf.Name, Fresh: p.fresh, Heard: p.heard, Claims: slices.Clone(p.claims),
		Sees: slices.Clone(p.sees), Config: p.config, Outside: p.outside, Bad: p.bad,
		Detail: p.detail, Voting: strings.Join(votes, "; "),
	}
}
