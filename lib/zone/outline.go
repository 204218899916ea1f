package zone

import (
	"slices"

	"namecast/lib/rr"
	"namecast/lib/store"
)

// An Outline is what it takes to say which names below another do not exist:
// without looking for each of them again, since there is no end of them. There is
// one where all names that do not exist get the same answer: no wildcard stands
// for them, no delegation or DNAME leads away.
type Outline struct {
	Root  rr.Name   // an account's part of the base zone, or an owned domain; lower case
	Names []rr.Name // that exist at and below Root, relative to it, lower case
	SOA   rr.Set    // of the zone, as it stands in negative answers
	Base  bool      // the zone is the base domain; its serial is Serial of the store's position
}

// maxOutline is how many names an outline has at most.
const maxOutline = 256

// Root is what a name in lower case is below: an account's part of the base zone,
// or an owned domain; "" if neither.
func (s *Service) Root(v store.View, name rr.Name) (rr.Name, error) {
	if rel, under := name.Cut(s.Base); under {
		if rel == "" {
			return "", nil
		}
		account, _ := lastLabel(rel)
		if !AccountName(len(account)) || slices.Contains(s.Hosts(), account) {
			return "", nil
		}
		return name[len(rel)-1-len(account):], nil
	}
	z, err := reader{service: s, view: v}.longest(name)
	if z == nil || err != nil {
		return "", err
	}
	return z.name, nil
}

// Outline gives the outline of a root. It is not ok if there is none: more goes on
// there, or it is no root.
func (s *Service) Outline(v store.View, root rr.Name) (o Outline, ok bool, err error) {
	o.Root = root
	if root.Under(s.Base) {
		o.Base, o.SOA = true, s.Denial(v.Position())
		ok, err = o.fill(v, root.First())
		return o, ok, err
	}
	z, err := reader{service: s, view: v}.owned(root)
	if z == nil || err != nil {
		return o, false, err
	}
	o.Names, o.SOA = []rr.Name{""}, s.denial(z)
	ok, err = o.fill(v, z.account)
	return o, ok, err
}

// fill puts in the names of an account.
func (o *Outline) fill(v store.View, account string) (ok bool, err error) {
	seen := map[rr.Name]bool{}
	for _, n := range o.Names {
		seen[n] = true
	}
	for s, err := range v.Sets(account, "") {
		if err != nil {
			return false, err
		}
		owner := s.Owner.Lower()
		switch {
		case owner == "" && o.Base && ofZone(s):
			continue
		case s.Type == rr.TypeDNAME, owner != "" && s.Type == rr.TypeNS, len(o.Names) > maxOutline:
			return false, nil
		}
		for ; !seen[owner]; owner = owner.Parent() {
			if owner.Wildcard() { // also where nothing but names below it is
				return false, nil
			}
			seen[owner] = true
			o.Names = append(o.Names, owner)
		}
	}
	return len(o.Names) <= maxOutline, nil
}

// Hosts are the labels directly below the base domain that name servers with
// addresses are at, or below.
func (s *Service) Hosts() (labels []string) {
	for _, n := range s.NS {
		if rel, inside := n.Name.Lower().Cut(s.Base); inside && rel != "" && len(n.Addrs) > 0 {
			label, _ := lastLabel(rel)
			labels = append(labels, label)
		}
	}
	return labels
}

// Denial is the SOA record of the base zone as it stands in negative answers.
func (s *Service) Denial(at store.Position) rr.Set {
	z := s.baseZone()
	z.serial = Serial(uint64(at))
	return s.denial(z)
}

// denial is a zone's SOA record as it stands in negative answers.
func (s *Service) denial(z *held) rr.Set {
	set := s.soa(z)
	set.Owner, set.TTL = z.name, s.negativeTTL(z)
	return set
}
