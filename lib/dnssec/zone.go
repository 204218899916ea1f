package dnssec

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// A Zone signs for one zone at one moment.
type Zone struct {
	signer *Signer
	name   rr.Name // lower case
	now    time.Time
	keys   []*Key // those that are published, the oldest first
	active *Key   // the one that signs
}

// Zone gives what signs for a zone now.
func (s *Signer) Zone(name rr.Name) (*Zone, error) {
	z := &Zone{signer: s, name: name.Lower(), now: s.now()}
	k, err := s.keys(z.name)
	if err != nil {
		return nil, err
	}
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

// Sign makes the signatures of an RRset whose owner is an absolute name in the
// zone, and which is as it is served: the owner is the name in question, also
// where a wildcard stands for it. Those of the keys' own RRsets are by every
// published key, those of others by the one that signs. They have the given
// owner's case. ErrBusy when the budget is used up.
func (z *Zone) Sign(set rr.Set, w Want) ([]dns.RR, error) {
	owner := set.Owner
	set.Owner = owner.Lower()
	inception, expiration := window(set.Owner, z.now)
	sig := dns.RRSIG{
		Hdr:         dns.RR_Header{Name: owner.FQDN(), Rrtype: dns.TypeRRSIG, Class: dns.ClassINET, Ttl: set.TTL},
		TypeCovered: uint16(set.Type), Algorithm: algorithm, Labels: labels(owner), OrigTtl: set.TTL,
		Expiration: uint32(expiration), Inception: uint32(inception), SignerName: z.name.FQDN(),
	}
	keys := []*Key{z.active}
	switch set.Type {
	case TypeDNSKEY, TypeCDS, TypeCDNSKEY: // RFC 7344 section 4.1 for the latter
		keys = z.keys
	}
	buf := z.prefix(make([]byte, 0, 512), &sig)
	buf = appendSet(buf, set)
	out := make([]dns.RR, 0, len(keys))
	for _, k := range keys {
		binary.BigEndian.PutUint16(buf[16:], k.Tag)
		value, err := z.signer.signed(k, sha256.Sum256(buf), w, z.now)
		if err != nil {
			return nil, err
		}
		one := sig
		one.KeyTag, one.Signature = k.Tag, base64.StdEncoding.EncodeToString(value[:])
		out = append(out, &one)
	}
	return out, nil
}

// prefix is the RRSIG's data without the signature and with a key tag of zero,
// which the signature covers before the records (RFC 4034 section 3.1.8.1).
func (z *Zone) prefix(b []byte, sig *dns.RRSIG) []byte {
	b = binary.BigEndian.AppendUint16(b, sig.TypeCovered)
	b = append(b, sig.Algorithm, sig.Labels)
	b = binary.BigEndian.AppendUint32(b, sig.OrigTtl)
	b = binary.BigEndian.AppendUint32(b, sig.Expiration)
	b = binary.BigEndian.AppendUint32(b, sig.Inception)
	b = append(b, 0, 0)
	return append(append(b, z.name...), 0)
}

// labels counts the labels of an owner, but for the asterisk of a wildcard (RFC
// 4034 section 3.1.3).
func labels(owner rr.Name) uint8 {
	n := owner.Count()
	if owner.Wildcard() {
		n--
	}
	return uint8(n)
}
