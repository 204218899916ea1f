package iterate

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// A kind is what a response is good for.
type kind uint8

const (
	broken   kind = iota // for nothing: a failure, or no sense
	lame                 // the server does not serve the zone
	referral             // others serve a zone below
	answered             // there are records, or an alias
	denied               // there are none
)

// A reply is what is believed of a response: what concerns the question, of the zone
// that its server was asked about.
type reply struct {
	kind
	rcode     int
	answer    []dns.RR
	authority []dns.RR // SOA of a denial, proofs
	extra     []dns.RR // as it came; only delegation looks at it
	alias     bool     // the answer ends with an alias
	next      rr.Name  // for this
	cut       *zone    // of a referral
}

// A zone is a delegation.
type zone struct {
	name  rr.Name
	ns    []rr.Name                // names of its servers
	glue  map[rr.Name][]netip.Addr // their addresses, as far as the zone above may know
	hints []netip.AddrPort         // instead, for the root
	ttl   time.Duration
}

// Bounds of a delegation.
const (
	maxServed = 16 // servers
	maxGlue   = 8  // addresses of each
)

// read finds what a response of a server of the zone in says to a question.
func read(m *dns.Msg, in rr.Name, q Question) *reply {
	p := &reply{rcode: m.Rcode, extra: m.Extra}
	switch m.Rcode {
	case dns.RcodeSuccess, dns.RcodeNameError, dns.RcodeYXDomain:
	default:
		return p
	}
	cut := cutOf(m, in, q)
	switch {
	case cut != nil && q.Type == dns.TypeDS && cut.name == q.Name:
		p.kind = denied // by a server that knows of no DS
	case cut != nil:
		p.kind, p.cut = referral, cut
	case !m.Authoritative:
		p.kind = lame
	case len(m.Answer) > 0:
		p.follow(m, in, q)
	default:
		p.deny(m, in, q)
	}
	return p
}

// cutOf is the delegation in a response, strictly below the zone in, if it is one.
func cutOf(m *dns.Msg, in rr.Name, q Question) *zone {
	if len(m.Answer) > 0 || m.Rcode != dns.RcodeSuccess {
		return nil
	}
	var at rr.Name
	for _, x := range m.Ns {
		owner, ok := ownerOf(x)
		if !ok {
			continue
		}
		switch x.(type) {
		case *dns.SOA:
			return nil
		case *dns.NS:
			if owner != in && owner.Under(in) && q.Name.Under(owner) {
				at = owner
			}
		}
	}
	if at == "" {
		return nil
	}
	return delegation(in, at, m.Ns, m.Extra)
}

// delegation puts together who serves the zone at a name, of records that a server of
// the zone in sent. It may give addresses of names in that zone only.
func delegation(in, at rr.Name, ns, extra []dns.RR) *zone {
	z := &zone{name: at, glue: map[rr.Name][]netip.Addr{}, ttl: maxTTL}
	served := map[rr.Name]bool{}
	for _, x := range ns {
		s, ok := x.(*dns.NS)
		owner, okay := ownerOf(x)
		if !ok || !okay || owner != at || len(z.ns) == maxServed {
			continue
		}
		name, err := rr.ParseName(s.Ns)
		if name = name.Lower(); err == nil && !served[name] {
			served[name] = true
			z.ns = append(z.ns, name)
			z.ttl = min(z.ttl, time.Duration(s.Hdr.Ttl)*time.Second)
		}
	}
	for _, x := range extra {
		owner, ok := ownerOf(x)
		if a, is := address(x); ok && is && served[owner] && len(z.glue[owner]) < maxGlue && owner.Under(in) {
			z.glue[owner] = append(z.glue[owner], a)
		}
	}
	return z
}

// follow takes the records for the question out of a response, along aliases for as long
// as they stay in the zone.
func (p *reply) follow(m *dns.Msg, in rr.Name, q Question) {
	seen := map[rr.Name]bool{}
	p.rcode = dns.RcodeSuccess
	for at := q.Name; !seen[at] && at.Under(in); at = p.next {
		seen[at] = true
		l := linkAt(m.Answer, at, in, q)
		if len(l.records) == 0 {
			break
		}
		p.kind = answered
		p.answer = append(p.answer, l.records...)
		p.alias, p.next, p.rcode = l.alias, l.next, l.rcode
		if !l.alias {
			break
		}
	}
	if p.kind == answered && q.DO {
		p.authority = proofs(m.Ns, in)
	}
}

// deny takes the denial out of a response: the SOA record, whose place says which zone
// denies, and the proofs.
func (p *reply) deny(m *dns.Msg, in rr.Name, q Question) {
	p.kind = denied
	for _, x := range m.Ns {
		owner, ok := ownerOf(x)
		if _, soa := x.(*dns.SOA); !ok || !soa {
			continue
		}
		if !owner.Under(in) || !q.Name.Under(owner) {
			p.kind = lame
			return
		}
		p.authority = append(p.authority, x)
		if q.DO {
			p.authority = append(p.authority, signatures(m.Ns, owner, dns.TypeSOA)...)
		}
		break
	}
	if q.DO {
		p.authority = append(p.authority, proofs(m.Ns, in)...)
	}
}

