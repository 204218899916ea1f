package rr

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// A Type is the 16-bit number of a record type. Zero means "no type".
type Type uint16

// The types that the tree names itself.
const (
	TypeNone  Type = 0
	TypeA     Type = 1
	TypeNS    Type = 2
	TypeCNAME Type = 5
	TypeSOA   Type = 6
	TypePTR   Type = 12
	TypeMX    Type = 15
	TypeTXT   Type = 16
	TypeAFSDB Type = 18
	TypeRT    Type = 21
	TypeAAAA  Type = 28
	TypeSRV   Type = 33
	TypeKX    Type = 36
	TypeDNAME Type = 39
	TypeDS    Type = 43
	TypeSVCB  Type = 64
	TypeHTTPS Type = 65
	TypeANY   Type = 255

	// TypeALIAS makes a name have the addresses of another name; the server
	// looks them up. It is of the private range (RFC 6895 section 3.1) and has
	// the number that PowerDNS gave it; its data is that of a CNAME.
	TypeALIAS Type = 65401
)

// Reasons why a type is refused.
var (
	ErrBadType     = errors.New("unknown record type")
	ErrUnsupported = errors.New("record type cannot be hosted")
)

// ParseType reads a mnemonic, in any case, or the TYPE123 form of RFC 3597.
func ParseType(s string) (Type, error) {
	u := strings.ToUpper(s)
	if u == "ALIAS" || u == "ANAME" {
		return TypeALIAS, nil
	}
	if t, ok := dns.StringToType[u]; ok && t != 0 {
		return Type(t), nil
	}
	if d, ok := strings.CutPrefix(u, "TYPE"); ok {
		if v, err := strconv.ParseUint(d, 10, 16); err == nil && v != 0 {
			return Type(v), nil
		}
	}
	return 0, fmt.Errorf("%w %q", ErrBadType, s)
}

// String gives the mnemonic, or the RFC 3597 form of a type without one.
func (t Type) String() string {
	switch t {
	case typeReserved:
		return "TYPE65535" // the library has a word for it that is no mnemonic
	case TypeALIAS:
		return "ALIAS"
	}
	return dns.Type(t).String()
}

// Hostable reports, with an error that says why, whether an account may hold
// records of the type: not what the server makes itself (SOA and the signatures
// and denials of DNSSEC), nor the meta types of RFC 6895 section 3.1.
func (t Type) Hostable() error {
	switch uint16(t) {
	case dns.TypeSOA, dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeNSEC3PARAM, typeNXNAME:
		return fmt.Errorf("%w: %s is made by the server", ErrUnsupported, t)
	case dns.TypeNone, dns.TypeOPT, typeReserved:
		return fmt.Errorf("%w: %s", ErrUnsupported, t)
	}
	if 128 <= t && t <= 255 {
		return fmt.Errorf("%w: %s is for questions only", ErrUnsupported, t)
	}
	return nil
}

const (
	typeNXNAME   = 128   // RFC 9824
	typeReserved = 65535 // RFC 6895
)
