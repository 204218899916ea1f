package validate

import (
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// known says whether signatures of an algorithm can be verified.
func known(algorithm uint8) bool {
	switch algorithm {
	case dns.RSASHA256, dns.RSASHA512, dns.ECDSAP256SHA256, dns.ECDSAP384SHA384, dns.ED25519:
		return true
	}
	return false
}

// usable says whether a key may sign the data of a zone: not one that is revoked (RFC 5011
// section 2.1), nor any that is no zone key (RFC 4034 section 2.1).
func usable(k *dns.DNSKEY) bool {
	return k.Flags&dns.ZONE != 0 && k.Flags&dns.REVOKE == 0 && k.Protocol == 3 && k.Hdr.Class == dns.ClassINET
}

// A keyID is what a signature says of its key. Keys of one zone may share it.
type keyID struct {
	tag       uint16
	algorithm uint8
}

type keys map[keyID][]*dns.DNSKEY

func (k keys) add(key *dns.DNSKEY) {
	id := keyID{key.KeyTag(), key.Algorithm}
	k[id] = append(k[id], key)
}

// verify looks for a signature of a set that one of a zone's keys made, and gives it.
func (w *work) verify(s *set, z *zone) (*dns.RRSIG, error) {
	problem := fmt.Errorf("%v %s: %w", s.owner, dns.Type(s.typ), ErrUnsigned)
	tried := 0
	for _, sig := range s.sigs {
		signer, ok := nameOf(sig.SignerName)
		if !ok || signer != z.name {
			continue
		}
		if tried++; tried > maxSignatures {
			return nil, fmt.Errorf("%v %s: %w: signatures", s.owner, dns.Type(s.typ), ErrWork)
		}
		err := w.verifyOne(s, sig, z.keys[keyID{sig.KeyTag, sig.Algorithm}])
		if err == nil {
			w.used(sig)
			return sig, nil
		}
		problem = fmt.Errorf("%v %s by %v: %w", s.owner, dns.Type(s.typ), z.name, err)
	}
	return nil, problem
}

func (w *work) verifyOne(s *set, sig *dns.RRSIG, candidates []*dns.DNSKEY) error {
	if int(sig.Labels) > labels(s) || !shaped(sig) {
		return ErrSignature
	}
	if err := inTime(sig, w.now); err != nil && !w.untimed {
		return err
	}
	for i, k := range candidates {
		if i == maxCollisions || !spend(&w.verifies, maxVerifies) {
			return fmt.Errorf("%w: keys with tag %d", ErrWork, sig.KeyTag)
		}
		if sig.Verify(k, s.records) == nil {
			return nil
		}
	}
	return ErrSignature
}

// labels is the count that a signature of the set has (RFC 4034 section 3.1.3).
func labels(s *set) int {
	if s.owner.Wildcard() {
		return s.owner.Count() - 1
	}
	return s.owner.Count()
}

// expanded says whether a signature is that of a wildcard that the set was made from.
func expanded(s *set, sig *dns.RRSIG) bool { return int(sig.Labels) < labels(s) }

// shaped says whether the signature has the length that its algorithm gives it (RFC 6605
// section 4, RFC 8080 section 4); the library would read others, too.
func shaped(sig *dns.RRSIG) bool {
	b, err := base64.StdEncoding.DecodeString(sig.Signature)
	switch sig.Algorithm {
	case dns.ECDSAP384SHA384:
		return err == nil && len(b) == 96
	case dns.ECDSAP256SHA256, dns.ED25519:
		return err == nil && len(b) == 64
	}
	return err == nil && known(sig.Algorithm)
}

// Clocks are not exact, and signatures are often made for just now: the times of a
// signature are taken with a tenth of its period to spare, within these bounds, as unbound
// has them.
const (
	leastSpare = time.Hour
	mostSpare  = 24 * time.Hour
)

// spare is how much later than it says a signature ends, and how much earlier it begins.
func spare(sig *dns.RRSIG) time.Duration {
	period := time.Duration(int32(sig.Expiration-sig.Inception)) * time.Second
	return min(max(period/10, leastSpare), mostSpare)
}

// inTime checks the times of a signature by serial arithmetic (RFC 4034 section 3.1.5).
func inTime(sig *dns.RRSIG, now time.Time) error {
	clock, spare := uint32(now.Unix()), int32(spare(sig)/time.Second)
	switch {
	case int32(sig.Expiration-sig.Inception) < 0, int32(clock-sig.Expiration) > spare:
		return ErrExpired
	case int32(sig.Inception-clock) > spare:
		return ErrEarly
	}
	return nil
}

// used remembers when the first signature ends that the verdict rests on.
func (w *work) used(sig *dns.RRSIG) {
	if w.untimed {
		return
	}
	left := time.Duration(int32(sig.Expiration-uint32(w.now.Unix()))) * time.Second
	w.rests(w.now.Add(left + spare(sig)))
}

func (w *work) rests(until time.Time) {
	if !until.IsZero() && (w.until.IsZero() || until.Before(w.until)) {
		w.until = until
	}
}

// A judgement is a finding about a set, and the signature that makes it Secure.
type judgement struct {
	finding
	sig  *dns.RRSIG
	zone *zone
}

// judge judges a set by itself. Any zone at or above its owner may have signed it; if none
// has rightly, the set can only be Insecure because the zone that it belongs to is.
func (w *work) judge(s *set) judgement {
	if j, ok := w.judged[s]; ok {
		return j
	}
	j := w.judgeAnew(s)
	w.judged[s] = j
	return j
}

func (w *work) judgeAnew(s *set) judgement {
	problem := fmt.Errorf("%v %s: %w", s.owner, dns.Type(s.typ), ErrUnsigned)
	for _, signer := range signers(s) {
		z := w.zoneAt(signer)
		if z.state != Secure || z.name != signer {
			continue
		}
		sig, err := w.verify(s, z)
		if err == nil {
			w.rests(z.ends)
			w.maxTTL = min(w.maxTTL, sig.OrigTtl)
			return judgement{secure, sig, z}
		}
		problem = err
	}
	home := s.owner
	if s.typ == dns.TypeDS || s.typ == dns.TypeNSEC3 {
		home = home.Parent()
	}
	if z := w.zoneAt(home); z.state != Secure {
		return judgement{finding: z.finding}
	}
	return judgement{finding: finding{Bogus, problem}}
}

// signers gives the zones that a set's signatures say they are of, as far as they can be
// right: zones at or above the owner, for DS records above it (RFC 4035 section 2.4).
func signers(s *set) []rr.Name {
	var names []rr.Name
	for _, sig := range s.sigs {
		n, ok := nameOf(sig.SignerName)
		if !ok || !s.owner.Under(n) || s.typ == dns.TypeDS && n == s.owner && n != "" || slices.Contains(names, n) {
			continue
		}
		if names = append(names, n); len(names) == maxSigners {
			break
		}
	}
	return names
}
