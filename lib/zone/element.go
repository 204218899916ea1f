package zone

import (
	"slices"

	"namecast/lib/nup"
	"namecast/lib/rr"
	"namecast/lib/store"
)

// maxSet is the largest RRset, in octets of wire form, that still fits into a
// DNS message with its question and a signature.
const maxSet = 60000

// element applies one element to the draft.
func (d *draft) element(e *nup.Element) *Refusal {
	if e.Code != nup.CodeOK {
		return refuse(e.Code, "%s", e.Code)
	}
	switch e.Op {
	case nup.OpAdd:
		return d.add(e)
	case nup.OpDelete:
		return d.remove(e)
	case nup.OpReplace:
		return d.replace(e)
	case nup.OpExists:
		return d.exists(e)
	case nup.OpAbsent:
		return d.absent(e)
	case nup.OpValidate:
		return d.validate(e)
	case nup.OpRekey:
		return d.rekey(e)
	}
	return refuse(nup.CodeBadOpcode, "opcode %d", e.Op)
}

// add puts records into an RRset. The records of an RRset share one TTL, the
// newest; one that is there already is only renewed (RFC 2181 section 5).
func (d *draft) add(e *nup.Element) *Refusal {
	s := rr.Set{Owner: e.Owner, Type: e.Type, TTL: e.TTL}
	if old := d.set(e.Owner, e.Type); old != nil {
		s.Owner, s.Data = old.Owner, append(s.Data, old.Data...)
	}
	for _, data := range e.Data {
		if !has(s, data) {
			s.Data = append(s.Data, data)
		}
	}
	return d.admit(s)
}

// replace makes an RRset exactly the given records.
func (d *draft) replace(e *nup.Element) *Refusal {
	s := rr.Set{Owner: e.Owner, Type: e.Type, TTL: e.TTL}
	for _, data := range e.Data {
		if !has(s, data) {
			s.Data = append(s.Data, data)
		}
	}
	return d.admit(s)
}

// remove deletes a name's RRsets, one RRset, or single records. What is not
// there is as good as deleted.
func (d *draft) remove(e *nup.Element) *Refusal {
	if e.Type == rr.TypeNone {
		for _, s := range d.node(e.Owner) {
			d.put(rr.Set{Owner: s.Owner, Type: s.Type})
		}
		return nil
	}
	old := d.set(e.Owner, e.Type)
	if old == nil {
		return nil
	}
	left := rr.Set{Owner: old.Owner, Type: old.Type, TTL: old.TTL}
	if len(e.Data) > 0 {
		gone := rr.Set{Type: e.Type, Data: e.Data}
		for _, data := range old.Data {
			if !has(gone, data) {
				left.Data = append(left.Data, data)
			}
		}
	}
	d.put(left)
	return nil
}

// exists is the prerequisite of RFC 2136 sections 2.4.1, 2.4.2 and 2.4.4: the
// name has records, has the RRset, or has exactly these records.
func (d *draft) exists(e *nup.Element) *Refusal {
	if e.Type == rr.TypeNone {
		if len(d.node(e.Owner)) == 0 {
			return refuse(nup.CodePrerequisite, "%s has no records", e.Owner)
		}
		return nil
	}
	s := d.set(e.Owner, e.Type)
	switch {
	case s == nil:
		return refuse(nup.CodePrerequisite, "%s has no %s records", e.Owner, e.Type)
	case len(e.Data) > 0 && !equal(*s, rr.Set{Type: e.Type, Data: e.Data}):
		return refuse(nup.CodePrerequisite, "%s has other %s records", e.Owner, e.Type)
	}
	return nil
}

// absent is the prerequisite of RFC 2136 sections 2.4.3 and 2.4.5.
func (d *draft) absent(e *nup.Element) *Refusal {
	if e.Type == rr.TypeNone {
		if len(d.node(e.Owner)) > 0 {
			return refuse(nup.CodePrerequisite, "%s has records", e.Owner)
		}
		return nil
	}
	if d.set(e.Owner, e.Type) != nil {
		return refuse(nup.CodePrerequisite, "%s has %s records", e.Owner, e.Type)
	}
	return nil
}

