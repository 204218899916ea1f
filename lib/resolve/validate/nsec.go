package validate

import (
	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// An nsec is an NSEC record: in the zone's order, nothing is between its owner and the next
// name (RFC 4034 section 4).
type nsec struct {
	owner, next rr.Name
	bits        []uint16
}

func (d *denial) addNSEC(owner rr.Name, r *dns.NSEC) {
	next, ok := nameOf(r.NextDomain)
	if ok && owner.Under(d.zone) && next.Under(d.zone) {
		d.nsecs = append(d.nsecs, &nsec{owner, next, r.TypeBitMap})
	}
}

// covers says whether a name is between the two of the record, and so has no records; it
// may still be above one that has. The last record of a zone leads back to the apex.
func (n *nsec) covers(name, zone rr.Name) bool {
	if compare(n.owner, name) >= 0 {
		return false
	}
	if compare(n.owner, n.next) < 0 {
		if compare(name, n.next) >= 0 {
			return false
		}
	} else if n.next != zone {
		return false
	}
	return !name.Under(n.owner) || !barred(n.bits)
}

// encloser is the closest name above one that is covered which exists.
func (n *nsec) encloser(name rr.Name) rr.Name {
	a, b := common(n.owner, name), common(n.next, name)
	if len(a) > len(b) {
		return a
	}
	return b
}

// missing gives the record by which a name does not exist.
func (d *denial) missing(name rr.Name) *nsec {
	for _, n := range d.nsecs {
		if n.covers(name, d.zone) && !n.next.Under(name) {
			return n
		}
	}
	return nil
}

func (d *denial) nsecNameError(name rr.Name) bool {
	n := d.missing(name)
	if n == nil {
		return false
	}
	wild, err := rr.Star.Join(n.encloser(name))
	return err != nil || d.missing(wild) != nil
}

func (d *denial) nsecNoData(name rr.Name, typ uint16) (ok, delegation bool) {
	if ok, delegation = d.nsecNoType(name, typ); ok {
		return true, delegation
	}
	n := d.missing(name)
	if n == nil {
		return false, false
	}
	wild, err := rr.Star.Join(n.encloser(name))
	if err != nil {
		return false, false
	}
	ok, delegation = d.nsecNoType(wild, typ)
	return ok && !delegation, false
}

// nsecNoType says whether a name itself exists without a type; an empty non-terminal, which
// is only above others, has none.
func (d *denial) nsecNoType(name rr.Name, typ uint16) (ok, delegation bool) {
	for _, n := range d.nsecs {
		if n.owner == name && absent(n.bits, name, typ) {
			return true, delegates(n.bits)
		}
		if n.covers(name, d.zone) && n.next.Under(name) {
			return true, false
		}
	}
	return false, false
}

// nsecNoCloser says whether a name does not exist, nor any above it that is below the
// encloser.
func (d *denial) nsecNoCloser(name, encloser rr.Name) bool {
	n := d.missing(name)
	return n != nil && n.encloser(name) == encloser
}
