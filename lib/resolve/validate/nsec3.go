package validate

import (
	"encoding/base32"
	"encoding/hex"
	"strings"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// An nsec3 is an NSEC3 record: in the order of the zone's hashed names, nothing is between
// its own and the next, but for delegations without signatures if it has opted out of those
// (RFC 5155 section 3).
type nsec3 struct {
	own, next  string // hashes
	salt       string
	iterations uint16
	out        bool
	bits       []uint16
}

// addNSEC3 takes a record that can be made use of (RFC 5155 section 8.1 and 8.2).
func (d *denial) addNSEC3(owner rr.Name, r *dns.NSEC3) {
	if r.Hash != dns.SHA1 || r.Flags&^1 != 0 || owner == "" || owner.Parent() != d.zone {
		return
	}
	own, err := base32.HexEncoding.DecodeString(strings.ToUpper(owner.First()))
	if err != nil || len(own) != 20 {
		return
	}
	next, err := base32.HexEncoding.DecodeString(strings.ToUpper(r.NextDomain))
	if err != nil || len(next) != 20 {
		return
	}
	salt, err := hex.DecodeString(r.Salt)
	if err != nil {
		return
	}
	if r.Iterations > maxIterations {
		d.high = true
		return
	}
	d.nsec3s = append(d.nsec3s, &nsec3{string(own), string(next), string(salt), r.Iterations, r.Flags&1 != 0, r.TypeBitMap})
}

// A hashKey is what a hash is made of.
type hashKey struct {
	name       rr.Name
	salt       string
	iterations uint16
}

// hash gives that of a name as a record has it, within the budget; each is made once.
func (w *work) hash(name rr.Name, n *nsec3) (string, bool) {
	k := hashKey{name, n.salt, n.iterations}
	if h, ok := w.hashed[k]; ok {
		return h, true
	}
	if !spend(&w.hashes, maxHashes) {
		return "", false
	}
	h := hash(name, n.salt, n.iterations)
	w.hashed[k] = h
	return h, true
}

// match gives the record of a name that exists.
func (d *denial) match(name rr.Name) *nsec3 {
	for _, n := range d.nsec3s {
		if h, ok := d.hash(name, n); ok && h == n.own {
			return n
		}
	}
	return nil
}

// cover gives a record that a name's hash is in the gap of; one that has not opted out if
// there is one.
func (d *denial) cover(name rr.Name) *nsec3 {
	var found *nsec3
	for _, n := range d.nsec3s {
		h, ok := d.hash(name, n)
		if !ok {
			return nil
		}
		inside := n.own < h && h < n.next
		if n.own >= n.next { // the last of the zone, which leads to the first
			inside = h > n.own || h < n.next
		}
		if inside && (found == nil || found.out) {
			found = n
		}
	}
	return found
}

// nsec3Covers says whether a name itself does not exist.
func (d *denial) nsec3Covers(name rr.Name) proof {
	switch n := d.cover(name); {
	case n == nil:
		return unproven
	case n.out:
		return optedOut
	}
	return proven
}

// closest gives the closest encloser of a name that does not exist, and how far it is proven
// that the next name towards it does not (RFC 5155 section 8.3).
func (d *denial) closest(name rr.Name) (encloser rr.Name, p proof) {
	if len(d.nsec3s) == 0 {
		return "", unproven
	}
	for closer := name; closer != d.zone && closer != ""; closer = closer.Parent() {
		n := d.match(closer.Parent())
		if n == nil {
			continue
		}
		if barred(n.bits) {
			return "", unproven
		}
		return closer.Parent(), d.nsec3Covers(closer)
	}
	return "", unproven
}

func (d *denial) nsec3NameError(name rr.Name) proof {
	if d.match(name) != nil {
		return unproven
	}
	encloser, p := d.closest(name)
	if p == unproven {
		return unproven
	}
	if wild, err := rr.Star.Join(encloser); err == nil && d.cover(wild) == nil {
		return unproven
	}
	return p
}

func (d *denial) nsec3NoData(name rr.Name, typ uint16) (p proof, delegation bool) {
	if n := d.match(name); n != nil {
		if absent(n.bits, name, typ) {
			return proven, delegates(n.bits)
		}
		return unproven, false
	}
	encloser, p := d.closest(name)
	if p == unproven {
		return unproven, false
	}
	if wild, err := rr.Star.Join(encloser); err == nil {
		if n := d.match(wild); n != nil {
			if absent(n.bits, wild, typ) && !delegates(n.bits) {
				return p, false
			}
			return unproven, false
		}
	}
	// Below an opted out name there may be a delegation, and above one a name without records
	// (RFC 5155 section 8.6, erratum 3441).
	if p == optedOut {
		return optedOut, false
	}
	return unproven, false
}
