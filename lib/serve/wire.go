package serve

import "encoding/binary"

// The header of RFC 1035 section 4.1.1.
const (
	headerSize = 12
	flagQR     = 0x80 // in octet 2
	maskEcho   = 0x79 // opcode and RD, in octet 2: they return as they came
)

// bare makes a response of a header alone, for a query that cannot be read.
func bare(query []byte, rcode int, out []byte) []byte {
	out = append(out[:0], query[0], query[1], flagQR|query[2]&maskEcho, byte(rcode))
	return append(out, make([]byte, headerSize-4)...)
}

// complete reports whether a message holds all that its counts promise, which
// the library does not ask of it. Octets after the last record are ignored.
func complete(msg []byte) bool {
	at := headerSize
	for range binary.BigEndian.Uint16(msg[4:]) {
		at = skipName(msg, at) + 4
	}
	records := 0
	for i := 6; i < headerSize; i += 2 {
		records += int(binary.BigEndian.Uint16(msg[i:]))
	}
	for range records {
		at = skipName(msg, at) + 10
		if at > len(msg) {
			return false
		}
		at += int(binary.BigEndian.Uint16(msg[at-2:]))
	}
	return at <= len(msg)
}

// skipName gives the place after a name; past the end if the name is cut off.
func skipName(msg []byte, at int) int {
	for at < len(msg) {
		switch n := int(msg[at]); {
		case n == 0:
			return at + 1
		case n >= 0xc0:
			return at + 2
		default:
			at += 1 + n
		}
	}
	return len(msg) + 1
}
