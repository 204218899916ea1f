package peer

import (
	"math/rand/v2"
	"time"

	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// A Question is what a client asks, in class IN.
type Question struct {
	Name rr.Name // in lower case
	Type uint16
	DO   bool // signatures are wanted
	CD   bool // the client validates itself
}

// Ring is what a Node knows of its group: who are its members, and which of them own a
// name. Package group has the real one.
type Ring interface {
	Self() packet.NodeID
	// Owners appends the n best members for a name that live, the node itself
	// perhaps among them, the best first.
	Owners(name rr.Name, n int, to []packet.NodeID) []packet.NodeID
	// Absent appends those of the n best members for a name that own nothing only since
	// they have left questions unanswered.
	Absent(name rr.Name, n int, to []packet.NodeID) []packet.NodeID
	// Helpers appends members whose name servers answer, the best for the name first.
	Helpers(name rr.Name, n int, to []packet.NodeID) []packet.NodeID
	// Wait is after what time without an answer a member is taken as silent.
	Wait(packet.NodeID) time.Duration
	// Silent tells that a member did not answer.
	Silent(packet.NodeID)
	// Size counts the members, with the node itself.
	Size() int
	// Change grows whenever a member comes, goes or starts anew.
	Change() uint64
	// Born is when a member was first known to live its present life. What it was given
	// before it may have lost.
	Born(packet.NodeID) time.Duration
}

// Options of a Node; the zero value of a field is its default.
type Options struct {
	Ring Ring // nil: alone
	Rand *rand.Rand

	Share    bool          // owners are asked first (share mode); else guard mode
	Owners   int           // of a name; default 2, 1 to 3
	MaxStale time.Duration // past its time an answer is kept for so long, and given while no name server lives; else for a day; default and at most 7 days
	Stale    time.Duration // with name servers that live, a stale answer is given after this; default 500 ms
	Hedge    time.Duration // owners are asked after this; 0: by the name servers' times, 30 to 150 ms
	Agree    int           // members that must agree on unsigned data; 1 (default) or 2
	Suppress time.Duration // a record is given to its owners once in this time; default 6 h
	Entries  int           // of the cache; default 50,000
	Iterate  bool          // from the root, when the name servers are down
	Validate bool          // the own validation is on: servers and members are asked with DO always, and Validate comes
	Window   time.Duration // an answer is kept for so long after a client asked; default and least MaxStale
	Secret   []rr.Name     // names below these are never told to others, beside local., single labels ...
	NoProbes bool          // of servers: for simulations
	Cache    *keep.Cache   // what is kept already; nil: nothing
}

// An Event is what happens to a Node: Query, Fetched, Iterated, Validated, Received,
// Network, Hint, Forget or Tick.
type Event interface{}

// A Query comes from a client on this machine.
type Query struct {
	ID uint64 // the caller's; the Reply carries it
	Question
}

// Failure says why a server gave no answer.
type Failure uint8

// Failures.
const (
	None        Failure = iota
	Timeout             // silence
	Unreachable         // refused by the machine or the network, at once
)

// A Verdict is what the own validation says of a response; the zero one, that it did not
// look at it.
type Verdict struct {
	keep.Verdict
	Bogus bool   // it is refused
	Doubt bool   // and only because it cannot be judged here and now, for which nobody is to blame
	EDE   int    // why it is refused, as a code of RFC 8914; 0: no special reason
	Text  string // the same in words
}

// Fetched ends a Fetch.
type Fetched struct {
	Req     uint64
	Failure Failure
	Msg     []byte // a DNS response, whatever its code
	Verdict
	Judging  time.Duration // how long the own validation took of the time since the Fetch
	Unsigned bool          // there must be signatures and are none: the server does not give any
}

// Iterated ends an Iterate. It is Unreachable when nobody answers, not even the servers of
// the root.
type Iterated Fetched

// Validated ends a Validate.
type Validated struct {
	Req uint64
	Verdict
}

// Received is a message of a member to this node.
type Received struct {
	From packet.NodeID
	ID   uint64
	Body packet.Body // *Ask, *Answer, *Put
}

// Network says in which network the machine is, and how many servers it has there; at
// the start, and when that changes.
type Network struct {
	Net     uint64    // identity of the network; 0: unknown, nothing is shared
	Servers int       // they are known by their numbers from 0
	New     bool      // a network just joined: a portal may be before it
	Secret  []rr.Name // domains that have servers of their own: members are not told of them from now on
}

// Hint says that a member finds its name servers down. Nothing is believed of it: the
// own ones are probed, at most once a second.
type Hint struct{}

// Tick is time passing; see [Node.Next].
type Tick struct{}

// Forget removes what is kept of a name, or of all below it.
type Forget struct {
	Name  rr.Name
	Below bool
}

// An Action is what a Node wants done: Reply, Fetch, Iterate, Validate, Send or Trace.
type Action interface{}

// Reply answers a Query. With Options.Validate its Msg has signatures even if the
// client did not want any.
type Reply struct {
	ID     uint64
	Rcode  int    // if Msg is nil
	Msg    []byte // a DNS response as it came; nil: none
	Age    time.Duration
	MaxTTL uint32 // TTLs are no longer than this, in seconds, and what has run out becomes this; 0: no bound
	Secure bool   // the own validation says so
	EDE    int    // code of RFC 8914, or -1
	Text   string // of the EDE: from whom, how old
	By     By
}

// By is what carried an answer.
type By uint8

// What carries answers.
const (
	ByCache    By = iota // the own cache, in time
	ByUpstream           // a server
	ByStale              // the own cache, past its time
	ByOwner              // an owner of the name
	ByHelper             // a member whose servers answer
	ByRoot               // own iteration
	ByAny                // a member that heard the call to all
	ByNobody             // failed
)

var byWords = [...]string{"cache", "upstream", "stale", "owner", "helper", "root", "any", "nobody"}

// String is the carrier in a word.
func (b By) String() string {
	if int(b) < len(byWords) {
		return byWords[b]
	}
	return "unknown"
}

// Fetch asks a server.
type Fetch struct {
	Req    uint64
	Server int
	Within time.Duration // then it is a Timeout
	Probe  bool          // whether it lives
	Question
}

// Iterate asks from the root on.
type Iterate struct {
	Req    uint64
	Within time.Duration
	Question
}

// Validate asks for the own opinion of a response that a member gave.
type Validate struct {
	Req uint64
	Msg []byte
	Question
}

// Send sends to a member, or with All, by multicast.
type Send struct {
	To   packet.NodeID
	All  bool
	ID   uint64
	Body packet.Body
}

// A TraceKind is what a Trace tells of.
type TraceKind uint8

// Kinds of traces.
const (
	TraceServer  TraceKind = iota + 1 // a name server is in another state now; its number is in Text
	TraceNetwork                      // another network, or a portal was passed
	TraceRefused                      // what a member gave was refused, and why
	TraceAudit                        // a member's word was compared with a name server's
	TraceKept                         // a member's record was taken in
	TraceTold                         // a member's Ask was answered with a record
)

var traceWords = [...]string{"", "server", "network", "refused", "audit", "kept", "told"}

// String is the kind in a word.
func (k TraceKind) String() string {
	if int(k) < len(traceWords) {
		return traceWords[k]
	}
	return "unknown"
}

// Trace tells those who watch what a Reply or a Send does not. Nothing has to be done.
type Trace struct {
	Kind TraceKind
	Question
	Peer packet.NodeID // whom it is about
	Text string
}
