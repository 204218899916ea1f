package packet

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"namecast/lib/rr"
)

// recordHead is what a record has before its message: origin, age, state, net, length.
const recordHead = 8 + 6 + 1 + 8 + 2

// MaxMsg is the longest DNS message, in octets, that an Answer can carry.
const MaxMsg = MaxFragments*MaxPart - 1 - recordHead

// Size is how many octets of a body the record takes.
func (rec *Record) Size() int { return recordHead + len(rec.Msg) }

func (rec *Record) append(b []byte) ([]byte, error) {
	if rec == nil || rec.State > Secure {
		return b, fmt.Errorf("%w: no record, or one of no known state", ErrMalformed)
	}
	if len(rec.Msg) > math.MaxUint16 {
		return b, fmt.Errorf("%w: DNS message of %d octets", ErrTooBig, len(rec.Msg))
	}
	if !isResponse(rec.Msg) {
		return b, fmt.Errorf("%w: record without a DNS response of one question", ErrMalformed)
	}
	// An age that were rounded down would give the record a millisecond of life at
	// each hand it passes through.
	age := rec.Age
	if age > 0 && age <= maxTime {
		age = (age + time.Millisecond - 1).Truncate(time.Millisecond)
	}
	b, err := appendTime(append(b, rec.Origin[:]...), age)
	if err != nil {
		return b, err
	}
	b = be.AppendUint64(append(b, byte(rec.State)), rec.Net)
	return append(be.AppendUint16(b, uint16(len(rec.Msg))), rec.Msg...), nil
}

func readRecord(r *reader) *Record {
	rec := &Record{Origin: r.nodeID(), Age: r.time()}
	rec.State, rec.Net = State(r.upTo(uint8(Secure))), r.uint64()
	// A copy, or each record that is kept would hold its whole datagram in memory.
	rec.Msg = bytes.Clone(r.take(int(r.uint16())))
	r.bad = r.bad || !isResponse(rec.Msg)
	return rec
}

// isResponse tells whether octets begin as a DNS response does that can be shared: of a
// standard query, not truncated, with one question of class IN whose name is whole and
// within the limits. What follows is for others to read.
func isResponse(msg []byte) bool {
	const headerSize = 12
	const qr, opcode, tc = 0x80, 0x78, 0x02
	const classIN = 1
	if len(msg) < headerSize || msg[2]&(qr|opcode|tc) != qr || be.Uint16(msg[4:]) != 1 {
		return false
	}
	rest := msg[headerSize:]
	end := 0
	for end < len(rest) && rest[end] != 0 {
		end += int(rest[end]) + 1
	}
	if end+5 > len(rest) || rr.Name(rest[:end]).Check() != nil {
		return false
	}
	return be.Uint16(rest[end+3:]) == classIN
}
