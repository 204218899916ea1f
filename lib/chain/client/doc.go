// Package client is how programs use the storage: it knows which nodes there are,
// sends writes and reads where they belong, again when no answer comes, and follows
// the changes of all chains.
//
// A client begins with the addresses of some nodes, asks them for the chain table,
// and then keeps a connection to every node of it, or to the nearest of very many.
// The table is asked for every 2 s, and at once when an answer or its absence shows
// that the client's is old.
//
// # Writing
//
// A write goes to the head of its chain, and again, as the same request, until an
// outcome comes or the context ends. A chain takes a request at most once, however
// often it comes. When the context ends before there is an outcome, ErrUnknown says
// that the write may have taken effect, or may yet, and ErrUnavailable that it has
// not and will not.
//
// # Reading
//
// A read goes to the nearest member of the chain: of the client's zone, then of its
// datacenter, then any; of two equal ones to that with fewer requests under way.
// When none comes within 300 ms, another member is asked too, and the first answer
// counts. To see no older state than an answer before, a read has that answer's LSN
// as its MinLSN.
//
// # Following
//
// Follow keeps a copy of all chains, record by record, over few connections. A feed
// that is silent for a second, or has a gap, is given up for one from another member,
// which goes on where it ended. Heartbeats tell how fresh the copy is, by this
// machine's clock alone: it was current when the ping was sent whose answer names
// nothing that was not applied.
package client

import (
	"errors"
	"log/slog"
	"time"

	"namecast/lib/chain"
	"namecast/lib/link"
)

// Reasons why a call has no result. They come with what was wrong, and with the
// context's error where it was that.
var (
	// ErrUnknown: the write may have taken effect, or may yet.
	ErrUnknown = errors.New("it is unknown whether the write has taken effect")
	// ErrUnavailable: no node has answered as it should in time. A write has not
	// taken effect and will not.
	ErrUnavailable = errors.New("the chain is unavailable")
	// ErrBadRequest: the chain will never take this: see [chain.Check]; or it is too
	// much to read at once.
	ErrBadRequest = errors.New("bad request")
	// ErrBehind: not all subscribers have a change yet.
	ErrBehind = errors.New("subscribers are behind")
	// ErrFollowing: a client follows the chains once at a time.
	ErrFollowing = errors.New("the chains are followed already")
	// ErrNode: the node has refused to answer, or there is none of the name.
	ErrNode = errors.New("no answer of the node")
)

// Config says how a client finds the storage and who it is there.
type Config struct {
	Credentials *link.Credentials
	Limits      link.Limits
	// Addrs are nodes to begin with, as "host:port", and to begin with again when no
	// node of the table is reached.
	Addrs []string
	// Zone is where this program is, as nodes have zones: those of the same are
	// preferred, and then those of the same datacenter, which is what is before the
	// first "/". With "" all nodes are equally near.
	Zone string
	// MaxNodes is how many nodes are connected to at a time, the nearest first: 64.
	MaxNodes int
	// Copies is how many chains Follow copies whole at a time: 8.
	Copies int
	// Silence is how long a feed may say nothing new before another takes its place: 1 s.
	Silence time.Duration
	// Log gets a line for each node that comes or goes; nil is none.
	Log *slog.Logger
}

// Times of the client's own.
const (
	refreshEvery = 2 * time.Second        // asking for the table when all is well
	refreshFloor = 50 * time.Millisecond  // between two times, when it is not
	seekAfter    = 3 * time.Second        // without a connection, before the first addresses are tried again
	oldRevision  = 10 * time.Second       // after which a table of a lower revision is believed: the coordinator was made anew
	hedgeAfter   = 300 * time.Millisecond // before another member is asked to read
	repeatAfter  = time.Second            // before a write is sent again
	leastPause   = 5 * time.Millisecond   // after a node could not do as it was asked,
	mostPause    = 200 * time.Millisecond // doubled up to this
	keptPause    = 20 * time.Millisecond  // before a connection is taken over from a keeper that ends
)

// Never is the staleness of what was not known to be current at any time.
const Never = time.Duration(1<<63 - 1)

func (c *Config) fill() {
	if c.MaxNodes == 0 {
		c.MaxNodes = 64
	}
	if c.Copies == 0 {
		c.Copies = 8
	}
	if c.Silence == 0 {
		c.Silence = time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// A Follower keeps a copy of all chains; see [Client.Follow]. Its methods are called
// by one goroutine. An error of any of them ends Follow.
type Follower interface {
	// Place is where the copy of a chain stands; LSN 0 and the zero Hash if there
	// is none yet.
	Place(chain.ID) (chain.LSN, chain.Hash)
	// Apply applies records from the place on, each with its outcome; only those
	// that are Applied change anything. When it returns, they are durable and the
	// place is that of the last.
	Apply(chain.ID, []chain.Record, []chain.Outcome) error
	// Copy begins to take a state in place of all that there is of a chain.
	Copy(chain.ID, chain.SnapBegin) (Copy, error)
}

// A BatchFollower applies records of several chains at once, as with one fsync.
type BatchFollower interface {
	Follower
	// ApplyAll is Apply for each of the batches, which are of different chains.
	ApplyAll([]Batch) error
}

// A Batch is records of one chain, one behind the other, with their outcomes.
type Batch struct {
	Chain    chain.ID
	Records  []chain.Record
	Outcomes []chain.Outcome // as many
}

// A Copy takes a state, until End or Abort.
type Copy interface {
	// Items takes the next items, in the order of their keys.
	Items([]chain.Item) error
	// End takes the state for whole: when it returns, that is durable, and the place
	// is the one that the copy began with.
	End() error
	// Abort drops what has come: there will be another copy.
	Abort()
}
