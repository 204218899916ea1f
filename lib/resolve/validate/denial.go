package validate

import (
	"fmt"
	"slices"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// A proof is how much records of denial say.
type proof uint8

const (
	unproven proof = iota
	unread         // the records have too many iterations
	optedOut       // as far as signed: there may be delegations without signatures (RFC 5155 section 6)
	proven
)

// A denial is the records of one zone, verified, that say what is not there.
type denial struct {
	*work
	zone   rr.Name
	nsecs  []*nsec
	nsec3s []*nsec3
	high   bool // there were some with too many iterations
}

// denials gives those of a section, zone by zone.
func (w *work) denials(section []*set) []*denial {
	var all []*denial
	for _, s := range section {
		if s.typ != dns.TypeNSEC && s.typ != dns.TypeNSEC3 {
			continue
		}
		j := w.judge(s)
		if j.state != Secure || expanded(s, j.sig) {
			continue
		}
		i := slices.IndexFunc(all, func(d *denial) bool { return d.zone == j.zone.name })
		if i < 0 {
			i = len(all)
			all = append(all, &denial{work: w, zone: j.zone.name})
		}
		all[i].add(s)
	}
	return all
}

func (d *denial) add(s *set) {
	for _, r := range s.records {
		switch r := r.(type) {
		case *dns.NSEC:
			d.addNSEC(s.owner, r)
		case *dns.NSEC3:
			d.addNSEC3(s.owner, r)
		}
	}
}

// nameError says whether there is nothing at a name, nor a wildcard that stands for it.
func (d *denial) nameError(n rr.Name) proof {
	if d.high {
		return unread
	}
	if d.nsecNameError(n) {
		return proven
	}
	return d.nsec3NameError(n)
}

// noData says whether there is nothing of a type at a name, also by a wildcard; and whether
// the name is that of a delegation.
func (d *denial) noData(n rr.Name, typ uint16) (p proof, delegation bool) {
	if d.high {
		return unread, false
	}
	if ok, delegation := d.nsecNoData(n, typ); ok {
		return proven, delegation
	}
	return d.nsec3NoData(n, typ)
}

// noCloser says whether a name has nothing nearer than the wildcard below its last labels.
func (d *denial) noCloser(n rr.Name, labels int) proof {
	if d.high {
		return unread
	}
	if d.nsecNoCloser(n, tail(n, labels)) {
		return proven
	}
	return d.nsec3Covers(tail(n, labels+1))
}

// absent says whether a type is not there, by the types that are at an owner. What the
// parent's side of a delegation has counts for DS records only, and they only there (RFC
// 6840 sections 4.1 and 4.4); of an alias nothing is denied but in its name (section 4.3).
func absent(bits []uint16, owner rr.Name, typ uint16) bool {
	has := func(t uint16) bool { return slices.Contains(bits, t) }
	if typ == dns.TypeANY {
		return !slices.ContainsFunc(bits, func(t uint16) bool { return t != dns.TypeRRSIG && t != dns.TypeNSEC && t != typeNXNAME })
	}
	switch {
	case has(typ) || has(dns.TypeCNAME):
		return false
	case has(dns.TypeNS) && !has(dns.TypeSOA):
		return typ == dns.TypeDS
	}
	return typ != dns.TypeDS || !has(dns.TypeSOA) || owner == ""
}

// typeNXNAME marks a name that does not exist in compact denial (RFC 9824).
const typeNXNAME = 128

// barred says whether what is at an owner hides all names below it: a delegation, or a
// DNAME (RFC 6840 section 4.1).
func barred(bits []uint16) bool {
	return slices.Contains(bits, dns.TypeDNAME) || delegates(bits)
}

func delegates(bits []uint16) bool {
	return slices.Contains(bits, dns.TypeNS) && !slices.Contains(bits, dns.TypeSOA)
}

// undelegated judges a response that has no DS records for a name below a zone: Secure if
// no zone begins there, Insecure if one without keys does, or might.
func (w *work) undelegated(at rr.Name, above *zone, m *message, ttl *time.Duration) (f finding, last bool) {
	d := &denial{work: w, zone: above.name}
	problem := fmt.Errorf("%v DS: %w", at, ErrDenial)
	for _, s := range m.authority {
		if s.typ != dns.TypeNSEC && s.typ != dns.TypeNSEC3 {
			continue
		}
		sig, err := w.verify(s, above)
		if err != nil {
			problem = err
			continue
		}
		if !expanded(s, sig) {
			d.add(s)
			shorten(ttl, s, sig)
		}
	}
	if f, last, ok := w.aliased(at, above, m, d, ttl); ok {
		return f, last
	}
	p, delegation := d.noData(at, dns.TypeDS)
	if p == unproven {
		p, last = d.nameError(at), true
	}
	switch {
	case p == proven && delegation:
		return finding{Insecure, fmt.Errorf("%v is delegated without keys", at)}, false
	case p == proven:
		return secure, last
	case p != unproven:
		return without(at, p), false
	case w.hashes >= maxHashes:
		return bogus("%v DS: %w: names hashed", at, ErrWork), false
	}
	return finding{Bogus, problem}, false
}

// without is the finding for a name where records of denial leave room for a zone without
// keys.
func without(at rr.Name, p proof) finding {
	if p == unread {
		return finding{Insecure, fmt.Errorf("%v: %w", at, errIterations)}
	}
	return finding{Insecure, fmt.Errorf("%v may be delegated without keys", at)}
}

var errIterations = fmt.Errorf("denied with more than %d iterations", maxIterations)

// aliased judges a response for the DS records of a name that is an alias, and so no zone's.
func (w *work) aliased(at rr.Name, above *zone, m *message, d *denial, ttl *time.Duration) (f finding, last, ok bool) {
	for _, s := range m.answer {
		renames := s.typ == dns.TypeDNAME && s.owner != at && at.Under(s.owner) && s.owner.Under(above.name)
		if !renames && (s.typ != dns.TypeCNAME || s.owner != at) {
			continue
		}
		sig, err := w.verify(s, above)
		if err != nil {
			continue
		}
		shorten(ttl, s, sig)
		if !expanded(s, sig) {
			return secure, renames, true
		}
		if p := d.noCloser(at, int(sig.Labels)); p == proven && !renames {
			return secure, true, true
		} else if p != unproven && p != proven {
			return without(at, p), false, true
		}
	}
	return f, false, false
}
