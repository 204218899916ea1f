package claim

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"namecast/lib/rr"
)

var (
	zoneTest = rr.MustName("test")
	proof    = rr.MustName("validate-x.example.test")
)

func TestMixCase(t *testing.T) {
	n := rr.MustName(`aB-9.c\.d.xyz`)
	ones := []byte{255, 255, 255, 255}
	if diff := cmp.Diff(rr.MustName(`AB-9.C\.D.XYZ`), mixCase(n, ones)); diff != "" {
		t.Errorf("all upper (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(n.Lower(), mixCase(n, make([]byte, 4))); diff != "" {
		t.Errorf("all lower (-want +got)\n%s", diff)
	}
	long := rr.Name(strings.Repeat("\x3f"+strings.Repeat("k", 63), 3) + "\x3d" + strings.Repeat("k", 61))
	var e entropy
	for i := range e {
		e[i] = 0xa5
	}
	q := newQuery(long, dns.TypeCNAME, false, e)
	if !q.name.Equal(long) || q.name == long || q.id != 0xa5a5 {
		t.Errorf("longest name: %q id %#x", q.name, q.id)
	}
}

func TestMatch(t *testing.T) {
	q := newQuery(proof, dns.TypeCNAME, false, entropy{1, 2, 0b101})
	for _, c := range []struct {
		name   string
		change func(*dns.Msg)
		want   fit
	}{
		{"the answer", func(*dns.Msg) {}, exact},
		{"other id", func(m *dns.Msg) { m.Id++ }, foreign},
		{"a query", func(m *dns.Msg) { m.Response = false }, foreign},
		{"another opcode", func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }, foreign},
		{"no question", func(m *dns.Msg) { m.Question = nil }, foreign},
		{"two questions", func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }, foreign},
		{"another name", func(m *dns.Msg) { m.Question[0].Name = "example.test." }, foreign},
		{"another type", func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeA }, foreign},
		{"another class", func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }, foreign},
		{"a bad name", func(m *dns.Msg) { m.Question[0].Name = "..." }, foreign},
		{"another case", func(m *dns.Msg) { m.Question[0].Name = strings.ToLower(m.Question[0].Name) }, recased},
	} {
		t.Run(c.name, func(t *testing.T) {
			packet, err := q.pack()
			if err != nil {
				t.Fatal(err)
			}
			m := new(dns.Msg)
			if err := m.Unpack(packet); err != nil {
				t.Fatal(err)
			}
			if m.RecursionDesired || m.IsEdns0() == nil || !m.IsEdns0().Do() || m.IsEdns0().UDPSize() != udpSize {
				t.Errorf("bad query %v", m)
			}
			m.Response = true
			c.change(m)
			if got := q.match(m); got != c.want {
				t.Errorf("want %v, got %v", c.want, got)
			}
		})
	}
}

// message makes an answer from master-file lines: answer, authority, additional.
func message(t testing.TB, aa bool, rcode int, sections ...string) *dns.Msg {
	t.Helper()
	m := &dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Authoritative: aa, Rcode: rcode}}
	for i, to := range []*[]dns.RR{&m.Answer, &m.Ns, &m.Extra} {
		if i >= len(sections) {
			break
		}
		for _, line := range strings.Split(sections[i], "\n") {
			if r, err := dns.NewRR(line); err != nil {
				t.Fatal(err)
			} else if r != nil {
				*to = append(*to, r)
			}
		}
	}
	return m
}

