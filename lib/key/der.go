package key

import (
	"bytes"
	"math/bits"
)

// Tags of the DER that keys and DSA signatures are made of (X.690).
const (
	tagInteger     = 0x02
	tagBitString   = 0x03
	tagOctetString = 0x04
	tagNull        = 0x05
	tagOID         = 0x06
	tagSequence    = 0x30
	tagContext0    = 0xa0 // [0], constructed: the attributes of PKCS#8
	tagContext1    = 0x81 // [1], primitive: the public key of RFC 5958
)

// der is what is left to read of a DER encoding. It is a cursor over octets and
// not encoding/asn1, because a number's length must be known before anybody
// makes a number of it, and because one key has one encoding here: the account
// name is a hash of it.
type der []byte

// tag gives the next element's tag, 0 at the end.
func (d der) tag() byte {
	if len(d) == 0 {
		return 0
	}
	return d[0]
}

// next reads one element with the tag and gives its contents. Lengths must be
// minimal, and no key here needs more than two octets of length.
func (d *der) next(tag byte) (der, bool) {
	b := *d
	if len(b) < 2 || b[0] != tag {
		return nil, false
	}
	n, head := int(b[1]), 2
	switch {
	case n < 0x80:
	case n == 0x81 && len(b) >= 3 && b[2] >= 0x80:
		n, head = int(b[2]), 3
	case n == 0x82 && len(b) >= 4 && b[2] != 0:
		n, head = int(b[2])<<8|int(b[3]), 4
	default:
		return nil, false
	}
	if len(b) < head+n {
		return nil, false
	}
	*d = b[head+n:]
	return b[head : head+n], true
}

// integer reads a positive or zero INTEGER in its only DER form and gives its
// magnitude, big-endian without leading zeros; zero is no octets.
func (d *der) integer() ([]byte, bool) {
	b, ok := d.next(tagInteger)
	switch {
	case !ok, len(b) == 0, b[0] >= 0x80:
		return nil, false
	case len(b) > 1 && b[0] == 0 && b[1] < 0x80:
		return nil, false
	case b[0] == 0:
		return b[1:], true
	}
	return b, true
}

// integers reads len(dst) INTEGERs in a row, and nothing may follow them.
func (d *der) integers(dst ...*[]byte) bool {
	for _, p := range dst {
		b, ok := d.integer()
		if !ok {
			return false
		}
		*p = b
	}
	return len(*d) == 0
}

// only reads the single element that d consists of.
func (d der) only(tag byte) (der, bool) {
	b, ok := d.next(tag)
	return b, ok && len(d) == 0
}

// bitLen counts the bits of a magnitude as integer gives it.
func bitLen(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	return 8*(len(b)-1) + bits.Len8(b[0])
}

// less compares two magnitudes as integer gives them.
func less(a, b []byte) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return bytes.Compare(a, b) < 0
}

// element encodes one element.
func element(tag byte, contents ...[]byte) []byte {
	body := bytes.Join(contents, nil)
	n := len(body)
	head := []byte{tag, byte(n)}
	switch {
	case n >= 0x100:
		head = []byte{tag, 0x82, byte(n >> 8), byte(n)}
	case n >= 0x80:
		head = []byte{tag, 0x81, byte(n)}
	}
	return append(head, body...)
}

// integerElement encodes a magnitude as an INTEGER.
func integerElement(b []byte) []byte {
	if len(b) == 0 || b[0] >= 0x80 {
		return element(tagInteger, []byte{0}, b)
	}
	return element(tagInteger, b)
}
