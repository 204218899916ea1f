package frame

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Versions of the protocol that this package speaks.
const (
	OldestVersion = 1
	NewestVersion = 1
)

// A Class is what a connection between two peers is for. Each has its own, so
// that none waits behind another's octets.
type Class uint8

// Classes.
const (
	ClassChain  Class = 1 // between nodes: replication, queries, snapshots
	ClassFeed   Class = 2 // a subscriber's stream of changes
	ClassClient Class = 3 // reads and writes of those who use the storage
)

// String names the class as metrics do.
func (c Class) String() string {
	switch c {
	case ClassChain:
		return "chain"
	case ClassFeed:
		return "feed"
	case ClassClient:
		return "client"
	}
	return fmt.Sprintf("class %d", uint8(c))
}

// Features are what a side can do beyond its version, one bit each. No bit has a
// meaning yet.
type Features uint64

// A Handshake is what one side says of itself.
type Handshake struct {
	Oldest, Newest uint16   // versions that it speaks
	Features       Features // that it has
	Required       Features // that the other side must have too; also in Features
	Class          Class    // the answer repeats that of the side that has dialled
	Incarnation    uint64   // number of this life of the process; never zero
}

// Reasons why two sides do not speak with each other.
var (
	// ErrHandshake: the octets are no handshake.
	ErrHandshake = errors.New("malformed handshake")
	// ErrVersion: no version is common to both sides.
	ErrVersion = errors.New("no common version")
	// ErrFeature: a side requires a feature that the other does not have.
	ErrFeature = errors.New("a required feature is missing")
	// ErrClass: the class is not the one that was asked for.
	ErrClass = errors.New("connection of another class")
)

// magic begins a handshake: what answers on the port by mistake is told apart.
const magic = "nchello\n"

const handshakeSize = len(magic) + 2 + 2 + 8 + 8 + 1 + 8

// AppendHandshake appends the body of a TypeHandshake frame.
func AppendHandshake(b []byte, h Handshake) []byte {
	b = append(b, magic...)
	b = be.AppendUint16(b, h.Oldest)
	b = be.AppendUint16(b, h.Newest)
	b = be.AppendUint64(b, uint64(h.Features))
	b = be.AppendUint64(b, uint64(h.Required))
	b = append(b, byte(h.Class))
	return be.AppendUint64(b, h.Incarnation)
}

// ParseHandshake reads the body of a TypeHandshake frame. Octets behind the
// known ones are a newer version's and mean nothing. ErrHandshake if it does not
// hold together.
func ParseHandshake(b []byte) (Handshake, error) {
	if len(b) < handshakeSize || string(b[:len(magic)]) != magic {
		return Handshake{}, fmt.Errorf("%w: of %d octets", ErrHandshake, len(b))
	}
	b = b[len(magic):]
	h := Handshake{
		Oldest: be.Uint16(b), Newest: be.Uint16(b[2:]),
		Features: Features(be.Uint64(b[4:])), Required: Features(be.Uint64(b[12:])),
		Class: Class(b[20]), Incarnation: be.Uint64(b[21:]),
	}
	switch {
	case h.Oldest == 0 || h.Oldest > h.Newest:
		return Handshake{}, fmt.Errorf("%w: versions %d to %d", ErrHandshake, h.Oldest, h.Newest)
	case h.Required&^h.Features != 0:
		return Handshake{}, fmt.Errorf("%w: it requires what it has not", ErrHandshake)
	case h.Incarnation == 0:
		return Handshake{}, fmt.Errorf("%w: no incarnation", ErrHandshake)
	}
	return h, nil
}

// Agree finds what two sides have in common: the version and the features that
// the connection is spoken with. Both sides come to the same result. ErrVersion,
// ErrFeature or ErrClass if there is none.
func Agree(mine, theirs Handshake) (version uint16, common Features, err error) {
	version = min(mine.Newest, theirs.Newest)
	common = mine.Features & theirs.Features
	switch {
	case version < max(mine.Oldest, theirs.Oldest):
		return 0, 0, fmt.Errorf("%w: %d to %d here, %d to %d there", ErrVersion,
			mine.Oldest, mine.Newest, theirs.Oldest, theirs.Newest)
	case (mine.Required|theirs.Required)&^common != 0:
		return 0, 0, fmt.Errorf("%w: %#x", ErrFeature, uint64((mine.Required|theirs.Required)&^common))
	case mine.Class != theirs.Class:
		return 0, 0, fmt.Errorf("%w: %s here, %s there", ErrClass, mine.Class, theirs.Class)
	}
	return version, common, nil
}

// A Code says why a side ends a connection.
type Code uint8

// Codes of a Bye.
const (
	ByeShutdown Code = 1 // the process ends; dial again later
	ByeReplaced Code = 2 // the same peer has come with a newer connection
	ByeRefused  Code = 3 // the peer, its version or its class is not wanted
	ByeFull     Code = 4 // too many connections; dial again later
	ByeBroken   Code = 5 // the peer has broken the rules of the connection
)

// A Bye is the last that a side says.
type Bye struct {
	Code   Code
	Reason string // for a log: at most MaxReason octets of printable UTF-8
}

// MaxReason is the longest reason, in octets.
const MaxReason = 200

// Error makes a Bye the error that a connection ended with.
func (b Bye) Error() string { return fmt.Sprintf("the peer said (%d): %s", b.Code, b.Reason) }

// ErrBye: the octets are no Bye.
var ErrBye = errors.New("malformed bye")

// AppendBye appends the body of a TypeBye frame; a long reason is
// cut, and what is not printable is written "?".
func AppendBye(b []byte, bye Bye) []byte {
	reason := strings.Map(plain, strings.ToValidUTF8(bye.Reason, "?"))
	for len(reason) > MaxReason {
		_, n := utf8.DecodeLastRuneInString(reason)
		reason = reason[:len(reason)-n]
	}
	return append(append(b, byte(bye.Code)), reason...)
}

// plain replaces what has no place in a line of a log.
func plain(c rune) rune {
	if !unicode.IsPrint(c) {
		return '?'
	}
	return c
}

// ParseBye reads the body of a TypeBye frame, or returns ErrBye.
func ParseBye(b []byte) (Bye, error) {
	if len(b) == 0 || len(b)-1 > MaxReason {
		return Bye{}, fmt.Errorf("%w: of %d octets", ErrBye, len(b))
	}
	reason := string(b[1:])
	if !utf8.ValidString(reason) || strings.Map(plain, reason) != reason {
		return Bye{}, fmt.Errorf("%w: a reason of other than printable text", ErrBye)
	}
	return Bye{Code(b[0]), reason}, nil
}
