package control

import (
	"context"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/plan"
)

// A Table is the coordinator, as far as a controller has to do with it.
type Table interface {
	// Picture is the newest one that is known here. It is never changed.
	Picture() *Picture
	// Changed is closed when there is a picture that differs in more than
	// renewals from the one that Picture gave before. Renewals are looked for
	// in Picture now and then.
	Changed() <-chan struct{}
	// Campaign waits until the named controller is the elected one.
	Campaign(ctx context.Context, name string) (Term, error)
}

// A Term is the time for which a controller is the elected one. Its methods do
// nothing after it, however late they come. One that also has a method
// Resign(context.Context) error is ended by that when the controller stops.
type Term interface {
	// Done is closed when the term is known to be over.
	Done() <-chan struct{}
	// Create writes the first table, if there is none.
	Create(ctx context.Context, rows []chain.Row) error
	// Expel deletes a node's registration, if its last renewal is the one given.
	Expel(ctx context.Context, node string, renewal int64) (bool, error)
	// Publish replaces a row, if it is still the chain's, and each member that is
	// gone has no registration, or its node a newer one.
	Publish(ctx context.Context, was, now chain.Row, gone []chain.Member) (bool, error)
}

// A Picture is what the coordinator knows.
type Picture struct {
	Lease    time.Duration // that a renewal gives a node
	Replicas int           // members that a chain should have
	Nodes    []Node
	Rows     []chain.Row // all, in the order of their chains, or none
	Reports  map[chain.ID]Reports
}

// A Node is what the coordinator knows of a node.
type Node struct {
	Name, Zone string
	Inc        chain.Incarnation // the newest that has registered
	Ended      chain.Incarnation // the newest that has ended itself cleanly, and says so; 0 if none
	Drain      bool
	Live       bool // Inc has its registration
	// Held is what was whole on the node's disk when it registered as Inc.
	Held map[chain.ID]plan.Holding
	// Renewed bounds the renewals of Inc, by the clock of this machine since
	// boot: none of those that succeeded was sent later. It is the reading when the last
	// one was seen, or when a listing was, if some may have been missed. 0 is
	// unknown.
	Renewed time.Duration
	Renewal int64 // names the last renewal
	// Silent are the nodes that it has no connection with, as Inc says.
	Silent []string
}

// Reports are the last ones of each kind about a chain.
type Reports struct{ Ready, Stalled, Fenced, Silent plan.Report }
