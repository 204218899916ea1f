package view

import (
	"context"
	"time"
)

// A Source is what the page shows: a node that runs, or what was recorded of one.
type Source interface {
	// State is how things are now.
	State(context.Context) (State, error)
	// Events gives the events that are remembered and are later than a time, in
	// milliseconds since 1970, the oldest first, and those to come. The channel is
	// closed by stop, or when the reader is too slow for it.
	Events(ctx context.Context, after int64) (recent []Event, live <-chan Event, stop func(), err error)
	// Why says in lines of text what a lookup of a name would do, and what carried
	// its last answer.
	Why(ctx context.Context, name, typ string) (string, error)
}

// A State is a node and its group at a moment.
type State struct {
	At          int64    `json:"at"`           // milliseconds since 1970
	Self        string   `json:"self"`         // NodeID in hexadecimal
	Mode        string   `json:"mode"`         // guard, share or solo
	Upstream    string   `json:"upstream"`     // healthy, suspect, down, captive or probation: the best of the servers
	UpstreamFor float64  `json:"upstream_for"` // how long so, in seconds
	Answerable  int      `json:"answerable"`   // of the lookups of the last hour, if the servers died now
	Of          int      `json:"of"`           // how many these are; 0: none yet
	Counters             // of this node since its start
	Entries     int      `json:"entries"` // in its cache
	Names       bool     `json:"names"`   // events have names in them
	Kept        Kept     `json:"kept"`
	Servers     []Server `json:"servers"`
	Members     []Member `json:"members"` // with the node itself
}

// Counters are of lookups by the clients of a node.
type Counters struct {
	Asked    uint64 `json:"asked"`
	Fresh    uint64 `json:"fresh"`    // answered in time, by the cache or a server
	Stale    uint64 `json:"stale"`    // by the own cache past its time
	Peer     uint64 `json:"peer"`     // by members
	Iterated uint64 `json:"iterated"` // from the root
	Failed   uint64 `json:"failed"`
}

// Ages are the bounds of the ages in [Kept].
var Ages = []time.Duration{time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}

// A Kept is what a node keeps.
type Kept struct {
	Own   int   `json:"own"`   // answers that programs of its machine asked for
	Owned int   `json:"owned"` // and those that it keeps for the group, as an owner
	Ages  []int `json:"ages"`  // how many are up to as old as each of Ages, and how many are older; of many answers some are counted
}

// A Server is a name server of the node's.
type Server struct {
	Name  string  `json:"name"`
	State string  `json:"state"`
	Ms    float64 `json:"ms"` // its time to answer; 0: it has not
}

// A Member is a node of the group.
type Member struct {
	ID          string   `json:"id"`
	Self        bool     `json:"self"`
	Live        bool     `json:"live"`
	Addrs       []string `json:"addrs"`
	Link        string   `json:"link"` // name of the interface
	Upstream    string   `json:"upstream"`
	UpstreamFor float64  `json:"upstream_for"` // seconds
	RTT         float64  `json:"rtt"`          // milliseconds
	Entries     int      `json:"entries"`
	Weight      int      `json:"weight"`
	Version     int      `json:"version"`
	Trust       float64  `json:"trust"` // 1; less, the more the node's own servers contradict it; below 0.5 it is not asked
	Seen        float64  `json:"seen"`  // seconds ago
	Counters
}

// The kinds of events.
const (
	Answer   = "answer"   // From answered a client of its own, by By
	Ask      = "ask"      // From asked To
	Reply    = "reply"    // From answered To, which had asked
	Put      = "put"      // From gave records to To, an owner of theirs
	Any      = "any"      // From asked all
	Hello    = "hello"    // From said to all that it is there
	Join     = "join"     // From is a member now
	Leave    = "leave"    // From is none any more
	Upstream = "upstream" // the servers of From are now as Text says, or one is: "server 0: down ..."
	Mark     = "mark"     // Text, of somebody who does an experiment
)

// Other kinds, each a word, are shown as they are.

// An Event is one thing that happened. A recording is a file with one of them a line, in
// JSON.
type Event struct {
	At   int64   `json:"at"` // milliseconds since 1970
	Kind string  `json:"kind"`
	From string  `json:"from,omitempty"` // NodeID in hexadecimal
	To   string  `json:"to,omitempty"`   // the same; none: all
	Name string  `json:"name,omitempty"` // and type; only if names are shown
	By   string  `json:"by,omitempty"`   // cache, upstream, stale, owner, helper, root, any or nobody
	Ms   float64 `json:"ms,omitempty"`   // how long it took
	Text string  `json:"text,omitempty"`
}