// validate makes the account the owner of a domain, or changes the SOA fields
// of one that it owns.
func (d *draft) validate(e *nup.Element) *Refusal {
	contact, err := rr.ParseMailbox(e.Contact)
	if err != nil {
		return refuse(nup.CodeBadData, "bad contact address %q", e.Contact)
	}
	domain := store.Domain{Name: e.Owner.Lower(), Contact: contact, TTL: e.TTL}
	for i, own := range d.head.Domains {
		if own.Name == domain.Name {
			d.head.Domains[i] = domain
			return d.claim(domain.Name)
		}
	}
	if d.set("", rr.TypeCNAME) != nil {
		return refuse(nup.CodeBadData, "%s cannot have the CNAME at @ (RFC 1034 section 3.6.2)", domain.Name)
	}
	d.head.Domains = append(d.head.Domains, domain)
	return d.claim(domain.Name)
}

// claim asks for the proof unless the domain's object names the account.
func (d *draft) claim(domain rr.Name) *Refusal {
	c, err := d.view.Claim(domain)
	if err != nil {
		d.err = err
		return nil
	}
	if c.Account == d.head.Account {
		return nil
	}
	if domain.Under(d.order.Base) || d.order.Base.Under(domain) {
		return refuse(nup.CodeDomainRefused, "%s is the service's own", domain)
	}
	if r := d.order.Prove(domain); r != nil {
		return r
	}
	d.claims = append(d.claims, domain)
	return nil
}

// rekey moves the account to a new key; its name stays.
func (d *draft) rekey(e *nup.Element) *Refusal {
	id, r := d.order.NewKey(*e)
	if r != nil {
		return r
	}
	if id == d.head.KeyID {
		return refuse(nup.CodeBadData, "the new key is the old one")
	}
	if h, err := d.view.HeadByKey(id); err == nil {
		return refuse(nup.CodeBadData, "the new key belongs to account %s", h.Account)
	}
	d.head.Key, d.head.KeyID = e.NewKey, id
	return nil
}

// admit checks an RRset against its surroundings and puts it in.
func (d *draft) admit(s rr.Set) *Refusal {
	if len(s.Data) == 0 {
		return refuse(nup.CodeNoData, "%s %s without data", s.Owner, s.Type)
	}
	if err := s.Type.Hostable(); err != nil {
		return refuse(nup.CodeTypeUnsupported, "%s", err)
	}
	if s.Size() > maxSet {
		return refuse(nup.CodeBadData, "%s %s would be larger than a DNS message", s.Owner, s.Type)
	}
	for _, check := range surroundings {
		if r := check(d, s); r != nil || d.err != nil {
			return r
		}
	}
	d.put(s)
	return nil
}

// surroundings are the checks of an RRset against the rest of the account.
var surroundings = []func(*draft, rr.Set) *Refusal{
	(*draft).fits, (*draft).apex, (*draft).wildcard, (*draft).alone, (*draft).cuts, (*draft).covered,
}

// fits checks that the name exists below every suffix of the account.
func (d *draft) fits(s rr.Set) *Refusal {
	if len(s.Owner)+1+len(d.head.Account)+len(d.order.Base) > rr.MaxName {
		return refuse(nup.CodeNameTooLong, "%s is too long below the account's name", s.Owner)
	}
	for _, own := range d.head.Domains {
		if len(s.Owner)+len(own.Name) > rr.MaxName {
			return refuse(nup.CodeNameTooLong, "%s is too long below %s", s.Owner, own.Name)
		}
	}
	return nil
}

// apex checks what may stand at "@": the top of an owned domain has an SOA, so
// no CNAME; NS there replace the automatic ones, and DNSKEY, CDS and CDNSKEY
// stand beside them, and so need an owned domain; DS belong to the parent.
func (d *draft) apex(s rr.Set) *Refusal {
	if s.Owner != "" {
		return nil
	}
	owns := len(d.head.Domains) > 0
	switch {
	case s.Type == rr.TypeCNAME && owns:
		return refuse(nup.CodeBadData, "a domain's apex cannot be a CNAME (RFC 1034 section 3.6.2)")
	case ofZone(s) && !owns:
		return refuse(nup.CodeBadData, "%s at @ need an owned domain", s.Type)
	case s.Type == rr.TypeDS:
		return refuse(nup.CodeBadData, "DS at @ belong into the parent zone")
	}
	return nil
}

