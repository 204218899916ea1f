package zone

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
)

// The accounts of the tests.
const (
	alice = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	bob   = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	carol = "cccccccccccccccccccccccccccccccc"
	dave  = "dddddddddddddddddddddddddddddddd"
)

// world is what the tests ask about: lines of an account, or of a domain with
// its contact and TTL, or of a record.
const world = `
account ` + alice + `
domain example.com admin.example.com 3600
domain example.org admin.example.com 60
@ 300 A 192.0.2.1
@ 300 MX 10 mail.example.com.
www 300 A 192.0.2.2
mail 300 A 192.0.2.3
mail 300 AAAA 2001:db8::3
a.b.ent 300 TXT "deep"
alias 300 CNAME www.example.com.
chain 200 CNAME alias.example.com.
away 300 CNAME www.example.net.
dangling 300 CNAME nowhere.example.com.
toent 300 CNAME ent.example.com.
foreign 300 CNAME www.outside.test.
loop1 300 CNAME loop2.example.com.
loop2 300 CNAME loop1.example.com.
tosub 300 CNAME host.sub.example.com.
*.wild 300 A 192.0.2.4
*.wild 300 MX 5 mail.example.com.
host.wild 300 TXT "real"
x.ent.wild 300 A 192.0.2.5
*.wcname 300 CNAME www.example.com.
leaf.*.went 300 A 192.0.2.6
sub 300 NS ns.sub.example.com.
sub 300 NS mail.example.com.
sub 300 DS 1 13 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF
ns.sub 300 A 192.0.2.7
child 300 NS ns1.namecast.example.
dn 300 DNAME target.example.com.
a.target 300 A 192.0.2.8
dgrow 300 DNAME x.dgrow.example.com.
unknown 300 TYPE65280 \# 3 010203
_s._tcp 300 SRV 1 2 3 mail.example.com.
account ` + bob + `
domain example.net admin.example.net 3600
domain child.example.com admin.example.net 3600
@ 300 NS ns.bob.test.
www 300 A 192.0.2.21
account ` + carol + `
@ 300 CNAME www.example.com.
account ` + dave + `
domain nsonly.example admin.example.net 3600
@ 300 NS ns.dave.test.
`

func testService() *Service {
	return &Service{
		Base: rr.MustName("namecast.example"),
		NS: []NameServer{
			{rr.MustName("ns1.namecast.example"), []netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("2001:db8::53")}},
			{rr.MustName("ns.outside.test"), nil},
		},
		ID: "node-1", Version: "namecast 1",
	}
}

