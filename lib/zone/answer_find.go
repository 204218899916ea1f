package zone

import (
	"errors"
	"slices"

	"namecast/lib/dnssec"
	"namecast/lib/rr"
	"namecast/lib/store"
)

// A held zone is one that the service is authoritative for: the base domain or
// a domain that an account owns.
type held struct {
	name    rr.Name // the apex, lower case
	account string  // whose records it has; "" for the base domain
	contact rr.Name // SOA fields
	ttl     uint32
	serial  uint32
	keys    *dnssec.Zone // once they are needed
}

// A reader finds zones and names for one answer.
type reader struct {
	service *Service
	view    store.View
}

// zoneFor gives the zone that answers for a lower-case name, nil if none does.
// The longest apex wins; but DS records are the parent's side of a cut (RFC
// 4035 section 3.1.4.1), so for them a zone above the name is preferred.
func (r reader) zoneFor(name rr.Name, t rr.Type) (*held, error) {
	z, err := r.longest(name)
	if err != nil || z == nil || t != rr.TypeDS || z.name != name || name == "" {
		return z, err
	}
	above, err := r.longest(name.Parent())
	if err != nil || above == nil {
		return z, err
	}
	return above, nil
}

// longest gives the held zone with the longest apex that name is under.
func (r reader) longest(name rr.Name) (*held, error) {
	if name.Under(r.service.Base) { // nobody can own a domain there
		return r.service.base(r.view), nil
	}
	for ; name != ""; name = name.Parent() {
		z, err := r.owned(name)
		if z != nil || err != nil {
			return z, err
		}
	}
	return nil, nil
}

// owned gives the zone of a domain if an account owns it: the domain's object
// and the account must agree, and until those of a new owner do, the previous
// owner goes on being served.
func (r reader) owned(domain rr.Name) (*held, error) {
	c, err := r.view.Claim(domain)
	if err != nil || c.Version == 0 {
		return nil, err
	}
	for _, account := range []string{c.Account, c.Previous} {
		if account == "" {
			continue
		}
		h, err := r.view.Head(account)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, d := range h.Domains {
			if d.Name == domain {
				return &held{name: domain, account: account, contact: d.Contact, ttl: d.TTL, serial: Serial(h.Version)}, nil
			}
		}
	}
	return nil, nil
}

// node gives the RRsets at a lower-case name relative to the zone's apex, and
// whether the name exists: it has records or a name below it has.
func (r reader) node(z *held, rel rr.Name) (sets []rr.Set, exists bool, err error) {
	switch {
	case z.account == "":
		return r.baseNode(z, rel)
	case rel != "":
		return r.stored(z.account, rel)
	}
	stored, _, err := r.stored(z.account, "")
	auto := r.service.ns()
	sets = append(sets, r.service.soa(z))
	for _, s := range stored {
		switch s.Type {
		case rr.TypeCNAME, rr.TypeDS, rr.TypeSOA: // impossible, and not the zone's to say
		case rr.TypeNS:
			auto = s
		default:
			sets = append(sets, s)
		}
	}
	if len(auto.Data) > 0 {
		sets = append(sets, auto)
	}
	return sets, true, err
}

// baseNode is node for the base zone: its apex, its hosts, and below each
// account's name that account's records. The NS and the DNSSEC records that an
// owner put at "@" are for the owned domains alone; here the NS would cut the
// account off, and there is no zone of its own to have keys.
func (r reader) baseNode(z *held, rel rr.Name) (sets []rr.Set, exists bool, err error) {
	sets, exists = r.service.hosts(rel)
	if rel == "" {
		auto := []rr.Set{r.service.soa(z)}
		if ns := r.service.ns(); len(ns.Data) > 0 {
			auto = append(auto, ns)
		}
		return append(auto, sets...), true, nil
	}
	account, rest := lastLabel(rel)
	if exists || !AccountName(len(account)) {
		return sets, exists, nil
	}
	sets, exists, err = r.stored(account, rest)
	if err != nil || rest != "" || !slices.ContainsFunc(sets, ofZone) {
		return sets, exists, err
	}
	kept := slices.DeleteFunc(slices.Clone(sets), ofZone)
	if len(kept) > 0 {
		return kept, true, nil
	}
	exists, err = r.hasBelow(account)
	return nil, exists, err
}

