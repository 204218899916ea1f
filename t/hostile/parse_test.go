package hostile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// This is a parser of DNS messages written from RFC 1035 and its successors
// alone, to judge what the server says: it knows nothing of the library that the
// server is made with.

// Numbers of the registries.
const (
	typeA, typeNS, typeCNAME, typeSOA, typePTR, typeMX, typeTXT       = 1, 2, 5, 6, 12, 15, 16
	typeAAAA, typeSRV, typeDNAME, typeOPT, typeRRSIG, typeNSEC, tsig_ = 28, 33, 39, 41, 46, 47, 250

	headerSize = 12
	maxName    = 255 // octets on the wire
	maxLabel   = 63
)

// A message is what the parser finds.
type message struct {
	id        uint16
	flags     uint16
	question  *question
	questions int
	sections  [3][]record // answer, authority, additional
}

type question struct {
	name        string // labels with their lengths, in the case they have
	kind, class uint16
}

type record struct {
	name        string
	kind, class uint16
	ttl         uint32
	data        string // names in it expanded
}

// rcode is the response code with the bits that OPT has of it (RFC 6891 section
// 6.1.3).
func (m *message) rcode() int {
	code := int(m.flags & 15)
	if opt := m.opt(); opt != nil {
		code |= int(opt.ttl>>24) << 4
	}
	return code
}

func (m *message) opcode() int     { return int(m.flags>>11) & 15 }
func (m *message) is(bit int) bool { return m.flags>>(15-bit)&1 == 1 }

// opt finds the OPT record.
func (m *message) opt() *record {
	for i := range m.sections[2] {
		if m.sections[2][i].kind == typeOPT {
			return &m.sections[2][i]
		}
	}
	return nil
}

var errShort = errors.New("it ends too early")

// A reader reads one message. Strict is for what a server says; otherwise as
// much is let pass as a query may be wrong in.
type reader struct {
	b      []byte
	at     int
	strict bool
	labels map[int]bool // where labels of names begin: whither pointers may point
}

// parse reads a whole message, strictly: nothing may be left over.
func parse(b []byte) (*message, error) {
	r := &reader{b: b, strict: true, labels: map[int]bool{}}
	m, counts, err := r.header()
	if err != nil {
		return nil, err
	}
	for range counts[0] {
		if m.question, err = r.question(); err != nil {
			return nil, fmt.Errorf("question: %w", err)
		}
	}
	for s := range m.sections {
		for i := range counts[s+1] {
			rec, err := r.record()
			if err != nil {
				return nil, fmt.Errorf("section %d record %d at %d: %w", s+1, i, r.at, err)
			}
			m.sections[s] = append(m.sections[s], rec)
		}
	}
	if r.at != len(b) {
		return nil, fmt.Errorf("%d octets after the end", len(b)-r.at)
	}
	return m, nil
}

func (r *reader) header() (*message, [4]int, error) {
	var counts [4]int
	if len(r.b) < headerSize {
		return nil, counts, errShort
	}
	for i := range counts {
		counts[i] = int(binary.BigEndian.Uint16(r.b[4+2*i:]))
	}
	r.at = headerSize
	return &message{id: binary.BigEndian.Uint16(r.b), flags: binary.BigEndian.Uint16(r.b[2:]), questions: counts[0]}, counts, nil
}

func (r *reader) take(n int) ([]byte, error) {
	if n > len(r.b)-r.at {
		return nil, errShort
	}
	r.at += n
	return r.b[r.at-n : r.at], nil
}

// name reads a name, following pointers if it may have any. A pointer has to
// lead to a label that was read before, and before the name itself (RFC 1035
// section 4.1.4).
func (r *reader) name(compressed bool) (string, error) {
	var out strings.Builder
	at, lowest, jumped := r.at, r.at, false
	for {
		if at >= len(r.b) {
			return "", errShort
		}
		n := int(r.b[at])
		switch {
		case n >= 0xc0:
			if at+1 >= len(r.b) {
				return "", errShort
			}
			to := (n&0x3f)<<8 | int(r.b[at+1])
			if !jumped {
				r.at, jumped = at+2, true
			}
			switch {
			case !compressed:
				return "", errors.New("a pointer where none may be")
			case to >= lowest:
				return "", fmt.Errorf("a pointer from %d to %d does not lead back", at, to)
			case r.strict && !r.labels[to]:
				return "", fmt.Errorf("a pointer from %d to %d leads to no label", at, to)
			}
			at, lowest = to, to
			continue
		case n > maxLabel:
			return "", fmt.Errorf("label type %#x", n)
		case at+1+n > len(r.b):
			return "", errShort
		}
		if n > 0 && !jumped && at < 1<<14 {
			r.labels[at] = true
		}
		out.Write(r.b[at : at+1+n])
		if out.Len() > maxName {
			return "", errors.New("a name of more than 255 octets")
		}
		at += 1 + n
		if n == 0 {
			if !jumped {
				r.at = at
			}
			return out.String(), nil
		}
	}
}

