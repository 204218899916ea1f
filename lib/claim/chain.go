package claim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// Limits on what a hostile zone can make us compute (CVE-2023-50387).
const (
	maxKeys   = 32  // keys of a zone
	maxKey    = 700 // octets of a key in base64: RSA of 4,096 bits
	maxSigs   = 8   // signatures over one set
	maxVerify = 8   // signatures checked for one set
)

// A chain is how far the signatures have been followed: the keys of a zone.
// Without keys the zone is unsigned.
type chain struct {
	zone rr.Name
	keys []*dns.DNSKEY
}

// validate checks the CNAME record in m, which was found at the end of path.
func (r *run) validate(ctx context.Context, path []zone, m *dns.Msg) error {
	c, err := r.anchor(ctx, path[0].name)
	for i := 1; i < len(path) && err == nil; i++ {
		c, err = r.follow(ctx, c, path[i-1], path[i])
	}
	if err != nil {
		return err
	}
	// A server that has the zones above and below a cut answers from the one
	// below without a referral.
	if c, err = r.between(ctx, c, path[len(path)-1], r.proof.Parent(), m); err != nil || c.keys == nil {
		return err
	}
	set, sigs := rrset(m.Answer, r.proof, dns.TypeCNAME)
	return c.verify(set, sigs, r.now)
}

// anchor gives the keys where the chain starts, from the resolver.
func (r *run) anchor(ctx context.Context, name rr.Name) (chain, error) {
	m, trusted, err := r.resolve(ctx, name, dns.TypeDNSKEY)
	switch {
	case err != nil:
		return chain{}, err
	case trusted && m.Rcode == dns.RcodeServerFailure:
		return chain{}, fmt.Errorf("%w: the resolver cannot validate the keys of %s", ErrBogus, show(name))
	case !trusted || !m.AuthenticatedData:
		return chain{zone: name}, nil
	}
	set, _ := rrset(m.Answer, name, dns.TypeDNSKEY)
	keys := keysOf(set)
	if len(keys) == 0 {
		return chain{}, fmt.Errorf("%w: the resolver has no keys of %s", ErrBogus, show(name))
	}
	return chain{zone: name, keys: keys}, nil
}

// follow takes the chain over a referral from parent to child.
func (r *run) follow(ctx context.Context, c chain, parent, child zone) (chain, error) {
	m, err := r.ask(ctx, parent, child.name, dns.TypeDS, unauthoritative)
	if err != nil {
		return c, err
	}
	if c, err = r.between(ctx, c, parent, child.name.Parent(), m); err != nil {
		return c, err
	}
	next, ok, err := r.cross(ctx, c, child, m)
	if err == nil && !ok {
		err = fmt.Errorf("%w: %s is signed, but neither has keys for %s nor proves that it is unsigned", ErrBogus, show(c.zone), child.name)
	}
	return next, err
}

// between takes the chain over cuts that no referral showed, because all the
// zones are on the servers of z: those down to the name to. It stops at the
// zone that signed m, the answer that is to be checked.
func (r *run) between(ctx context.Context, c chain, z zone, to rr.Name, m *dns.Msg) (chain, error) {
	signers := signersOf(m)
	if c.keys == nil && len(signers) == 0 {
		return c, nil
	}
	for _, name := range names(c.zone, to) {
		if slices.Contains(signers, c.zone) {
			return c, nil
		}
		ds, err := r.ask(ctx, z, name, dns.TypeDS, unauthoritative)
		if err != nil {
			return c, err
		}
		next, ok, err := r.cross(ctx, c, zone{name, z.servers}, ds)
		if err != nil {
			return c, err
		}
		if ok {
			c = next
		}
	}
	return c, nil
}

// names gives the names below top down to bottom, the shortest first.
func names(top, bottom rr.Name) []rr.Name {
	var list []rr.Name
	for n := bottom; len(n) > len(top); n = n.Parent() {
		list = append(list, n)
	}
	slices.Reverse(list)
	return list
}

// signersOf gives the zones whose signatures are in an answer.
func signersOf(m *dns.Msg) []rr.Name {
	var out []rr.Name
	for _, r := range slices.Concat(m.Answer, m.Ns) {
		if sig, ok := r.(*dns.RRSIG); ok {
			if n, ok := nameOf(sig.SignerName); ok {
				out = append(out, n.Lower())
			}
		}
	}
	return out
}

