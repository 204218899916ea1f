package dnssec

import (
	"encoding/binary"
	"slices"
	"strings"

	"namecast/lib/rr"
)

// A layout says where the names are in the data of a type whose names are in
// lower case in canonical form (RFC 4034 section 6.2; RFC 6840 section 5.1
// takes NSEC off that list).
type layout struct {
	skip    int // octets before the first name
	strings int // character strings between them and the first name
	names   int
}

// layouts by type number. RFC 3597 section 7 closed the list: later types are
// signed as they are. HINFO, which stands on it, has no names.
var layouts = map[rr.Type]layout{
	2: {names: 1}, 3: {names: 1}, 4: {names: 1}, 5: {names: 1}, // NS MD MF CNAME
	6: {names: 2}, 7: {names: 1}, 8: {names: 1}, 9: {names: 1}, // SOA MB MG MR
	12: {names: 1}, 14: {names: 2}, 15: {skip: 2, names: 1}, 17: {names: 2}, // PTR MINFO MX RP
	18: {skip: 2, names: 1}, 21: {skip: 2, names: 1}, 24: {skip: 18, names: 1}, // AFSDB RT SIG
	26: {skip: 2, names: 2}, 30: {names: 1}, 33: {skip: 6, names: 1}, // PX NXT SRV
	35: {skip: 4, strings: 3, names: 1}, 36: {skip: 2, names: 1}, 39: {names: 1}, // NAPTR KX DNAME
}

// canonical gives a record's data in canonical form. Data that does not have
// the layout of its type is left as it is.
func canonical(t rr.Type, d rr.Data) string {
	l, listed := layouts[t]
	if !listed || !strings.ContainsFunc(string(d), func(c rune) bool { return 'A' <= c && c <= 'Z' }) {
		return string(d)
	}
	b := []byte(d)
	at := l.skip
	for range l.strings {
		if at >= len(b) {
			return string(d)
		}
		at += 1 + int(b[at])
	}
	for range l.names {
		for at < len(b) && b[at] != 0 {
			end := min(at+1+int(b[at]), len(b))
			lower(b[at+1 : end])
			at = end
		}
		at++
	}
	return string(b)
}

func lower(b []byte) {
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
}

// appendSet puts an RRset in canonical form behind b: its records in the order
// of their data, none twice (RFC 4034 section 6.3). The owner is in lower case.
func appendSet(b []byte, s rr.Set) []byte {
	data := make([]string, len(s.Data))
	for i, d := range s.Data {
		data[i] = canonical(s.Type, d)
	}
	slices.Sort(data)
	data = slices.Compact(data)
	for _, d := range data {
		b = append(append(b, s.Owner...), 0)
		b = binary.BigEndian.AppendUint16(b, uint16(s.Type))
		b = append(b, 0, 1) // class IN
		b = binary.BigEndian.AppendUint32(b, s.TTL)
		b = binary.BigEndian.AppendUint16(b, uint16(len(d)))
		b = append(b, d...)
	}
	return b
}
