package host

import (
	"slices"

	"github.com/miekg/dns"
)

// optLast gives a response in which the OPT record, if there is one, is the last, as
// the stub wants it. Nearly all servers put it there.
func optLast(msg []byte) []byte {
	if _, ok := lastOPT(msg); ok {
		return msg
	}
	return repack(msg, func(m *dns.Msg) {
		opt := m.IsEdns0()
		m.Extra = slices.DeleteFunc(m.Extra, func(r dns.RR) bool { return r.Header().Rrtype == dns.TypeOPT })
		if opt != nil {
			m.Extra = append(m.Extra, opt)
		}
	})
}

// withoutSignatures takes the records of DNSSEC out of a response that was asked for
// with them, for a client that does not want them; those of the type that it asked for
// stay (RFC 4035 section 3.2.1).
func withoutSignatures(msg []byte, typ uint16) []byte {
	if !signed(msg) {
		return msg
	}
	drop := func(r dns.RR) bool {
		switch t := r.Header().Rrtype; t {
		case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3:
			return t != typ && typ != dns.TypeANY
		}
		return false
	}
	return repack(msg, func(m *dns.Msg) {
		m.Answer = slices.DeleteFunc(m.Answer, drop)
		m.Ns = slices.DeleteFunc(m.Ns, drop)
		m.Extra = slices.DeleteFunc(m.Extra, drop)
	})
}

// signed tells whether a response has records of DNSSEC.
func signed(msg []byte) bool {
	n := questionEnd(msg)
	for n > 0 && n < len(msg) {
		s, next, ok := record(msg, n)
		if !ok {
			return false
		}
		switch s.typ {
		case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3:
			return true
		}
		n = next
	}
	return false
}

// repack changes a message. One that cannot be read stays as it is.
func repack(msg []byte, change func(*dns.Msg)) []byte {
	var m dns.Msg
	if m.Unpack(msg) != nil {
		return msg
	}
	change(&m)
	m.Compress = true
	b, err := m.Pack()
	if err != nil {
		return msg
	}
	return b
}
