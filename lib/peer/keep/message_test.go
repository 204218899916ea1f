package keep

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// response packs a response. Sections are given as lines of records; a line of "-"
// begins the next one. The question is of the first word of what.
func response(t testing.TB, name string, typ uint16, rcode int, lines ...string) []byte {
	t.Helper()
	var m dns.Msg
	m.SetQuestion(name, typ)
	m.Response, m.RecursionAvailable, m.Rcode, m.Compress = true, true, rcode, true
	m.Id = 7
	sections := []*[]dns.RR{&m.Answer, &m.Ns, &m.Extra}
	for _, l := range lines {
		if l == "-" {
			sections = sections[1:]
			continue
		}
		r, err := dns.NewRR(l)
		if err != nil {
			t.Fatal(err)
		}
		*sections[0] = append(*sections[0], r)
	}
	return pack(t, &m)
}

func pack(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	out, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const soa = "example. 3600 IN SOA ns.example. h.example. 1 2 3 4 120"

func TestDescribe(t *testing.T) {
	name := rr.MustName("www.example")
	base := Info{Name: name, Type: dns.TypeA, Class: 1, Names: []rr.Name{name}, Final: name}
	for _, c := range []struct {
		name string
		msg  []byte
		want func(*Info)
		keep bool
	}{
		{"an address", response(t, "WWW.Example.", dns.TypeA, 0, "www.example. 60 IN A 192.0.2.1", "WWW.example. 30 IN A 192.0.2.2"),
			func(i *Info) {
				i.MinTTL = 30
				i.Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}
			}, true},
		{"a chain", response(t, "www.example.", dns.TypeA, 0, "www.example. 60 IN CNAME a.b.example.", "a.b.example. 20 IN A 10.0.0.1"),
			func(i *Info) {
				i.MinTTL, i.Final = 20, rr.MustName("a.b.example")
				i.Names = append(i.Names, i.Final)
				i.Addresses, i.Private = []netip.Addr{netip.MustParseAddr("10.0.0.1")}, true
			}, true},
		{"no such name", response(t, "www.example.", dns.TypeA, 3, "-", soa),
			func(i *Info) {
				i.MinTTL, i.Rcode, i.Negative, i.SOA, i.Zone = 120, 3, true, true, rr.MustName("example")
			}, true},
		{"no data behind a chain", response(t, "www.example.", dns.TypeA, 0, "www.example. 60 IN CNAME x.example.", "-", soa),
			func(i *Info) {
				i.MinTTL, i.Negative, i.SOA, i.Zone, i.Final = 60, true, true, rr.MustName("example"), rr.MustName("x.example")
				i.Names = append(i.Names, i.Final)
			}, true},
		{"long negative", response(t, "www.example.", dns.TypeA, 3, "-", "example. 86400 IN SOA ns.example. h.example. 1 2 3 4 86400"),
			func(i *Info) {
				i.MinTTL, i.Rcode, i.Negative, i.SOA, i.Zone = 900, 3, true, true, rr.MustName("example")
			}, true},
		{"a foreign zone's denial", response(t, "www.example.", dns.TypeA, 3, "-", "other. 60 IN SOA ns.example. h.example. 1 2 3 4 60"),
			func(i *Info) { i.Rcode, i.Negative, i.Extra = 3, true, true }, false},
		{"a referral", response(t, "www.example.", dns.TypeA, 0, "-", "example. 60 IN NS ns.example."),
			func(i *Info) { i.Negative, i.Extra = true, true }, false},
		{"failed", response(t, "www.example.", dns.TypeA, 2), func(i *Info) { i.Rcode = 2 }, false},
		{"more than asked", response(t, "www.example.", dns.TypeA, 0, "www.example. 60 IN A 192.0.2.1", "-", "example. 50 IN NS ns.example.", "-", "ns.example. 9 IN A 192.0.2.3"),
			func(i *Info) {
				i.MinTTL, i.Extra, i.Addresses = 50, true, []netip.Addr{netip.MustParseAddr("192.0.2.1")}
			}, true},
		{"TTL of the upper half", response(t, "www.example.", dns.TypeA, 0, "www.example. 4294967295 IN TXT x", "www.example. 4294967295 IN A 192.0.2.1"),
			func(i *Info) {
				i.MinTTL, i.Extra, i.Addresses = 604800, true, []netip.Addr{netip.MustParseAddr("192.0.2.1")}
			}, true},
	} {
		got, err := Describe(c.msg)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		want := base
		want.Names = slices.Clone(base.Names)
		c.want(&want)
		if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
		if got.Keepable() != c.keep {
			t.Errorf("%s: keepable is %v", c.name, !c.keep)
		}
	}
}