// A link is what there is at one name of a chain of aliases.
type link struct {
	records []dns.RR
	alias   bool
	next    rr.Name
	rcode   int
}

// linkAt finds the records at a name that answer the question, or lead on: a DNAME above
// it, with the alias that it makes (RFC 6672), or an alias.
func linkAt(from []dns.RR, at, in rr.Name, q Question) link {
	for above := at; above != in && above != ""; {
		above = above.Parent()
		if d := setAt(from, above, dns.TypeDNAME, q.DO); len(d) > 0 {
			return rewrite(d, at, above, q.Type)
		}
	}
	if l := setAt(from, at, q.Type, q.DO); len(l) > 0 {
		return link{records: l}
	}
	c := setAt(from, at, dns.TypeCNAME, q.DO)
	if len(c) == 0 {
		return link{}
	}
	target, err := rr.ParseName(c[0].(*dns.CNAME).Target)
	if err != nil {
		return link{}
	}
	return link{records: c, alias: true, next: target.Lower()}
}

// rewrite makes the alias of a name below a DNAME record. That of the server is not
// looked at: it bears no signature. Who asks for an alias has its answer in it.
func rewrite(d []dns.RR, at, above rr.Name, typ uint16) link {
	target, err := rr.ParseName(d[0].(*dns.DNAME).Target)
	if err != nil {
		return link{}
	}
	rest, _ := at.Cut(above)
	next, err := rest.Join(target.Lower())
	if err != nil {
		return link{records: d, rcode: dns.RcodeYXDomain}
	}
	head := dns.RR_Header{Name: at.FQDN(), Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: d[0].Header().Ttl}
	alias := typ != dns.TypeCNAME && typ != dns.TypeANY
	return link{records: append(d, &dns.CNAME{Hdr: head, Target: next.FQDN()}), alias: alias, next: next}
}

// setAt finds the records of a type at a name, and with signatures wanted these after
// them. Of aliases, only one can be.
func setAt(from []dns.RR, at rr.Name, typ uint16, do bool) []dns.RR {
	var set []dns.RR
	for _, x := range from {
		h := x.Header()
		if h.Class != dns.ClassINET || h.Rrtype != typ && typ != dns.TypeANY {
			continue
		}
		if owner, ok := ownerOf(x); ok && owner == at {
			set = append(set, x)
		}
		if len(set) == 1 && (typ == dns.TypeCNAME || typ == dns.TypeDNAME) {
			break
		}
	}
	if len(set) > 0 && do && typ != dns.TypeANY {
		set = append(set, signatures(from, at, typ)...)
	}
	return set
}

// signatures are those of the set of a type at a name.
func signatures(from []dns.RR, at rr.Name, typ uint16) []dns.RR {
	var set []dns.RR
	for _, x := range from {
		s, is := x.(*dns.RRSIG)
		if owner, ok := ownerOf(x); is && ok && s.TypeCovered == typ && owner == at {
			set = append(set, x)
		}
	}
	return set
}

// proofs are the records that deny, with their signatures.
func proofs(from []dns.RR, in rr.Name) []dns.RR {
	var set []dns.RR
	for _, x := range from {
		typ := x.Header().Rrtype
		if s, is := x.(*dns.RRSIG); is {
			typ = s.TypeCovered
		}
		if owner, ok := ownerOf(x); ok && (typ == dns.TypeNSEC || typ == dns.TypeNSEC3) && owner.Under(in) {
			set = append(set, x)
		}
	}
	return set
}

// addresses are those in an answer, and the shortest of their times.
func addresses(answer []dns.RR) (found []netip.Addr, ttl time.Duration) {
	ttl = maxTTL
	for _, x := range answer {
		if a, ok := address(x); ok && len(found) < maxGlue {
			found = append(found, a)
			ttl = min(ttl, time.Duration(x.Header().Ttl)*time.Second)
		}
	}
	return found, ttl
}

// ownerOf is the name of a record of class IN, in lower case.
func ownerOf(x dns.RR) (rr.Name, bool) {
	h := x.Header()
	if h.Class != dns.ClassINET {
		return "", false
	}
	n, err := rr.ParseName(h.Name)
	return n.Lower(), err == nil
}

// An answer is what all servers on a chain of aliases said.
type answer struct {
	rcode     int
	records   []dns.RR
	authority []dns.RR
}

// add puts a reply to the end. Proofs may come more than once.
func (a *answer) add(p *reply) {
	a.rcode = p.rcode
	a.records = append(a.records, p.answer...)
next:
	for _, x := range p.authority {
		for _, y := range a.authority {
			if dns.IsDuplicate(x, y) {
				continue next
			}
		}
		a.authority = append(a.authority, x)
	}
}

// pack gives the answer in wire form.
func (a *answer) pack(q Question) ([]byte, error) {
	m := dns.Msg{Answer: a.records, Ns: a.authority, Compress: true}
	m.Response, m.RecursionDesired, m.RecursionAvailable = true, true, true
	m.Rcode = a.rcode
	m.Question = []dns.Question{{Name: q.Name.FQDN(), Qtype: q.Type, Qclass: dns.ClassINET}}
	b, err := m.Pack()
	if err != nil {
		return nil, fmt.Errorf("answer for %s: %w", q.Name, err)
	}
	return b, nil
}
