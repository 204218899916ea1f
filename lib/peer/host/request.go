package host

import (
	"encoding/binary"

	"namecast/lib/peer"
	"namecast/lib/rr"
)

// What the stub says of itself, and how far it goes.
const (
	headerSize = 12   // of a DNS message, RFC 1035 section 4.1.1
	plainSize  = 512  // of a response over UDP to a client without EDNS
	ednsSize   = 1232 // of a datagram that no network cuts to pieces
	maxMessage = 65535
	maxQuery   = 4096 // of a query; a longer one is no question
	classIN    = 1
	typeOPT    = 41
	opcodeMask = 0x7800
)

// Bits of the header's flags, RFC 1035 section 4.1.1 and RFC 4035 section 3.
const (
	flagQR = 1 << 15
	flagTC = 1 << 9
	flagRD = 1 << 8
	flagRA = 1 << 7
	flagAD = 1 << 5
	flagCD = 1 << 4
)

// Response codes, RFC 1035 and RFC 6891.
const (
	rcodeNone     = 0
	rcodeFormErr  = 1
	rcodeServFail = 2
	rcodeNXDomain = 3
	rcodeNotImp   = 4
	rcodeRefused  = 5
	rcodeBadVers  = 16
)

// A request is a client's query, as far as it matters to the answer.
type request struct {
	id       uint16
	flags    uint16
	question []byte // name, type and class in the client's own spelling; part of the query
	q        peer.Question
	edns     bool
	size     int // of a response over UDP
	rcode    int // it is answered with this, without asking; 0: it is a good question
}

// parseRequest reads a query. It is false for what no response may go to: a response,
// or something that is no DNS message. The request keeps parts of b.
func parseRequest(b []byte) (r request, ok bool) {
	if len(b) < headerSize {
		return r, false
	}
	r.id, r.flags = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	r.size = plainSize
	if r.flags&flagQR != 0 {
		return r, false
	}
	if r.flags&opcodeMask != 0 {
		r.rcode = rcodeNotImp
		return r, true
	}
	n := questionEnd(b)
	if n < 0 || binary.BigEndian.Uint32(b[6:]) != 0 {
		r.rcode = rcodeFormErr
		return r, true
	}
	r.question = b[headerSize:n:n]
	name := rr.Name(r.question[:len(r.question)-5])
	if name.Check() != nil || !r.options(b, n) {
		r.question, r.rcode = nil, rcodeFormErr
		return r, true
	}
	r.q.Name, r.q.Type = name.Lower(), binary.BigEndian.Uint16(b[n-4:])
	r.q.CD = r.flags&flagCD != 0
	if r.rcode == 0 {
		r.rcode = refuse(r.q.Type, binary.BigEndian.Uint16(b[n-2:]))
	}
	return r, true
}

// refuse is the response code for types and classes that are not looked up.
func refuse(typ, class uint16) int {
	switch {
	case class != classIN:
		return rcodeNotImp
	case typ == 0, typ == typeOPT, typ >= 249 && typ <= 254:
		return rcodeRefused // transfers, and others that are no data: RFC 6895 section 3.1
	}
	return 0
}

// questionEnd is where the one question of a query ends, or -1. A name in it is not
// compressed: nothing stands before it.
func questionEnd(b []byte) int {
	if len(b) < headerSize || binary.BigEndian.Uint16(b[4:]) != 1 {
		return -1
	}
	for n := headerSize; n < len(b); n += 1 + int(b[n]) {
		if b[n] == 0 && n+5 <= len(b) {
			return n + 5
		}
		if b[n] == 0 || b[n] > rr.MaxLabel {
			return -1
		}
	}
	return -1
}

// options reads the records after the question, of which OPT alone means something.
// It is false if they are malformed.
func (r *request) options(b []byte, n int) bool {
	for range binary.BigEndian.Uint16(b[10:]) {
		rec, next, ok := record(b, n)
		if !ok {
			return false
		}
		n = next
		if rec.typ != typeOPT {
			continue
		}
		if r.edns || b[rec.start] != 0 { // two, or of a name: RFC 6891 section 6.1.1
			return false
		}
		r.edns = true
		r.size = min(max(int(rec.class), plainSize), ednsSize)
		r.q.DO = rec.ttl>>15&1 == 1
		if rec.ttl>>16&0xff != 0 {
			r.rcode = rcodeBadVers
		}
	}
	return n == len(b)
}

// A span is where a record of a message stands.
type span struct {
	start, data, end int
	typ, class       uint16
	ttl              uint32
}

// record reads the record at n; next is where the one after it begins.
func record(b []byte, n int) (s span, next int, ok bool) {
	s.start = n
	if n = skipName(b, n); n < 0 || n+10 > len(b) {
		return s, 0, false
	}
	s.typ, s.class = binary.BigEndian.Uint16(b[n:]), binary.BigEndian.Uint16(b[n+2:])
	s.ttl = binary.BigEndian.Uint32(b[n+4:])
	s.data = n + 10
	s.end = s.data + int(binary.BigEndian.Uint16(b[n+8:]))
	return s, s.end, s.end <= len(b)
}

// skipName is where the name at n ends, or -1. Pointers are not followed.
func skipName(b []byte, n int) int {
	for n < len(b) {
		switch c := int(b[n]); {
		case c == 0:
			return n + 1
		case c >= 0xc0 && n+2 <= len(b):
			return n + 2
		case c > rr.MaxLabel:
			return -1
		default:
			n += 1 + c
		}
	}
	return -1
}