func TestDescribeEDNS(t *testing.T) {
	var m dns.Msg
	m.SetQuestion("a.example.", dns.TypeA)
	m.Response = true
	m.SetEdns0(1232, true)
	m.Rcode = dns.RcodeBadVers
	i, err := Describe(pack(t, &m))
	if err != nil || !i.DO || i.Rcode != 16 || i.Extra {
		t.Fatalf("%+v %v", i, err)
	}
}

func TestDescribeRefuses(t *testing.T) {
	good := response(t, "www.example.", dns.TypeA, 0, "www.example. 60 IN CNAME b.example.", "b.example. 20 IN A 192.0.2.1")
	for n := range good {
		if _, err := Describe(good[:n]); err == nil {
			t.Fatalf("%d of %d octets are understood", n, len(good))
		}
	}
	if _, err := Describe(append(bytes.Clone(good), 0)); err == nil {
		t.Error("trailing octets are not noticed")
	}
	loop := response(t, "a.example.", dns.TypeA, 0, "a.example. 60 IN CNAME b.example.", "b.example. 60 IN CNAME a.example.")
	if _, err := Describe(loop); err == nil {
		t.Error("a loop of aliases is not noticed")
	}
	self := bytes.Clone(good)
	self[headerLen], self[headerLen+1] = 0xC0, headerLen
	if _, err := Describe(self); err == nil {
		t.Error("a name that leads to itself is not noticed")
	}
	self[2] &^= 0x80
	if _, err := Describe(self); err != ErrQuestion {
		t.Errorf("a query is %v", err)
	}
}

func TestHints(t *testing.T) {
	m := response(t, "www.example.", dns.TypeHTTPS, 0, `www.example. 60 IN HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1,10.1.2.3 ipv6hint=2001:db8::1`)
	i, err := Describe(m)
	if err != nil || len(i.Addresses) != 3 || !i.Private {
		t.Fatalf("%+v %v", i, err)
	}
}

