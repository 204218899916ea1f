package compare

import (
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// oneSet reports whether the answer section has one RRset at its end, after
// aliases at most.
func oneSet(m *dns.Msg) bool {
	n := len(m.Answer)
	if n == 0 {
		return false
	}
	last := m.Answer[n-1].Header()
	for _, r := range m.Answer {
		if h := r.Header(); h.Rrtype != dns.TypeCNAME && h.Rrtype != dns.TypeDNAME && (h.Rrtype != last.Rrtype || h.Name != last.Name) {
			return false
		}
	}
	return true
}

// onlyKinds reports whether all records, in the form of line, are of a type.
func onlyKinds(lines []string, kind string) bool {
	return slices.Equal(kindsOf(lines), []string{kind})
}

// addressesOf reports whether all records are addresses of name servers in ns.
func addressesOf(lines []string, ns []dns.RR) bool {
	hosts := map[string]bool{}
	for _, r := range ns {
		if n, ok := r.(*dns.NS); ok {
			hosts[strings.ToLower(n.Ns)] = true
		}
	}
	for _, l := range lines {
		if f := strings.Fields(l); !hosts[f[0]] || f[3] != "A" && f[3] != "AAAA" {
			return false
		}
	}
	return true
}

// zones are the apexes held, the longest first.
var zones = []string{
	"child.example.com.", "orphan.example.com.", "namecast.example.", "nsonly.example.", "example.com.", "example.net.", "example.org.",
}

func zoneOf(name string) string {
	for _, z := range zones {
		if dns.IsSubDomain(z, name) {
			return z
		}
	}
	return ""
}

// crosses reports whether an alias leads from one zone held to another.
func crosses(answer []dns.RR) bool {
	for _, r := range answer {
		if c, ok := r.(*dns.CNAME); ok && zoneOf(c.Target) != "" && zoneOf(c.Target) != zoneOf(c.Hdr.Name) {
			return true
		}
	}
	return false
}

// within reports whether every record of a is in b.
func within(a, b []dns.RR) bool { return len(minus(a, b)) == 0 }

func hasType(answer []dns.RR, kind uint16) bool {
	return slices.ContainsFunc(answer, func(r dns.RR) bool { return r.Header().Rrtype == kind })
}

// onlyAddresses reports whether all records, in the form of line, are A or AAAA.
func onlyAddresses(lines []string) bool {
	for _, k := range kindsOf(lines) {
		if k != "A" && k != "AAAA" {
			return false
		}
	}
	return true
}

// packed is the length of a message with compressed names.
func packed(m *dns.Msg) int {
	small := *m
	small.Compress = true
	return small.Len()
}

// endless reports whether the aliases lead back, grow for ever, or are too many.
func endless(answer []dns.RR) bool {
	owners, count := map[string]bool{}, 0
	for _, r := range answer {
		switch r := r.(type) {
		case *dns.CNAME:
			owners[strings.ToLower(r.Hdr.Name)] = true
			count++
		case *dns.DNAME:
			if dns.IsSubDomain(r.Hdr.Name, r.Target) {
				return true
			}
		}
	}
	if count == 0 {
		return false
	}
	last, ok := answer[len(answer)-1].(*dns.CNAME)
	return count > 16 || ok && owners[strings.ToLower(last.Target)]
}

// packsTighter reports whether ours is whole and what the peer left out would
// have fitted: BIND and we compress against the target of a DNAME. Knot leaves
// the SOA out without TC then.
func packsTighter(x exchange) bool {
	limit := max(512, int(x.q.payload))
	if x.q.tcp || x.ours.Truncated || packed(x.ours) > limit {
		return false
	}
	return x.theirs.Truncated || x.peer == "knot" && len(x.theirs.Ns) == 0 && hasType(x.theirs.Answer, dns.TypeDNAME)
}

// referral reports whether an answer points to other servers.
func referral(m *dns.Msg) bool {
	return len(m.Ns) > 0 && m.Ns[0].Header().Rrtype == dns.TypeNS
}
