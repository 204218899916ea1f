package keep

import (
	"encoding/binary"
	"time"
)

// Aged appends a response to dst as it is to be given age after it came: with another
// id, and every TTL less by the age. A TTL that has passed becomes maxTTL, in seconds,
// and no TTL is more than that; maxTTL 0 is no bound, and what has passed becomes 0.
// Nothing else is changed, and nothing is allocated if dst has room. A message that is
// not understood is appended as far as it is.
func Aged(dst, msg []byte, id uint16, age time.Duration, maxTTL uint32) []byte {
	base := len(dst)
	dst = append(dst, msg...)
	out := dst[base:]
	if !isResponse(out) {
		return dst
	}
	binary.BigEndian.PutUint16(out, id)
	gone := uint64(max(0, age) / time.Second)
	off := skipName(out, headerLen)
	if off < 0 {
		return dst
	}
	off += 4
	an, ns, ar := counts(out)
	for range an + ns + ar {
		if off = skipName(out, off); off < 0 || off+10 > len(out) {
			return dst
		}
		// What stands in the place of the TTL of OPT is flags (RFC 6891).
		if word(out, off) != typeOPT {
			age32(out[off+4:off+8], gone, maxTTL)
		}
		off += 10 + int(word(out, off+8))
	}
	return dst
}

// age32 makes one TTL less.
func age32(ttl []byte, gone uint64, most uint32) {
	v := min(uint64(binary.BigEndian.Uint32(ttl)), uint64(MaxTTL/time.Second))
	switch {
	case v <= gone:
		v = uint64(most)
	case most > 0:
		v = min(v-gone, uint64(most))
	default:
		v -= gone
	}
	binary.BigEndian.PutUint32(ttl, uint32(v))
}

// Echo makes a response one to that very query: its id, its RD and CD, and the letters
// of its question, which a client may have written large and small (draft dns0x20). It
// reports whether both have the same question; if not, the response is left alone.
func Echo(msg, query []byte) bool {
	if !isResponse(msg) || len(query) < headerLen || word(query, 4) != 1 {
		return false
	}
	end, qend := skipName(msg, headerLen), skipName(query, headerLen)
	if end < 0 || end != qend || end+4 > len(msg) || end+4 > len(query) {
		return false
	}
	for i := headerLen; i < end+4; i++ {
		if i < end && lower(msg[i]) != lower(query[i]) || i >= end && msg[i] != query[i] {
			return false
		}
	}
	copy(msg[headerLen:end], query[headerLen:end])
	copy(msg[:2], query[:2])
	msg[2] = msg[2]&^0x01 | query[2]&0x01
	msg[3] = msg[3]&^0x10 | query[3]&0x10
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