const soa = "example.test. 60 SOA ns.example.test. h.example.test. 1 2 3 4 60"

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name     string
		m        *dns.Msg
		kind     kind
		contains string // of fault or why
		target   string
	}{
		{name: "the record", m: message(t, true, 0, "validate-x.example.test. 60 CNAME base.example."), kind: found, target: "base.example"},
		{name: "in other case", m: message(t, true, 0, "VALIDATE-x.Example.test. 60 CNAME Base.Example."), kind: found, target: "Base.Example"},
		{name: "with a chain behind it", m: message(t, true, 0, "validate-x.example.test. 60 CNAME base.example.\nbase.example. 60 CNAME c.example."), kind: found, target: "base.example"},
		{name: "chain that ends nowhere", m: message(t, true, 3, "validate-x.example.test. 60 CNAME gone.example.test."), kind: missing},
		{name: "two different records", m: message(t, true, 0, "validate-x.example.test. 60 CNAME a.example.\nvalidate-x.example.test. 60 CNAME b.example."), kind: lame, contains: "several"},
		{name: "the same record twice", m: message(t, true, 0, "validate-x.example.test. 60 CNAME a.example.\nvalidate-x.example.test. 60 CNAME A.example."), kind: found, target: "a.example"},
		{name: "made from a DNAME", m: message(t, true, 0, "example.test. 60 DNAME other.test.\nvalidate-x.example.test. 60 CNAME validate-x.other.test."), kind: missing, contains: "DNAME"},
		{name: "record of another name", m: message(t, true, 0, "x.example.test. 60 CNAME base.example."), kind: missing},
		{name: "record of another class", m: message(t, true, 0, "validate-x.example.test. 60 CH CNAME base.example."), kind: missing},
		{name: "no such name", m: message(t, true, 3, "", soa), kind: missing, contains: "no such name"},
		{name: "no such record", m: message(t, true, 0, "", soa), kind: missing, contains: "no such record"},
		{name: "from a cache", m: message(t, false, 0, "validate-x.example.test. 60 CNAME base.example."), kind: lame, contains: "authority"},
		{name: "no such name from a cache", m: message(t, false, 3, "", soa), kind: lame, contains: "NXDOMAIN"},
		{name: "refused", m: message(t, false, 5), kind: lame, contains: "REFUSED"},
		{name: "server failure with authority", m: message(t, true, 2), kind: lame, contains: "SERVFAIL"},
		{name: "code without a name", m: message(t, true, 13), kind: lame, contains: "unknown"},
		{name: "nothing", m: message(t, false, 0), kind: lame, contains: "authority"},
		{name: "referral", m: message(t, false, 0, "", "example.test. 60 NS ns.example.test."), kind: referral},
		{name: "referral to the same zone", m: message(t, false, 0, "", "test. 60 NS ns.test."), kind: lame, contains: "elsewhere"},
		{name: "referral upwards", m: message(t, false, 0, "", ". 60 NS a.root-servers.net."), kind: lame, contains: "elsewhere"},
		{name: "referral aside", m: message(t, false, 0, "", "other.test. 60 NS ns.other.test."), kind: lame, contains: "elsewhere"},
		{name: "referral that only looks like down", m: message(t, false, 0, "", "ample.test. 60 NS ns.other.test."), kind: lame, contains: "elsewhere"},
		{name: "referral below the proof", m: message(t, false, 0, "", "a.validate-x.example.test. 60 NS ns.other.test."), kind: lame, contains: "elsewhere"},
		{name: "referral to two zones", m: message(t, false, 0, "", "example.test. 60 NS ns.example.test.\ntest. 60 NS ns.test."), kind: lame, contains: "several"},
		{name: "referral of another class", m: message(t, false, 0, "", "example.test. 60 CH NS ns.example.test."), kind: lame, contains: "authority"},
		{name: "proof name delegated away", m: message(t, false, 0, "", "validate-X.example.test. 60 NS ns.evil.test."), kind: missing, contains: "delegation"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := read(c.m, zoneTest, proof)
			if s.kind != c.kind || !strings.Contains(s.fault+s.why, c.contains) {
				t.Fatalf("want kind %d with %q, got %+v", c.kind, c.contains, s)
			}
			if (s.kind == lame) != (s.fault != "") {
				t.Errorf("kind %d with fault %q", s.kind, s.fault)
			}
			if c.target != "" && !s.target.Equal(rr.MustName(c.target)) {
				t.Errorf("want target %s, got %s", c.target, s.target)
			}
		})
	}
}

