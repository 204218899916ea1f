package zone

import (
	"encoding/binary"
	"fmt"

	"github.com/miekg/dns"

	"namecast/lib/store"
	"namecast/lib/wire"
)

// answer is the response to a query, read back from its octets; the error is the
// view's.
func answer(s *Service, v store.View, q *dns.Msg, udp bool) (*dns.Msg, error) {
	r := s.Respond(v, q, udp)
	if r == nil {
		return nil, nil
	}
	packed, err := (&dns.Msg{Question: q.Question}).Pack()
	if err != nil {
		return nil, err
	}
	var question []byte
	if len(q.Question) == 1 {
		question = packed[wire.HeaderSize:]
	}
	var w wire.Writer
	r.Write(&w, nil, question, uint16(s.UDPLimit(largestUDP)))
	b := w.Bytes()
	binary.BigEndian.PutUint16(b, q.Id)
	b[2] |= byte(q.Opcode) << 3
	if q.RecursionDesired {
		b[2] |= wire.FlagRD
	}
	if len(b) > r.Limit {
		return nil, fmt.Errorf("%d octets, %d are allowed", len(b), r.Limit)
	}
	m := new(dns.Msg)
	if err := m.Unpack(b); err != nil {
		return nil, fmt.Errorf("unpack %x: %w", b, err)
	}
	m.Compress = true
	return m, r.Err
}
