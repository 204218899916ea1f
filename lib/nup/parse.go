package nup

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A ParseError says why octets that begin as a packet are not a request, with
// what was read of it until then, so that it can be answered.
type ParseError struct {
	Status  Status
	Version int    // the version of the reply form
	Key     []byte // empty if the packet ends before it does
	Seq     int64
	detail  string
}

func (e *ParseError) Error() string {
	if e.detail == "" {
		return "read packet: " + e.Status.String()
	}
	return "read packet: " + e.Status.String() + ": " + e.detail
}

// Unwrap makes errors.Is find ErrVersion.
func (e *ParseError) Unwrap() error {
	if e.Status == StatusUnsupported {
		return ErrVersion
	}
	return ErrMalformed
}

// Reply is the answer that the octets get.
func (e *ParseError) Reply() *Reply {
	return &Reply{Version: e.Version, Key: e.Key, Seq: e.Seq, Status: e.Status, Text: e.detail}
}

// Parse reads the request that b begins with and says how many octets it
// takes; use ParseDatagram where nothing may follow it.
//
// The error is ErrNotNUP, which gets no reply, or a *ParseError. What is wrong
// with one element alone becomes the element's Code, for which see Check, and is
// no error. Parse does no public-key arithmetic: the key and the signature are
// octets to it. The request keeps b, which must not change any more.
func Parse(b []byte) (*Request, int, error) {
	c := cursor{b: b}
	if len(b) < len(Magic) || string(c.take(len(Magic))) != Magic {
		return nil, 0, ErrNotNUP
	}
	r := &Request{Version: int(int16(c.u16()))}
	switch {
	case !c.ok():
		return nil, 0, r.parseError(&c, "")
	case r.Version == 0:
		return parseV0(&c, r)
	case r.Version == 1:
		return parseV1(&c, r)
	}
	return nil, 0, unsupported(&c, r.Version)
}

// ParseDatagram is Parse for octets that are one request and nothing else.
func ParseDatagram(b []byte) (*Request, error) {
	r, n, err := Parse(b)
	if err != nil || n == len(b) {
		return r, err
	}
	c := cursor{b: b, status: StatusMalformed}
	r.recount(&c, len(r.Elements))
	return nil, r.parseError(&c, fmt.Sprintf("%d octets after the signature", len(b)-n))
}

// parseError makes the error that the cursor's status is.
func (r *Request) parseError(c *cursor, detail string) error {
	return &ParseError{Status: c.status, Version: r.Version, Key: r.Key, Seq: r.Seq, detail: detail}
}

// unsupported is the answer to a version that is not spoken here: in the form
// of version 0, with the key, which stands at the same place in every version.
func unsupported(c *cursor, version int) error {
	e := &ParseError{Status: StatusUnsupported, Key: c.take(c.size16())}
	e.detail = fmt.Sprintf("version %d", version)
	if len(e.Key) > maxKeyV0 {
		e.Key = nil
	}
	return e
}

// Length finds where the request that b begins with ends, without looking into
// its elements. ErrCutOff says that b is too short to tell.
func Length(b []byte) (int, error) {
	if len(b) < len(Magic)+2 {
		if Magic[:min(len(b), len(Magic))] != string(b[:min(len(b), len(Magic))]) {
			return 0, ErrNotNUP
		}
		return 0, ErrCutOff
	}
	_, n, err := Parse(b)
	var bad *ParseError
	if errors.As(err, &bad) && bad.Status == StatusTooShort {
		return 0, ErrCutOff
	}
	return n, err
}

// recount turns the failure of a request into StatusElementCount if the packet
// is whole but for its count: the elements that stand in it, up to a signature
// that ends where the packet ends, are not count.
func (r *Request) recount(c *cursor, count int) {
	w := cursor{b: c.b, at: r.elementsAt()}
	for n := 0; w.ok(); n++ {
		if n != count && r.endsAt(c.b, w.at) {
			c.status = StatusElementCount
			return
		}
		r.skipElement(&w)
	}
}

// elementsAt is the offset of the first element.
func (r *Request) elementsAt() int {
	n := len(Magic) + 2 + 2 + len(r.Key) + 8 + 2
	if r.Version == 1 {
		n += 1 + len(r.Service)
	}
	return n
}

// endsAt reports whether what follows the elements, from at on, takes exactly
// the rest of the packet.
func (r *Request) endsAt(b []byte, at int) bool {
	if r.Version == 1 {
		if len(b)-at < 2 {
			return false
		}
		at += 2 + int(binary.BigEndian.Uint16(b[at:]))
	}
	if len(b)-at < 3 {
		return false
	}
	n := int(int16(binary.BigEndian.Uint16(b[at:])))
	return n > 0 && at+2+n == len(b) && (r.Version == 0 || n == sigSizeV1)
}

// skipElement moves the cursor past one element.
func (r *Request) skipElement(c *cursor) {
	if r.Version == 0 {
		readElementV0(c)
	} else {
		readElementV1(c)
	}
}
