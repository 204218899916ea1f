package zone

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"namecast/lib/store"
)

// checker validates answers as a resolver would that has every zone's keys.
type checker struct {
	t       testing.TB
	service *Service
	view    store.View
	keys    map[string][]dns.RR // by zone
}

// rrset is one RRset of a section, with its signatures.
type rrset struct {
	records []dns.RR
	sigs    []*dns.RRSIG
}

func (r rrset) name() string { return strings.ToLower(r.records[0].Header().Name) }
func (r rrset) kind() uint16 { return r.records[0].Header().Rrtype }

// rrsets sorts a section.
func (c checker) rrsets(section []dns.RR) (out []rrset) {
	place := func(name string, kind uint16) *rrset {
		for i := range out {
			if len(out[i].records) > 0 && out[i].name() == strings.ToLower(name) && out[i].kind() == kind {
				return &out[i]
			}
		}
		return nil
	}
	for _, r := range section {
		if h := r.Header(); h.Rrtype != dns.TypeRRSIG && h.Rrtype != dns.TypeOPT {
			if p := place(h.Name, h.Rrtype); p != nil {
				p.records = append(p.records, r)
			} else {
				out = append(out, rrset{records: []dns.RR{r}})
			}
		}
	}
	for _, r := range section {
		if sig, is := r.(*dns.RRSIG); is {
			p := place(sig.Hdr.Name, sig.TypeCovered)
			if p == nil {
				c.t.Errorf("a signature of nothing: %v", sig)
				continue
			}
			p.sigs = append(p.sigs, sig)
		}
	}
	return out
}

// verify holds that an RRset has a good signature of the zone it is from.
func (c checker) verify(r rrset) {
	if len(r.sigs) == 0 {
		c.t.Errorf("not signed: %v", r.records)
	}
	for _, sig := range r.sigs {
		if !dns.IsSubDomain(sig.SignerName, r.name()) {
			c.t.Errorf("signed by another zone: %v", sig)
		}
		if c.keys[sig.SignerName] == nil {
			c.keys[sig.SignerName] = query(c.t, c.service, c.view, sig.SignerName, dns.TypeDNSKEY, "").Answer
		}
		good := false
		for _, k := range c.keys[sig.SignerName] {
			if key := k.(*dns.DNSKEY); key.KeyTag() == sig.KeyTag && sig.Verify(key, r.records) == nil {
				good = true
			}
		}
		if !good || !sig.ValidityPeriod(today) || sig.Hdr.Ttl != r.records[0].Header().Ttl {
			c.t.Errorf("bad signature: %v\nof %v", sig, r.records)
		}
	}
}

// check validates a signed answer to a question.
func (c checker) check(name string, kind uint16, m *dns.Msg) {
	at := dns.CanonicalName(name)
	var dname *dns.DNAME
	for _, r := range c.rrsets(m.Answer) {
		switch first := r.records[0].(type) {
		case *dns.DNAME:
			c.verify(r)
			dname = first
		case *dns.CNAME:
			if dname != nil && dns.IsSubDomain(dname.Hdr.Name, at) && len(r.sigs) == 0 {
				break // made of the DNAME
			}
			c.verify(r)
		default:
			c.verify(r)
		}
		if alias, is := r.records[0].(*dns.CNAME); is && r.name() == at && kind != dns.TypeCNAME && (kind != dns.TypeANY || len(r.sigs) == 0) {
			at = dns.CanonicalName(alias.Target)
		}
	}
	c.authority(at, kind, m)
	for _, r := range c.rrsets(m.Extra) {
		if len(r.sigs) > 0 {
			c.verify(r)
		}
	}
}

// authority validates the authority section: a denial of the last name, or a
// referral.
func (c checker) authority(at string, kind uint16, m *dns.Msg) {
	var nsec *dns.NSEC
	var ns, ds, soa bool
	for _, r := range c.rrsets(m.Ns) {
		switch first := r.records[0].(type) {
		case *dns.NS:
			ns = true
			at = r.name()
			if len(r.sigs) > 0 {
				c.t.Errorf("a referral's NS are signed: %v", r)
			}
			continue
		case *dns.NSEC:
			nsec = first
		case *dns.DS:
			ds = true
		case *dns.SOA:
			soa = true
		}
		c.verify(r)
	}
	switch {
	case len(m.Ns) == 0:
		return
	case ds && ns:
		return
	case nsec == nil:
		c.t.Errorf("nothing is shown of %s %s: %v", at, dns.Type(kind), m)
		return
	}
	has := func(t uint16) bool { return slices.Contains(nsec.TypeBitMap, t) }
	if nsec.NextDomain != `\000.`+at && len(at) < 240 || dns.CanonicalName(nsec.Hdr.Name) != at || !has(dns.TypeNSEC) || !has(dns.TypeRRSIG) {
		c.t.Errorf("bad NSEC: %v", nsec)
	}
	switch {
	case ns && (!has(dns.TypeNS) || has(dns.TypeDS) || has(dns.TypeSOA) || has(dns.TypeA)):
		c.t.Errorf("does not show an insecure delegation: %v", nsec)
	case !ns && (!soa || has(kind) || has(dns.TypeCNAME)):
		c.t.Errorf("does not show that there is no %s: %v", dns.Type(kind), nsec)
	}
}

// questionsFor makes names and types near those there are.
func questionsFor(n int) (names []string, kinds []uint16) {
	r := rand.New(rand.NewPCG(4, 4))
	var all []string
	for line := range strings.Lines(world) {
		f := strings.Fields(line)
		if len(f) < 3 || f[0] == "account" || f[0] == "domain" {
			continue
		}
		for _, apex := range []string{"example.com.", "child.example.com.", "example.net.", "example.org.", alice + ".namecast.example.", bob + ".namecast.example."} {
			all = append(all, strings.TrimPrefix(f[0]+"."+apex, "@."))
		}
	}
	all = append(all, "namecast.example.", "ns1.namecast.example.", "nobody.namecast.example.", "example.com.", "nsonly.example.")
	types := []uint16{1, 28, 2, 5, 6, 15, 16, 33, 39, 43, 46, 47, 48, 59, 60, 255, 65, 65280}
	for range n {
		name := all[r.IntN(len(all))]
		switch r.IntN(6) {
		case 0:
			name = "x" + fmt.Sprint(r.IntN(1000)) + "." + name
		case 1:
			name = "a.b." + name
		case 2:
			name = "*." + name
		case 3:
			_, name, _ = strings.Cut(name, ".")
		}
		if r.IntN(3) == 0 {
			name = strings.ToUpper(name)
		}
		if name != "" && name != "." {
			names, kinds = append(names, name), append(kinds, types[r.IntN(len(types))])
		}
	}
	return names, kinds
}
