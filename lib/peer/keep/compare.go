package keep

import (
	"bytes"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// extra reports whether there is a record that is no part of the answer: beside the
// chain of aliases, what it ends at, the zone's word that there is nothing, the
// signatures of these, and OPT.
func (m *message) extra(i *Info) bool {
	for _, r := range m.records {
		if !m.belongs(i, r) {
			return true
		}
	}
	return false
}

// belongs reports whether a record is part of the answer.
func (m *message) belongs(i *Info, r record) bool {
	if r.typ == typeOPT {
		return r.section == additional && r.owner == ""
	}
	if r.class != i.Class {
		return false
	}
	typ := r.typ
	if typ == typeRRSIG && r.end-r.data >= 2 {
		typ = word(m.octets, r.data) // what it signs
	}
	switch r.section {
	case answer:
		return m.inChain(i, r, typ)
	case authority:
		// With a signed answer of a wildcard comes the proof that there is no
		// closer name (RFC 4035 section 3.1.3.3); other denials come with SOA.
		proof := typ == typeNSEC || typ == typeNSEC3
		return proof && (i.Negative || i.Signed) || rr.Type(typ) == rr.TypeSOA && i.Negative && r.owner == i.Zone
	}
	return false
}

// inChain reports whether a record of the answer section is in the chain from the
// question to its end.
func (m *message) inChain(i *Info, r record, typ uint16) bool {
	if r.owner == i.Final && (typ == i.Type || r.typ == i.Type || rr.Type(i.Type) == rr.TypeANY) {
		return true
	}
	for _, name := range i.Names[:len(i.Names)-1] {
		if rr.Type(typ) == rr.TypeCNAME && r.owner == name ||
			rr.Type(typ) == rr.TypeDNAME && name != r.owner && name.Under(r.owner) {
			return true
		}
	}
	return false
}

// Trim gives a response without what is no part of the answer, as it may be told to
// others: such as the name servers of the zone and their addresses. A message that has
// nothing of that is given as it is. The error is ErrForm or ErrQuestion.
func Trim(msg []byte) ([]byte, error) {
	i, err := Describe(msg)
	if err != nil || !i.Extra {
		return msg, err
	}
	m, err := open(msg)
	if err != nil {
		return nil, err
	}
	out, err := m.without(func(r record) bool { return !m.belongs(&i, r) })
	if err != nil {
		return nil, err
	}
	// Foreign octets may have names within other records, which move.
	if now, err := Describe(out); err != nil || now.Extra || now.Final != i.Final {
		return nil, ErrForm
	}
	return out, nil
}

// Bare gives a response without the OPT record that was for the one who asked.
func Bare(msg []byte) ([]byte, error) {
	m, err := open(msg)
	if err != nil {
		return nil, err
	}
	return m.without(func(r record) bool { return r.typ == typeOPT })
}

// without gives the message without some of its records.
func (m *message) without(drop func(record) bool) ([]byte, error) {
	keep := slices.IndexFunc(m.records, drop)
	if keep < 0 {
		return m.octets, nil
	}
	for _, r := range m.records[keep:] {
		if !drop(r) {
			return m.repack(drop)
		}
	}
	// All that goes is at the end, so that no compressed name leads to it.
	end := m.question()
	if keep > 0 {
		end = m.records[keep-1].end
	}
	out := bytes.Clone(m.octets[:end])
	var n [3]int
	for _, r := range m.records[:keep] {
		n[r.section]++
	}
	for s, c := range n {
		out[6+2*s], out[7+2*s] = byte(c>>8), byte(c)
	}
	return out, nil
}

// question gives the place after the question.
func (m *message) question() int { return skipName(m.octets, headerLen) + 4 }

// repack is without where records follow those that go.
func (m *message) repack(drop func(record) bool) ([]byte, error) {
	var d dns.Msg
	if err := d.Unpack(m.octets); err != nil {
		return nil, ErrForm
	}
	if len(d.Answer)+len(d.Ns)+len(d.Extra) != len(m.records) {
		return nil, ErrForm
	}
	d.Compress = true
	next := 0
	for _, section := range []*[]dns.RR{&d.Answer, &d.Ns, &d.Extra} {
		var some []dns.RR
		for _, r := range *section {
			if !drop(m.records[next]) {
				some = append(some, r)
			}
			next++
		}
		*section = some
	}
	out, err := d.Pack()
	if err != nil {
		return nil, ErrForm
	}
	return out, nil
}

// Equal reports whether two responses to the same question say the same, whatever their
// TTLs, signatures and the order of records: the same code, and the same data at the end
// of the chain of aliases. What is no DNS response equals nothing.
func Equal(a, b []byte) bool {
	if alike(a, b) {
		return true
	}
	x, y, ok := pair(a, b)
	return ok && x.info.Rcode == y.info.Rcode && slices.Equal(x.data, y.data)
}

// Same reports whether two responses agree: they are Equal, or have an address in
// common, as the answers of a name with many machines.
func Same(a, b []byte) bool {
	if Equal(a, b) {
		return true
	}
	x, y, ok := pair(a, b)
	return ok && slices.ContainsFunc(x.info.Addresses, func(at netip.Addr) bool {
		return slices.Contains(y.info.Addresses, at)
	})
}

// Disjoint reports whether both responses have data and nothing of it in common.
func Disjoint(a, b []byte) bool {
	x, y, ok := pair(a, b)
	return ok && len(x.data) > 0 && len(y.data) > 0 &&
		!slices.ContainsFunc(x.data, func(d string) bool { return slices.Contains(y.data, d) })
}

// alike reports whether two messages with a readable question are the same octets but
// for their ids and TTLs: the common case, without garbage.
func alike(a, b []byte) bool {
	if len(a) != len(b) || !isResponse(a) || !bytes.Equal(a[2:headerLen], b[2:headerLen]) {
		return false
	}
	off, from := skipName(a, headerLen), headerLen
	if off < 0 || off+4 > len(a) {
		return false
	}
	off += 4
	an, ns, ar := counts(a)
	for range an + ns + ar {
		if off = skipName(a, off); off < 0 || off+10 > len(a) || !bytes.Equal(a[from:off+4], b[from:off+4]) {
			return false
		}
		from = off + 8
		if off += 10 + int(word(a, off+8)); off > len(a) {
			return false
		}
	}
	return bytes.Equal(a[from:], b[from:])
}

// content is what a response says, to be compared.
type content struct {
	info Info
	data []string // of the records asked for, without their TTLs, sorted
}

// pair reads two responses to the same question.
func pair(a, b []byte) (x, y content, ok bool) {
	if x, ok = read(a); !ok {
		return x, y, false
	}
	y, ok = read(b)
	return x, y, ok && x.info.Name == y.info.Name && x.info.Type == y.info.Type
}

// read gives the content of one response. Names in data are written out, in lower case.
func read(msg []byte) (content, bool) {
	info, err := Describe(msg)
	if err != nil {
		return content{}, false
	}
	var d dns.Msg
	if err := d.Unpack(msg); err != nil {
		return content{}, false
	}
	c := content{info: info}
	for _, r := range d.Answer {
		h := r.Header()
		if h.Rrtype != info.Type && rr.Type(info.Type) != rr.TypeANY {
			continue
		}
		h.Ttl, h.Name = 0, "."
		c.data = append(c.data, canonical(r))
	}
	slices.Sort(c.data)
	c.data = slices.Compact(c.data)
	return c, true
}

// canonical is the text of a record; in that of the types whose data is a name, the
// case of letters does not count (RFC 4034 section 6.2).
func canonical(r dns.RR) string {
	switch rr.Type(r.Header().Rrtype) {
	case rr.TypeNS, rr.TypeCNAME, rr.TypePTR, rr.TypeDNAME, rr.TypeMX, rr.TypeSOA, rr.TypeSRV:
		return dns.CanonicalName(r.String())
	}
	return r.String()
}
