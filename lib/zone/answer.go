// Package zone is what the service knows of zones: how a verified update
// changes an account, and what a question is answered from the accounts.
//
// Both are pure: a view of the store goes in, a change or a message comes out.
package zone

import (
	"encoding/hex"
	"errors"

	"github.com/miekg/dns"

	"namecast/lib/dnssec"
	"namecast/lib/rr"
	"namecast/lib/store"
)

// Answer makes the response to a query that came over UDP or not. It is never
// larger than what the query allows: 512 octets over UDP without EDNS, the
// smaller of the client's buffer and MaxUDP with it, 65,535 over TCP. The view
// may be nil if storage does not answer. A message that is a response itself
// gets none: nil.
//
// The error says why the view failed; the response is SERVFAIL then.
func (s *Service) Answer(v store.View, q *dns.Msg, udp bool) (*dns.Msg, error) {
	m, _, err := s.AnswerFrom(v, q, udp)
	return m, err
}

// AnswerFrom is Answer, and names the wildcard that stood for the name in
// question, "" if none did: responses made of one wildcard are alike whatever
// name they are for.
func (s *Service) AnswerFrom(v store.View, q *dns.Msg, udp bool) (m *dns.Msg, wildcard rr.Name, err error) {
	if q.Response {
		return nil, "", nil
	}
	m = skeleton(q)
	limit := dns.MaxMsgSize
	if udp {
		limit = plainUDP
	}
	opt, ok := edns(q)
	if !ok {
		m.Rcode = dns.RcodeFormatError
		return m, "", nil
	}
	if opt != nil {
		m.Extra = []dns.RR{s.opt(opt)}
		if udp {
			limit = s.UDPLimit(int(opt.UDPSize()))
		}
		if opt.Version() != 0 {
			m.Rcode = dns.RcodeBadVers
			return m, "", nil
		}
	}
	if m.Rcode = check(q); m.Rcode != dns.RcodeSuccess {
		return m, "", nil
	}
	if t := signature(q); t != nil {
		m.Rcode = dns.RcodeNotAuth
		m.Extra = append(m.Extra, t)
		return m, "", nil
	}
	d := &draw{reader: reader{service: s, view: v}, udp: udp}
	if opt != nil {
		d.do, d.compact = opt.Do(), opt.Co()
	}
	err = d.fill(m, limit)
	return m, d.wildcard, err
}

// skeleton is the response without what it says: the query's identity, opcode,
// flags and question, whose case is kept.
func skeleton(q *dns.Msg) *dns.Msg {
	m := new(dns.Msg)
	m.Id, m.Opcode, m.Response = q.Id, q.Opcode, true
	m.RecursionDesired = q.RecursionDesired
	m.Compress = true
	if len(q.Question) == 1 {
		m.Question = q.Question[:1:1]
	}
	return m
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

// opt is the OPT record that goes with a response (RFC 6891 section 6.1.1).
// Options that are not known are ignored.
func (s *Service) opt(asked *dns.OPT) *dns.OPT {
	o := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT}}
	o.SetUDPSize(uint16(s.UDPLimit(largestUDP)))
	if asked.Do() {
		o.SetDo()
		o.SetCo(asked.Co() && s.Signer != nil) // RFC 9824 section 5.1
	}
	for _, option := range asked.Option {
		if option.Option() == dns.EDNS0NSID && s.ID != "" && len(o.Option) == 0 {
			o.Option = append(o.Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID, Nsid: hex.EncodeToString([]byte(s.ID))})
		}
	}
	return o
}

// signature answers a TSIG record, whose key nobody here knows, with BADKEY (RFC
// 8945 section 5.2.1); nil if the query has none.
func signature(q *dns.Msg) dns.RR {
	t := q.IsTsig()
	if t == nil {
		return nil
	}
	return &dns.TSIG{
		Hdr:       dns.RR_Header{Name: t.Hdr.Name, Rrtype: dns.TypeTSIG, Class: dns.ClassANY},
		Algorithm: t.Algorithm, TimeSigned: t.TimeSigned, Fudge: t.Fudge, OrigId: q.Id, Error: dns.RcodeBadKey,
	}
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

// fill answers a plain question into m.
func (d *draw) fill(m *dns.Msg, limit int) error {
	question := m.Question[0]
	if question.Qclass == dns.ClassCHAOS {
		d.service.chaos(m)
		return nil
	}
	name, err := rr.ParseName(question.Name)
	if err != nil {
		m.Rcode = dns.RcodeFormatError
		return nil
	}
	if d.view == nil {
		m.Rcode = dns.RcodeServerFailure
		return nil
	}
	d.qtype = rr.Type(question.Qtype)
	switch question.Qtype {
	case dns.TypeAXFR, dns.TypeIXFR:
		err = d.transfer(name, d.udp)
	default:
		err = d.chase(name)
	}
	if err != nil {
		return d.fail(m, err)
	}
	m.Rcode, m.Authoritative = d.rcode, d.authoritative
	fit(m, d.groups, limit)
	return nil
}

// fail is the end of an answer that cannot be made. Where only signatures are
// lacking, the store is well. Who asked over UDP may not be who it says, so it
// is told to come again over TCP, where there is a budget that forged datagrams
// do not use up.
func (d *draw) fail(m *dns.Msg, err error) error {
	d.wildcard = ""
	m.Rcode = dns.RcodeServerFailure
	if !errors.Is(err, dnssec.ErrBusy) {
		return err
	}
	if d.udp {
		m.Rcode, m.Truncated = dns.RcodeSuccess, true
	}
	return nil
}

// chaos answers the questions of RFC 4892 and of BIND's tradition about the
// node itself.
func (s *Service) chaos(m *dns.Msg) {
	text := ""
	switch name, _ := rr.ParseName(m.Question[0].Name); name.Lower().String() {
	case "id.server", "hostname.bind":
		text = s.ID
	case "version.server", "version.bind":
		text = s.Version
	}
	t := m.Question[0].Qtype
	if text == "" || t != dns.TypeTXT && t != dns.TypeANY {
		m.Rcode = dns.RcodeRefused
		return
	}
	h := dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassCHAOS}
	m.Answer = []dns.RR{&dns.TXT{Hdr: h, Txt: []string{text[:min(len(text), 255)]}}}
}
