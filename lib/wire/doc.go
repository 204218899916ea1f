// Package wire reads questions and writes responses in the wire form of DNS (RFC
// 1035 section 4), in place and without memory of its own: what a server does
// for every packet. Whatever is out of the ordinary in a query is left to a
// reader that knows all of the protocol.
package wire

import "encoding/binary"

// HeaderSize is that of RFC 1035 section 4.1.1, in octets.
const HeaderSize = 12

// OPTSize is that of an OPT record without options, in octets.
const OPTSize = 11

// Flags in octets 2 and 3 of a header.
const (
	FlagQR = 0x80 // a response
	FlagAA = 0x04 // authoritative
	FlagTC = 0x02 // truncated
	FlagRD = 0x01 // recursion desired
	// MaskEcho is what of octet 2 a response has as the query had it: opcode and RD.
	MaskEcho = 0x79
)

// Flags of OPT records: the high 16 of the last octets of its TTL (RFC 6891
// section 6.1.3).
const (
	FlagDO = 0x8000 // RFC 3225
	FlagCO = 0x4000 // RFC 9824 section 5.1
)

const (
	typeOPT      = 41
	classIN      = 1
	optionCookie = 10 // RFC 7873
	maxName      = 255
	maxLabel     = 63
)

var be = binary.BigEndian
