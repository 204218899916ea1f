package dnssec

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"namecast/lib/rr"
)

// A Zone signs for one zone at one moment.
type Zone struct {
	signer *Signer
	name   rr.Name // lower case
	now    time.Time
	keys   []*Key // those that are published, the oldest first
	active *Key   // the one that signs
	until  int64  // Unix seconds; see Until
}

// Zone gives what signs for a zone now.
func (s *Signer) Zone(name rr.Name) (*Zone, error) {
	z := &Zone{signer: s, name: name.Lower(), now: s.now()}
	k, err := s.keys(z.name)
	if err != nil {
		return nil, err
	}
	z.until = k.secret.until(z.now)
	for i, state := range k.secret.States(z.now) {
		if state == Signing {
			z.active = k.keys[i]
		}
		if state != Coming {
			z.keys = append(z.keys, k.keys[i])
		}
	}
	return z, nil
}

// Name is the zone's name in lower case.
func (z *Zone) Name() rr.Name { return z.name }

// DNSKEY is the RRset of the published keys, without an owner.
func (z *Zone) DNSKEY() rr.Set {
	set := rr.Set{Type: TypeDNSKEY, TTL: KeyTTL}
	for _, k := range z.keys {
		set.Data = append(set.Data, k.DNSKEY())
	}
	return set
}

// CDNSKEY is the RRset that tells the parent which key to have a DS for.
func (z *Zone) CDNSKEY() rr.Set {
	return rr.Set{Type: TypeCDNSKEY, TTL: KeyTTL, Data: []rr.Data{z.active.DNSKEY()}}
}

// CDS is the RRset that tells the parent which DS to have.
func (z *Zone) CDS() rr.Set {
	return rr.Set{Type: TypeCDS, TTL: KeyTTL, Data: []rr.Data{z.active.DS()}}
}

// DS is the RRset that the parent should have.
func (z *Zone) DS() rr.Set {
	return rr.Set{Type: rr.TypeDS, TTL: KeyTTL, Data: []rr.Data{z.active.DS()}}
}

// Sign makes the RRset of the signatures of an RRset whose owner is an absolute
// name in the zone, and which is as it is served: the owner is the name in
// question, also where a wildcard stands for it. Those of the keys' own RRsets are
// by every published key, those of others by the one that signs. Their owner has
// the given one's case. ErrBusy when the budget is used up.
func (z *Zone) Sign(set rr.Set, w Want) (rr.Set, error) {
	sigs := rr.Set{Owner: set.Owner, Type: TypeRRSIG, TTL: set.TTL}
	set.Owner = set.Owner.Lower()
	inception, expiration := window(set.Owner, z.now)
	z.until = min(z.until, inception+int64((Back+Step)/time.Second))
	signing := []*Key{z.active}
	switch set.Type {
	case TypeDNSKEY, TypeCDS, TypeCDNSKEY: // RFC 7344 section 4.1 for the latter
		signing = z.keys
	}
	buf := make([]byte, 0, 512)
	buf = binary.BigEndian.AppendUint16(buf, uint16(set.Type))
	buf = append(buf, algorithm, labels(set.Owner))
	buf = binary.BigEndian.AppendUint32(buf, set.TTL)
	buf = binary.BigEndian.AppendUint32(buf, uint32(expiration))
	buf = binary.BigEndian.AppendUint32(buf, uint32(inception))
	buf = append(buf, 0, 0) // the key's tag
	buf = append(append(buf, z.name...), 0)
	head := len(buf)
	buf = appendSet(buf, set)
	for _, k := range signing {
		binary.BigEndian.PutUint16(buf[16:], k.Tag)
		value, err := z.signer.signed(k, sha256.Sum256(buf), w, z.now)
		if err != nil {
			return rr.Set{}, err
		}
		sigs.Data = append(sigs.Data, rr.Data(string(buf[:head])+string(value[:])))
	}
	return sigs, nil
}

// Until is when something that was taken from the zone may be another: the next
// window of a signature made, or the next state of a key.
func (z *Zone) Until() time.Time { return time.Unix(z.until, 0) }

// labels counts the labels of an owner, but for the asterisk of a wildcard (RFC
// 4034 section 3.1.3).
func labels(owner rr.Name) uint8 {
	n := owner.Count()
	if owner.Wildcard() {
		n--
	}
	return uint8(n)
}
