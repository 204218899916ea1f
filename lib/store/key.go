package store

import (
	"encoding/binary"
	"fmt"
	"strings"

	"namecast/lib/rr"
)

// Octets that structure the keys of RRsets.
const (
	endOctet    = 0x00 // ends a label, a name
	escapeOctet = 0x01
	escapedZero = 0x01
	escapedOne  = 0x02
)

var errSetKey = fmt.Errorf("%w: key in an unknown form", ErrDamaged)

// AppendNode appends an owner name for stores that keep RRsets in the order of
// their keys: its labels in lower case, the rightmost first, each with 00 behind
// it. In a label, 00 is written 01 01 and 01 is written 01 02. So no label holds
// or begins with 00, and octet order is the order of the tree: what is at a name
// stands together, before what is below it, which stands together too.
func AppendNode(b []byte, owner rr.Name) []byte {
	var starts [rr.MaxName]uint8
	n := 0
	for i := 0; i < len(owner); i += int(owner[i]) + 1 {
		starts[n] = uint8(i)
		n++
	}
	for n--; n >= 0; n-- {
		i := int(starts[n])
		b = appendLabel(b, owner[i+1:i+1+int(owner[i])])
	}
	return b
}

func appendLabel(b []byte, label rr.Name) []byte {
	for i := 0; i < len(label); i++ {
		switch c := label[i]; {
		case c == endOctet:
			b = append(b, escapeOctet, escapedZero)
		case c == escapeOctet:
			b = append(b, escapeOctet, escapedOne)
		case 'A' <= c && c <= 'Z':
			b = append(b, c+'a'-'A')
		default:
			b = append(b, c)
		}
	}
	return append(b, endOctet)
}

// AppendSetKey appends what names an RRset of an account in such a store: its
// owner as AppendNode has it, 00, and the type in two octets, the high one first.
func AppendSetKey(b []byte, owner rr.Name, t rr.Type) []byte {
	return binary.BigEndian.AppendUint16(append(AppendNode(b, owner), endOctet), uint16(t))
}

// ParseSetKey reads what AppendSetKey wrote, the whole of s, or returns
// ErrDamaged. The owner is in lower case.
func ParseSetKey(s string) (owner rr.Name, t rr.Type, err error) {
	for len(s) > 0 && s[0] != endOctet {
		var label string
		if label, s, err = parseLabel(s); err != nil {
			return "", 0, err
		}
		owner = rr.Name(rune(len(label))) + rr.Name(label) + owner
	}
	if len(s) != 3 || owner.Check() != nil || owner != owner.Lower() {
		return "", 0, errSetKey
	}
	return owner, rr.Type(s[1])<<8 | rr.Type(s[2]), nil
}

// parseLabel reads one label of 1 to 63 octets up to its end.
func parseLabel(s string) (label, rest string, err error) {
	label, rest, ok := strings.Cut(s, string(rune(endOctet)))
	if !ok {
		return "", "", errSetKey
	}
	if strings.IndexByte(label, escapeOctet) >= 0 {
		if label, err = unescape(label); err != nil {
			return "", "", err
		}
	}
	if len(label) > rr.MaxLabel {
		return "", "", errSetKey
	}
	return label, rest, nil
}

func unescape(s string) (string, error) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == escapeOctet {
			i++
			if i == len(s) || s[i] != escapedZero && s[i] != escapedOne {
				return "", errSetKey
			}
			c = s[i] - escapedZero
		}
		b = append(b, c)
	}
	return string(b), nil
}
