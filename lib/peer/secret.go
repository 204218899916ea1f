package peer

import (
	"fmt"
	"slices"

	"namecast/lib/rr"
)

// secretDomains are never told to others; nor are single labels, see tellable.
var secretDomains = append(shared(), names(
	// RFC 6762 for local., RFC 8375, RFC 7686, RFC 6761, RFC 9476, and ICANN's internal.
	"local", "home.arpa", "onion", "localhost", "test", "invalid", "alt", "internal",
	// RFC 6762 appendix G: what sites use inside.
	"intranet", "private", "corp", "home", "lan",
	// The reverse of addresses that many networks have: RFC 6303 section 4.
	"10.in-addr.arpa", "127.in-addr.arpa", "254.169.in-addr.arpa", "168.192.in-addr.arpa",
	"16.172.in-addr.arpa", "17.172.in-addr.arpa", "18.172.in-addr.arpa", "19.172.in-addr.arpa",
	"20.172.in-addr.arpa", "21.172.in-addr.arpa", "22.172.in-addr.arpa", "23.172.in-addr.arpa",
	"24.172.in-addr.arpa", "25.172.in-addr.arpa", "26.172.in-addr.arpa", "27.172.in-addr.arpa",
	"28.172.in-addr.arpa", "29.172.in-addr.arpa", "30.172.in-addr.arpa", "31.172.in-addr.arpa",
	"c.f.ip6.arpa", "d.f.ip6.arpa", "8.e.f.ip6.arpa", "9.e.f.ip6.arpa", "a.e.f.ip6.arpa", "b.e.f.ip6.arpa",
)...)

// shared are the reverse of the addresses that providers give to many (RFC 7793).
func shared() (list []rr.Name) {
	for i := 64; i < 128; i++ {
		list = append(list, rr.MustName(fmt.Sprintf("%d.100.in-addr.arpa", i)))
	}
	return list
}

// SecretDomains gives the domains that are never told to others, whatever the options:
// they exist nowhere in the tree below the root, so nobody can validate them either.
func SecretDomains() []rr.Name { return slices.Clone(secretDomains) }

func names(texts ...string) []rr.Name {
	out := make([]rr.Name, len(texts))
	for i, t := range texts {
		out[i] = rr.MustName(t)
	}
	return out
}

// secret reports whether a name is for this machine and its name servers only. Single
// labels are told apart by tellable: the keys of top level domains are what validation
// needs.
func (n *Node) secret(name rr.Name) bool {
	under := func(d rr.Name) bool { return name.Under(d) }
	return slices.ContainsFunc(secretDomains, under) || slices.ContainsFunc(n.o.Secret, under)
}

// maxSecret bounds the domains that turn out to be secret.
const maxSecret = 1024

// conceal takes domains that are secret from now on, also when they have no servers of
// their own any more: programs go on asking for their names.
func (n *Node) conceal(domains []rr.Name) {
	for _, d := range domains {
		if !n.secret(d) && len(n.o.Secret) < maxSecret {
			n.o.Secret = append(slices.Clip(n.o.Secret), d)
		}
	}
}

// Types of questions that are treated apart.
const (
	typeOPT    = 41
	typeDS     = uint16(rr.TypeDS)
	typeDNSKEY = 48
	typeANY    = uint16(rr.TypeANY)
	typeNS     = uint16(rr.TypeNS)
	typeA      = uint16(rr.TypeA)
)

// meta reports a type that is no data (RFC 6895 section 3.1).
func meta(typ uint16) bool { return typ == 0 || typ == typeOPT || typ >= 128 && typ <= 255 }

// chainType reports the types that validation walks along. What is asked for without
// checking (CD) is shared only if it is of these, since nobody believes them unchecked.
func chainType(typ uint16) bool { return typ == typeDS || typ == typeDNSKEY }

// tellable reports whether members may hear of a question at all.
func (n *Node) tellable(q Question) bool {
	switch {
	case n.o.Ring == nil, n.net == 0, n.behind(), meta(q.Type), n.secret(q.Name):
		return false
	case q.CD && !chainType(q.Type):
		return false
	case q.Name.Count() == 1 && !chainType(q.Type):
		return false // a single label is a host's name more often than a domain
	}
	return true
}
