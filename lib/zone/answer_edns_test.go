package zone

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// with adds an OPT record to a query.
func with(q *dns.Msg, size uint16, change func(*dns.OPT)) *dns.Msg {
	o := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT}}
	o.SetUDPSize(size)
	if change != nil {
		change(o)
	}
	q.Extra = append(q.Extra, o)
	return q
}

// answered is the response to q over UDP.
func answered(t *testing.T, q *dns.Msg) *dns.Msg {
	t.Helper()
	m, err := answer(testService(), testView(t, world), q, true)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestEDNS(t *testing.T) {
	m := answered(t, ask("www.example.com.", dns.TypeA))
	if m.IsEdns0() != nil {
		t.Error("OPT in the response to a query without")
	}
	m = answered(t, with(ask("www.example.com.", dns.TypeA), 4096, func(o *dns.OPT) {
		o.SetDo()
		o.Option = append(o.Option, &dns.EDNS0_LOCAL{Code: 65001, Data: []byte("x")}, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})
	}))
	o := m.IsEdns0()
	if o == nil || !o.Do() || o.Version() != 0 || o.UDPSize() != 1232 || len(o.Option) != 1 {
		t.Fatalf("OPT: %v", o)
	}
	if id, _ := hex.DecodeString(o.Option[0].(*dns.EDNS0_NSID).Nsid); string(id) != "node-1" {
		t.Errorf("NSID %q", id)
	}
	for _, c := range []struct {
		name string
		q    *dns.Msg
		want string
		opt  bool
	}{
		{"version 1", with(ask("www.example.com.", dns.TypeA), 1232, func(o *dns.OPT) { o.SetVersion(1) }), "BADSIG", true}, // one number with BADVERS: 16
		{"two OPT", with(with(ask("www.example.com.", dns.TypeA), 1232, nil), 1232, nil), "FORMERR", false},
		{"OPT of a name", with(ask("www.example.com.", dns.TypeA), 1232, func(o *dns.OPT) { o.Hdr.Name = "a." }), "FORMERR", false},
		{"an error keeps OPT", with(ask("www.outside.test.", dns.TypeA), 1232, nil), "REFUSED", true},
	} {
		m := answered(t, c.q)
		if got := dns.RcodeToString[m.Rcode]; got != c.want || (m.IsEdns0() != nil) != c.opt {
			t.Errorf("%s: %s, OPT %v; want %s", c.name, got, m.IsEdns0(), c.want)
		}
		if _, err := m.Pack(); err != nil {
			t.Errorf("%s: pack: %v", c.name, err)
		}
	}
}

func TestTSIG(t *testing.T) {
	signed := func() *dns.Msg {
		q := with(ask("www.example.com.", dns.TypeA), 1232, nil)
		q.SetTsig("some.key.", dns.HmacSHA256, 300, 1257894000)
		return q
	}
	m := answered(t, signed())
	got := m.IsTsig()
	if m.Rcode != dns.RcodeNotAuth || got == nil || got.Error != dns.RcodeBadKey || got.MACSize != 0 || got.OrigId != m.Id {
		t.Errorf("%v", m)
	}
	if _, err := m.Pack(); err != nil {
		t.Error(err)
	}
	q := signed()
	q.Extra[0], q.Extra[1] = q.Extra[1], q.Extra[0]
	if m := answered(t, q); m.Rcode != dns.RcodeFormatError {
		t.Errorf("TSIG that is not last: %s", dns.RcodeToString[m.Rcode])
	}
}

