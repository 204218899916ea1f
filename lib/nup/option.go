package nup

import (
	"encoding/binary"
	"fmt"
)

// Options of a version 1 request. A type with the high bit set may be ignored
// by a node that does not know it.
const (
	optionToken     = 1
	optionWork      = 2
	optionPadding   = 3
	optionSignReply = 4 // reserved: refused like an unknown one
	optionalBit     = 0x8000
	maxToken        = 255
)

// parseOptions reads the options and says what is wrong with them.
func (r *Request) parseOptions(c *cursor) (detail string) {
	opts := cursor{b: c.take(int(c.u16()))}
	last := 0
	for c.ok() && opts.at < len(opts.b) {
		kind := int(opts.u16())
		data := opts.take(int(opts.u16()))
		switch {
		case !opts.ok():
			detail = "options cut off"
		case kind <= last:
			detail = fmt.Sprintf("option %d after option %d", kind, last)
		case !r.setOption(kind, data):
			detail = fmt.Sprintf("option %d of %d octets", kind, len(data))
		}
		if detail != "" {
			c.fail(StatusMalformed)
		}
		last = kind
	}
	return detail
}

// setOption takes one option into the request; false if it is unknown and must
// not be ignored, or its data is not what the option carries.
func (r *Request) setOption(kind int, data []byte) bool {
	switch kind {
	case optionToken:
		r.Token = data
		return 1 <= len(data) && len(data) <= maxToken
	case optionWork:
		if len(data) != 8 {
			return false
		}
		r.Work, r.HasWork = binary.BigEndian.Uint64(data), true
		return true
	case optionPadding:
		r.Padding = len(data)
		return len(data) > 0 && allZero(data)
	}
	return kind&optionalBit != 0
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// appendOptions appends the options with their length field.
func (r *Request) appendOptions(b []byte) []byte {
	at := len(b)
	b = append(b, 0, 0)
	if r.Token != nil {
		b = appendOption(b, optionToken, r.Token)
	}
	if r.HasWork {
		b = appendOption(b, optionWork, binary.BigEndian.AppendUint64(nil, r.Work))
	}
	if r.Padding > 0 {
		b = appendOption(b, optionPadding, make([]byte, r.Padding))
	}
	binary.BigEndian.PutUint16(b[at:], uint16(len(b)-at-2))
	return b
}

func appendOption(b []byte, kind uint16, data []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	return append(b, data...)
}
