package zone

import (
	"github.com/miekg/dns"

	"namecast/lib/dnssec"
	"namecast/lib/rr"
)

// maxChain is how many CNAME and DNAME steps one answer follows; what is left
// is the resolver's to ask.
const maxChain = 16

// A draw collects one answer.
type draw struct {
	reader
	qtype         rr.Type
	udp           bool
	do            bool // signatures are wanted (RFC 3225)
	compact       bool // so is NXDOMAIN with them (RFC 9824 section 5)
	missing       bool // the first name does not exist
	rcode         int
	authoritative bool
	groups        []Group
	visited       []rr.Name // names asked for so far, lower case
	renames       []rr.Name // owners of the DNAME records told, lower case
	told          []rr.Name // names whose addresses were looked for, lower case
	signers       []*dnssec.Zone
	madeUp        bool    // no name of an account stands behind the first name
	wildcard      rr.Name // what stood for the first name, lower case; "" if it has its own records
}

// chase answers for a name and for those that aliases lead to, in every zone
// held here. The last name's response code is the answer's (RFC 6604).
func (d *draw) chase(name rr.Name) error {
	for range maxChain + 1 {
		lower := name.Lower()
		for _, seen := range d.visited {
			if seen == lower {
				return nil
			}
		}
		z, err := d.zoneFor(lower, d.qtype)
		if err != nil {
			return err
		}
		if z == nil {
			if len(d.visited) == 0 {
				d.rcode = dns.RcodeRefused
			}
			return nil
		}
		d.visited = append(d.visited, lower)
		next, follow, err := d.step(z, name)
		if err != nil || !follow {
			return err
		}
		name = next
	}
	return nil
}

// transfer refuses a zone transfer: not authoritative for what is no zone's
// name (RFC 5936 section 2.2.1), and over UDP there is no AXFR (section 4.2).
func (d *draw) transfer(name rr.Name, udp bool) error {
	z, err := d.zoneFor(name.Lower(), d.qtype)
	switch {
	case udp && uint16(d.qtype) == dns.TypeAXFR:
		d.rcode = dns.RcodeNotImplemented
	case z == nil || z.name != name.Lower():
		d.rcode = dns.RcodeNotAuth
	default:
		d.rcode = dns.RcodeRefused
	}
	return err
}

// step answers for one name in its zone; follow says that next is to be asked.
func (d *draw) step(z *held, name rr.Name) (next rr.Name, follow bool, err error) {
	rel, _ := name.Lower().Cut(z.name)
	h, err := d.lookUp(z, rel)
	if err != nil {
		return "", false, err
	}
	if d.signs() {
		if h, err = d.withKeys(z, name, h); err != nil {
			return "", false, err
		}
	}
	if alias := find(h.sets, rr.TypeALIAS); alias != nil && (h.kind == exact || h.kind == wildcard) {
		if h.sets, err = d.withAddresses(*alias, h.sets); err != nil {
			return "", false, err
		}
	}
	if h.kind != cut {
		d.authoritative = true
	}
	if len(d.visited) == 1 {
		d.madeUp = h.kind != exact
		if h.kind == wildcard {
			d.wildcard = h.at + z.name
		}
	}
	switch h.kind {
	case cut:
		return "", false, d.referral(z, name, h)
	case renamed:
		return d.rename(z, name, h)
	}
	return d.data(z, name, h)
}

// lookUp looks for a name unless it is known to be missing. Whose it would be is
// told in any case.
func (d *draw) lookUp(z *held, rel rr.Name) (hit, error) {
	if !d.missing || len(d.visited) > 1 {
		return d.search(z, rel, d.qtype)
	}
	if z.account != "" || rel == "" {
		return hit{}, nil
	}
	label, _ := lastLabel(rel)
	if !AccountName(len(label)) {
		return hit{}, nil
	}
	return hit{at: rel[len(rel)-1-len(label):]}, nil
}

// data answers from the RRsets of a name, or that there is no such name.
func (d *draw) data(z *held, name rr.Name, h hit) (next rr.Name, follow bool, err error) {
	set := find(h.sets, d.qtype)
	if d.qtype == rr.TypeANY {
		set = smallest(h.sets)
	}
	if set != nil {
		if err = d.addSigned(z, d.want(z, h), InAnswer, true, name, *set); err != nil {
			return "", false, err
		}
		return "", false, d.hosts(z, name, *set, "")
	}
	if done, err := d.denied(z, name, h); done || err != nil {
		return "", false, err
	}
	if alias := find(h.sets, rr.TypeCNAME); alias != nil && len(alias.Data) > 0 && !besideAlias(d.qtype) {
		next, follow = alias.Data[0].Target(rr.TypeCNAME)
		return next, follow, d.addSigned(z, d.want(z, h), InAnswer, true, name, *alias)
	}
	return "", false, d.negative(z, name, h)
}

// besideAlias reports whether a type lives at the alias's own name, so that a
// question for it is not led on (RFC 4035 section 2.5).
func besideAlias(t rr.Type) bool { return uint16(t) == dns.TypeRRSIG || uint16(t) == dns.TypeNSEC }

// smallest picks the one RRset that a question for ANY gets (RFC 8482 section
// 4.1): the least to amplify.
func smallest(sets []rr.Set) *rr.Set {
	var least *rr.Set
	for i := range sets {
		if least == nil || sets[i].Size() < least.Size() {
			least = &sets[i]
		}
	}
	return least
}