// wildcard refuses what has no agreed meaning at "*" (RFC 4592 sections 4.2 to
// 4.4).
func (d *draft) wildcard(s rr.Set) *Refusal {
	if s.Owner.Wildcard() && (s.Type == rr.TypeNS || s.Type == rr.TypeDNAME || s.Type == rr.TypeDS) {
		return refuse(nup.CodeBadData, "%s at a wildcard (RFC 4592 section 4)", s.Type)
	}
	return nil
}

// alone keeps CNAME apart from all other data and ALIAS apart from addresses,
// and CNAME, DNAME and ALIAS single (RFC 1034 section 3.6.2, RFC 6672 section
// 2.4).
func (d *draft) alone(s rr.Set) *Refusal {
	if (s.Type == rr.TypeCNAME || s.Type == rr.TypeDNAME || s.Type == rr.TypeALIAS) && len(s.Data) > 1 {
		return refuse(nup.CodeBadData, "%s has a %s already", s.Owner, s.Type)
	}
	for _, other := range d.node(s.Owner) {
		if other.Type != s.Type && (other.Type == rr.TypeCNAME || s.Type == rr.TypeCNAME) {
			return refuse(nup.CodeBadData, "%s cannot have %s beside %s (RFC 1034 section 3.6.2)", s.Owner, s.Type, other.Type)
		}
		if other.Type == rr.TypeALIAS && glue(s) || s.Type == rr.TypeALIAS && glue(other) {
			return refuse(nup.CodeBadData, "%s cannot have %s beside %s: an ALIAS stands for the addresses", s.Owner, s.Type, other.Type)
		}
	}
	return nil
}

// cuts checks what a delegation or a DNAME would hide at and below its owner.
func (d *draft) cuts(s rr.Set) *Refusal {
	delegates := s.Type == rr.TypeNS && s.Owner != ""
	if delegates || s.Owner != "" && d.set(s.Owner, rr.TypeNS) != nil {
		if other := hidden(append(slices.Clone(d.node(s.Owner)), s)); other != nil {
			return refuse(nup.CodeBadData, "%s is delegated: %s there would not be served", s.Owner, other.Type)
		}
	}
	switch {
	case delegates && d.below(s.Owner, func(b rr.Set) bool { return !glue(b) }):
		return refuse(nup.CodeBadData, "%s has records below it that are not glue", s.Owner)
	case s.Type == rr.TypeDNAME && d.below(s.Owner, func(rr.Set) bool { return true }):
		return refuse(nup.CodeBadData, "%s has records below it (RFC 6672 section 2.4)", s.Owner)
	}
	return nil
}

// hidden finds a set that is not served where a delegation is.
func hidden(sets []rr.Set) *rr.Set {
	for i, s := range sets {
		if s.Type != rr.TypeNS && s.Type != rr.TypeDS && !glue(s) {
			return &sets[i]
		}
	}
	return nil
}

// covered refuses data that a delegation or a DNAME above it would hide.
func (d *draft) covered(s rr.Set) *Refusal {
	for up := s.Owner; up != ""; {
		up = up.Parent()
		if up != "" && d.set(up, rr.TypeNS) != nil && !glue(s) {
			return refuse(nup.CodeBadData, "%s is below the delegation of %s and not glue", s.Owner, up)
		}
		if d.set(up, rr.TypeDNAME) != nil {
			return refuse(nup.CodeBadData, "%s is below the DNAME of %s", s.Owner, up)
		}
	}
	return nil
}

// glue reports whether a set is of a kind that a referral needs below the cut.
func glue(s rr.Set) bool { return s.Type == rr.TypeA || s.Type == rr.TypeAAAA }

func has(s rr.Set, data rr.Data) bool {
	for _, d := range s.Data {
		if d.Equal(data, s.Type) {
			return true
		}
	}
	return false
}

// equal compares two RRsets without their TTLs, as sets.
func equal(a, b rr.Set) bool {
	if len(a.Data) != len(b.Data) {
		return false
	}
	for _, d := range b.Data {
		if !has(a, d) {
			return false
		}
	}
	return true
}
