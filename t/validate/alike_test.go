package validate

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"namecast/t/tools"
)

// TestNodesSignAlike holds that nodes with one secret give the same signatures,
// octet for octet, so that a resolver may take one answer from each.
func TestNodesSignAlike(t *testing.T) {
	bin, dir := tools.Build(t), t.TempDir()
	w := &tree{t: t, bin: bin, dir: dir}
	secret := dir + "/secret"
	w.run("", "nc-keygen", "-dnssec", "-o", secret)
	var nodes [2]string
	for i := range nodes {
		d := tools.Serve(t, bin, t.TempDir(), "-domain", base, "-ns", "ns1."+base+"=192.0.2.1", "-dnssec", secret)
		nodes[i] = d.Words["dns"]
	}
	for _, q := range []dns.Question{
		{Name: base + ".", Qtype: dns.TypeDNSKEY}, {Name: base + ".", Qtype: dns.TypeSOA}, {Name: base + ".", Qtype: dns.TypeCDS},
		{Name: "NS1." + base + ".", Qtype: dns.TypeA}, {Name: "no.such.name." + base + ".", Qtype: dns.TypeA}, {Name: base + ".", Qtype: dns.TypeTXT},
	} {
		var texts [2]string
		for i, addr := range nodes {
			w.node = &tools.Daemon{Words: map[string]string{"dns": addr}}
			a := w.direct(q.Name, q.Qtype)
			texts[i] = fmt.Sprint(a.Answer, a.Ns)
		}
		if diff := cmp.Diff(texts[0], texts[1]); diff != "" {
			t.Errorf("%s %s:\n%s", q.Name, dns.Type(q.Qtype), diff)
		}
	}
}