func TestAged(t *testing.T) {
	msg := response(t, "www.example.", dns.TypeA, 0, "www.example. 60 IN A 192.0.2.1", "www.example. 3600 IN A 192.0.2.2")
	for _, c := range []struct {
		age  time.Duration
		most uint32
		want [2]uint32
	}{
		{0, 0, [2]uint32{60, 3600}},
		{1500 * time.Millisecond, 0, [2]uint32{59, 3599}},
		{time.Minute, 0, [2]uint32{0, 3540}},
		{time.Hour, 30, [2]uint32{30, 30}},
		{10 * time.Second, 300, [2]uint32{50, 300}},
		{-time.Second, 0, [2]uint32{60, 3600}},
	} {
		var m dns.Msg
		if err := m.Unpack(Aged(nil, msg, 99, c.age, c.most)); err != nil {
			t.Fatal(err)
		}
		got := [2]uint32{m.Answer[0].Header().Ttl, m.Answer[1].Header().Ttl}
		if got != c.want || m.Id != 99 {
			t.Errorf("age %v, at most %d: %v, id %d", c.age, c.most, got, m.Id)
		}
	}
	buf := make([]byte, 0, 512)
	if n := testing.AllocsPerRun(100, func() { buf = Aged(buf[:0], msg, 1, time.Second, 0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestAgedKeepsOPT: what stands in the place of a TTL there is flags.
func TestAgedKeepsOPT(t *testing.T) {
	var m dns.Msg
	m.SetQuestion("a.example.", dns.TypeA)
	m.Response = true
	m.SetEdns0(1232, true)
	msg := pack(t, &m)
	if got := Aged(nil, msg, m.Id, time.Hour, 5); !bytes.Equal(got, msg) {
		t.Errorf("%x became %x", msg, got)
	}
}

func TestEcho(t *testing.T) {
	msg := response(t, "www.example.", dns.TypeA, 0, "www.example. 60 IN A 192.0.2.1")
	var q dns.Msg
	q.SetQuestion("wWw.eXample.", dns.TypeA)
	q.CheckingDisabled, q.RecursionDesired, q.Id = true, false, 77
	if !Echo(msg, pack(t, &q)) {
		t.Fatal("not the same question")
	}
	var m dns.Msg
	if err := m.Unpack(msg); err != nil {
		t.Fatal(err)
	}
	if m.Question[0].Name != "wWw.eXample." || !m.CheckingDisabled || m.RecursionDesired || m.Id != 77 || !m.RecursionAvailable {
		t.Errorf("%v", &m)
	}
	q.SetQuestion("wWw.eXamplf.", dns.TypeA)
	if Echo(msg, pack(t, &q)) {
		t.Error("another question is taken for the same")
	}
}

func TestTrim(t *testing.T) {
	plain := response(t, "www.example.", dns.TypeA, 0, "www.example. 60 IN A 192.0.2.1")
	more := response(t, "www.example.", dns.TypeA, 0, "www.example. 60 IN A 192.0.2.1",
		"-", "example. 50 IN NS ns.example.", "-", "ns.example. 9 IN A 192.0.2.3")
	got, err := Trim(more)
	if err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%x %v, not %x", got, err, plain)
	}
	within := response(t, "www.example.", dns.TypeA, 0, "evil.test. 60 IN A 192.0.2.9", "www.example. 60 IN A 192.0.2.1")
	if got, err = Trim(within); err != nil || !Equal(got, plain) || len(got) != len(plain) {
		t.Errorf("%x %v, not %x", got, err, plain)
	}
	if got, err = Trim(plain); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%x became %x", plain, got)
	}
}

func TestBare(t *testing.T) {
	var m dns.Msg
	if err := m.Unpack(response(t, "www.example.", dns.TypeA, 0, "www.example. 60 IN A 192.0.2.1")); err != nil {
		t.Fatal(err)
	}
	m.Compress = true
	want := pack(t, &m)
	m.SetEdns0(1232, true)
	got, err := Bare(pack(t, &m))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x %v, not %x", got, err, want)
	}
}

func TestCompare(t *testing.T) {
	a := func(lines ...string) []byte { return response(t, "www.example.", dns.TypeA, 0, lines...) }
	one := a("www.example. 60 IN A 192.0.2.1", "www.example. 60 IN A 192.0.2.2")
	for _, c := range []struct {
		name                  string
		with                  []byte
		equal, same, disjoint bool
	}{
		{"later", a("www.example. 9 IN A 192.0.2.1", "www.example. 9 IN A 192.0.2.2"), true, true, false},
		{"another order", a("www.example. 9 IN A 192.0.2.2", "www.example. 9 IN A 192.0.2.1"), true, true, false},
		{"some", a("www.example. 9 IN A 192.0.2.2", "www.example. 9 IN A 192.0.2.3"), false, true, false},
		{"by an alias", a("www.example. 9 IN CNAME x.test.", "x.test. 9 IN A 192.0.2.2", "x.test. 9 IN A 192.0.2.1"), true, true, false},
		{"others", a("www.example. 9 IN A 192.0.2.4"), false, false, true},
		{"none", response(t, "www.example.", dns.TypeA, 3, "-", soa), false, false, false},
		{"of another name", response(t, "w.example.", dns.TypeA, 0, "w.example. 9 IN A 192.0.2.1"), false, false, false},
		{"garbage", []byte("garbage"), false, false, false},
	} {
		if Equal(one, c.with) != c.equal || Same(c.with, one) != c.same || Disjoint(one, c.with) != c.disjoint {
			t.Errorf("%s: equal %v, same %v, disjoint %v", c.name, Equal(one, c.with), Same(one, c.with), Disjoint(one, c.with))
		}
	}
	if Equal([]byte("garbage"), []byte("garbage")) {
		t.Error("garbage is equal to itself")
	}
}

func TestPrivate(t *testing.T) {
	for _, s := range []string{"10.0.0.1", "127.0.0.1", "169.254.1.1", "100.64.0.1", "0.0.0.0", "::", "::1", "fe80::1", "fd00::1",
		"::ffff:10.0.0.1", "64:ff9b::a00:1", "::10.0.0.1", "224.0.0.1", "255.255.255.255", "198.18.0.1", "192.168.1.1"} {
		if !Private(netip.MustParseAddr(s)) {
			t.Errorf("%s is public", s)
		}
	}
	for _, s := range []string{"192.0.2.1", "8.8.8.8", "2001:db8::1", "64:ff9b::808:808", "2606:4700::1"} {
		if Private(netip.MustParseAddr(s)) {
			t.Errorf("%s is private", s)
		}
	}
}

// FuzzMessage: whatever the octets, nothing is read beyond them, and what is understood
// is understood again after each change that this room makes.
func FuzzMessage(f *testing.F) {
	f.Add(response(f, "www.example.", dns.TypeA, 0, "www.example. 60 IN CNAME b.example.", "b.example. 20 IN A 192.0.2.1"))
	f.Add(response(f, "www.example.", dns.TypeA, 3, "-", soa))
	f.Add(response(f, "www.example.", dns.TypeHTTPS, 0, `www.example. 60 IN HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1`))
	f.Add(response(f, "www.example.", dns.TypeMX, 0, "www.example. 6 IN MX 5 a.example.", "-", "-", "a.example. 3 IN A 10.0.0.1"))
	f.Add([]byte{0, 0, 0x80, 0, 0, 1, 255, 255, 255, 255, 255, 255, 0, 0, 1, 0, 1})
	f.Fuzz(func(t *testing.T, msg []byte) {
		i, err := Describe(msg)
		aged := Aged(nil, msg, 1, time.Minute, 30)
		if len(aged) != len(msg) {
			t.Fatalf("%d octets became %d", len(msg), len(aged))
		}
		Same(msg, aged)
		Disjoint(msg, aged)
		Echo(bytes.Clone(msg), aged)
		if err != nil {
			return
		}
		if err := i.Final.Check(); err != nil {
			t.Fatal(err)
		}
		if !Equal(msg, aged) {
			t.Fatalf("%x is not equal to itself aged, %x", msg, aged)
		}
		// A name may, in foreign octets, be read within a TTL, and then changes with it.
		again, err := Describe(aged)
		if err == nil && (again.Name != i.Name || again.MinTTL > 30) {
			t.Fatalf("aged: %+v", again)
		}
		trimmed, err := Trim(msg)
		if err != nil {
			return // the library does not read all that has a form
		}
		if again, err = Describe(trimmed); err != nil || again.Extra || again.Final != i.Final || again.Rcode != i.Rcode {
			t.Fatalf("trimmed: %+v %v, of %+v", again, err, i)
		}
		if bare, err := Bare(msg); err == nil && binary.BigEndian.Uint16(bare) != binary.BigEndian.Uint16(msg) {
			t.Fatal("another id")
		}
	})
}

func BenchmarkAged(b *testing.B) {
	msg := response(b, "www.example.", dns.TypeA, 0, "www.example. 60 IN CNAME b.example.", "b.example. 20 IN A 192.0.2.1", "b.example. 20 IN A 192.0.2.2")
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		buf = Aged(buf[:0], msg, 1, 5*time.Second, 0)
	}
}

func BenchmarkDescribe(b *testing.B) {
	msg := response(b, "www.example.", dns.TypeA, 0, "www.example. 60 IN CNAME b.example.", "b.example. 20 IN A 192.0.2.1", "b.example. 20 IN A 192.0.2.2")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Describe(msg); err != nil {
			b.Fatal(err)
		}
	}
}