// negative puts the SOA into the authority section, and the NSEC that shows
// what there is instead. With that the name seems to exist, and the response
// code says so too unless the client knows better (RFC 9824 sections 3.1, 5.1).
func (d *draw) negative(z *held, name rr.Name, h hit) error {
	signed := d.signs() && d.do
	if h.kind == nothing && (!signed || d.compact) {
		d.rcode = dns.RcodeNameError
	}
	soa := d.service.soa(z)
	if err := d.addSigned(z, d.want(z, h), InAuthority, true, suffix(name, len(z.name)), soa); err != nil {
		return err
	}
	last := &d.groups[len(d.groups)-1]
	last.Set.TTL, last.Sigs.TTL = d.service.negativeTTL(z), d.service.negativeTTL(z)
	if !signed {
		return nil
	}
	return d.addSigned(z, d.want(z, h), InAuthority, true, name, d.nsec(z, name, h))
}

// referral points to the servers of a delegated zone. Without an answer before
// it, nothing in the response is authoritative.
func (d *draw) referral(z *held, name rr.Name, h hit) error {
	ns := *find(h.sets, rr.TypeNS)
	owner := suffix(name, len(h.at)+len(z.name))
	d.add(InAuthority, true, owner, ns)
	if err := d.secure(z, owner, h); err != nil {
		return err
	}
	return d.hosts(z, owner, ns, owner.Lower())
}

// rename answers for a name below a DNAME (RFC 6672 section 3.2), with a CNAME
// made for those who do not know DNAME.
func (d *draw) rename(z *held, name rr.Name, h hit) (next rr.Name, follow bool, err error) {
	set := *find(h.sets, rr.TypeDNAME)
	owner := suffix(name, len(h.at)+len(z.name))
	for _, seen := range d.renames {
		if seen == owner.Lower() {
			owner = ""
		}
	}
	if owner != "" {
		d.renames = append(d.renames, owner.Lower())
		if err := d.addSigned(z, d.want(z, h), InAnswer, true, owner, set); err != nil {
			return "", false, err
		}
	}
	target, ok := set.Data[0].Target(rr.TypeDNAME)
	if !ok {
		return "", false, nil
	}
	next, err = name[:len(name)-len(h.at)-len(z.name)].Join(target)
	if err != nil {
		d.rcode = dns.RcodeYXDomain
		return "", false, nil
	}
	alias := rr.Set{Type: rr.TypeCNAME, TTL: set.TTL, Data: []rr.Data{rr.NameData(next)}}
	d.add(InAnswer, true, name, alias)
	return next, d.qtype != rr.TypeCNAME, nil
}

// suffix is the last octets of a name, in the case the question has them: so a
// name in the response is the question's own and compresses well.
func suffix(name rr.Name, octets int) rr.Name { return name[len(name)-octets:] }

// add puts an RRset into a section under an absolute owner name.
func (d *draw) add(s Section, needed bool, owner rr.Name, set rr.Set) {
	set.Owner = owner
	d.groups = append(d.groups, Group{Section: s, Needed: needed, Set: set})
}

// maxHosts bounds the names whose addresses one answer looks for.
const maxHosts = 64

// hosts adds the addresses of the names that an RRset leads clients to. With
// the owner of a delegation, addresses at and below it are glue that the referral
// cannot do without (RFC 9471 section 3.1).
func (d *draw) hosts(z *held, owner rr.Name, set rr.Set, delegation rr.Name) error {
	switch set.Type {
	case rr.TypeNS, rr.TypeMX, rr.TypeSRV, rr.TypeAFSDB, rr.TypeRT, rr.TypeKX, rr.TypeSVCB, rr.TypeHTTPS:
	default:
		return nil
	}
	for _, data := range set.Data {
		host, ok := data.Target(set.Type)
		if host == "" && (set.Type == rr.TypeSVCB || set.Type == rr.TypeHTTPS) {
			host = owner // RFC 9460 section 2.5.2
		}
		if !ok || len(d.told) >= maxHosts || d.toldAlready(host.Lower()) {
			continue
		}
		needed := delegation != "" && host.Under(delegation)
		if err := d.addresses(z, host, needed); err != nil {
			return err
		}
	}
	return nil
}

func (d *draw) toldAlready(host rr.Name) bool {
	for _, t := range d.told {
		if t == host {
			return true
		}
	}
	d.told = append(d.told, host)
	return false
}

// addresses adds what the zone has of a host's addresses, as its own data or as
// glue. Those in other zones held here are left out: a resolver must not take
// them from this zone.
func (d *draw) addresses(z *held, host rr.Name, needed bool) error {
	rel, inside := host.Lower().Cut(z.name)
	if !inside {
		return nil
	}
	h, err := d.search(z, rel, rr.TypeA)
	switch {
	case err != nil || h.kind == renamed:
		return err
	case h.kind == cut:
		h.sets, _, err = d.node(z, rel)
	}
	for _, t := range []rr.Type{rr.TypeA, rr.TypeAAAA} {
		set := find(h.sets, t)
		switch {
		case set == nil || err != nil:
		case h.kind == cut: // glue, which nobody signs
			d.add(InAdditional, needed, host, *set)
		default:
			err = d.addOptional(z, d.want(z, h), host, *set)
		}
	}
	return err
}
