package serve

import (
	"encoding/binary"

	"github.com/miekg/dns"

	"namecast/lib/zone"
)

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

// formatError makes FORMERR for a query that can be read but whose options are
// wrong.
func formatError(q *dns.Msg, s *zone.Service) *dns.Msg {
	m := new(dns.Msg)
	m.SetRcode(q, dns.RcodeFormatError)
	m.RecursionDesired, m.CheckingDisabled = q.RecursionDesired, false
	m.SetEdns0(uint16(s.UDPLimit(dns.MaxMsgSize)), false)
	return m
}

// pack makes the octets of a response within its limit, nil if it cannot be
// packed.
func pack(m *dns.Msg, from client, limit int, out []byte) []byte {
	reply, err := m.PackBuffer(out[:cap(out)])
	if from.over != overUDP {
		limit = dns.MaxMsgSize
	}
	if len(reply) > limit { // there was no room for the options
		empty(m)
		m.Truncated = true
		reply, err = m.PackBuffer(out[:cap(out)])
	}
	if err != nil {
		return nil
	}
	return reply
}

// empty takes everything out of a response but the question and OPT.
func empty(m *dns.Msg) {
	opt := m.IsEdns0()
	m.Answer, m.Ns, m.Extra = nil, nil, nil
	if opt != nil {
		m.Extra = []dns.RR{opt}
	}
}

// complete reports whether a message holds all that its counts promise, and
// writes out the name it asks for, before which there is nothing that a pointer
// may point to (RFC 1035 section 4.1.4): the library asks neither. Octets after
// the last record are ignored.
func complete(msg []byte) bool {
	at := headerSize
	for range binary.BigEndian.Uint16(msg[4:]) {
		after, pointer := skipName(msg, at)
		if pointer && at == headerSize {
			return false
		}
		at = after + 4
	}
	records := 0
	for i := 6; i < headerSize; i += 2 {
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
