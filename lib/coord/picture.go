package coord

import (
	"fmt"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/plan"
)

// Settings are those of a cluster. The first node writes them down.
type Settings struct {
	Replicas int           // members that a chain should have: 3
	Lease    time.Duration // that a renewal gives: 1.5 s; it is never changed
}

// The bounds of settings.
const (
	maxReplicas        = 16
	minLease, maxLease = 100 * time.Millisecond, time.Minute
)

// defaults are settings where nothing else is asked for.
var defaults = Settings{Replicas: 3, Lease: 1500 * time.Millisecond}

// orDefaults fills in what is zero.
func (s Settings) orDefaults() Settings {
	if s.Replicas == 0 {
		s.Replicas = defaults.Replicas
	}
	if s.Lease == 0 {
		s.Lease = defaults.Lease
	}
	return s
}

func (s Settings) check() error {
	if s.Replicas < 1 || s.Replicas > maxReplicas || s.Lease < minLease || s.Lease > maxLease {
		return fmt.Errorf("%w: settings of %d replicas and a lease of %v", ErrBad, s.Replicas, s.Lease)
	}
	return nil
}

// A Holding is a chain's data that was whole on a node's disk when the node
// registered; see replica.Meta.Held.
type Holding = plan.Holding

// A Node is one that has registered at some time.
type Node struct {
	Name  string
	Addr  string // of its links, "host:port"
	Zone  string // see package plan
	Pin   string // of its key
	Inc   chain.Incarnation
	Ended chain.Incarnation // the last that ended itself, with all its replicas, or 0
	Drain bool              // it is to hold nothing
	Held  map[chain.ID]Holding
	// Above is the newest incarnation that has written anything on the node's disk,
	// half a copy included: one that registers is newer. Pictures do not have it.
	Above chain.Incarnation
	Live  bool // the incarnation Inc is registered
	// Silent are the nodes that it has no connection with, as it says while it is Live,
	// in the order of their names.
	Silent []string
	// Renewed is the reading of this process' clock since boot when the last renewal
	// was seen, or some time after it: when there was a listing, if some may have been
	// missed before it. No renewal up to Renewal was sent later than that, nor any at all
	// if the node is not Live.
	Renewed time.Duration
	// Renewal is the number of the last renewal, for Expel; 0 if it is not Live.
	Renewal int64
}

// Reports are the last ones of each kind about a chain; see replica.Report.
type Reports struct {
	Ready, Stalled, Fenced, Silent plan.Report
}

// A Picture is all that the coordinator knows, as of a revision. It does not change.
type Picture struct {
	Revision int64
	Settings Settings // zero while no node has ever registered
	Nodes    []Node   // in the order of their names
	Rows     []chain.Row
	Reports  map[chain.ID]Reports
	// Controller is the node that was elected, or "".
	Controller string
}

// Node finds a node by its name.
func (p *Picture) Node(name string) (Node, bool) {
	for _, n := range p.Nodes {
		if n.Name == name {
			return n, true
		}
	}
	return Node{}, false
}

// A view is a picture with what this package needs beside it.
type view struct {
	Picture
	rows [chain.Chains]int64 // revisions of the rows
	live map[string]cell     // registrations, by node
	ctl  cell
	// since is when the watch told something again after it had told nothing for a
	// while, or the first time.
	since time.Duration
}

// A cell is a key's value and its revision, which is 0 if there is no such key.
type cell struct {
	value string
	rev   int64
}
