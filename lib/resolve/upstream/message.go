package upstream

import (
	"encoding/binary"
	"errors"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

const (
	headerSize = 12    // octets of a message's header (RFC 1035 section 4.1.1)
	maxMessage = 65535 // octets of a message over TCP
)

// ErrQuery says that what was to be asked is no query with one question.
var ErrQuery = errors.New("not a query with one question")

// What is wrong with replies.
var (
	errOther = errors.New("it answers something else")
	errShape = errors.New("malformed message")
)

// A query is a message that asks one question.
type query struct {
	msg      []byte
	question []byte // a part of msg
}

func parseQuery(msg []byte) (query, error) {
	if len(msg) > maxMessage || len(msg) < headerSize || msg[2]&0x80 != 0 || binary.BigEndian.Uint16(msg[4:]) != 1 {
		return query{}, ErrQuery
	}
	end, err := questionEnd(msg)
	if err != nil {
		return query{}, ErrQuery
	}
	return query{msg, msg[headerSize:end]}, nil
}

// questionEnd is where the question section of a message ends that has one
// question, with a name that is not compressed.
func questionEnd(msg []byte) (int, error) {
	at := headerSize
	for at < len(msg) && msg[at] != 0 {
		if msg[at] > rr.MaxLabel {
			return 0, errShape
		}
		at += 1 + int(msg[at])
	}
	if at += 5; at > len(msg) || at-headerSize-5 > rr.MaxName {
		return 0, errShape
	}
	return at, nil
}

// withID is the query under another id.
func (q query) withID(id uint16) []byte {
	return setID(append([]byte(nil), q.msg...), id)
}

func (q query) id() uint16 { return binary.BigEndian.Uint16(q.msg) }

func setID(msg []byte, id uint16) []byte {
	binary.BigEndian.PutUint16(msg, id)
	return msg
}

// accept checks that a message is a response to the query with that id, and gives
// it under the query's own. The case of the question's letters may differ. Servers
// that cannot read a query may answer with no more than a header; the question is
// put behind it.
func (q query) accept(msg []byte, id uint16) ([]byte, error) {
	if len(msg) < headerSize {
		return nil, errShape
	}
	const opcode = 0x78
	if msg[2]&0x80 == 0 || msg[2]&opcode != q.msg[2]&opcode || binary.BigEndian.Uint16(msg) != id {
		return nil, errOther
	}
	if len(msg) == headerSize && msg[3]&0xf != 0 && binary.BigEndian.Uint64(msg[4:]) == 0 {
		msg = append(msg, q.question...)
		msg[5] = 1
		return setID(msg, q.id()), nil
	}
	if binary.BigEndian.Uint16(msg[4:]) != 1 {
		return nil, errOther
	}
	end, err := questionEnd(msg)
	if err != nil {
		return nil, err
	}
	if !sameQuestion(msg[headerSize:end], q.question) {
		return nil, errOther
	}
	return setID(msg, q.id()), nil
}

// sameQuestion compares without regard to the case of letters in the name.
func sameQuestion(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	tail := len(a) - 4
	for i := range a {
		x, y := a[i], b[i]
		if i < tail {
			x, y = lower(x), lower(y)
		}
		if x != y {
			return false
		}
	}
	return true
}

// lower leaves the lengths of labels alone, which are no letters.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func truncated(msg []byte) bool { return msg[2]&0x02 != 0 }

// A record is one of a message, where it stands.
type record struct {
	answer bool // it is in the answer section
	typ    uint16
	ttl    []byte // its four octets
	data   []byte
}

// eachRecord goes through the records of a message; the question section has been
// checked.
func eachRecord(msg []byte, visit func(record)) error {
	at, err := questionEnd(msg)
	if err != nil {
		return err
	}
	answers := int(binary.BigEndian.Uint16(msg[6:]))
	count := answers + int(binary.BigEndian.Uint16(msg[8:])) + int(binary.BigEndian.Uint16(msg[10:]))
	for i := range count {
		if at, err = skipName(msg, at); err != nil {
			return err
		}
		if len(msg)-at < 10 {
			return errShape
		}
		h, end := msg[at:at+10], at+10+int(binary.BigEndian.Uint16(msg[at+8:]))
		if end > len(msg) {
			return errShape
		}
		visit(record{i < answers, binary.BigEndian.Uint16(h), h[4:8], msg[at+10 : end]})
		at = end
	}
	return nil
}

// skipName gives where the name at a place ends, be it compressed or not.
func skipName(msg []byte, at int) (int, error) {
	for at < len(msg) {
		switch n := int(msg[at]); {
		case n == 0:
			return at + 1, nil
		case n >= 0xc0:
			return at + 2, nil
		case n > rr.MaxLabel:
			return 0, errShape
		default:
			at += 1 + n
		}
	}
	return 0, errShape
}

// grow makes the records of a message older by some seconds: it shortens their
// TTLs, but not those of OPT records, which are none.
func grow(msg []byte, seconds uint32) error {
	return eachRecord(msg, func(r record) {
		if r.typ == dns.TypeOPT {
			return
		}
		ttl := binary.BigEndian.Uint32(r.ttl)
		binary.BigEndian.PutUint32(r.ttl, ttl-min(ttl, seconds))
	})
}
