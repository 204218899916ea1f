package serve

import "github.com/miekg/dns"

// The codes of RFC 8914 and its registry that this server has a use for.
const (
	edeNotReady         = 14 // the store does not answer
	edeNotAuthoritative = 20 // the name is in no zone held here
	edeNotSupported     = 21 // the opcode, the class, the transfer
	edeInvalidType      = 30 // RFC 9824 section 3.5: a type that nobody may ask for
)

// explain puts an Extended DNS Error (RFC 8914) into a response with EDNS whose
// code alone leaves open what is wrong, unless there is one already. failed is
// why the store did not answer.
func explain(m *dns.Msg, failed error) {
	opt := m.IsEdns0()
	if opt == nil || hasOption(opt, dns.EDNS0EDE) {
		return
	}
	if code := cause(m, failed); code != 0 {
		opt.Option = append(opt.Option, &dns.EDNS0_EDE{InfoCode: code})
	}
}

// cause gives the code that explains a response, 0 if none does.
func cause(m *dns.Msg, failed error) uint16 {
	var asked dns.Question
	if len(m.Question) == 1 {
		asked = m.Question[0]
	}
	transfer := asked.Qtype == dns.TypeAXFR || asked.Qtype == dns.TypeIXFR
	switch {
	case m.Rcode == dns.RcodeServerFailure && failed != nil:
		return edeNotReady
	case m.Rcode == dns.RcodeRefused && asked.Qclass == dns.ClassINET && !transfer:
		return edeNotAuthoritative
	case m.Rcode == dns.RcodeNotAuth && transfer && m.IsTsig() == nil:
		return edeNotAuthoritative
	case m.Rcode == dns.RcodeRefused, m.Rcode == dns.RcodeNotImplemented:
		return edeNotSupported
	case m.Rcode == dns.RcodeFormatError && nobodyAsks(asked.Qtype):
		return edeInvalidType
	}
	return 0
}

// nobodyAsks reports whether a type has its place elsewhere than in a question.
func nobodyAsks(t uint16) bool {
	const nxname = 128
	return t == dns.TypeOPT || t == dns.TypeTKEY || t == dns.TypeTSIG || t == nxname
}
