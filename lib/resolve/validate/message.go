package validate

import (
	"fmt"
	"slices"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// A message is a response, its records sorted into RRsets.
type message struct {
	rcode             int
	answer, authority []*set
	loose             bool // there are signatures of nothing
}

// A set is an RRset with its signatures.
type set struct {
	owner   rr.Name // in lower case
	typ     uint16
	records []dns.RR
	sigs    []*dns.RRSIG
}

// parse reads a response to a question. What does not answer it is Bogus; what says
// nothing that could be signed is Indeterminate.
func parse(q Question, msg []byte) (*message, finding) {
	var m dns.Msg
	if err := m.Unpack(msg); err != nil {
		return nil, bogus("%w: %w", ErrMessage, err)
	}
	if !m.Response || m.Opcode != dns.OpcodeQuery || len(m.Question) != 1 {
		return nil, bogus("%w: no response to a question", ErrMessage)
	}
	asked, err := rr.ParseName(m.Question[0].Name)
	if err != nil || !asked.Equal(q.Name) || m.Question[0].Qtype != q.Type || m.Question[0].Qclass != dns.ClassINET {
		return nil, bogus("%w: it answers another question", ErrMessage)
	}
	switch {
	case m.Truncated:
		return nil, unknown("%w: truncated", ErrMessage)
	case m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError:
		return nil, unknown("%w: %s", ErrMessage, dns.RcodeToString[m.Rcode])
	case q.Type == dns.TypeRRSIG:
		return nil, unknown("%w: signatures are not signed", ErrMessage)
	}
	p := &message{rcode: m.Rcode}
	if p.answer, err = p.sets(m.Answer); err == nil {
		p.authority, err = p.sets(m.Ns)
	}
	if err != nil {
		return nil, bogus("%w", err)
	}
	return p, secure
}

// sets sorts the records of a section. Signatures of nothing are left out.
func (m *message) sets(section []dns.RR) ([]*set, error) {
	type key struct {
		owner rr.Name
		typ   uint16
	}
	var all []*set
	byKey := map[key]*set{}
	for _, record := range section {
		h := record.Header()
		owner, err := rr.ParseName(h.Name)
		if err != nil || h.Class != dns.ClassINET {
			return nil, fmt.Errorf("%w: a record of class %s at %q", ErrMessage, dns.Class(h.Class), h.Name)
		}
		// The library compares the names of a set's records by octets.
		h.Name = dns.CanonicalName(h.Name)
		sig, isSig := record.(*dns.RRSIG)
		k := key{owner.Lower(), h.Rrtype}
		if isSig {
			k.typ = sig.TypeCovered
		}
		s := byKey[k]
		if s == nil {
			s = &set{owner: k.owner, typ: k.typ}
			byKey[k], all = s, append(all, s)
		}
		if isSig {
			s.sigs = append(s.sigs, sig)
		} else {
			s.records = append(s.records, record)
		}
	}
	whole := slices.DeleteFunc(all, func(s *set) bool { return len(s.records) == 0 })
	m.loose = m.loose || len(whole) < len(all)
	return whole, nil
}

// find gives the set of a section with that owner and type, or nil.
func find(section []*set, owner rr.Name, typ uint16) *set {
	for _, s := range section {
		if s.owner == owner && s.typ == typ {
			return s
		}
	}
	return nil
}

// nameOf reads a name out of record data.
func nameOf(text string) (rr.Name, bool) {
	n, err := rr.ParseName(text)
	return n.Lower(), err == nil
}
