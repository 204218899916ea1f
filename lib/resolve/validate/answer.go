package validate

import (
	"slices"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// A reading is the way through a response.
type reading struct {
	*work
	q     Question
	m     *message
	used  map[*set]bool    // sets of the answer that the question leads to
	zones map[rr.Name]bool // zones that what they say rests on
}

// response judges a whole response.
func (w *work) response(q Question, m *message) finding {
	r := &reading{w, q, m, map[*set]bool{}, map[rr.Name]bool{}}
	f := r.follow()
	for _, s := range m.authority {
		if f.state == Bogus {
			return f
		}
		if s.typ != dns.TypeNS || len(s.sigs) > 0 {
			f = f.and(r.beside(s, f.state))
		}
	}
	if f.state != Secure {
		return f
	}
	for _, s := range m.answer {
		if !r.used[s] {
			return bogus("%w: %v %s does not belong to the answer", ErrMessage, s.owner, dns.Type(s.typ))
		}
	}
	if m.loose {
		return bogus("%w: signatures of nothing", ErrMessage)
	}
	return f
}

// beside judges a set of the authority section. Beside a Secure answer it must be Secure and
// of the same zone, so that nothing comes along that the question does not lead to.
func (r *reading) beside(s *set, answer State) finding {
	j := r.judge(s)
	switch {
	case answer != Secure || j.state == Bogus:
		return j.finding
	case j.state == Secure && expanded(s, j.sig):
		return bogus("%v %s: %w: made from a wildcard", s.owner, dns.Type(s.typ), ErrSignature)
	case j.state == Insecure, j.state == Secure && !r.zones[j.zone.name]:
		return bogus("%w: %v %s is of another zone", ErrMessage, s.owner, dns.Type(s.typ))
	}
	return j.finding
}

// follow goes from the question along CNAME and DNAME records to the end of the answer, and
// judges all of it.
func (r *reading) follow() finding {
	f, at := secure, r.q.Name
	for range maxChain {
		next, more, g := r.step(at)
		f = f.and(g)
		if !more || f.state == Bogus {
			return f
		}
		at = next
	}
	return bogus("%w: a chain of more than %d aliases", ErrMessage, maxChain)
}

// step judges what the answer has at a name, and says where it leads if that is not the end.
func (r *reading) step(at rr.Name) (next rr.Name, more bool, f finding) {
	if s := r.above(at); s != nil {
		return r.rename(at, s)
	}
	found, f := r.end(at)
	if found {
		if r.m.rcode == dns.RcodeNameError && f.state == Secure {
			f = bogus("%w: %v is there, and is not", ErrMessage, at)
		}
		return "", false, f
	}
	s := find(r.m.answer, at, dns.TypeCNAME)
	if s == nil {
		return "", false, r.denied(at)
	}
	f = r.positive(s)
	c, ok := s.records[0].(*dns.CNAME)
	if !ok || len(s.records) != 1 {
		return "", false, f.and(bogus("%w: %v has several aliases", ErrMessage, at))
	}
	if next, ok = nameOf(c.Target); !ok {
		return "", false, f.and(bogus("%w: alias of %v", ErrMessage, at))
	}
	return next, true, f
}

// end judges the sets that answer the question at a name, if there are any.
func (r *reading) end(at rr.Name) (found bool, f finding) {
	f = secure
	for _, s := range r.m.answer {
		if s.owner == at && (s.typ == r.q.Type || r.q.Type == dns.TypeANY) {
			found, f = true, f.and(r.positive(s))
		}
	}
	return found, f
}

// above gives the DNAME records that stand above a name.
func (r *reading) above(at rr.Name) *set {
	for _, s := range r.m.answer {
		if s.typ == dns.TypeDNAME && s.owner != at && at.Under(s.owner) {
			return s
		}
	}
	return nil
}

// rename judges the renaming of a name by the DNAME record above it (RFC 6672). The CNAME
// record that a server makes from it is not signed, and must be what it would be.
func (r *reading) rename(at rr.Name, s *set) (next rr.Name, more bool, f finding) {
	j := r.take(s)
	f = j.finding
	d, ok := s.records[0].(*dns.DNAME)
	if !ok || len(s.records) != 1 || j.state == Secure && expanded(s, j.sig) {
		return "", false, f.and(bogus("%w: %v DNAME", ErrMessage, s.owner))
	}
	rest, _ := at.Cut(s.owner)
	target, ok := nameOf(d.Target)
	if next, err := rest.Join(target); ok && err == nil {
		return r.renamed(at, next, f)
	}
	return "", false, f.and(bogus("%w: %v DNAME: %v gets no name", ErrMessage, s.owner, at))
}

func (r *reading) renamed(at, target rr.Name, f finding) (next rr.Name, more bool, _ finding) {
	ok := false
	if made := find(r.m.answer, at, dns.TypeCNAME); made != nil && len(made.records) == 1 {
		r.used[made] = true
		if c, is := made.records[0].(*dns.CNAME); is {
			got, good := nameOf(c.Target)
			ok = good && got == target
		}
	}
	if !ok {
		return "", false, f.and(bogus("%w: the alias of %v is not what its DNAME says", ErrMessage, at))
	}
	return target, r.q.Type != dns.TypeCNAME && r.q.Type != dns.TypeANY, f
}

// take judges a set that the question leads to.
func (r *reading) take(s *set) judgement {
	r.used[s] = true
	j := r.judge(s)
	if j.state == Secure {
		r.zones[j.zone.name] = true
	}
	return j
}

// positive judges a set of the answer. If a wildcard stood for it, it must also be proven
// that there was nothing nearer (RFC 4035 section 5.3.4, RFC 5155 section 8.8).
func (r *reading) positive(s *set) finding {
	j := r.take(s)
	if j.state != Secure || !expanded(s, j.sig) {
		return j.finding
	}
	if s.typ == dns.TypeDS || s.typ == dns.TypeDNSKEY || s.typ == dns.TypeSOA {
		return bogus("%v %s: %w: made from a wildcard", s.owner, dns.Type(s.typ), ErrSignature)
	}
	for _, d := range r.denials(r.m.authority) {
		if d.zone != j.zone.name {
			continue
		}
		switch p := d.noCloser(s.owner, int(j.sig.Labels)); p {
		case proven:
			return secure
		case optedOut:
			return without(s.owner, p)
		case unread:
			return r.unread(s.owner, s.typ, []rr.Name{d.zone})
		}
	}
	return bogus("%v %s: %w: that the wildcard holds", s.owner, dns.Type(s.typ), ErrDenial)
}

// denied judges that there is nothing at a name that the answer leads to.
func (r *reading) denied(at rr.Name) finding {
	var high []rr.Name
	for _, d := range r.denials(r.m.authority) {
		if !at.Under(d.zone) || r.q.Type == dns.TypeDS && at == d.zone && at != "" {
			continue
		}
		var p proof
		if r.m.rcode == dns.RcodeNameError {
			p = d.nameError(at)
		} else {
			p, _ = d.noData(at, r.q.Type)
		}
		switch p {
		case proven:
			r.zones[d.zone] = true
			return secure
		case optedOut:
			return without(at, p)
		case unread:
			high = append(high, d.zone)
		}
	}
	return r.unread(at, r.q.Type, high)
}

// unread judges what is not proven to be missing. Zones whose proof has too many iterations
// are forgiven, but only for names of their own, not of a zone below that does better.
func (r *reading) unread(at rr.Name, typ uint16, high []rr.Name) finding {
	home := at
	if typ == dns.TypeDS {
		home = at.Parent()
	}
	z := r.zoneAt(home)
	switch {
	case z.state != Secure:
		return z.finding
	case slices.Contains(high, z.name):
		return without(at, unread)
	case r.hashes >= maxHashes:
		return bogus("%v %s: %w: names hashed", at, dns.Type(typ), ErrWork)
	}
	return bogus("%v %s: %w", at, dns.Type(typ), ErrDenial)
}
