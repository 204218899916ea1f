package serve

import (
	"encoding/binary"

	"github.com/miekg/dns"

	"namecast/lib/wire"
	"namecast/lib/zone"
)

// The codes of RFC 8914 and its registry that this server has a use for.
const (
	edeNotReady         = 14 // the store does not answer
	edeNotAuthoritative = 20 // the name is in no zone held here
	edeNotSupported     = 21 // the opcode, the class, the transfer
	edeInvalidType      = 30 // RFC 9824 section 3.5: a type that nobody may ask for
)

// explain puts an Extended DNS Error (RFC 8914) into a response with EDNS whose
// code alone leaves open what is wrong.
func (d *DNS) explain(r *zone.Response, m message) {
	if !r.EDNS {
		return
	}
	if code := cause(r, m.qtype, m.qclass); code != 0 {
		d.counters.options.errors.Add(1)
		r.Options = wire.AppendOption(r.Options, dns.EDNS0EDE, binary.BigEndian.AppendUint16(nil, code))
	}
}

// cause gives the code that explains a response, 0 if none does.
func cause(r *zone.Response, qtype, qclass uint16) uint16 {
	transfer := qtype == dns.TypeAXFR || qtype == dns.TypeIXFR
	switch {
	case r.Rcode == dns.RcodeServerFailure && r.Err != nil:
		return edeNotReady
	case r.Rcode == dns.RcodeRefused && qclass == dns.ClassINET && !transfer:
		return edeNotAuthoritative
	case r.Rcode == dns.RcodeNotAuth && transfer && r.Tail == nil:
		return edeNotAuthoritative
	case r.Rcode == dns.RcodeRefused, r.Rcode == dns.RcodeNotImplemented:
		return edeNotSupported
	case r.Rcode == dns.RcodeFormatError && nobodyAsks(qtype):
		return edeInvalidType
	}
	return 0
}

// nobodyAsks reports whether a type has its place elsewhere than in a question.
func nobodyAsks(t uint16) bool {
	const nxname = 128
	return t == dns.TypeOPT || t == dns.TypeTKEY || t == dns.TypeTSIG || t == nxname
}
