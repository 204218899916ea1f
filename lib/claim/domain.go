package claim

import (
	"fmt"
	"net/netip"
	"strings"

	"namecast/lib/rr"
)

// label is what the first label of a proof name starts with.
const label = "validate-"

// ProofName gives the name at which the proof of account for domain must be,
// or [ErrDomain] if the domain cannot be claimed of a service with that base
// domain, whatever is in the DNS.
func proofName(base, domain rr.Name, account string) (rr.Name, error) {
	if err := domain.Check(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrDomain, err)
	}
	if why := unclaimable(base, domain.Lower()); why != "" {
		return "", fmt.Errorf("%w: %s %s", ErrDomain, domain, why)
	}
	if account == "" || len(label)+len(account) > rr.MaxLabel {
		return "", fmt.Errorf("%w: bad account name %q", ErrDomain, account)
	}
	first := label + account
	proof, err := (rr.Name([]byte{byte(len(first))}) + rr.Name(first)).Join(domain)
	if err != nil {
		return "", fmt.Errorf("%w: %s is too long to have a proof name below it", ErrDomain, domain)
	}
	return proof.Lower(), nil
}

// neverPublic are top-level names that by RFC 6761, 6762, 7686 and 9476 are not
// in the public DNS, so that nobody can prove to own one there.
const neverPublic = " localhost local invalid onion alt "

// unclaimable says why nobody can have the domain, "" if somebody may.
func unclaimable(base, domain rr.Name) string {
	top := domain
	for label := range domain.Labels() {
		if label == "*" {
			return "is a wildcard"
		}
		if top.Count() > 1 {
			top = top.Parent()
		}
	}
	switch {
	case domain == "":
		return "is the root of the DNS"
	case domain.Count() == 1:
		return "is a top-level domain"
	case domain.Equal("\x07in-addr\x04arpa"), domain.Equal("\x03ip6\x04arpa"):
		return "is the root of all reverse names"
	case strings.Contains(neverPublic, " "+top.First()+" "):
		return "is not a name of the public DNS"
	case domain.Equal(base):
		return "is this service's own domain"
	case domain.Under(base):
		return fmt.Sprintf("is below this service's own domain %s", base)
	case base.Under(domain):
		return fmt.Sprintf("is above this service's own domain %s", base)
	}
	return ""
}

// notPublic are the address blocks of the IANA special-purpose registries
// (RFC 6890) that netip has no method for and that cannot hold a public server.
var notPublic = prefixes(
	"0.0.0.0/8 100.64.0.0/10 192.0.0.0/24 192.0.2.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 " +
		"::/96 64:ff9b:1::/48 100::/64 2001::/32 2001:2::/48 2001:db8::/32 3fff::/20 5f00::/16 fec0::/10")

// Blocks whose addresses carry an IPv4 address, and where in them it is.
var (
	nat64 = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	six4  = netip.MustParsePrefix("2002::/16")    // RFC 3056
)

func prefixes(list string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range strings.Fields(list) {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// public reports whether a name server of the public DNS can have the address.
func public(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Zone() != "" {
		return false // loopback, link-local, multicast, unspecified, broadcast
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	b := a.As16()
	switch {
	case nat64.Contains(a):
		return public(netip.AddrFrom4([4]byte(b[12:])))
	case six4.Contains(a):
		return public(netip.AddrFrom4([4]byte(b[2:6])))
	}
	return true
}