func TestOtherQueries(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*dns.Msg)
		want   string
	}{
		{"a response", func(q *dns.Msg) { q.Response = true }, "silence"},
		{"no question", func(q *dns.Msg) { q.Question = nil }, "FORMERR"},
		{"two questions", func(q *dns.Msg) { q.Question = append(q.Question, q.Question[0]) }, "FORMERR"},
		{"an answer in it", func(q *dns.Msg) { q.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Rrtype: dns.TypeA}}} }, "FORMERR"},
		{"NOTIFY", func(q *dns.Msg) { q.Opcode = dns.OpcodeNotify }, "NOTIMP"},
		{"UPDATE", func(q *dns.Msg) { q.Opcode = dns.OpcodeUpdate }, "NOTIMP"},
		{"IQUERY", func(q *dns.Msg) { q.Opcode = dns.OpcodeIQuery }, "NOTIMP"},
		{"STATUS", func(q *dns.Msg) { q.Opcode = dns.OpcodeStatus }, "NOTIMP"},
		{"opcode 15", func(q *dns.Msg) { q.Opcode = 15 }, "NOTIMP"},
		{"class HESIOD", func(q *dns.Msg) { q.Question[0].Qclass = dns.ClassHESIOD }, "REFUSED"},
		{"class ANY", func(q *dns.Msg) { q.Question[0].Qclass = dns.ClassANY }, "REFUSED"},
		{"class zero", func(q *dns.Msg) { q.Question[0].Qclass = 0 }, "REFUSED"},
		{"flags", func(q *dns.Msg) {
			q.RecursionDesired, q.CheckingDisabled, q.AuthenticatedData, q.Zero = true, true, true, true
		}, "NOERROR aa rd\nwww.example.com. 300 IN A 192.0.2.2"},
	} {
		q := ask("www.example.com.", dns.TypeA)
		c.change(q)
		got := "silence"
		if m := answered(t, q); m != nil {
			got = text(m)
			if m.CheckingDisabled || m.AuthenticatedData || m.Zero || m.Id != q.Id || m.Opcode != q.Opcode {
				t.Errorf("%s: header %+v", c.name, m.MsgHdr)
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestChaos(t *testing.T) {
	for _, c := range []struct {
		name string
		kind uint16
		want string
	}{
		{"id.server.", dns.TypeTXT, "NOERROR\nid.server. 0 CH TXT \"node-1\""},
		{"HOSTNAME.bind.", dns.TypeTXT, "NOERROR\nHOSTNAME.bind. 0 CH TXT \"node-1\""},
		{"version.bind.", dns.TypeTXT, "NOERROR\nversion.bind. 0 CH TXT \"namecast 1\""},
		{"version.server.", dns.TypeANY, "NOERROR\nversion.server. 0 CH TXT \"namecast 1\""},
		{"version.bind.", dns.TypeA, "REFUSED"},
		{"authors.bind.", dns.TypeTXT, "REFUSED"},
	} {
		q := ask(c.name, c.kind)
		q.Question[0].Qclass = dns.ClassCHAOS
		if got := text(answered(t, q)); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.name, dns.Type(c.kind), got, c.want)
		}
	}
	q := ask("version.bind.", dns.TypeTXT)
	q.Question[0].Qclass = dns.ClassCHAOS
	if m, _ := answer(&Service{}, nil, q, true); m.Rcode != dns.RcodeRefused {
		t.Errorf("a version that is not to be told: %s", text(m))
	}
}

// bigWorld has RRsets around the limits of UDP.
func bigWorld() string {
	var b strings.Builder
	fmt.Fprintf(&b, "account %s\ndomain example.com admin.example.com 300\n", alice)
	for i := range 13 {
		fmt.Fprintf(&b, "del 300 NS ns%d.del.example.com.\nns%d.del 300 A 192.0.2.%d\nns%d.del 300 AAAA 2001:db8::%d\n", i, i, i, i, i)
		fmt.Fprintf(&b, "mx 300 MX %d m%d.example.com.\nm%d 300 A 192.0.2.%d\nm%d 300 AAAA 2001:db8::%d\n", i, i, i, i, i, i)
	}
	for i := range 30 {
		fmt.Fprintf(&b, "txt 300 TXT \"%02d %s\"\n", i, strings.Repeat("x", 100))
	}
	b.WriteString("alias 300 CNAME txt.example.com.\n")
	return b.String()
}

func TestLimits(t *testing.T) {
	v, s := testView(t, bigWorld()), testService()
	counts := func(m *dns.Msg) string {
		return fmt.Sprintf("%d/%d/%d tc %t", len(m.Answer), len(m.Ns), len(m.Extra), m.Truncated)
	}
	for _, c := range []struct {
		name string
		q    *dns.Msg
		udp  bool
		max  int
		want string
	}{
		{"TCP", ask("txt.example.com.", dns.TypeTXT), false, 65535, "30/0/0 tc false"},
		{"UDP", ask("txt.example.com.", dns.TypeTXT), true, 512, "0/0/0 tc true"},
		{"UDP with a large buffer", with(ask("txt.example.com.", dns.TypeTXT), 65535, nil), true, 1232, "0/0/1 tc true"},
		{"TCP does not know the buffer", with(ask("txt.example.com.", dns.TypeTXT), 512, nil), false, 65535, "30/0/1 tc false"},
		{"whole RRsets are kept", ask("alias.example.com.", dns.TypeTXT), true, 512, "1/0/0 tc true"},
		{"a buffer below 512 is 512", with(ask("mx.example.com.", dns.TypeMX), 0, nil), true, 512, "13/0/10 tc false"},
		{"additional data make room", ask("mx.example.com.", dns.TypeMX), true, 512, "13/0/10 tc false"},
		{"all of them fit", with(ask("mx.example.com.", dns.TypeMX), 1232, nil), true, 1232, "13/0/27 tc false"},
		{"glue does not", ask("x.del.example.com.", dns.TypeA), true, 512, "0/13/11 tc true"},
		{"glue fits", with(ask("x.del.example.com.", dns.TypeA), 1232, nil), true, 1232, "0/13/27 tc false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := answer(s, v, c.q, c.udp)
			if err != nil {
				t.Fatal(err)
			}
			wire, err := m.Pack()
			if err != nil || len(wire) > c.max {
				t.Errorf("%d octets, %v; at most %d are allowed", len(wire), err, c.max)
			}
			if diff := cmp.Diff(c.want, counts(m)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// FuzzAnswer gives any query: the response packs, keeps to the limit, is a
// response to the query, and no part of it stands twice.
func FuzzAnswer(f *testing.F) {
	v, s := testView(f, world+strings.TrimPrefix(bigWorld(), "account "+alice+"\ndomain example.com admin.example.com 300\n")), testService()
	for _, name := range []string{"www.example.com.", "x.dgrow.example.com.", "a.dn.example.com.", "txt.example.org.", "x.wild." + alice + ".namecast.example.", "."} {
		for _, kind := range []uint16{dns.TypeA, dns.TypeDS, dns.TypeANY, dns.TypeAXFR} {
			for _, q := range []*dns.Msg{ask(name, kind), with(ask(name, kind), 1232, func(o *dns.OPT) { o.SetDo() })} {
				wire, err := q.Pack()
				if err != nil {
					f.Fatal(err)
				}
				f.Add(wire, true)
				f.Add(wire, false)
			}
		}
	}
	f.Fuzz(func(t *testing.T, query []byte, udp bool) {
		q := new(dns.Msg)
		if q.Unpack(query) != nil {
			return
		}
		m, err := answer(s, v, q, udp)
		if q.Response {
			if m != nil {
				t.Fatal("a response was answered")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		checkResponse(t, q, m, udp)
	})
}

func checkResponse(t *testing.T, q, m *dns.Msg, udp bool) {
	t.Helper()
	wire, err := m.Pack()
	if err != nil {
		t.Fatalf("pack: %v\n%v", err, m)
	}
	limit := dns.MaxMsgSize
	if udp {
		limit = 512
		if o := q.IsEdns0(); o != nil && m.IsEdns0() != nil {
			limit = min(max(512, int(o.UDPSize())), 1232)
		}
	}
	if len(wire) > limit {
		t.Errorf("%d octets, %d are allowed", len(wire), limit)
	}
	back := new(dns.Msg)
	if err := back.Unpack(wire); err != nil {
		t.Fatalf("unpack: %v", err)
	}
	if !back.Response || back.Id != q.Id || back.Opcode != q.Opcode {
		t.Errorf("header %+v for %+v", back.MsgHdr, q.MsgHdr)
	}
	if len(q.Question) == 1 && (len(back.Question) != 1 || back.Question[0] != q.Question[0]) {
		t.Errorf("question %v for %v", back.Question, q.Question)
	}
	var lines []string
	for _, r := range slices.Concat(back.Answer, back.Ns) {
		lines = append(lines, r.String())
	}
	slices.Sort(lines)
	if len(slices.Compact(slices.Clone(lines))) != len(lines) {
		t.Errorf("a record stands twice in\n%v", back)
	}
}