// ofZone reports whether a set at "@" says something of a zone whose apex that
// is.
func ofZone(s rr.Set) bool {
	switch s.Type {
	case rr.TypeNS, dnssec.TypeDNSKEY, dnssec.TypeCDS, dnssec.TypeCDNSKEY:
		return true
	}
	return false
}

// stored is the view's Node; an account that does not exist has no names.
func (r reader) stored(account string, rel rr.Name) ([]rr.Set, bool, error) {
	sets, exists, err := r.view.Node(account, rel)
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, nil
	}
	return sets, exists, err
}

// hasBelow reports whether an account has records below "@".
func (r reader) hasBelow(account string) (bool, error) {
	for s, err := range r.view.Sets(account, "") {
		if err != nil {
			return false, err
		}
		if s.Owner != "" {
			return true, nil
		}
	}
	return false, nil
}

// lastLabel splits a name that is not empty before its last label.
func lastLabel(n rr.Name) (label string, rest rr.Name) {
	for i := 0; ; i += int(n[i]) + 1 {
		if end := i + int(n[i]) + 1; end == len(n) {
			return string(n[i+1 : end]), n[:i]
		}
	}
}

// AccountName reports whether a label of so many octets may be an account's name;
// all others never reach the store.
func AccountName(octets int) bool { return octets == 32 || octets == 40 }

// hasType reports whether one of a node's sets is of a type.
func hasType(sets []rr.Set, t rr.Type) bool { return find(sets, t) != nil }

// A kind is how a name was found.
type kind int

const (
	nothing  kind = iota // the name does not exist
	exact                // the name exists, with or without records
	wildcard             // a wildcard stands for it
	cut                  // it is at or below a delegation
	renamed              // it is below a DNAME
)

// A hit is where the search for a name ended (RFC 1034 section 4.3.2 step 3).
type hit struct {
	kind kind
	at   rr.Name  // relative owner of sets: the name, wildcard, cut or DNAME; of nothing, the closest encloser
	sets []rr.Set // all of that node
}

// search looks for a lower-case relative name, from the apex down, as far as
// names exist. At the cut itself DS belong to the zone.
func (r reader) search(z *held, rel rr.Name, t rr.Type) (hit, error) {
	starts := make([]int, 0, 8)
	for i := 0; i < len(rel); i += int(rel[i]) + 1 {
		starts = append(starts, i)
	}
	starts = append(starts, len(rel))
	var encloser rr.Name
	for i := len(starts) - 1; i >= 0; i-- {
		at := rel[starts[i]:]
		if at == "" && rel != "" && z.account == "" {
			continue // of all that the service has at its own apex nothing leads on
		}
		sets, exists, err := r.node(z, at)
		switch {
		case err != nil:
			return hit{}, err
		case !exists:
			return r.synthesis(z, encloser)
		case at != "" && hasType(sets, rr.TypeNS) && (at != rel || t != rr.TypeDS):
			return hit{cut, at, sets}, nil
		case at == rel:
			return hit{exact, at, sets}, nil
		case hasType(sets, rr.TypeDNAME):
			return hit{renamed, at, sets}, nil
		}
		encloser = at
	}
	return hit{}, nil // not reached: rel itself ends the loop
}

// synthesis looks for the wildcard at the closest encloser (RFC 4592 section
// 3.3.1).
func (r reader) synthesis(z *held, encloser rr.Name) (hit, error) {
	at := rr.Star + encloser
	sets, exists, err := r.node(z, at)
	if err != nil || !exists {
		return hit{at: encloser}, err
	}
	return hit{wildcard, at, sets}, nil
}
