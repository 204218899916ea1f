package zone

import (
	"github.com/miekg/dns"

	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/wire"
)

// Respond makes the response to any query, plain or not, that came over UDP or
// not. Its limit is what the query allows: 512 octets over UDP without EDNS, the
// smaller of the client's buffer and MaxUDP with it, 65,535 over TCP. The view
// may be nil if storage does not answer. A message that is a response itself
// gets none: nil.
func (s *Service) Respond(v store.View, q *dns.Msg, udp bool) *Response {
	if q.Response {
		return nil
	}
	r := &Response{Rcode: dns.RcodeFormatError, Limit: dns.MaxMsgSize}
	if udp {
		r.Limit = plainUDP
	}
	opt, ok := edns(q)
	if !ok {
		return r
	}
	if opt != nil {
		s.opt(r, opt)
		if udp {
			r.Limit = s.UDPLimit(int(opt.UDPSize()))
		}
		if opt.Version() != 0 {
			r.Rcode = dns.RcodeBadVers
			return r
		}
	}
	if r.Rcode = check(q); r.Rcode != dns.RcodeSuccess {
		return r
	}
	if t := q.IsTsig(); t != nil {
		r.Rcode, r.Tail = dns.RcodeNotAuth, unknownKey(q, t)
		return r
	}
	s.plain(r, v, q, opt, udp)
	return r
}

// plain answers the question of a query that has nothing wrong.
func (s *Service) plain(r *Response, v store.View, m *dns.Msg, opt *dns.OPT, udp bool) {
	question := m.Question[0]
	name, err := rr.ParseName(question.Name)
	if err != nil {
		r.Rcode = dns.RcodeFormatError
		return
	}
	q := Query{Name: name.Lower(), Type: rr.Type(question.Qtype), UDP: udp}
	if question.Qclass == dns.ClassCHAOS {
		s.chaos(r, q)
		return
	}
	if opt != nil {
		q.DO, q.CO = opt.Do(), opt.Co()
	}
	s.answer(r, v, q)
}

// edns finds the OPT record of a query, nil if there is none. It is not ok to
// have two, or one that is misplaced or not the root's (RFC 6891 section 6.1.1).
func edns(q *dns.Msg) (opt *dns.OPT, ok bool) {
	for _, section := range [][]dns.RR{q.Answer, q.Ns} {
		for _, r := range section {
			if r.Header().Rrtype == dns.TypeOPT {
				return nil, false
			}
		}
	}
	for _, r := range q.Extra {
		o, is := r.(*dns.OPT)
		if !is {
			continue
		}
		if opt != nil || o.Hdr.Name != "." {
			return nil, false
		}
		opt = o
	}
	return opt, true
}

// opt says what the OPT record of a response says of the one of the query (RFC
// 6891 section 6.1.1). Options that are not known are ignored.
func (s *Service) opt(r *Response, asked *dns.OPT) {
	r.EDNS, r.Flags = true, s.Flags(asked.Do(), asked.Co())
	for _, option := range asked.Option {
		if option.Option() == dns.EDNS0NSID && s.ID != "" && len(r.Options) == 0 {
			r.Options = wire.AppendOption(r.Options, dns.EDNS0NSID, []byte(s.ID))
		}
	}
}

// Flags are those of OPT in a response: the client's, as far as they are known
// (RFC 3225 section 3, RFC 9824 section 5.1).
func (s *Service) Flags(do, co bool) uint16 {
	switch {
	case do && co && s.Signer != nil:
		return wire.FlagDO | wire.FlagCO
	case do:
		return wire.FlagDO
	}
	return 0
}

// unknownKey answers a TSIG record, whose key nobody here knows, with BADKEY
// (RFC 8945 section 5.2.1).
func unknownKey(q *dns.Msg, t *dns.TSIG) []byte {
	reply := &dns.TSIG{
		Hdr:       dns.RR_Header{Name: t.Hdr.Name, Rrtype: dns.TypeTSIG, Class: dns.ClassANY},
		Algorithm: t.Algorithm, TimeSigned: t.TimeSigned, Fudge: t.Fudge, OrigId: q.Id, Error: dns.RcodeBadKey,
	}
	b := make([]byte, dns.Len(reply)+64)
	n, err := dns.PackRR(reply, b, 0, nil, false)
	if err != nil {
		return nil
	}
	return b[:n]
}

// check gives the response code of a query that is not a plain question.
func check(q *dns.Msg) int {
	switch {
	case q.Opcode != dns.OpcodeQuery:
		// The service is nobody's secondary (RFC 1996 section 3.12) and takes
		// updates by a protocol of its own (RFC 2136 section 2.2).
		return dns.RcodeNotImplemented
	case len(q.Question) != 1: // RFC 9619
		return dns.RcodeFormatError
	case len(q.Answer) > 0, len(q.Ns) > 0 && q.Question[0].Qtype != dns.TypeIXFR:
		return dns.RcodeFormatError
	case misplacedTSIG(q): // RFC 8945 section 5.1
		return dns.RcodeFormatError
	case q.Question[0].Qclass == dns.ClassCHAOS:
		return dns.RcodeSuccess
	case q.Question[0].Qclass != dns.ClassINET:
		return dns.RcodeRefused
	}
	return checkType(q.Question[0].Qtype)
}

// misplacedTSIG reports a TSIG record that is not the last of all.
func misplacedTSIG(q *dns.Msg) bool {
	for i, r := range q.Extra {
		if r.Header().Rrtype == dns.TypeTSIG && i+1 < len(q.Extra) {
			return true
		}
	}
	return false
}

// checkType gives the response code of a question for a type that only ever
// has a place elsewhere in a message (RFC 6895 section 3.1).
func checkType(t uint16) int {
	switch t {
	case dns.TypeOPT, dns.TypeTKEY, dns.TypeTSIG, typeNXNAME:
		return dns.RcodeFormatError
	}
	return dns.RcodeSuccess
}

const typeNXNAME = 128 // RFC 9824 section 3.5: a question for it is an error

// chaos answers the questions of RFC 4892 and of BIND's tradition about the
// node itself.
func (s *Service) chaos(r *Response, q Query) {
	text := ""
	switch q.Name.String() {
	case "id.server", "hostname.bind":
		text = s.ID
	case "version.server", "version.bind":
		text = s.Version
	}
	if text == "" || q.Type != rr.TypeTXT && q.Type != rr.TypeANY {
		r.Rcode = dns.RcodeRefused
		return
	}
	r.Groups = []Group{{Needed: true, Class: dns.ClassCHAOS, Set: rr.Set{
		Owner: q.Name, Type: rr.TypeTXT, Data: []rr.Data{rr.TXTData(text[:min(len(text), 255)])},
	}}}
}
