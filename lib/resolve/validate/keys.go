package validate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// keysOf gives the zone whose keys the DS records, or keys that are trusted already, vouch
// for: one of these must have signed all of them (RFC 4035 section 5.2).
func (w *work) keysOf(at rr.Name, ds []*dns.DS, trusted []*dns.DNSKEY, ttl *time.Duration) *zone {
	z := &zone{name: at, finding: secure}
	ds = chosen(ds)
	if len(ds) == 0 && !anyKnown(trusted) {
		z.finding = finding{Insecure, fmt.Errorf("%v has no keys of a known algorithm", at)}
		return z
	}
	m, f := w.fetch(at, dns.TypeDNSKEY)
	if m == nil {
		z.finding = f
		return z
	}
	s := find(m.answer, at, dns.TypeDNSKEY)
	if s == nil {
		z.finding = bogus("%v: %w: there are none", at, ErrKeys)
		return z
	}
	entry, err := w.entries(s, ds, trusted)
	if err != nil {
		z.finding = finding{Bogus, err}
		return z
	}
	sig, err := w.verify(s, &zone{name: at, keys: entry})
	if err != nil {
		z.finding = bogus("%v: %w: %w", at, ErrKeys, err)
		return z
	}
	shorten(ttl, s, sig)
	z.keys = keys{}
	for _, r := range s.records {
		if k, ok := r.(*dns.DNSKEY); ok && usable(k) && known(k.Algorithm) {
			z.keys.add(k)
		}
	}
	return z
}

func anyKnown(all []*dns.DNSKEY) bool {
	for _, k := range all {
		if known(k.Algorithm) {
			return true
		}
	}
	return false
}

// chosen are the DS records that count: those of a known algorithm and digest, and of
// SHA-1 only if there is no other (RFC 4509 section 3).
func chosen(all []*dns.DS) []*dns.DS {
	var good, old []*dns.DS
	for _, ds := range all {
		switch {
		case !known(ds.Algorithm):
		case ds.DigestType == dns.SHA256, ds.DigestType == dns.SHA384:
			good = append(good, ds)
		case ds.DigestType == dns.SHA1:
			old = append(old, ds)
		}
	}
	if len(good) > 0 {
		return good
	}
	return old
}

// entries gives the keys of a set that DS records or trusted keys vouch for. A digest is
// work like a signature.
func (w *work) entries(s *set, ds []*dns.DS, trusted []*dns.DNSKEY) (keys, error) {
	all, entry := keys{}, keys{}
	for _, r := range s.records {
		k, ok := r.(*dns.DNSKEY)
		if !ok || !usable(k) {
			continue
		}
		all.add(k)
		for _, t := range trusted {
			if t.Algorithm == k.Algorithm && t.PublicKey == k.PublicKey {
				entry.add(k)
				break
			}
		}
	}
	for _, d := range ds {
		for i, k := range all[keyID{d.KeyTag, d.Algorithm}] {
			if i == maxCollisions || !spend(&w.verifies, maxVerifies) {
				return nil, fmt.Errorf("%v: %w: keys with tag %d", s.owner, ErrWork, d.KeyTag)
			}
			if made := k.ToDS(d.DigestType); made != nil && strings.EqualFold(made.Digest, d.Digest) {
				if !slices.Contains(entry[keyID{d.KeyTag, d.Algorithm}], k) {
					entry.add(k)
				}
				break
			}
		}
	}
	if len(entry) == 0 {
		return nil, fmt.Errorf("%v: %w", s.owner, ErrKeys)
	}
	return entry, nil
}
