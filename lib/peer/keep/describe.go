package keep

import (
	"encoding/binary"
	"net/netip"
	"time"

	"namecast/lib/rr"
)

// Bounds of how long an answer may be taken as fresh.
const (
	MaxTTL      = 7 * 24 * time.Hour // RFC 8767 section 4
	MaxNegative = 15 * time.Minute   // of an answer that there is nothing (RFC 2308 section 5)
)

// maxChain bounds the aliases of an answer; resolvers follow 8 to 16.
const maxChain = 16

// A Brief is what an Entry needs to know of its message.
type Brief struct {
	MinTTL   uint32 // how long it is fresh, in seconds: the least TTL, by RFC 2308 if Negative
	Rcode    uint16 // with the upper bits of EDNS (RFC 6891 section 6.1.3)
	Negative bool   // the name, or data of that type, does not exist
	Signed   bool   // there are signatures
}

// Info is what a response says, as far as it matters to who keeps it.
type Info struct {
	Brief
	Name        rr.Name // of the question, in lower case
	Type        uint16
	Class       uint16
	DO          bool         // its OPT says that signatures were wanted
	TC          bool         // it is cut off
	Names       []rr.Name    // the chain of aliases, from Name on; at least that
	Final       rr.Name      // where it ends
	SOA         bool         // a zone says that there is nothing, and for how long; only if Negative
	Zone        rr.Name      // with SOA
	SignedUntil uint32       // when the first signature ends, in seconds as RFC 4034 section 3.1.5 counts
	Addresses   []netip.Addr // of Final, and those that HTTPS and SVCB records hint at
	Private     bool         // one of them is for no public name; see Private
	Extra       bool         // there is more in it than the answer; see Trim
}

// Keepable reports whether the answer is one to keep: that there is data, or that a zone
// says there is none. The error of a server is not an answer.
func (i Info) Keepable() bool {
	return !i.TC && i.Class == 1 && (i.Rcode == 0 || i.Rcode == 3) && (!i.Negative || i.SOA)
}

// Describe reads a response. The error is ErrForm or ErrQuestion.
func Describe(msg []byte) (Info, error) {
	m, err := open(msg)
	if err != nil {
		return Info{}, err
	}
	i := Info{Name: m.name, Type: m.typ, Class: m.class, TC: msg[2]&2 != 0}
	i.Rcode = uint16(msg[3] & 15)
	for _, r := range m.records {
		if r.section == additional && r.typ == typeOPT {
			i.Rcode |= uint16(r.ttl>>24) << 4
			i.DO = r.ttl&0x8000 != 0
		}
	}
	if i.Names, err = m.follow(); err != nil {
		return Info{}, err
	}
	i.Final = i.Names[len(i.Names)-1]
	i.Negative = i.Rcode == 3 || i.Rcode == 0 && !m.has(i.Final, i.Type)
	if err := m.measure(&i); err != nil {
		return Info{}, err
	}
	if err := m.addresses(&i); err != nil {
		return Info{}, err
	}
	i.Extra = m.extra(&i)
	return i, nil
}

// follow gives the chain of aliases that begins at the question.
func (m *message) follow() ([]rr.Name, error) {
	chain := []rr.Name{m.name}
	if rr.Type(m.typ) == rr.TypeCNAME || rr.Type(m.typ) == rr.TypeANY {
		return chain, nil
	}
	for len(chain) <= maxChain {
		next, ok, err := m.alias(chain[len(chain)-1])
		if err != nil || !ok {
			return chain, err
		}
		chain = append(chain, next)
	}
	return nil, ErrForm // too long, or a loop
}

// alias gives what the name at is an alias of.
func (m *message) alias(at rr.Name) (rr.Name, bool, error) {
	for _, r := range m.records {
		if r.section == answer && r.class == m.class && rr.Type(r.typ) == rr.TypeCNAME && r.owner == at {
			next, err := m.target(r, 0)
			return next, true, err
		}
	}
	return "", false, nil
}

// has reports whether there is an answer of the type for the name.
func (m *message) has(name rr.Name, typ uint16) bool {
	for _, r := range m.records {
		if r.section == answer && r.class == m.class && r.owner == name && (r.typ == typ || rr.Type(typ) == rr.TypeANY) {
			return true
		}
	}
	return false
}

// measure finds out how long the answer is fresh and its signatures are good.
func (m *message) measure(i *Info) error {
	least := uint32(MaxTTL / time.Second)
	some := false
	for _, r := range m.records {
		if r.section == additional {
			continue
		}
		some = true
		least = min(least, r.ttl)
		if r.typ == typeRRSIG {
			i.sign(m.bytes(r))
		}
		if i.Negative && m.denies(r, i.Final) {
			if r.end-r.data < 22 {
				return ErrForm
			}
			i.SOA, i.Zone = true, r.owner
			least = min(least, binary.BigEndian.Uint32(m.octets[r.end-4:]))
		}
	}
	if i.Negative {
		least = min(least, uint32(MaxNegative/time.Second))
	}
	if some && (!i.Negative || i.SOA) {
		i.MinTTL = least
	}
	return nil
}

// denies reports whether a record is the SOA of a zone that says there is nothing at a
// name of its.
func (m *message) denies(r record, name rr.Name) bool {
	return r.section == authority && r.class == m.class && rr.Type(r.typ) == rr.TypeSOA && name.Under(r.owner)
}

// sign takes note of the data of an RRSIG record.
func (i *Info) sign(data []byte) {
	if len(data) < 18 {
		return
	}
	end := binary.BigEndian.Uint32(data[8:])
	// Times are serial numbers (RFC 4034 section 3.1.5).
	if !i.Signed || int32(end-i.SignedUntil) < 0 {
		i.SignedUntil = end
	}
	i.Signed = true
}
