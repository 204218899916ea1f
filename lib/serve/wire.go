package serve

import (
	"encoding/binary"

	"namecast/lib/wire"
)

// bare makes a response of a header alone, for a query that cannot be read.
func bare(query []byte, rcode int, out []byte) []byte {
	out = append(out[:0], query[0], query[1], wire.FlagQR|query[2]&wire.MaskEcho, byte(rcode))
	return append(out, make([]byte, wire.HeaderSize-4)...)
}

// complete reports whether a message holds all that its counts promise, and
// writes out the name it asks for, before which there is nothing that a pointer
// may point to (RFC 1035 section 4.1.4): the library asks neither. Octets after
// the last record are ignored.
func complete(msg []byte) bool {
	at := wire.HeaderSize
	for range binary.BigEndian.Uint16(msg[4:]) {
		after, pointer := skipName(msg, at)
		if pointer && at == wire.HeaderSize {
			return false
		}
		at = after + 4
	}
	records := 0
	for i := 6; i < wire.HeaderSize; i += 2 {
		records += int(binary.BigEndian.Uint16(msg[i:]))
	}
	for range records {
		at, _ = skipName(msg, at)
		at += 10
		if at > len(msg) {
			return false
		}
		at += int(binary.BigEndian.Uint16(msg[at-2:]))
	}
	return at <= len(msg)
}

// skipName gives the place after a name, past the end if the name is cut off,
// and whether the name ends in a pointer.
func skipName(msg []byte, at int) (after int, pointer bool) {
	for at < len(msg) {
		switch n := int(msg[at]); {
		case n == 0:
			return at + 1, false
		case n >= 0xc0:
			return at + 2, true
		default:
			at += 1 + n
		}
	}
	return len(msg) + 1, false
}
