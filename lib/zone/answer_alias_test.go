package zone

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"namecast/lib/dnssec"
)

// aliases is what the tests of ALIAS ask about, in two zones.
const aliases = `
account ` + alice + `
domain example.com admin.example.com 3600
@ 300 ALIAS www.example.net.
@ 300 MX 10 mail.example.net.
slow 60 ALIAS Host.Example.com.
host 300 A 192.0.2.1
host 300 A 192.0.2.2
host 300 AAAA 2001:db8::1
twice 300 ALIAS slow.example.com.
cname 300 CNAME slow.example.com.
over 300 ALIAS cname.example.com.
*.wild 300 ALIAS host.example.com.
self 300 ALIAS self.example.com.
loop1 300 ALIAS loop2.example.com.
loop2 300 CNAME loop1.example.com.
gone 300 ALIAS nowhere.example.com.
away 300 ALIAS www.outside.test.
cut 300 ALIAS ns.sub.example.com.
sub 300 NS ns.sub.example.com.
ns.sub 300 A 192.0.2.7
renamed 300 ALIAS host.dn.example.com.
dn 300 DNAME example.com.
account ` + bob + `
domain example.net admin.example.net 3600
www 100 A 192.0.2.21
`

func TestAlias(t *testing.T) {
	v, s := testView(t, aliases), testService()
	noCom := "NOERROR aa" + soaOf("example.com.", "admin.example.com.", 300, 1)
	const both = "NOERROR aa\n%[1]s %[2]d IN A 192.0.2.1\n%[1]s %[2]d IN A 192.0.2.2"
	for _, c := range []struct {
		name, question string
		kind           uint16
		want           string
	}{
		{"at an apex, to another zone; the shorter TTL", "example.com.", dns.TypeA, "NOERROR aa\nexample.com. 100 IN A 192.0.2.21"},
		{"the target has no such address", "example.com.", dns.TypeAAAA, noCom},
		{"beside it there is other data", "example.com.", dns.TypeMX, "NOERROR aa\nexample.com. 300 IN MX 10 mail.example.net."},
		{"below the hash suffix as well", alice + ".namecast.example.", dns.TypeA, "NOERROR aa\n" + alice + ".namecast.example. 100 IN A 192.0.2.21"},
		{"all records, the ALIAS's TTL, the question's case", "SLOW.example.com.", dns.TypeA, fmt.Sprintf(both, "SLOW.example.com.", 60)},
		{"the other family", "slow.example.com.", dns.TypeAAAA, "NOERROR aa\nslow.example.com. 60 IN AAAA 2001:db8::1"},
		{"to an ALIAS", "twice.example.com.", dns.TypeA, fmt.Sprintf(both, "twice.example.com.", 300)},
		{"to a CNAME to an ALIAS", "over.example.com.", dns.TypeA, fmt.Sprintf(both, "over.example.com.", 300)},
		{"a CNAME to an ALIAS", "cname.example.com.", dns.TypeA, "NOERROR aa\ncname.example.com. 300 IN CNAME slow.example.com." +
			"\nslow.example.com. 60 IN A 192.0.2.1\nslow.example.com. 60 IN A 192.0.2.2"},
		{"a wildcard", "x.wild.example.com.", dns.TypeA, fmt.Sprintf(both, "x.wild.example.com.", 300)},
		{"through a DNAME", "renamed.example.com.", dns.TypeA, fmt.Sprintf(both, "renamed.example.com.", 300)},
		{"to itself", "self.example.com.", dns.TypeA, noCom},
		{"a loop", "loop1.example.com.", dns.TypeA, noCom},
		{"to nothing", "gone.example.com.", dns.TypeA, noCom},
		{"to a name held elsewhere", "away.example.com.", dns.TypeA, noCom},
		{"glue is no target", "cut.example.com.", dns.TypeA, noCom},
		{"another type", "slow.example.com.", dns.TypeTXT, noCom},
		{"the record itself", "slow.example.com.", 65401, "NOERROR aa\nslow.example.com. 60 CLASS1 TYPE65401 \\# 18 04486f7374074578616d706c6503636f6d00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := answer(s, v, ask(c.question, c.kind), false)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, text(m)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestAliasSigned validates what is told of ALIAS records, and that a denial at
// such a name lists the addresses: otherwise it would deny them.
func TestAliasSigned(t *testing.T) {
	s, v := signedService(t, dnssec.Options{}), testView(t, aliases)
	c := checker{t, s, v, map[string][]dns.RR{}}
	for _, name := range []string{"example.com.", "slow.example.com.", "x.wild.example.com.", "gone.example.com.", "away.example.com.", "cname.example.com."} {
		for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeTXT, dns.TypeMX} {
			c.check(name, kind, query(t, s, v, name, kind, "tcp do"))
		}
	}
	for _, r := range query(t, s, v, "slow.example.com.", dns.TypeTXT, "do").Ns {
		if n, is := r.(*dns.NSEC); is {
			want := []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeRRSIG, dns.TypeNSEC, 65401}
			if diff := cmp.Diff(want, n.TypeBitMap); diff != "" {
				t.Errorf("types (-want +got):\n%s", diff)
			}
			return
		}
	}
	t.Error("no NSEC")
}

// TestServiceHosts checks the addresses that go with SVCB and HTTPS records,
// whose target may be the root, which stands for the owner (RFC 9460 section 4.2).
func TestServiceHosts(t *testing.T) {
	v, s := testView(t, `
account `+alice+`
domain example.com admin.example.com 3600
@ 300 HTTPS 1 . alpn=h2
@ 300 A 192.0.2.1
svc 300 SVCB 1 host.example.com. alpn=h3
away 300 HTTPS 1 www.example.net.
host 300 AAAA 2001:db8::1
`), testService()
	for _, c := range []struct {
		question string
		kind     uint16
		want     string
	}{
		{"Example.com.", dns.TypeHTTPS, "NOERROR aa\nExample.com. 300 IN HTTPS 1 . alpn=\"h2\"\n+ Example.com. 300 IN A 192.0.2.1"},
		{"svc.example.com.", dns.TypeSVCB, "NOERROR aa\nsvc.example.com. 300 IN SVCB 1 host.example.com. alpn=\"h3\"\n+ host.example.com. 300 IN AAAA 2001:db8::1"},
		{"away.example.com.", dns.TypeHTTPS, "NOERROR aa\naway.example.com. 300 IN HTTPS 1 www.example.net."},
	} {
		m, err := answer(s, v, ask(c.question, c.kind), false)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, text(m)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.question, diff)
		}
	}
}
