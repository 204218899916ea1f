package host

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"namecast/lib/peer"
	"namecast/lib/rr"
)

// packed is a message of package dns in wire form.
func packed(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// asked is a query for a name, changed by f.
func asked(t testing.TB, name string, typ uint16, f func(*dns.Msg)) []byte {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(name, typ)
	m.Id = 0x1234
	if f != nil {
		f(m)
	}
	return packed(t, m)
}

func TestParseRequest(t *testing.T) {
	type want struct {
		ok    bool
		q     peer.Question
		edns  bool
		size  int
		rcode int
	}
	a := peer.Question{Name: rr.MustName("www.example"), Type: dns.TypeA}
	do, cd := a, a
	do.DO, cd.CD = true, true
	any := a
	any.Type = dns.TypeANY
	for name, c := range map[string]struct {
		in   []byte
		want want
	}{
		"plain":         {asked(t, "WWW.example.", dns.TypeA, nil), want{ok: true, q: a, size: 512}},
		"edns":          {asked(t, "www.example.", dns.TypeA, func(m *dns.Msg) { m.SetEdns0(4096, false) }), want{ok: true, q: a, edns: true, size: 1232}},
		"small edns":    {asked(t, "www.example.", dns.TypeA, func(m *dns.Msg) { m.SetEdns0(100, true) }), want{ok: true, q: do, edns: true, size: 512}},
		"cd":            {asked(t, "www.example.", dns.TypeA, func(m *dns.Msg) { m.CheckingDisabled = true }), want{ok: true, q: cd, size: 512}},
		"any":           {asked(t, "www.example.", dns.TypeANY, nil), want{ok: true, q: any, size: 512}},
		"short":         {[]byte{1, 2, 3}, want{}},
		"a response":    {asked(t, "www.example.", dns.TypeA, func(m *dns.Msg) { m.Response = true }), want{}},
		"no question":   {asked(t, "www.example.", dns.TypeA, func(m *dns.Msg) { m.Question = nil }), want{ok: true, size: 512, rcode: dns.RcodeFormatError}},
		"an update":     {asked(t, "www.example.", dns.TypeA, func(m *dns.Msg) { m.Opcode = dns.OpcodeUpdate }), want{ok: true, size: 512, rcode: dns.RcodeNotImplemented}},
		"transfer":      {asked(t, "www.example.", dns.TypeAXFR, nil), want{ok: true, q: peer.Question{Name: a.Name, Type: dns.TypeAXFR}, size: 512, rcode: dns.RcodeRefused}},
		"another class": {asked(t, "www.example.", dns.TypeA, func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }), want{ok: true, q: a, size: 512, rcode: dns.RcodeNotImplemented}},
		"cut off":       {asked(t, "www.example.", dns.TypeA, nil)[:20], want{ok: true, size: 512, rcode: dns.RcodeFormatError}},
		"trailing":      {append(asked(t, "www.example.", dns.TypeA, nil), 0), want{ok: true, size: 512, rcode: dns.RcodeFormatError}},
		"badvers": {asked(t, "www.example.", dns.TypeA, func(m *dns.Msg) { m.SetEdns0(1232, false); m.IsEdns0().SetVersion(1) }),
			want{ok: true, q: a, edns: true, size: 1232, rcode: rcodeBadVers}},
	} {
		t.Run(name, func(t *testing.T) {
			r, ok := parseRequest(c.in)
			got := want{ok, r.q, r.edns, r.size, r.rcode}
			if !ok {
				got = want{}
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// response answers a query as a server would.
func response(t testing.TB, query []byte, edns bool, records ...string) []byte {
	t.Helper()
	q := new(dns.Msg)
	if err := q.Unpack(query); err != nil {
		t.Fatal(err)
	}
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable, m.Compress = true, true
	for _, text := range records {
		r, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		m.Answer = append(m.Answer, r)
	}
	if edns {
		m.SetEdns0(1232, false)
		m.IsEdns0().Option = []dns.EDNS0{
			&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"},
			&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeNetworkError, ExtraText: "of the server"},
		}
	}
	return packed(t, m)
}

// answered is what a client gets.
func answeredMsg(t *testing.T, query []byte, rep *peer.Reply, limit int) *dns.Msg {
	t.Helper()
	r, ok := parseRequest(query)
	if !ok {
		t.Fatal("the query is not read")
	}
	if limit == 0 {
		limit = r.size
	}
	b := r.answer(rep, limit)
	if len(b) > limit {
		t.Errorf("%d octets, limit %d", len(b), limit)
	}
	m := new(dns.Msg)
	if err := m.Unpack(b); err != nil {
		t.Fatalf("%v: %x", err, b)
	}
	if m.Id != 0x1234 || !m.Response || !m.RecursionAvailable {
		t.Errorf("header: %+v", m.MsgHdr)
	}
	return m
}

func TestAnswer(t *testing.T) {
	plain := asked(t, "WwW.example.", dns.TypeA, nil)
	edns := asked(t, "WwW.example.", dns.TypeA, func(m *dns.Msg) { m.SetEdns0(1232, true) })
	lower := asked(t, "www.example.", dns.TypeA, nil)
	msg := response(t, lower, true, "www.example. 300 A 192.0.2.1")

	m := answeredMsg(t, plain, &peer.Reply{Msg: msg, EDE: -1}, 0)
	if m.IsEdns0() != nil || len(m.Extra) != 0 || m.Question[0].Name != "WwW.example." || len(m.Answer) != 1 || m.Answer[0].Header().Name != "WwW.example." {
		t.Errorf("to a client without EDNS: %v", m)
	}
	m = answeredMsg(t, edns, &peer.Reply{Msg: msg, EDE: -1, Secure: true}, 0)
	o := m.IsEdns0()
	if o == nil || !o.Do() || len(o.Option) != 1 || !m.AuthenticatedData {
		t.Fatalf("to a client with EDNS: %v", m)
	}
	if e, ok := o.Option[0].(*dns.EDNS0_EDE); !ok || e.ExtraText != "of the server" {
		t.Errorf("the server's extended error is lost: %v", o)
	}
	m = answeredMsg(t, edns, &peer.Reply{Msg: msg, EDE: 3, Text: "from peer 4f2a", MaxTTL: 30, Age: 0}, 0)
	e, ok := m.IsEdns0().Option[0].(*dns.EDNS0_EDE)
	if !ok || e.InfoCode != 3 || e.ExtraText != "from peer 4f2a" || m.Answer[0].Header().Ttl != 30 || m.AuthenticatedData {
		t.Errorf("stale: %v", m)
	}
	m = answeredMsg(t, edns, &peer.Reply{Rcode: dns.RcodeServerFailure, EDE: 22, Text: "nobody"}, 0)
	if m.Rcode != dns.RcodeServerFailure || m.IsEdns0().Option[0].(*dns.EDNS0_EDE).InfoCode != 22 {
		t.Errorf("failure: %v", m)
	}
	m = answeredMsg(t, edns, &peer.Reply{Msg: []byte("no message at all"), EDE: -1}, 0)
	if m.Rcode != dns.RcodeServerFailure {
		t.Errorf("rubbish of a server: %v", m)
	}
}

// TestAnswerOfNoResponse: what is no response to a question is not passed on, in which case
// it would go under another identity than the client's.
func TestAnswerOfNoResponse(t *testing.T) {
	q := asked(t, "www.example.", dns.TypeA, nil)
	for _, bits := range []byte{0, 0xe5} { // a query, and a response to something else
		msg := response(t, q, false, "www.example. 300 A 192.0.2.1")
		msg[0], msg[2] = 0x55, bits
		if m := answeredMsg(t, q, &peer.Reply{Msg: msg, EDE: -1}, 0); m.Rcode != dns.RcodeServerFailure || len(m.Answer) != 0 || m.Opcode != 0 {
			t.Errorf("%x: %v", bits, m)
		}
	}
}

func TestAnswerTooBig(t *testing.T) {
	plain := asked(t, "www.example.", dns.TypeTXT, nil)
	edns := asked(t, "www.example.", dns.TypeTXT, func(m *dns.Msg) { m.SetEdns0(1232, false) })
	text := `"` + string(make([]byte, 0, 250))
	for range 200 {
		text += "x"
	}
	text += `"`
	var records []string
	for i := range 3 {
		records = append(records, "www.example. 300 TXT \""+string(rune('a'+i))+"\" "+text)
	}
	msg := response(t, plain, true, records...)
	m := answeredMsg(t, plain, &peer.Reply{Msg: msg, EDE: -1}, 0)
	if !m.Truncated || len(m.Answer) != 0 {
		t.Errorf("UDP without EDNS: %v", m)
	}
	if m = answeredMsg(t, edns, &peer.Reply{Msg: msg, EDE: -1}, 0); m.Truncated || len(m.Answer) != 3 {
		t.Errorf("UDP with EDNS: %v", m)
	}
	if m = answeredMsg(t, plain, &peer.Reply{Msg: msg, EDE: -1}, maxMessage); m.Truncated || len(m.Answer) != 3 {
		t.Errorf("TCP: %v", m)
	}
}

func TestWithoutSignatures(t *testing.T) {
	q := asked(t, "www.example.", dns.TypeA, nil)
	sig := "www.example. 300 RRSIG A 13 2 300 20300101000000 20200101000000 1 example. AAAA"
	msg := response(t, q, true, "www.example. 300 A 192.0.2.1", sig)
	m := new(dns.Msg)
	if err := m.Unpack(withoutSignatures(msg, dns.TypeA)); err != nil || len(m.Answer) != 1 || m.IsEdns0() == nil {
		t.Errorf("%v: %v", err, m)
	}
	if err := m.Unpack(withoutSignatures(msg, dns.TypeRRSIG)); err != nil || len(m.Answer) != 2 {
		t.Errorf("%v: %v", err, m)
	}
}

func TestQuestion(t *testing.T) {
	b := question(peer.Question{Name: rr.MustName("a.example"), Type: dns.TypeMX, DO: true}, false)
	m := new(dns.Msg)
	if err := m.Unpack(b); err != nil {
		t.Fatal(err)
	}
	if m.Question[0] != (dns.Question{Name: "a.example.", Qtype: dns.TypeMX, Qclass: dns.ClassINET}) || !m.RecursionDesired ||
		m.CheckingDisabled || !m.IsEdns0().Do() || m.IsEdns0().UDPSize() != 1232 {
		t.Errorf("%v", m)
	}
}

func TestOptLast(t *testing.T) {
	q := asked(t, "www.example.", dns.TypeA, nil)
	m := new(dns.Msg)
	if err := m.Unpack(response(t, q, true, "www.example. 300 A 192.0.2.1")); err != nil {
		t.Fatal(err)
	}
	glue, err := dns.NewRR("ns.example. 300 A 192.0.2.2")
	if err != nil {
		t.Fatal(err)
	}
	m.Extra = append(m.Extra, glue)
	b := packed(t, m)
	if _, ok := lastOPT(b); ok {
		t.Fatal("an OPT that is not the last passes")
	}
	if opt, ok := lastOPT(optLast(b)); !ok || opt.typ != dns.TypeOPT {
		t.Error("the OPT was not put last")
	}
	if b := withOPT(response(t, q, false, "www.example. 300 A 192.0.2.1"), true); len(b) == 0 {
		t.Error("nothing")
	} else if opt, ok := lastOPT(b); !ok || opt.ttl>>15&1 != 1 {
		t.Error("no OPT with DO")
	}
}
