package compare

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// contact and domainTTL are what every account validates its domains with.
const (
	contact   = "hostmaster@example.com"
	domainTTL = 3600
)

// A soa is how a zone's SOA record looks at our server.
type soa func(zone string) string

// zoneFiles writes the data as master files for the peers: what our server is
// meant to make of the accounts, by the rules of its documentation.
func zoneFiles(all []*account, soaOf soa) map[string]string {
	files := map[string]string{base: head(base, soaOf) + autoNS + hosts}
	for _, a := range all {
		for _, domain := range a.domains {
			text := head(domain, soaOf)
			if !strings.Contains(a.records, "\n@ 3600 NS ") && !strings.Contains(a.records, "\n@ 300 NS ") {
				text += autoNS
			}
			files[domain] = text + under(a, domain, nil)
		}
		if !a.deleted {
			hidden := func(owner, kind string) bool { return owner == "@" && (kind == "NS" || kind == "DNSKEY") }
			files[base] += under(a, a.name+"."+base, hidden)
		}
	}
	return files
}

func head(zone string, soaOf soa) string { return "$ORIGIN " + zone + ".\n" + soaOf(zone) + "\n" }

const autoNS = "@ 3600 IN NS ns1." + base + ".\n@ 3600 IN NS ns2." + base + ".\n"

const hosts = `ns1 3600 IN A 192.0.2.53
ns1 3600 IN AAAA 2001:db8::53
ns2 3600 IN A 192.0.2.54
`

// under writes an account's records below one of its suffixes.
func under(a *account, suffix string, hidden func(owner, kind string) bool) string {
	var b strings.Builder
	for _, r := range a.lines() {
		if hidden != nil && hidden(r.owner, r.kind) {
			continue
		}
		owner := r.owner + "." + suffix + "."
		if r.owner == "@" {
			owner = suffix + "."
		}
		fmt.Fprintln(&b, owner, r.ttl, "IN", generic(r.kind, r.data))
	}
	return b.String()
}

// generic writes a type that not all peers have a mnemonic for in the form of
// RFC 3597.
func generic(kind, data string) string {
	text := kind + " " + data
	switch kind {
	case "X25", "ISDN", "PX":
		r, err := dns.NewRR(". IN " + text)
		if err != nil {
			panic(err)
		}
		unknown := new(dns.RFC3597)
		if err := unknown.ToRFC3597(r); err != nil {
			panic(err)
		}
		return fmt.Sprintf("TYPE%d \\# %d %s", r.Header().Rrtype, len(unknown.Rdata)/2, unknown.Rdata)
	}
	return text
}

// A record is one line of an account.
type record struct{ owner, ttl, kind, data string }

func (a *account) lines() []record {
	var out []record
	for line := range strings.Lines(a.records) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 4)
		if len(f) == 4 {
			out = append(out, record{f[0], f[1], f[2], f[3]})
		}
	}
	return out
}
