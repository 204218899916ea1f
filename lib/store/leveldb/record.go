package leveldb

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"namecast/lib/store"
)

// A chain is the link of a log entry to all before it.
type chain [16]byte

// next gives the link of an event that follows the one with link c.
func (c chain) next(event []byte) chain {
	return c.link(append(make([]byte, len(c), len(c)+len(event)), event...))
}

// link is next for an event that stands in a log entry, behind room for its
// link, which it puts in.
func (c chain) link(entry []byte) chain {
	copy(entry, c[:])
	sum := sha256.Sum256(entry)
	return chain(entry[:copy(entry[:len(c)], sum[:])])
}

// A state is what m/state holds: where the store is and what its log covers.
type state struct {
	Position store.Position
	Chain    chain          // of the event at Position
	LogStart store.Position // the log holds LogStart to Position; one more than Position when it is empty
	LogBytes uint64         // octets of the values in the log
}

func (s state) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(s.Position))
	b = append(b, s.Chain[:]...)
	b = binary.AppendUvarint(b, uint64(s.LogStart))
	return binary.AppendUvarint(b, s.LogBytes)
}

func parseState(b []byte) (state, error) {
	var s state
	position, b, ok1 := uvarint(b)
	if len(b) < len(s.Chain) {
		return state{}, fmt.Errorf("%w: state in an unknown form", store.ErrDamaged)
	}
	s.Chain, b = chain(b[:len(s.Chain)]), b[len(s.Chain):]
	start, b, ok2 := uvarint(b)
	bytes, b, ok3 := uvarint(b)
	if !ok1 || !ok2 || !ok3 || len(b) != 0 || start == 0 || start-1 > position {
		return state{}, fmt.Errorf("%w: state in an unknown form", store.ErrDamaged)
	}
	s.Position, s.LogStart, s.LogBytes = store.Position(position), store.Position(start), bytes
	return s, nil
}

// uvarint cuts a number in its shortest form off b.
func uvarint(b []byte) (v uint64, rest []byte, ok bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 || n > 1 && b[n-1] == 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

// parseLog splits a log entry.
func parseLog(b []byte) (chain, []byte, error) {
	var c chain
	if len(b) <= len(c) {
		return c, nil, fmt.Errorf("%w: log entry of %d octets", store.ErrDamaged, len(b))
	}
	return chain(b[:len(c)]), b[len(c):], nil
}
