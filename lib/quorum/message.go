package quorum

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"namecast/lib/key"
)

// Limits of messages.
const (
	MaxDatagram = 1232 // octets: the IPv6 minimum of 1280 without the headers of IPv6 and UDP
	MaxPrefixes = 32   // of a heartbeat
	MaxLease    = time.Minute
	// MaxSkew is how far the sender's clock and the time on the way may be off.
	MaxSkew = 30 * time.Second
)

// Reasons why a datagram is refused.
var (
	// ErrMalformed: it is not a message of this version and kind, or too long.
	ErrMalformed = errors.New("malformed datagram")
	// ErrUnknown: its sender is not in the list of nodes.
	ErrUnknown = errors.New("unknown node")
	// ErrSignature: it is not signed by the node that it names.
	ErrSignature = errors.New("bad signature")
	// ErrLease: the lease of a vote is zero, or longer than MaxLease.
	ErrLease = errors.New("bad lease")
)

// A State is what a node does with a prefix.
type State uint8

// The states. They stand in datagrams and keep their numbers.
const (
	Announced State = 1 + iota // for everybody
	Drained                    // announced as a last resort only
	Withdrawn                  // not announced, though what it needs may be well
	Failing                    // what it needs fails, whether it is announced or not
)

var states = [...]string{Announced: "announced", Drained: "drained", Withdrawn: "withdrawn", Failing: "failing"}

// String is the state in a word.
func (s State) String() string {
	if s < Announced || s > Failing {
		return fmt.Sprintf("state %d", uint8(s))
	}
	return states[s]
}

// A PrefixState is what a node does with one prefix.
type PrefixState struct {
	Prefix netip.Prefix // masked
	State  State
}

// A Heartbeat tells the others how a node is.
type Heartbeat struct {
	From      string
	Boot, Seq uint64    // see Window
	Time      time.Time // of the sender's clock, from 1970 to 2262
	Config    [8]byte   // a hash of what all nodes have configured alike
	Prefixes  []PrefixState
	Well      bool     // all that the node looks at in itself is well
	Sees      []string // the other nodes that it finds well from outside, sorted
}

// A Vote says that a node fails and should not announce a prefix.
type Vote struct {
	From      string
	Boot, Seq uint64    // see Window
	Time      time.Time // of the sender's clock, from 1970 to 2262
	Victim    string
	Prefix    netip.Prefix  // masked
	Lease     time.Duration // how long it holds from Time on, in whole ms, at most MaxLease
	Well      bool          // the voter announces the prefix itself and is well
}

// Signatures are over a context first, so that a signature of one kind is none of
// the other, nor one of an update by the same key.
const (
	heartbeatContext = "namecast node heartbeat\x00"
	voteContext      = "namecast node vote\x00"
)

// SignHeartbeat makes the datagram. The error says what of it cannot be sent: it
// is not from the key's node, names unknown nodes, or has too many prefixes.
func (ns Nodes) SignHeartbeat(secret *key.Secret, h Heartbeat) ([]byte, error) {
	b, err := ns.appendHeartbeat(nil, h)
	if err != nil {
		return nil, fmt.Errorf("sign heartbeat: %w", err)
	}
	return ns.sign(secret, h.From, heartbeatContext, b)
}

// SignVote makes the datagram. The error says what of it cannot be sent.
func (ns Nodes) SignVote(secret *key.Secret, v Vote) ([]byte, error) {
	b, err := appendVote(nil, v)
	if err != nil {
		return nil, fmt.Errorf("sign vote: %w", err)
	}
	return ns.sign(secret, v.From, voteContext, b)
}

// sign appends the signature of a node to its message.
func (ns Nodes) sign(secret *key.Secret, from, context string, b []byte) ([]byte, error) {
	n, ok := ns.Get(from)
	if !ok {
		return nil, fmt.Errorf("sign as node %q: %w", from, ErrUnknown)
	}
	if secret.Public() != n.Key {
		return nil, fmt.Errorf("sign as node %q: %w", from, key.ErrMismatch)
	}
	sig, err := secret.Sign(append([]byte(context), b...))
	if err != nil {
		return nil, fmt.Errorf("sign as node %q: %w", from, err)
	}
	return append(b, sig...), nil
}

// OpenHeartbeat reads a datagram and checks its signature; whether it is new is
// for a Window to say. Nodes seen that are not in the list here are left out. The
// errors are ErrMalformed, ErrUnknown and ErrSignature.
func (ns Nodes) OpenHeartbeat(b []byte) (Heartbeat, error) {
	h, ids, err := readHeartbeat(b)
	if err != nil {
		return Heartbeat{}, fmt.Errorf("heartbeat: %w", err)
	}
	if err := ns.verify(h.From, heartbeatContext, b); err != nil {
		return Heartbeat{}, fmt.Errorf("heartbeat: %w", err)
	}
	h.Sees = ns.names(ids, h.From)
	return h, nil
}

// OpenVote reads a datagram and checks its signature; whether it counts is for a
// Ballot to say. The errors are ErrMalformed, ErrUnknown, ErrSignature and
// ErrLease.
func (ns Nodes) OpenVote(b []byte) (Vote, error) {
	v, err := readVote(b)
	if err != nil {
		return Vote{}, fmt.Errorf("vote: %w", err)
	}
	if err := ns.verify(v.From, voteContext, b); err != nil {
		return Vote{}, fmt.Errorf("vote: %w", err)
	}
	return v, nil
}

// verify checks the signature at the end of a datagram of at least that length.
func (ns Nodes) verify(from, context string, b []byte) error {
	n, ok := ns.Get(from)
	if !ok {
		return fmt.Errorf("from %q: %w", from, ErrUnknown)
	}
	end := len(b) - key.SignatureSize
	if !n.Key.Verify(append([]byte(context), b[:end]...), b[end:]) {
		return fmt.Errorf("from %q: %w", from, ErrSignature)
	}
	return nil
}
