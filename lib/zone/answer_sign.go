package zone

import (
	"errors"
	"slices"
	"time"

	"namecast/lib/dnssec"
	"namecast/lib/rr"
)

// signs reports whether the zones have keys.
func (d *draw) signs() bool { return d.service.Signer != nil }

// keys gives what signs for a zone, which must have keys.
func (d *draw) keys(z *held) (_ *dnssec.Zone, err error) {
	if z.keys == nil {
		if z.keys, err = d.service.Signer.Zone(z.name); err == nil {
			d.signers = append(d.signers, z.keys)
		}
	}
	return z.keys, err
}

// want says on whose account the signatures of an answer are made. Names that
// the client made up are without number; and below the base domain an account
// that they are sought in pays, not all of them together.
func (d *draw) want(z *held, h hit) dnssec.Want {
	w := dnssec.Want{Class: dnssec.Held, Stream: !d.udp}
	if h.kind == nothing || h.kind == wildcard {
		w.Class = dnssec.Asked
	}
	if z.account == "" && h.at != "" {
		w.Payer, _ = lastLabel(h.at)
	}
	return w
}

// sign makes the signatures that an RRset of a zone is told with; none if
// nobody wants them.
func (d *draw) sign(z *held, w dnssec.Want, owner rr.Name, set rr.Set) (rr.Set, error) {
	if !d.signs() || !d.do {
		return rr.Set{}, nil
	}
	k, err := d.keys(z)
	if err != nil {
		return rr.Set{}, err
	}
	switch set.Type {
	case rr.TypeSOA, dnssec.TypeDNSKEY, dnssec.TypeCDS, dnssec.TypeCDNSKEY:
		if owner.Equal(z.name) {
			w.Class = dnssec.Few
		}
	}
	set.Owner = owner
	return k.Sign(set, w)
}

// addSigned is add with the signatures, which stay with their RRset whatever is
// cut off. What a wildcard stands for is signed as the name in question: it is
// data like any other then, and needs no proof that the name does not exist
// (RFC 9824 section 3.3).
func (d *draw) addSigned(z *held, w dnssec.Want, s Section, needed bool, owner rr.Name, set rr.Set) error {
	sigs, err := d.sign(z, w, owner, set)
	if err != nil {
		return err
	}
	d.add(s, needed, owner, set)
	d.groups[len(d.groups)-1].Sigs = sigs
	return nil
}

// addOptional is addSigned for what the answer can do without; so it is left
// out when there are too many signatures to make.
func (d *draw) addOptional(z *held, w dnssec.Want, owner rr.Name, set rr.Set) error {
	err := d.addSigned(z, w, InAdditional, false, owner, set)
	if errors.Is(err, dnssec.ErrBusy) {
		return nil
	}
	return err
}

// negativeTTL is that of the SOA and the NSEC in a negative answer of a zone (RFC
// 2308 section 3, RFC 9077 section 3).
func (s *Service) negativeTTL(z *held) uint32 {
	return min(z.ttl, or(s.Minimum, defaultMinimum))
}

// nsec makes the NSEC record of a name (RFC 9824 section 3): the types that
// there are, or that there is no such name. At a cut only the parent's own
// types are told (RFC 4035 section 2.3).
func (d *draw) nsec(z *held, name rr.Name, h hit) rr.Set {
	var types []rr.Type
	delegated := h.at != "" && hasType(h.sets, rr.TypeNS)
	for _, s := range h.sets {
		if !delegated || s.Type == rr.TypeNS || s.Type == rr.TypeDS {
			types = append(types, s.Type)
		}
	}
	if h.kind == nothing {
		types = []rr.Type{dnssec.TypeNXNAME}
	}
	return dnssec.NSEC(name, z.name, d.service.negativeTTL(z), types...)
}

