package leveldb

import (
	"encoding/binary"
	"fmt"
	"strings"

	"namecast/lib/rr"
	"namecast/lib/store"
)

// The first two octets of every key say what it holds.
const (
	prefixHead  = "a/"
	prefixKey   = "k/"
	prefixClaim = "o/"
	prefixSet   = "r/"
	prefixLog   = "l/"
)

// Keys that stand alone.
var (
	keyFormat    = []byte("m/format")
	keyState     = []byte("m/state")
	keyRestoring = []byte("m/restoring")
)

var errKey = fmt.Errorf("%w: key in an unknown form", store.ErrDamaged)

// Octets that structure the keys of RRsets.
const (
	endOctet    = 0x00 // ends an account, a label, a name
	escapeOctet = 0x01
	escapedZero = 0x01
	escapedOne  = 0x02
)

func joinKey(prefix, name string) []byte {
	return append(append(make([]byte, 0, len(prefix)+len(name)), prefix...), name...)
}

func logKey(p store.Position) []byte { return appendLogKey(nil, p) }

func appendLogKey(b []byte, p store.Position) []byte {
	return binary.BigEndian.AppendUint64(append(b, prefixLog...), uint64(p))
}

// appendNode appends the part of the key that all RRsets at and below the owner
// name share.
func appendNode(b []byte, account string, owner rr.Name) []byte {
	b = append(b, prefixSet...)
	b = append(b, account...)
	b = append(b, endOctet)
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

func appendSetKey(b []byte, account string, owner rr.Name, t rr.Type) []byte {
	b = append(appendNode(b, account, owner), endOctet)
	return binary.BigEndian.AppendUint16(b, uint16(t))
}

// parseSetKey takes the key of an RRset apart; the owner is in lower case.
func parseSetKey(key []byte) (account string, owner rr.Name, t rr.Type, err error) {
	rest, ok := strings.CutPrefix(string(key), prefixSet)
	account, rest, found := strings.Cut(rest, string(rune(endOctet)))
	if !ok || !found || account == "" {
		return "", "", 0, errKey
	}
	for len(rest) > 0 && rest[0] != endOctet {
		var label string
		if label, rest, err = parseLabel(rest); err != nil {
			return "", "", 0, err
		}
		owner = rr.Name(rune(len(label))) + rr.Name(label) + owner
	}
	if len(rest) != 3 || owner.Check() != nil || owner != owner.Lower() {
		return "", "", 0, errKey
	}
	return account, owner, rr.Type(rest[1])<<8 | rr.Type(rest[2]), nil
}

// parseLabel reads one label of 1 to 63 octets up to its end.
func parseLabel(s string) (label, rest string, err error) {
	label, rest, ok := strings.Cut(s, string(rune(endOctet)))
	if !ok {
		return "", "", errKey
	}
	if strings.IndexByte(label, escapeOctet) >= 0 {
		if label, err = unescape(label); err != nil {
			return "", "", err
		}
	}
	if len(label) > rr.MaxLabel {
		return "", "", errKey
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
				return "", errKey
			}
			c = s[i] - escapedZero
		}
		b = append(b, c)
	}
	return string(b), nil
}

// after gives the first key that is above every key with the prefix; the
// prefix's last octet must be below 0xff.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	end[len(end)-1]++
	return end
}
