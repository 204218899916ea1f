package packet

import (
	"encoding/hex"
	"net/netip"
	"time"

	"namecast/lib/rr"
)

// A NodeID is the first eight octets of the SHA-256 of a node's public key. It is
// never an address or a host's name, of which a machine has several.
type NodeID [8]byte

func (id NodeID) String() string { return hex.EncodeToString(id[:]) }

// A Message is what one node says to others, sealed into a datagram (or up to four,
// for an Answer).
type Message struct {
	From NodeID
	To   NodeID // zero: whoever gets it
	Boot uint64 // random for each start of the sender
	Seq  uint64 // grows with each datagram of a boot
	ID   uint64 // of the exchange: an Answer carries that of the Ask
	Key  int    // which of the group's keys seals it, from the newest, 0, on; not sent
	Body Body
}

// A Body is *Hello, *Bye, *Ping, *Pong, *Ask, *Answer, *Put or *Known; of what Open gives
// also *Fragment.
type Body interface{ kind() Kind }

// A Kind is the type of a message on the wire.
type Kind uint8

// The kinds.
const (
	KindHello Kind = iota + 1
	KindBye
	KindPing
	KindPong
	KindAsk
	KindAnswer
	KindPut
	KindAskAny
	KindFragment
	KindKnown
)

// An UpstreamState is how a node's name servers are, the best of them.
type UpstreamState uint8

// The states of name servers.
const (
	Healthy   UpstreamState = iota // answers
	Suspect                        // did not answer once
	Down                           // does not answer
	Captive                        // the network changed, and nothing is known yet
	Probation                      // answers again, since lately
)

var upstreamStates = [...]string{"healthy", "suspect", "down", "captive", "probation"}

func (s UpstreamState) String() string {
	if int(s) < len(upstreamStates) {
		return upstreamStates[s]
	}
	return "unknown"
}

// Counters are those of a node since its start, for the group's picture.
type Counters struct{ Asked, Fresh, Stale, Peer, Iterated, Failed uint64 }

// A Hello says that a node is there. It is multicast, and signed, since it makes its
// sender's key known.
type Hello struct {
	Key         [32]byte // Ed25519
	Signature   [64]byte
	Addrs       []netip.AddrPort // of the sender on this link, at most MaxAddrs, without zones
	Weight      uint8            // share of ownership, 0 to 16
	Net         uint64           // identity of the network it is in
	Upstream    UpstreamState
	UpstreamFor time.Duration // how long so
	Counters    Counters
	Entries     uint32 // that it keeps
	Members     uint64 // exclusive or of the members' NodeIDs
	Version     uint16
	Started     time.Duration // how long ago its program was started: who of two clones was later
}

// A Bye is a node's last word.
type Bye struct{ Reason string }

// A Ping asks for a Pong, which proves that its sender can be reached, lives, and is on
// the link.
type Ping struct{ Challenge [8]byte }

// A Pong answers a Ping.
type Pong struct {
	Echo [8]byte
	Seen uint64 // the last sequence number seen of the receiver
}

// An Ask asks one node, or if Any is set, by multicast, all. It is answered from memory,
// or by the own name servers, and never by asking another node.
type Ask struct {
	Name      rr.Name // in lower case
	Type      uint16
	DO        bool
	FreshOnly bool // an answer that is past its time is not wanted
	Resolve   bool // ask your name servers, or the root, if you do not know
	Any       bool
	Deadline  time.Duration // from its arrival
	Net       uint64
}

// An Outcome is how an Ask ended.
type Outcome uint8

// Outcomes.
const (
	Have Outcome = iota // Record is the answer
	Miss                // not known
	Busy                // too much to do
	Wont                // not to be shared, or another network
)

// An Answer answers an Ask.
type Answer struct {
	Outcome Outcome
	Record  *Record // with Have
}

// A Put gives records to an owner of theirs.
type Put struct{ Records []*Record }

// A Known names members that the sender has: one multicast Hello then makes a node known
// to all, and one static address is enough for a group.
type Known struct {
	Want  bool             // the receiver's own list is asked for
	Addrs []netip.AddrPort // at most MaxKnown, without zones
}

// A State says what is known of a record's truth.
type State uint8

// States. Only the own validation makes a record Secure; what a peer says of it is a
// hint to validate.
const (
	Unknown  State = iota // not validated
	Insecure              // proven to be unsigned
	Secure                // validated
)

// A Record is an answer as it came from a name server, with its age. No date is in it:
// clocks of peers may be wrong.
type Record struct {
	Origin NodeID // who had it at first hand
	Age    time.Duration
	State  State
	Net    uint64
	Msg    []byte // a DNS response with one question, in wire form, its TTLs as they came
}

func (a *Ask) kind() Kind {
	if a.Any {
		return KindAskAny
	}
	return KindAsk
}

func (*Hello) kind() Kind  { return KindHello }
func (*Bye) kind() Kind    { return KindBye }
func (*Ping) kind() Kind   { return KindPing }
func (*Pong) kind() Kind   { return KindPong }
func (*Answer) kind() Kind { return KindAnswer }
func (*Put) kind() Kind    { return KindPut }
func (*Known) kind() Kind  { return KindKnown }