// testView makes a view of the accounts in text.
func testView(t testing.TB, text string) store.View {
	t.Helper()
	db, err := leveldb.OpenMemory(leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, c := range changes(t, text) {
		for _, d := range c.Head.Domains {
			if _, err := db.SetClaim(t.Context(), d.Name, 0, store.Claim{Version: 1, Account: c.Head.Account}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	v, err := db.View()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Release)
	return v
}

// changes reads the text form of accounts.
func changes(t testing.TB, text string) []store.Change {
	t.Helper()
	var out []store.Change
	for line := range strings.Lines(strings.TrimSpace(text)) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 4)
		if f[0] == "account" {
			out = append(out, store.Change{Head: store.Head{Account: f[1], KeyID: f[1], Key: []byte(f[1]), Version: 1}})
			continue
		}
		c := &out[len(out)-1]
		if f[0] == "domain" {
			ttl, _ := strconv.Atoi(f[3])
			c.Head.Domains = append(c.Head.Domains, store.Domain{Name: rr.MustName(f[1]), Contact: rr.MustName(f[2]), TTL: uint32(ttl)})
			continue
		}
		put(t, c, f)
	}
	return out
}

func put(t testing.TB, c *store.Change, f []string) {
	t.Helper()
	owner := rr.MustName(f[0])
	ttl, _ := strconv.Atoi(f[1])
	kind, err := rr.ParseType(f[2])
	if err != nil {
		t.Fatal(err)
	}
	data, err := rr.ParseData(kind, f[3])
	if err != nil {
		t.Fatal(err)
	}
	c.Head.Records++
	for i, s := range c.Put {
		if s.Owner == owner && s.Type == kind {
			c.Put[i].Data = append(s.Data, data)
			c.Head.Bytes = 0
			return
		}
	}
	c.Put = append(c.Put, rr.Set{Owner: owner, Type: kind, TTL: uint32(ttl), Data: []rr.Data{data}})
}

// ask makes a query in class IN without EDNS.
func ask(name string, kind uint16) *dns.Msg {
	q := new(dns.Msg)
	q.Id = 4711
	q.Question = []dns.Question{{Name: name, Qtype: kind, Qclass: dns.ClassINET}}
	return q
}

// text is a response as the tables have it.
func text(m *dns.Msg) string {
	var b strings.Builder
	b.WriteString(dns.RcodeToString[m.Rcode])
	for _, f := range []struct {
		on   bool
		name string
	}{{m.Authoritative, " aa"}, {m.Truncated, " tc"}, {m.RecursionDesired, " rd"}, {m.RecursionAvailable, " ra"}} {
		if f.on {
			b.WriteString(f.name)
		}
	}
	for _, s := range []struct {
		sign string
		rrs  []dns.RR
	}{{"", m.Answer}, {"> ", m.Ns}, {"+ ", m.Extra}} {
		for _, r := range s.rrs {
			fmt.Fprintf(&b, "\n%s%s", s.sign, strings.ReplaceAll(strings.TrimSpace(r.String()), "\t", " "))
		}
	}
	return b.String()
}

// soaOf is the authority line of a negative answer.
func soaOf(zone, contact string, ttl, serial int) string {
	return fmt.Sprintf("\n> %s %d IN SOA ns1.namecast.example. %s %d 7200 1800 1209600 300", zone, ttl, contact, serial)
}

func TestAnswer(t *testing.T) {
	v, s := testView(t, world), testService()
	base := int(v.Position())
	noCom := soaOf("example.com.", "admin.example.com.", 300, 1)
	noBase := soaOf("namecast.example.", "hostmaster.namecast.example.", 300, base)
	const (
		ofAlice = alice + ".namecast.example."
		ofBob   = bob + ".namecast.example."
	)
	for _, c := range []struct {
		name string
		q    string
		kind uint16
		want string
	}{
		{"data", "www.example.com.", dns.TypeA, "NOERROR aa\nwww.example.com. 300 IN A 192.0.2.2"},
		{"the question's case", "wWw.eXample.COM.", dns.TypeA, "NOERROR aa\nwWw.eXample.COM. 300 IN A 192.0.2.2"},
		{"below the account's name", "www." + ofAlice, dns.TypeA, "NOERROR aa\nwww." + ofAlice + " 300 IN A 192.0.2.2"},
		{"second domain", "www.example.org.", dns.TypeA, "NOERROR aa\nwww.example.org. 300 IN A 192.0.2.2"},
		{"nodata", "www.example.com.", dns.TypeMX, "NOERROR aa" + noCom},
		{"negative TTL is the SOA's if that is less", "www.example.org.", dns.TypeMX, "NOERROR aa" + soaOf("example.org.", "admin.example.com.", 60, 1)},
		{"nxdomain", "nowhere.example.com.", dns.TypeA, "NXDOMAIN aa" + noCom},
		{"names end in the question's, in its case", "nowhere.EXAMPLE.com.", dns.TypeA, "NXDOMAIN aa" + soaOf("EXAMPLE.com.", "admin.EXAMPLE.com.", 300, 1)},
		{"empty non-terminal", "b.ent.example.com.", dns.TypeTXT, "NOERROR aa" + noCom},
		{"beside an empty non-terminal", "c.ent.example.com.", dns.TypeTXT, "NXDOMAIN aa" + noCom},
		{"unknown type", "unknown.example.com.", 65280, "NOERROR aa\nunknown.example.com. 300 CLASS1 TYPE65280 \\# 3 010203"},
		{"not ours", "www.outside.test.", dns.TypeA, "REFUSED"},
		{"the root", ".", dns.TypeNS, "REFUSED"},
		{"addresses beside MX", "example.com.", dns.TypeMX, "NOERROR aa\nexample.com. 300 IN MX 10 mail.example.com.\n+ mail.example.com. 300 IN A 192.0.2.3\n+ mail.example.com. 300 IN AAAA 2001:db8::3"},
		{"no addresses of another zone", ofAlice, dns.TypeMX, "NOERROR aa\n" + ofAlice + " 300 IN MX 10 mail.example.com."},

		{"SOA", "example.com.", dns.TypeSOA, "NOERROR aa\nexample.com. 3600 IN SOA ns1.namecast.example. admin.example.com. 1 7200 1800 1209600 300"},
		{"automatic NS", "example.com.", dns.TypeNS, "NOERROR aa\nexample.com. 3600 IN NS ns1.namecast.example.\nexample.com. 3600 IN NS ns.outside.test."},
		{"the owner's NS", "example.net.", dns.TypeNS, "NOERROR aa\nexample.net. 300 IN NS ns.bob.test."},
		{"the owner's NS do not cut the account off", ofBob, dns.TypeNS, "NOERROR aa" + noBase},
		{"an account with nothing but NS is not there", dave + ".namecast.example.", dns.TypeNS, "NXDOMAIN aa" + noBase},
		{"base SOA", "namecast.example.", dns.TypeSOA, fmt.Sprintf("NOERROR aa\nnamecast.example. 3600 IN SOA ns1.namecast.example. hostmaster.namecast.example. %d 7200 1800 1209600 300", base)},
		{"base NS with addresses", "namecast.example.", dns.TypeNS, "NOERROR aa\nnamecast.example. 3600 IN NS ns1.namecast.example.\nnamecast.example. 3600 IN NS ns.outside.test.\n+ ns1.namecast.example. 3600 IN A 192.0.2.53\n+ ns1.namecast.example. 3600 IN AAAA 2001:db8::53"},
		{"a name server's address", "ns1.namecast.example.", dns.TypeAAAA, "NOERROR aa\nns1.namecast.example. 3600 IN AAAA 2001:db8::53"},
		{"no account of that name", strings.Repeat("z", 32) + ".namecast.example.", dns.TypeA, "NXDOMAIN aa" + noBase},
		{"a name that cannot be an account", "www.namecast.example.", dns.TypeA, "NXDOMAIN aa" + noBase},

		{"alias", "alias.example.com.", dns.TypeA, "NOERROR aa\nalias.example.com. 300 IN CNAME www.example.com.\nwww.example.com. 300 IN A 192.0.2.2"},
		{"alias itself", "alias.example.com.", dns.TypeCNAME, "NOERROR aa\nalias.example.com. 300 IN CNAME www.example.com."},
		{"types beside an alias", "alias.example.com.", dns.TypeNSEC, "NOERROR aa" + noCom},
		{"chain", "chain.example.com.", dns.TypeA, "NOERROR aa\nchain.example.com. 200 IN CNAME alias.example.com.\nalias.example.com. 300 IN CNAME www.example.com.\nwww.example.com. 300 IN A 192.0.2.2"},
		{"alias into another account's zone", "away.example.com.", dns.TypeA, "NOERROR aa\naway.example.com. 300 IN CNAME www.example.net.\nwww.example.net. 300 IN A 192.0.2.21"},
		{"alias at an account's name", carol + ".namecast.example.", dns.TypeA, "NOERROR aa\n" + carol + ".namecast.example. 300 IN CNAME www.example.com.\nwww.example.com. 300 IN A 192.0.2.2"},
		{"the last name's code", "dangling.example.com.", dns.TypeA, "NXDOMAIN aa\ndangling.example.com. 300 IN CNAME nowhere.example.com." + noCom},
		{"alias to an empty non-terminal", "toent.example.com.", dns.TypeA, "NOERROR aa\ntoent.example.com. 300 IN CNAME ent.example.com." + noCom},
		{"alias to elsewhere", "foreign.example.com.", dns.TypeA, "NOERROR aa\nforeign.example.com. 300 IN CNAME www.outside.test."},
		{"loop", "loop1.example.com.", dns.TypeA, "NOERROR aa\nloop1.example.com. 300 IN CNAME loop2.example.com.\nloop2.example.com. 300 IN CNAME loop1.example.com."},

		{"wildcard", "any.thing.wild.example.com.", dns.TypeA, "NOERROR aa\nany.thing.wild.example.com. 300 IN A 192.0.2.4"},
		{"wildcard nodata", "any.wild.example.com.", dns.TypeTXT, "NOERROR aa" + noCom},
		{"wildcard itself", "*.wild.example.com.", dns.TypeA, "NOERROR aa\n*.wild.example.com. 300 IN A 192.0.2.4"},
		{"wildcard beside a name", "host.wild.example.com.", dns.TypeA, "NOERROR aa" + noCom},
		{"wildcard above an empty non-terminal", "y.ent.wild.example.com.", dns.TypeA, "NXDOMAIN aa" + noCom},
		{"wildcard alias", "x.wcname.example.com.", dns.TypeA, "NOERROR aa\nx.wcname.example.com. 300 IN CNAME www.example.com.\nwww.example.com. 300 IN A 192.0.2.2"},
		{"wildcard that is an empty non-terminal", "x.went.example.com.", dns.TypeA, "NOERROR aa" + noCom},
		{"wildcard with additional data", "x.wild.example.com.", dns.TypeMX, "NOERROR aa\nx.wild.example.com. 300 IN MX 5 mail.example.com.\n+ mail.example.com. 300 IN A 192.0.2.3\n+ mail.example.com. 300 IN AAAA 2001:db8::3"},

		{"referral", "x.SUB.example.com.", dns.TypeA, "NOERROR\n> SUB.example.com. 300 IN NS ns.SUB.example.com.\n> SUB.example.com. 300 IN NS mail.example.com.\n+ ns.SUB.example.com. 300 IN A 192.0.2.7\n+ mail.example.com. 300 IN A 192.0.2.3\n+ mail.example.com. 300 IN AAAA 2001:db8::3"},
		{"referral for glue itself", "ns.sub.example.com.", dns.TypeA, "NOERROR\n> sub.example.com. 300 IN NS ns.sub.example.com.\n> sub.example.com. 300 IN NS mail.example.com.\n+ ns.sub.example.com. 300 IN A 192.0.2.7\n+ mail.example.com. 300 IN A 192.0.2.3\n+ mail.example.com. 300 IN AAAA 2001:db8::3"},
		{"alias below a cut", "tosub.example.com.", dns.TypeA, "NOERROR aa\ntosub.example.com. 300 IN CNAME host.sub.example.com.\n> sub.example.com. 300 IN NS ns.sub.example.com.\n> sub.example.com. 300 IN NS mail.example.com.\n+ ns.sub.example.com. 300 IN A 192.0.2.7\n+ mail.example.com. 300 IN A 192.0.2.3\n+ mail.example.com. 300 IN AAAA 2001:db8::3"},
		{"DS at the cut", "sub.example.com.", dns.TypeDS, "NOERROR aa\nsub.example.com. 300 IN DS 1 13 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"},
		{"no DS at a cut to a zone held here", "child.example.com.", dns.TypeDS, "NOERROR aa" + noCom},
		{"the zone below a cut", "www.child.example.com.", dns.TypeA, "NOERROR aa\nwww.child.example.com. 300 IN A 192.0.2.21"},
		{"DS of a zone without a parent here", "example.com.", dns.TypeDS, "NOERROR aa" + noCom},

		{"DNAME", "a.DN.example.com.", dns.TypeA, "NOERROR aa\nDN.example.com. 300 IN DNAME target.example.com.\na.DN.example.com. 300 IN CNAME a.target.example.com.\na.target.example.com. 300 IN A 192.0.2.8"},
		{"DNAME to no name", "b.dn.example.com.", dns.TypeA, "NXDOMAIN aa\ndn.example.com. 300 IN DNAME target.example.com.\nb.dn.example.com. 300 IN CNAME b.target.example.com." + noCom},
		{"DNAME itself", "dn.example.com.", dns.TypeDNAME, "NOERROR aa\ndn.example.com. 300 IN DNAME target.example.com."},
		{"CNAME below a DNAME", "a.dn.example.com.", dns.TypeCNAME, "NOERROR aa\ndn.example.com. 300 IN DNAME target.example.com.\na.dn.example.com. 300 IN CNAME a.target.example.com."},
		{"DNAME that makes too long a name", strings.Repeat(strings.Repeat("y", 58)+".", 4) + "dgrow.example.com.", dns.TypeA,
			"YXDOMAIN aa\ndgrow.example.com. 300 IN DNAME x.dgrow.example.com."},

		{"ANY gets the smallest RRset", "mail.example.com.", dns.TypeANY, "NOERROR aa\nmail.example.com. 300 IN A 192.0.2.3"},
		{"ANY of nothing", "ent.example.com.", dns.TypeANY, "NOERROR aa" + noCom},
		{"ANY of an alias", "chain.example.com.", dns.TypeANY, "NOERROR aa\nchain.example.com. 200 IN CNAME alias.example.com."},
		{"transfer of a zone", "example.com.", dns.TypeIXFR, "REFUSED"},
		{"transfer over UDP", "example.com.", dns.TypeAXFR, "NOTIMP"},
		{"transfer of no zone", "www.example.com.", dns.TypeIXFR, "NOTAUTH"},
		{"OPT as a question", "example.com.", dns.TypeOPT, "FORMERR"},
		{"TSIG as a question", "example.com.", dns.TypeTSIG, "FORMERR"},
		{"type zero", "www.example.com.", 0, "NOERROR aa" + noCom},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := answer(s, v, ask(c.q, c.kind), true)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, text(m)); diff != "" {
				t.Errorf("%s %s (-want +got)\n%s", c.q, dns.Type(c.kind), diff)
			}
		})
	}
}

// TestLongChain follows no more than the limit.
func TestLongChain(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "account %s\ndomain example.com admin.example.com 300\n", alice)
	for i := range 40 {
		fmt.Fprintf(&b, "n%d 300 CNAME n%d.example.com.\n", i, i+1)
	}
	m, err := answer(testService(), testView(t, b.String()), ask("n0.example.com.", dns.TypeA), false)
	if err != nil || m.Rcode != dns.RcodeSuccess || len(m.Answer) != maxChain+1 {
		t.Errorf("%d records, %s, %v; want %d", len(m.Answer), dns.RcodeToString[m.Rcode], err, maxChain+1)
	}
}

func BenchmarkAnswer(b *testing.B) {
	v, s := testView(b, world), testService()
	for _, c := range []struct {
		name, q string
	}{{"owned", "www.example.com."}, {"below the hash", "www." + alice + ".namecast.example."}, {"nxdomain", "nowhere.example.com."}, {"refused", "www.outside.test."}} {
		b.Run(c.name, func(b *testing.B) {
			q, out := ask(c.q, dns.TypeA), make([]byte, 4096)
			b.ReportAllocs()
			for b.Loop() {
				m, err := answer(s, v, q, true)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := m.PackBuffer(out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
