package keep

import (
	"encoding/binary"
	"errors"

	"namecast/lib/rr"
)

// Reasons why a message is not understood.
var (
	// ErrForm: it is cut off, or not as RFC 1035 has it.
	ErrForm = errors.New("malformed message")
	// ErrQuestion: it is not a response to one question.
	ErrQuestion = errors.New("not a response to one question")
)

// Types that this room knows and package rr does not name.
const (
	typeOPT   = 41
	typeRRSIG = 46
	typeNSEC  = 47
	typeNSEC3 = 50
)

// headerLen is the length of a message's header (RFC 1035 section 4.1.1).
const headerLen = 12

// maxRecords bounds the records of a message that are looked at. With 65,535 octets
// there can be 5,900 of the shortest form, which no honest answer comes near.
const maxRecords = 2048

// Sections of a message.
const (
	answer = iota
	authority
	additional
)

// A record is one resource record, by its place in the message.
type record struct {
	section int
	owner   rr.Name // in lower case
	typ     uint16
	class   uint16
	ttl     uint32
	data    int // where its data begins
	end     int // and ends
}

// A message is one taken apart.
type message struct {
	octets  []byte
	name    rr.Name // of the question, in lower case
	typ     uint16
	class   uint16
	records []record
}

// word reads 16 bits.
func word(msg []byte, at int) uint16 { return binary.BigEndian.Uint16(msg[at:]) }

// counts gives the number of records in the sections of a message that has a header.
func counts(msg []byte) (answers, authorities, additionals int) {
	return int(word(msg, 6)), int(word(msg, 8)), int(word(msg, 10))
}

// isResponse reports whether msg has a header with QR set and one question.
func isResponse(msg []byte) bool {
	return len(msg) >= headerLen && msg[2]&0x80 != 0 && word(msg, 4) == 1
}

// skipName gives the place after the name at off, or -1 if there is none.
func skipName(msg []byte, off int) int {
	for off < len(msg) {
		n := int(msg[off])
		switch {
		case n == 0:
			return off + 1
		case n >= 0xC0:
			if off+2 > len(msg) {
				return -1
			}
			return off + 2
		case n > rr.MaxLabel:
			return -1
		}
		off += 1 + n
	}
	return -1
}

// readName reads the name at off in lower case, and gives the place after it. A
// pointer must lead to before the place it stands at, so that there is no loop.
func readName(msg []byte, off int) (rr.Name, int, error) {
	var buf [rr.MaxName + 1]byte
	n, after, limit := 0, -1, off
	for {
		if off >= len(msg) {
			return "", 0, ErrForm
		}
		c := int(msg[off])
		switch {
		case c == 0:
			if after < 0 {
				after = off + 1
			}
			return rr.Name(buf[:n]), after, nil
		case c >= 0xC0:
			if off+2 > len(msg) {
				return "", 0, ErrForm
			}
			if after < 0 {
				after = off + 2
			}
			to := int(word(msg, off)) & 0x3FFF
			if to >= limit {
				return "", 0, ErrForm
			}
			off, limit = to, to
		case c > rr.MaxLabel || off+1+c > len(msg) || n+1+c > rr.MaxName:
			return "", 0, ErrForm
		default:
			n += copyLower(buf[n:], msg[off:off+1+c])
			off += 1 + c
		}
	}
}

// copyLower copies a label with its length octet, its ASCII letters made small.
func copyLower(dst, label []byte) int {
	dst[0] = label[0]
	for i, c := range label[1:] {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst[1+i] = c
	}
	return len(label)
}

// open takes a response apart.
func open(msg []byte) (*message, error) {
	if !isResponse(msg) {
		return nil, ErrQuestion
	}
	m := &message{octets: msg}
	var err error
	off := headerLen
	if m.name, off, err = readName(msg, off); err != nil {
		return nil, err
	}
	if off+4 > len(msg) {
		return nil, ErrForm
	}
	m.typ, m.class = word(msg, off), word(msg, off+2)
	off += 4
	an, ns, ar := counts(msg)
	if an+ns+ar > maxRecords {
		return nil, ErrForm
	}
	m.records = make([]record, 0, min(an+ns+ar, len(msg)/11))
	for section, n := range [...]int{an, ns, ar} {
		for range n {
			if off, err = m.read(section, off); err != nil {
				return nil, err
			}
		}
	}
	if off != len(msg) {
		return nil, ErrForm
	}
	return m, nil
}

// read reads the record at off and gives the place after it. Mostly its owner is that
// of the question or of the record before, whose name is then used again.
func (m *message) read(section, off int) (int, error) {
	r := record{section: section}
	var err error
	if off+2 <= len(m.octets) && word(m.octets, off) == 0xC000|headerLen {
		r.owner, off = m.name, off+2
	} else if r.owner, off, err = readName(m.octets, off); err != nil {
		return 0, err
	}
	if off+10 > len(m.octets) {
		return 0, ErrForm
	}
	r.typ, r.class = word(m.octets, off), word(m.octets, off+2)
	r.ttl = binary.BigEndian.Uint32(m.octets[off+4:])
	r.data = off + 10
	r.end = r.data + int(word(m.octets, off+8))
	if r.end > len(m.octets) {
		return 0, ErrForm
	}
	m.records = append(m.records, r)
	return r.end, nil
}

// bytes gives a record's data as it stands, names in it perhaps compressed.
func (m *message) bytes(r record) []byte { return m.octets[r.data:r.end] }

// target reads the name that begins a record's data after skip octets.
func (m *message) target(r record, skip int) (rr.Name, error) {
	name, after, err := readName(m.octets, r.data+skip)
	if err == nil && after > r.end {
		err = ErrForm
	}
	return name, err
}