func TestReadGlue(t *testing.T) {
	m := message(t, false, 0, "",
		"example.test. 60 NS ns1.example.test.\nexample.test. 60 NS ns.other.test.\nexample.test. 60 NS ns.evil.example.",
		"NS1.example.test. 60 A 192.0.2.9\nns1.example.test. 60 A 192.0.2.1\nns1.example.test. 60 A 192.0.2.5\nns1.example.test. 60 AAAA 2001:db8::1\n"+
			"ns.other.test. 60 A 192.0.2.2\nns.evil.example. 60 A 192.0.2.3\nns9.example.test. 60 A 192.0.2.4")
	want := []string{"ns1.example.test [192.0.2.1 192.0.2.5 2001:db8::1]", "ns.other.test [192.0.2.2]", "ns.evil.example []"}
	var got []string
	for _, h := range read(m, zoneTest, proof).hosts {
		var list []string
		for _, a := range h.glue {
			list = append(list, a.String())
		}
		got = append(got, h.name.String()+" ["+strings.Join(list, " ")+"]")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// FuzzResponse feeds packets to everything that looks at a server's answer.
func FuzzResponse(f *testing.F) {
	q := newQuery(proof, dns.TypeCNAME, false, entropy{1, 2})
	for _, m := range []*dns.Msg{
		message(f, true, 0, "validate-x.example.test. 60 CNAME base.example.\nvalidate-x.example.test. 60 RRSIG CNAME 13 3 60 20300101000000 20200101000000 1 example.test. AAAA"),
		message(f, false, 0, "", "example.test. 60 NS ns.example.test.", "ns.example.test. 60 A 192.0.2.1"),
		message(f, true, 0, "", soa+"\nexample.test. 60 NSEC a.example.test. NS RRSIG\n0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.test. 60 NSEC3 1 1 1 aa 2t7b4g4vsa5smi47k61mv5bv1a22bojr NS"),
		message(f, true, 0, "example.test. 60 DS 1 13 2 aabb\nexample.test. 60 DNSKEY 257 3 13 AAAA"),
		message(f, true, 3, "", soa),
	} {
		m.Id, m.Question = q.id, []dns.Question{{Name: q.name.FQDN(), Qtype: q.qtype, Qclass: dns.ClassINET}}
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)-3])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, fits := q.accept(b)
		if fits != exact {
			return
		}
		s := read(m, zoneTest, proof)
		switch s.kind {
		case found:
			if !m.Authoritative || s.target.Check() != nil {
				t.Errorf("found %q without authority", s.target)
			}
		case referral:
			if len(s.child) <= len(zoneTest) || !proof.Parent().Under(s.child) || len(s.hosts) == 0 {
				t.Errorf("referral to %q", s.child)
			}
			for _, h := range s.hosts {
				if !h.name.Under(zoneTest) && len(h.glue) > 0 {
					t.Errorf("glue for %q", h.name)
				}
			}
		}
		checkSecurity(t, m)
	})
}

// checkSecurity makes sure that nothing without a key in the chain validates.
func checkSecurity(t *testing.T, m *dns.Msg) {
	_, k := signingKey()
	c := chain{zone: rr.MustName("example.test"), keys: []*dns.DNSKEY{k}}
	set, sigs := rrset(m.Answer, proof, dns.TypeCNAME)
	if c.verify(set, sigs, testTime) == nil || c.unsigned(m.Ns, rr.MustName("a.example.test"), testTime) {
		t.Error("validated without a signature of the zone's key")
	}
	ds, _ := rrset(m.Answer, rr.MustName("example.test"), dns.TypeDS)
	keys, _ := rrset(m.Answer, rr.MustName("example.test"), dns.TypeDNSKEY)
	matching(keysOf(keys), usable(ds))
	signersOf(m)
}

func TestPublicAddressesOnly(t *testing.T) {
	m := message(t, false, 0, "", "", "a.test. 60 A 127.0.0.1")
	m.Extra = append(m.Extra, &dns.AAAA{Hdr: dns.RR_Header{Name: "a.test."}, AAAA: net.ParseIP("::ffff:10.0.0.1")})
	for _, a := range addresses(m.Extra, func(string) bool { return true }) {
		if public(a) || a.Is4In6() {
			t.Errorf("%s counts as public", a)
		}
	}
	if public(netip.Addr{}) {
		t.Error("no address counts as public")
	}
}
