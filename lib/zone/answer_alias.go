package zone

import (
	"slices"

	"namecast/lib/rr"
)

// withAddresses adds to the RRsets of a name those of the addresses that its
// ALIAS stands for. A copy of them is the name's own data: it is signed with the
// zone's key, and it may be at a zone's apex, where no CNAME may be. Only names
// that are held here are looked up, so nobody's answers wait for, or depend on,
// servers elsewhere; an ALIAS that leads away has no addresses.
func (d *draw) withAddresses(alias rr.Set, sets []rr.Set) ([]rr.Set, error) {
	target, ok := alias.Data[0].Target(rr.TypeALIAS)
	if !ok {
		return sets, nil
	}
	found, err := d.aliased(target)
	if err != nil {
		return nil, err
	}
	sets = slices.Clone(sets)
	for _, s := range found {
		if find(sets, s.Type) == nil {
			sets = append(sets, rr.Set{Type: s.Type, TTL: min(s.TTL, alias.TTL), Data: s.Data})
		}
	}
	return sets, nil
}

// aliased finds the addresses of a name, over all CNAME, DNAME and ALIAS records
// on the way. A loop ends as a chain that is too long does: with none.
func (d *draw) aliased(name rr.Name) (addresses []rr.Set, err error) {
	for range maxChain {
		lower := name.Lower()
		z, err := d.zoneFor(lower, rr.TypeA)
		if z == nil || err != nil {
			return nil, err
		}
		rel, _ := lower.Cut(z.name)
		h, err := d.search(z, rel, rr.TypeA)
		if err != nil || h.kind == nothing || h.kind == cut {
			return nil, err
		}
		next, follow := onward(h, name, len(z.name))
		switch {
		case follow:
			name = next
		case h.kind == renamed: // to a name that is too long
			return nil, nil
		default:
			return slices.DeleteFunc(slices.Clone(h.sets), func(s rr.Set) bool { return !glue(s) }), nil
		}
	}
	return nil, nil
}

// onward is where the CNAME, ALIAS or DNAME of a hit leads a name; apex is the
// length of the zone's name.
func onward(h hit, name rr.Name, apex int) (next rr.Name, follow bool) {
	if h.kind == renamed {
		target, ok := find(h.sets, rr.TypeDNAME).Data[0].Target(rr.TypeDNAME)
		if !ok {
			return "", false
		}
		next, err := name[:len(name)-len(h.at)-apex].Join(target)
		return next, err == nil
	}
	for _, t := range []rr.Type{rr.TypeCNAME, rr.TypeALIAS} {
		if s := find(h.sets, t); s != nil && len(s.Data) > 0 {
			return s.Data[0].Target(t)
		}
	}
	return "", false
}
