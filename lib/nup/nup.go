package nup

import (
	"crypto/sha256"
	"errors"

	"namecast/lib/key"
	"namecast/lib/rr"
)

// Magic starts every packet, requests and replies, of every version.
const Magic = "Namecast"

// Limits, in octets.
const (
	MaxPacket  = 65507 // the largest UDP payload over IPv4
	SafePacket = 1232  // past this a datagram may travel in fragments
	PadSize    = 320   // version 1 requests are padded to this, so that a reply with a text fits
)

// Reasons why octets are not a request or a reply.
var (
	// ErrNotNUP: no packet of this protocol; it gets no reply.
	ErrNotNUP = errors.New("not a Namecast packet")
	// ErrVersion: a version of the protocol that is not spoken here.
	ErrVersion = errors.New("unsupported protocol version")
	// ErrMalformed: a reply that breaks the format.
	ErrMalformed = errors.New("malformed packet")
	// ErrTooLarge: a request that does not fit in one datagram.
	ErrTooLarge = errors.New("larger than one datagram")
	// ErrCutOff: the input ends inside a packet.
	ErrCutOff = errors.New("cut off")
)

// An Op says what an element asks for.
type Op uint16

// The opcodes. Version 0 has the first three.
const (
	OpAdd      Op = 0
	OpDelete   Op = 1
	OpValidate Op = 2
	OpReplace  Op = 3
	OpExists   Op = 4
	OpAbsent   Op = 5
	OpRekey    Op = 6
	OpGrant    Op = 7 // reserved: answered with CodeBadOpcode
	OpRevoke   Op = 8 // reserved: answered with CodeBadOpcode
)

// An Element is one wish of a request.
type Element struct {
	Op Op
	// Owner is relative to the account's suffix; the domain itself in
	// OpValidate; empty in OpRekey.
	Owner rr.Name
	Type  rr.Type // zero: every type
	TTL   uint32  // seconds; of the SOA record in OpValidate
	Data  []rr.Data
	// Contact is the technical contact's e-mail address, in OpValidate.
	Contact string
	// NewKey is the key that the account moves to, as key.Public.Bytes gives
	// it, and NewSig that key's signature of RekeyMessage, in OpRekey.
	NewKey, NewSig []byte
	// NewSecret makes NewSig when the request is signed; it never travels.
	NewSecret *key.Secret
	// Code is what the reader found wrong with this element alone; see
	// Request.Check. If it is not CodeOK the fields may be incomplete.
	Code Code
}

// A Request is one update packet.
type Request struct {
	Version  int     // 0 or 1
	Key      []byte  // the public key, as key.Public.Bytes gives it; not yet looked into
	Service  rr.Name // version 1: the installation's base domain, lower case
	Seq      int64   // sequence number, 0 to 2^63-1; a version 0 packet can carry a negative one
	Elements []Element
	Token    []byte // version 1: admission token, nil if there is none
	Work     uint64 // version 1: nonce of the proof of work
	HasWork  bool
	Padding  int // version 1: octets of padding, 0 for no padding option

	packet []byte // the whole packet
	signed int    // octets of packet that the signature covers
	sig    []byte

	unchecked []elementV1 // what Check has still to look into
}

// IsQuery reports whether the request asks only for the next sequence number.
func (r *Request) IsQuery() bool { return r.Seq == 0 && len(r.Elements) == 0 }

// Hash is the SHA-256 of the whole packet, signature included: the same octets
// sent again have the same hash. It is for requests made by Parse or Sign.
func (r *Request) Hash() [32]byte { return sha256.Sum256(r.packet) }

// Size is the length of the whole packet in octets; a reply is never longer.
func (r *Request) Size() int { return len(r.packet) }

// KeyID is the account name that the request's key gives by itself. It is
// cheap: the key is not parsed.
func (r *Request) KeyID() string { return key.AccountOf(r.Version, r.Key) }

// Check looks into the elements and fills in their Codes. Parse leaves that to
// it in version 1, because a stranger's packet can bring ten thousand records:
// Verify calls it once the signature is good.
func (r *Request) Check() {
	for i, e := range r.unchecked {
		r.Elements[i].Code = e.check()
	}
	r.unchecked = nil
}

// BadElement finds the first element that Check found wrong; the index is -1 if
// there is none.
func (r *Request) BadElement() (int, Code) {
	for i := range r.Elements {
		if c := r.Elements[i].Code; c != CodeOK {
			return i, c
		}
	}
	return -1, CodeOK
}

// Reply starts the reply to the request: the codes say that every element is
// done if the status is StatusOK, and that the packet failed before its
// elements were looked at if it is another. The caller puts other codes in
// their place where it knows better (see FailedElement).
func (r *Request) Reply(s Status, next int64) *Reply {
	codes := make([]Code, len(r.Elements))
	if s != StatusOK {
		for i := range codes {
			codes[i] = CodeEarlierPacket
		}
	}
	return &Reply{Version: r.Version, Key: r.Key, Seq: r.Seq, Next: next, Status: s, Codes: codes}
}