func (r *reader) question() (*question, error) {
	name, err := r.name(!r.strict)
	if err != nil {
		return nil, err
	}
	b, err := r.take(4)
	if err != nil {
		return nil, err
	}
	return &question{name, binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])}, nil
}

func (r *reader) record() (rec record, err error) {
	if rec.name, err = r.name(true); err != nil {
		return rec, err
	}
	b, err := r.take(10)
	if err != nil {
		return rec, err
	}
	rec.kind, rec.class, rec.ttl = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[4:])
	size := int(binary.BigEndian.Uint16(b[8:]))
	if size > len(r.b)-r.at {
		return rec, errShort
	}
	whole := r.b
	end := r.at + size
	r.b = whole[:end] // the data must not reach beyond their length
	rec.data, err = r.data(rec.kind, size)
	r.b = whole
	if err == nil && r.at != end {
		err = fmt.Errorf("%d of %d octets of data are not used", end-r.at, size)
	}
	if err != nil {
		err = fmt.Errorf("type %d: %w", rec.kind, err)
	}
	return rec, err
}

// data reads the data of a type, as far as names and lengths are in it. Only in
// the types of RFC 1035 may a name be compressed (RFC 3597 section 4).
func (r *reader) data(kind uint16, size int) (string, error) {
	fixed := func(n int) (string, error) {
		b, err := r.take(n)
		if err == nil && size != n {
			err = fmt.Errorf("%d octets, want %d", size, n)
		}
		return string(b), err
	}
	switch kind {
	case typeA:
		return fixed(4)
	case typeAAAA:
		return fixed(16)
	case typeNS, typeCNAME, typePTR:
		return r.name(true)
	case typeDNAME:
		return r.name(false)
	case typeMX:
		return r.namesBehind(2, 1, 0, true)
	case typeSRV:
		return r.namesBehind(6, 1, 0, false)
	case typeSOA:
		return r.namesBehind(0, 2, 20, true)
	case typeTXT:
		return r.strings()
	case typeRRSIG:
		return r.namesBehind(18, 1, 64, false) // ECDSA P-256
	case typeNSEC:
		return r.nsec()
	case typeOPT:
		return r.options()
	}
	b, err := r.take(size)
	return string(b), err
}

// namesBehind reads names between octets of fixed numbers.
func (r *reader) namesBehind(before, names, after int, compressed bool) (string, error) {
	head, err := r.take(before)
	out := string(head)
	for range names {
		var n string
		if err == nil {
			n, err = r.name(compressed)
		}
		out += n
	}
	if err != nil {
		return "", err
	}
	tail, err := r.take(after)
	return out + string(tail), err
}

// strings reads one or more strings (RFC 1035 section 3.3.14).
func (r *reader) strings() (string, error) {
	from := r.at
	for r.at < len(r.b) {
		if _, err := r.take(1 + int(r.b[r.at])); err != nil {
			return "", err
		}
	}
	if r.at == from {
		return "", errors.New("no string")
	}
	return string(r.b[from:]), nil
}

// nsec reads a name and the map of types (RFC 4034 section 4.1.2): windows that
// rise, of 1 to 32 octets, the last of which is not zero.
func (r *reader) nsec() (string, error) {
	next, err := r.name(false)
	if err != nil {
		return "", err
	}
	from, last := r.at, -1
	for r.at < len(r.b) {
		head, err := r.take(2)
		if err != nil {
			return "", err
		}
		window, n := int(head[0]), int(head[1])
		bits, err := r.take(n)
		if err != nil {
			return "", err
		}
		if window <= last || n < 1 || n > 32 || bits[n-1] == 0 {
			return "", errors.New("a map of types with a wrong window")
		}
		last = window
	}
	return next + string(r.b[from:]), nil
}

// options reads the data of OPT (RFC 6891 section 6.1.2).
func (r *reader) options() (string, error) {
	from := r.at
	for r.at < len(r.b) {
		head, err := r.take(4)
		if err != nil {
			return "", err
		}
		if _, err := r.take(int(binary.BigEndian.Uint16(head[2:]))); err != nil {
			return "", err
		}
	}
	return string(r.b[from:]), nil
}