// denied answers a question for the records that only signing makes: NSEC is
// there at each name, with its signature, which is the one that a question for
// RRSIG gets (RFC 8482 section 4.1). That a name does not exist is told so only
// to who understands it.
func (d *draw) denied(z *held, name rr.Name, h hit) (done bool, err error) {
	if !d.signs() || d.qtype != dnssec.TypeNSEC && d.qtype != dnssec.TypeRRSIG || h.kind == nothing && !d.do {
		return false, nil
	}
	if h.kind == nothing && len(d.visited) == 1 {
		d.wildcard = rr.Star + z.name // alike for all names that do not exist
	}
	nsec := d.nsec(z, name, h)
	if d.qtype == dnssec.TypeNSEC {
		return true, d.addSigned(z, d.want(z, h), InAnswer, true, name, nsec)
	}
	k, err := d.keys(z)
	if err != nil {
		return false, err
	}
	nsec.Owner = name
	sigs, err := k.Sign(nsec, d.want(z, h))
	d.add(InAnswer, true, name, sigs)
	return true, err
}

// secure tells whether a delegation is signed: its DS records, or that there
// are none (RFC 4035 section 3.1.4).
func (d *draw) secure(z *held, owner rr.Name, h hit) error {
	if !d.signs() || !d.do {
		return nil
	}
	if ds := find(h.sets, rr.TypeDS); ds != nil {
		return d.addSigned(z, d.want(z, h), InAuthority, true, owner, *ds)
	}
	return d.addSigned(z, d.want(z, h), InAuthority, true, owner, d.nsec(z, owner, h))
}

// withKeys adds to what was found at a name the records that the service makes
// of its keys.
func (d *draw) withKeys(z *held, name rr.Name, h hit) (_ hit, err error) {
	switch {
	case h.kind == exact && h.at == "":
		h.sets, err = d.apexKeys(z, h.sets)
	case d.qtype == rr.TypeDS && h.kind != cut && h.kind != renamed:
		return d.childKeys(z, name, h)
	}
	return h, err
}

// apexKeys adds the RRsets of a zone's keys to those of its apex. What the owner
// has put there stands beside them, for other signers of the same zone (RFC 8901
// section 2.1); and an owner who asks the parent to drop its DS records (RFC 8078
// section 4) is not contradicted.
func (d *draw) apexKeys(z *held, sets []rr.Set) ([]rr.Set, error) {
	k, err := d.keys(z)
	if err != nil {
		return nil, err
	}
	cds, cdnskey := k.CDS(), k.CDNSKEY()
	if holds(find(sets, cds.Type), deleteCDS) || holds(find(sets, cdnskey.Type), deleteCDNSKEY) {
		cds.Data, cdnskey.Data = []rr.Data{deleteCDS}, []rr.Data{deleteCDNSKEY}
	} else {
		cds, cdnskey = merged(cds, find(sets, cds.Type)), merged(cdnskey, find(sets, cdnskey.Type))
	}
	keys := merged(k.DNSKEY(), find(sets, dnssec.TypeDNSKEY))
	sets = slices.DeleteFunc(slices.Clone(sets), func(s rr.Set) bool {
		return s.Type == keys.Type || s.Type == cds.Type || s.Type == cdnskey.Type
	})
	return append(sets, keys, cds, cdnskey), nil
}

// The data that asks for the end of DNSSEC.
const (
	deleteCDS     rr.Data = "\x00\x00\x00\x00\x00"
	deleteCDNSKEY rr.Data = "\x00\x00\x03\x00\x00"
)

func holds(s *rr.Set, data rr.Data) bool { return s != nil && slices.Contains(s.Data, data) }

// merged is a set with the data of another one that it does not have.
func merged(s rr.Set, more *rr.Set) rr.Set {
	if more != nil {
		for _, data := range more.Data {
			if !has(s, data) {
				s.Data = append(s.Data, data)
			}
		}
	}
	return s
}

// childKeys makes DS records for a zone that is held here as is the one above
// it: nobody else could put them there. Those that are there already are told
// with them.
func (d *draw) childKeys(z *held, name rr.Name, h hit) (hit, error) {
	child, err := d.longest(name.Lower())
	if err != nil || child == nil || !child.name.Equal(name) {
		return h, err
	}
	k, err := d.keys(child)
	if err != nil {
		return h, err
	}
	ds := merged(k.DS(), find(h.sets, rr.TypeDS))
	rel, _ := child.name.Cut(z.name)
	return hit{exact, rel, []rr.Set{ds}}, nil
}

// until is when something that was taken from the zones' keys may be another;
// zero is never.
func (d *draw) until() (first time.Time) {
	for _, z := range d.signers {
		if t := z.Until(); first.IsZero() || t.Before(first) {
			first = t
		}
	}
	return first
}
