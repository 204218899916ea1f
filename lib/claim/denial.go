package claim

import (
	"slices"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// Limits on what a hostile zone can make us hash (CVE-2023-50868).
const (
	maxNSEC3      = 4   // records looked at
	maxIterations = 100 // of one hash; RFC 9276 wants none
)

// unsigned reports whether the authority section ns of an answer about the DS
// set of cut proves, with signatures of the chain's zone, that cut is a
// delegation without one (RFC 4035 section 5.2, RFC 5155 section 8.9).
func (c chain) unsigned(ns []dns.RR, cut rr.Name, now time.Time) bool {
	set, sigs := rrset(ns, cut, dns.TypeNSEC)
	if len(set) == 1 && c.verify(set, sigs, now) == nil {
		return delegation(set[0].(*dns.NSEC).TypeBitMap)
	}
	list := c.hashed(ns, now)
	if i := find(list, cut); i >= 0 {
		return delegation(list[i].TypeBitMap)
	}
	// Opt-out: the closest encloser exists, and the record that covers the
	// next name says that unsigned delegations may be in between.
	next := cut
	for n := cut.Parent(); n.Under(c.zone); n = n.Parent() {
		if i := find(list, n); i >= 0 {
			return encloser(list[i].TypeBitMap) && slices.ContainsFunc(list, func(r *dns.NSEC3) bool {
				return r.Flags&1 == 1 && r.Cover(next.FQDN())
			})
		}
		if n == "" {
			break
		}
		next = n
	}
	return false
}

// delegation reports whether the types at a name are those of an unsigned
// delegation, seen from the zone above it.
func delegation(types []uint16) bool {
	return slices.Contains(types, dns.TypeNS) && !slices.Contains(types, dns.TypeSOA) && !slices.Contains(types, dns.TypeDS)
}

// encloser reports whether names can be below a name with these types in the
// same zone.
func encloser(types []uint16) bool {
	cut := slices.Contains(types, dns.TypeNS) && !slices.Contains(types, dns.TypeSOA)
	return !cut && !slices.Contains(types, dns.TypeDNAME)
}

// hashed gives the NSEC3 records of a section that the zone has signed and
// that it is no great work to compare names with.
func (c chain) hashed(ns []dns.RR, now time.Time) []*dns.NSEC3 {
	var out []*dns.NSEC3
	looked := 0
	for _, r := range ns {
		n3, ok := r.(*dns.NSEC3)
		if !ok {
			continue
		}
		owner, ok := nameOf(n3.Hdr.Name)
		if looked++; looked > maxNSEC3 || !ok || !owner.Parent().Equal(c.zone) || n3.Hash != dns.SHA1 || n3.Iterations > maxIterations {
			continue
		}
		set, sigs := rrset(ns, owner, dns.TypeNSEC3)
		if len(set) == 1 && c.verify(set, sigs, now) == nil {
			out = append(out, n3)
		}
	}
	return out
}

// find gives the place of the record for exactly that name, -1 if there is none.
func find(list []*dns.NSEC3, n rr.Name) int {
	return slices.IndexFunc(list, func(r *dns.NSEC3) bool { return r.Match(n.FQDN()) })
}
