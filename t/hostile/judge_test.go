package hostile

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// maxUDP is the largest response over UDP that the server gives.
const maxUDP = 1232

// Response codes.
const (
	success, formatError, serverFailure, nameError, badVersion = 0, 1, 2, 3, 16
)

// mustAnswer reports whether a message has to be answered: it has a header and
// is no response.
func mustAnswer(query []byte) bool { return len(query) >= headerSize && query[2]&0x80 == 0 }

// judge checks that a message is a proper answer to what was sent.
func judge(query, reply []byte, udp bool) error {
	if !mustAnswer(query) {
		return errors.New("an answer to what gets none")
	}
	m, err := parse(reply)
	if err != nil {
		return err
	}
	if err := m.echoes(query); err != nil {
		return err
	}
	limit := 1<<16 - 1
	if udp {
		limit = m.limit(query)
	}
	if len(reply) > limit {
		return fmt.Errorf("%d octets, allowed are %d", len(reply), limit)
	}
	if m.rcode() == serverFailure {
		return errors.New("SERVFAIL, though nothing has failed")
	}
	return m.sound()
}

// echoes checks what an answer repeats of the query: all that could be read.
func (m *message) echoes(query []byte) error {
	flags := binary.BigEndian.Uint16(query[2:])
	const opcodeRD = 0x7900
	switch {
	case m.id != binary.BigEndian.Uint16(query):
		return errors.New("another ID")
	case !m.is(0):
		return errors.New("QR is not set")
	case (m.flags^flags)&opcodeRD != 0:
		return errors.New("another opcode or RD")
	case m.is(8):
		return errors.New("RA is set")
	case m.is(9):
		return errors.New("Z is set")
	case m.questions > 1:
		return fmt.Errorf("%d questions", m.questions)
	}
	r := &reader{b: query, at: headerSize, labels: map[int]bool{}}
	asked, err := r.question()
	if m.question == nil {
		// The version of EDNS may be looked at before the count of questions.
		if m.rcode() != formatError && m.rcode() != badVersion && m.opcode() == 0 {
			return fmt.Errorf("no question, and code %d", m.rcode())
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("a question where the query has none: %w", err)
	}
	if *asked != *m.question {
		return fmt.Errorf("asked %+v, answered %+v", *asked, *m.question)
	}
	return nil
}

// limit is how large an answer over UDP may be: 512 octets, or what the query's
// OPT says (RFC 6891 section 6.2.3).
func (m *message) limit(query []byte) int {
	const plain = 512
	if m.opt() == nil {
		return plain
	}
	largest := 0
	for at := headerSize; at+11 <= len(query); at++ { // any OPT there may be
		if query[at] == 0 && binary.BigEndian.Uint16(query[at+1:]) == typeOPT {
			largest = max(largest, int(binary.BigEndian.Uint16(query[at+3:])))
		}
	}
	return min(max(largest, plain), maxUDP)
}

// sound checks what holds in every answer.
func (m *message) sound() error {
	opts := 0
	for s, section := range m.sections {
		seen := map[record]bool{}
		for i, r := range section {
			switch {
			case r.kind == typeOPT:
				if opts++; opts > 1 || s != 2 || r.name != "\x00" {
					return errors.New("OPT in a wrong place, or twice")
				}
				continue
			case r.kind == tsig_:
				if s != 2 || i != len(section)-1 {
					return errors.New("TSIG is not the last")
				}
				continue
			case r.ttl >= 1<<31:
				return fmt.Errorf("a TTL of %d", r.ttl)
			case seen[r]:
				return fmt.Errorf("a record twice: %+v", r)
			}
			seen[r] = true
		}
	}
	return m.saysSomething()
}

// saysSomething checks that an answer with authority has data, or the SOA that
// says there are none (RFC 2308 section 5), and that errors have no data.
func (m *message) saysSomething() error {
	data := len(m.sections[0]) + len(m.sections[1])
	switch code := m.rcode(); {
	case code != success && code != nameError && code != 6 && data > 0:
		return fmt.Errorf("code %d with %d records", code, data)
	case m.is(6) || !m.is(5) || code == 6: // TC, no AA, or a DNAME too long
		return nil
	case len(m.sections[0]) > 0 && code == success:
		return nil
	}
	for _, r := range m.sections[1] {
		if r.kind == typeSOA || r.kind == typeNS { // an alias may lead to a delegation
			return nil
		}
	}
	return errors.New("neither data nor SOA")
}