// cross takes the chain over the cut to child, given the answer about its DS
// set. It reports false if the zone above says nothing that makes child a cut.
func (r *run) cross(ctx context.Context, c chain, child zone, m *dns.Msg) (chain, bool, error) {
	set, sigs := rrset(m.Answer, child.name, dns.TypeDS)
	switch {
	case len(set) == 0 && c.keys == nil:
		return chain{zone: child.name}, true, nil
	case len(set) == 0:
		if !c.unsigned(m.Ns, child.name, r.now) {
			return c, false, nil
		}
		return chain{zone: child.name}, true, nil
	case c.keys != nil:
		if err := c.verify(set, sigs, r.now); err != nil {
			return c, false, err
		}
	}
	list := usable(set)
	if len(list) == 0 {
		return chain{zone: child.name}, true, nil // RFC 4035 section 5.2: as if unsigned
	}
	a, err := r.ask(ctx, child, child.name, dns.TypeDNSKEY, unauthoritative)
	if err != nil {
		return c, false, err
	}
	set, sigs = rrset(a.Answer, child.name, dns.TypeDNSKEY)
	keys := keysOf(set)
	entry := chain{zone: child.name, keys: matching(keys, list)}
	if len(entry.keys) == 0 {
		return c, false, fmt.Errorf("%w: no key of %s matches its DS records", ErrBogus, child.name)
	}
	return chain{zone: child.name, keys: keys}, true, entry.verify(set, sigs, r.now)
}

// usable gives the DS records of algorithms that can be checked, those with a
// SHA-1 digest only if there is no better one (RFC 4509 section 3).
func usable(set []dns.RR) []*dns.DS {
	var weak, strong []*dns.DS
	for _, r := range set {
		ds, ok := r.(*dns.DS)
		if !ok || !slices.Contains(algorithms, ds.Algorithm) {
			continue
		}
		switch ds.DigestType {
		case dns.SHA1:
			weak = append(weak, ds)
		case dns.SHA256, dns.SHA384:
			strong = append(strong, ds)
		}
	}
	if len(strong) > 0 {
		return strong
	}
	return weak
}

// algorithms are those whose signatures can be checked.
var algorithms = []uint8{
	dns.RSASHA1, dns.RSASHA1NSEC3SHA1, dns.RSASHA256, dns.RSASHA512,
	dns.ECDSAP256SHA256, dns.ECDSAP384SHA384, dns.ED25519,
}

// keysOf gives the zone keys of a DNSKEY set, none if the set is out of limits.
func keysOf(set []dns.RR) []*dns.DNSKEY {
	var out []*dns.DNSKEY
	for _, r := range set {
		k, ok := r.(*dns.DNSKEY)
		if ok && k.Flags&dns.ZONE != 0 && k.Flags&dns.REVOKE == 0 && k.Protocol == 3 && len(k.PublicKey) <= maxKey {
			out = append(out, k)
		}
	}
	if len(out) > maxKeys {
		return nil
	}
	return out
}

// matching gives the keys that a DS record names.
func matching(keys []*dns.DNSKEY, list []*dns.DS) []*dns.DNSKEY {
	var out []*dns.DNSKEY
	for _, k := range keys {
		if slices.ContainsFunc(list, func(ds *dns.DS) bool {
			if ds.Algorithm != k.Algorithm || ds.KeyTag != k.KeyTag() {
				return false
			}
			made := k.ToDS(ds.DigestType)
			return made != nil && strings.EqualFold(made.Digest, ds.Digest)
		}) {
			out = append(out, k)
		}
	}
	return out
}

// rrset gives the records of a set in a section, owner names in lower case, and
// the signatures over it.
func rrset(section []dns.RR, owner rr.Name, t uint16) (set []dns.RR, sigs []*dns.RRSIG) {
	for _, r := range section {
		h := r.Header()
		sig, signature := r.(*dns.RRSIG)
		if h.Class != dns.ClassINET || h.Rrtype != t && (!signature || sig.TypeCovered != t) || !is(h.Name, owner) {
			continue
		}
		r = dns.Copy(r)
		r.Header().Name = owner.Lower().FQDN()
		if signature {
			sigs = append(sigs, r.(*dns.RRSIG))
		} else {
			set = append(set, r)
		}
	}
	return set, sigs[:min(maxSigs, len(sigs))]
}

// verify returns nil if a key of the chain's zone has signed the set itself,
// not a wildcard that it was made from, for a time that includes now.
func (c chain) verify(set []dns.RR, sigs []*dns.RRSIG, now time.Time) error {
	if len(set) == 0 {
		return fmt.Errorf("%w: %s lacks records", ErrBogus, show(c.zone))
	}
	h := set[0].Header()
	why := "is not signed by " + show(c.zone)
	tries := 0
	for _, sig := range sigs {
		if !is(sig.SignerName, c.zone) {
			continue
		}
		if !sig.ValidityPeriod(now) {
			why = "has a signature that is too old or too new"
			continue
		}
		if int(sig.Labels) != dns.CountLabel(h.Name) {
			why = "is signed as a wildcard"
			continue
		}
		for _, k := range c.keys {
			if k.KeyTag() != sig.KeyTag || k.Algorithm != sig.Algorithm {
				continue
			}
			if tries++; tries > maxVerify {
				break
			}
			if sig.Verify(k, set) == nil {
				return nil
			}
			why = "has a wrong signature"
		}
	}
	return fmt.Errorf("%w: %s %s %s", ErrBogus, strings.TrimSuffix(h.Name, "."), dns.TypeToString[h.Rrtype], why)
}
