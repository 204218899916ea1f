package claim

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// udpSize is the answer size offered: what passes everywhere in one fragment,
// since the second fragment of a longer one could be forged.
const udpSize = 1232

// A query is one question as it is sent: everything an answer must repeat.
type query struct {
	id      uint16
	name    rr.Name // in mixed case
	qtype   uint16
	recurse bool
}

// entropy is the randomness one query takes: an id, a bit a letter.
type entropy [2 + (rr.MaxName+7)/8]byte

func newQuery(name rr.Name, qtype uint16, recurse bool, e entropy) query {
	return query{id: uint16(e[0])<<8 | uint16(e[1]), name: mixCase(name, e[2:]), qtype: qtype, recurse: recurse}
}

// mixCase gives each letter the case that its bit says. Length octets are at
// most 63, below every letter.
func mixCase(n rr.Name, bits []byte) rr.Name {
	b := []byte(n.Lower())
	for i, c := range b {
		if 'a' <= c && c <= 'z' && bits[i/8]>>(i%8)&1 == 1 {
			b[i] = c - 'a' + 'A'
		}
	}
	return rr.Name(b)
}

func (q query) pack() ([]byte, error) {
	m := new(dns.Msg)
	m.Id, m.RecursionDesired, m.AuthenticatedData = q.id, q.recurse, q.recurse
	m.Question = []dns.Question{{Name: q.name.FQDN(), Qtype: q.qtype, Qclass: dns.ClassINET}}
	m.SetEdns0(udpSize, true)
	return m.Pack()
}

// How an answer fits the query.
type fit int

const (
	foreign fit = iota // an answer to something else
	recased            // the same, but for letter case: forged, or a server that does not keep case
	exact
)

func (q query) match(m *dns.Msg) fit {
	if !m.Response || m.Id != q.id || m.Opcode != dns.OpcodeQuery || len(m.Question) != 1 {
		return foreign
	}
	name, ok := nameOf(m.Question[0].Name)
	switch {
	case !ok || m.Question[0].Qtype != q.qtype || m.Question[0].Qclass != dns.ClassINET || !name.Equal(q.name):
		return foreign
	case name != q.name:
		return recased
	}
	return exact
}

// nameOf is a name of a message, where it is in presentation form.
func nameOf(s string) (rr.Name, bool) {
	n, err := rr.ParseName(s)
	return n, err == nil
}

// is reports whether s, a name of a message, is the name n.
func is(s string, n rr.Name) bool {
	m, ok := nameOf(s)
	return ok && m.Equal(n)
}

// What a server of a zone said about the proof name.
type kind int

const (
	lame     kind = iota // nothing that can be used: ask another server
	missing              // with authority: there is no such record
	found                // with authority: the record is there
	referral             // the name is in a zone below
)

// A step is what one answer means for the walk.
type step struct {
	kind   kind
	fault  string  // lame: why
	why    string  // missing: what the servers do, in words
	target rr.Name // found
	child  rr.Name // referral
	hosts  []host  // referral
}

// A host is a name server with the addresses that came along.
type host struct {
	name rr.Name
	glue []netip.Addr
}

// read decides what m, from a server of zone, means for the walk to proof.
func read(m *dns.Msg, zone, proof rr.Name) step {
	switch {
	case m.Rcode == dns.RcodeNameError && m.Authoritative && len(m.Answer) == 0:
		return step{kind: missing, why: "have no such name"}
	case m.Rcode == dns.RcodeNameError && m.Authoritative:
		return step{kind: missing, why: "have no such record"} // the end of a chain of aliases
	case m.Rcode != dns.RcodeSuccess:
		return step{fault: rcode(m)}
	case m.Authoritative:
		return readAnswer(m, proof)
	case len(m.Answer) > 0:
		return step{fault: "answers without authority"}
	}
	return readReferral(m, zone, proof)
}

// rcode is the response code in words, never empty.
func rcode(m *dns.Msg) string {
	return "answers " + cmp.Or(dns.RcodeToString[m.Rcode], "with an unknown code")
}

func readAnswer(m *dns.Msg, proof rr.Name) step {
	s := step{kind: missing, why: "have no such record"}
	for _, r := range m.Answer {
		switch r := r.(type) {
		case *dns.DNAME:
			return step{kind: missing, why: "have a DNAME above it instead"}
		case *dns.CNAME:
			if !is(r.Hdr.Name, proof) || r.Hdr.Class != dns.ClassINET {
				continue
			}
			target, ok := nameOf(r.Target)
			if !ok || s.kind == found && !target.Equal(s.target) {
				return step{fault: "has several CNAME records at one name"}
			}
			s = step{kind: found, target: target}
		}
	}
	return s
}

func readReferral(m *dns.Msg, zone, proof rr.Name) step {
	s := step{kind: referral}
	for _, r := range m.Ns {
		ns, ok := r.(*dns.NS)
		if !ok || ns.Hdr.Class != dns.ClassINET {
			continue
		}
		child, ok := nameOf(ns.Hdr.Name)
		if !ok || len(s.hosts) > 0 && !child.Equal(s.child) {
			return step{fault: "refers to several zones"}
		}
		s.child = child.Lower()
		if name, ok := nameOf(ns.Ns); ok {
			s.hosts = append(s.hosts, host{name: name, glue: glue(m.Extra, name, zone)})
		}
	}
	switch {
	case len(s.hosts) == 0:
		return step{fault: "answers without authority"}
	case s.child.Equal(proof):
		return step{kind: missing, why: "have a delegation there instead"}
	case len(s.child) <= len(zone) || !s.child.Under(zone) || !proof.Under(s.child):
		return step{fault: "refers elsewhere"}
	}
	return s
}

// glue gives the addresses of a name server that came with a referral, as far
// as the servers of zone can know them.
func glue(extra []dns.RR, name, zone rr.Name) []netip.Addr {
	if !name.Under(zone) {
		return nil
	}
	return addresses(extra, func(owner string) bool { return is(owner, name) })
}

// maxGlue bounds the addresses of each kind taken for one server name.
const maxGlue = 2

// addresses gives the addresses in a section whose owner is wanted, in the
// order of their value so that both runs have the same.
func addresses(section []dns.RR, want func(owner string) bool) []netip.Addr {
	var v4, v6 []netip.Addr
	for _, r := range section {
		switch r := r.(type) {
		case *dns.A:
			if a, ok := netip.AddrFromSlice(r.A.To4()); ok && want(r.Hdr.Name) {
				v4 = append(v4, a)
			}
		case *dns.AAAA:
			if a, ok := netip.AddrFromSlice(r.AAAA); ok && want(r.Hdr.Name) {
				v6 = append(v6, a.Unmap())
			}
		}
	}
	return append(lowest(v4), lowest(v6)...)
}

func lowest(list []netip.Addr) []netip.Addr {
	slices.SortFunc(list, netip.Addr.Compare)
	return list[:min(maxGlue, len(list))]
}
