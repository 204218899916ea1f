package dnssec

import (
	"slices"

	"namecast/lib/rr"
)

// Types that only DNSSEC has.
const (
	TypeRRSIG   rr.Type = 46
	TypeNSEC    rr.Type = 47
	TypeDNSKEY  rr.Type = 48
	TypeCDS     rr.Type = 59
	TypeCDNSKEY rr.Type = 60
	TypeNXNAME  rr.Type = 128 // RFC 9824 section 2: the name does not exist
)

// NSEC makes the NSEC record of a name, with the types that there are at it; to
// these RRSIG and NSEC are added. For a name that does not exist the types are
// NXNAME alone (RFC 9824 section 3). The name is taken in lower case, as its
// successor is signed with the case it has (RFC 6840 section 5.1).
func NSEC(name, zone rr.Name, ttl uint32, types ...rr.Type) rr.Set {
	name = name.Lower()
	data := append(successor(name, zone.Lower()).Wire(), bitmap(slices.Concat(types, []rr.Type{TypeRRSIG, TypeNSEC}))...)
	return rr.Set{Owner: name, Type: TypeNSEC, TTL: ttl, Data: []rr.Data{rr.Data(data)}}
}

// successor is the name that follows another directly in canonical order within
// a zone: below it, the label of one zero octet. A name that is too long for
// that is followed as RFC 4471 section 3.1.2 says; what follows the last name of
// all is the zone's apex.
func successor(name, zone rr.Name) rr.Name {
	if len(name)+2 <= rr.MaxName {
		return "\x01\x00" + name
	}
	for name != zone {
		label, parent := []byte(name.First()), name.Parent()
		if len(label) < rr.MaxLabel && len(name) < rr.MaxName {
			return join(append(label, 0), parent)
		}
		for len(label) > 0 {
			last := label[len(label)-1]
			label = label[:len(label)-1]
			switch {
			case last == 'A'-1: // there are no upper-case letters
				return join(append(label, 'Z'+1), parent)
			case last < 255:
				return join(append(label, last+1), parent)
			}
		}
		name = parent
	}
	return zone
}

func join(label []byte, parent rr.Name) rr.Name {
	return rr.Name(append([]byte{byte(len(label))}, label...)) + parent
}

// bitmap is the list of types of RFC 4034 section 4.1.2.
func bitmap(types []rr.Type) []byte {
	slices.Sort(types)
	var out []byte
	for i := 0; i < len(types); {
		var bits [32]byte
		block, length := types[i]>>8, 0
		for ; i < len(types) && types[i]>>8 == block; i++ {
			low := types[i] & 0xff
			bits[low/8] |= 0x80 >> (low % 8)
			length = int(low/8) + 1
		}
		out = append(append(out, byte(block), byte(length)), bits[:length]...)
	}
	return out
}
