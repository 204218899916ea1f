package host

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"

	"github.com/miekg/dns"

	"namecast/lib/peer"
)

// options are what clients send in an OPT record, and what they should not.
func options() []dns.EDNS0 {
	return []dns.EDNS0{
		&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"},
		&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: net.IPv4(192, 0, 2, 0)},
		&dns.EDNS0_NSID{Code: dns.EDNS0NSID},
		&dns.EDNS0_PADDING{Padding: make([]byte, 40)},
		&dns.EDNS0_EDE{InfoCode: 3, ExtraText: "of a client"},
		&dns.EDNS0_TCP_KEEPALIVE{Code: dns.EDNS0TCPKEEPALIVE},
		&dns.EDNS0_LOCAL{Code: 65001, Data: []byte{1, 2, 3}},
	}
}

// oddQueries are queries of all kinds that package dns can make.
func oddQueries(t testing.TB) (all [][]byte) {
	add := func(name string, typ uint16, f func(*dns.Msg)) { all = append(all, asked(t, name, typ, f)) }
	edns := func(size uint16, do bool) func(*dns.Msg) { return func(m *dns.Msg) { m.SetEdns0(size, do) } }
	for _, name := range []string{".", "a.", "WWW.Example.", `a\.b\000\255.example.`, "*.example.", "1.2.0.192.in-addr.arpa."} {
		add(name, dns.TypeA, nil)
		add(name, dns.TypeNS, edns(1232, true))
	}
	for _, typ := range []uint16{0, dns.TypeOPT, dns.TypeANY, dns.TypeAXFR, dns.TypeTSIG, dns.TypeRRSIG, dns.TypeDS, dns.TypeHTTPS, 65535} {
		add("www.example.", typ, nil)
	}
	for _, class := range []uint16{0, dns.ClassCHAOS, dns.ClassHESIOD, dns.ClassNONE, dns.ClassANY} {
		add("version.bind.", dns.TypeTXT, func(m *dns.Msg) { m.Question[0].Qclass = class })
	}
	for _, size := range []uint16{0, 511, 512, 1232, 65535} {
		add("www.example.", dns.TypeA, edns(size, size%2 == 0))
	}
	for _, bits := range []func(*dns.Msg){
		func(m *dns.Msg) { m.CheckingDisabled, m.AuthenticatedData = true, true },
		func(m *dns.Msg) { m.RecursionDesired, m.Zero, m.Truncated = false, true, true },
		func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify },
		func(m *dns.Msg) { m.Opcode, m.Rcode = 15, 15 },
		func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) },
		func(m *dns.Msg) { m.SetEdns0(1232, true); m.IsEdns0().SetVersion(255) },
		func(m *dns.Msg) { m.SetEdns0(1232, true); m.IsEdns0().Option = options() },
		func(m *dns.Msg) { m.SetEdns0(1232, true); m.Extra = append(m.Extra, m.Extra[0]) },
		func(m *dns.Msg) {
			m.SetEdns0(1232, false)
			m.Extra = append(m.Extra, &dns.TXT{Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeTXT, Class: 1}, Txt: []string{"x"}})
			m.Compress = true // the name of the record is a pointer
		},
	} {
		add("www.example.", dns.TypeA, bits)
	}
	return all
}

// brokenQueries are such that no library makes.
func brokenQueries(t testing.TB) [][]byte {
	head := []byte{0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	with := func(octets ...byte) []byte { return append(bytes.Clone(head), octets...) }
	long := bytes.Repeat([]byte("\x01a"), 130)
	optAt := func(name ...byte) []byte {
		b := with(1, 'a', 0, 0, 1, 0, 1)
		b[11] = 1
		return append(append(b, name...), 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0)
	}
	short := optAt(0)
	short[len(short)-1] = 9 // more options than there are
	both := asked(t, "www.example.", dns.TypeA, func(m *dns.Msg) { m.SetEdns0(1232, true) })
	return [][]byte{
		{}, head, with(0xc0, 12, 0, 1, 0, 1), with(1, 'a', 0xc0, 12, 0, 1, 0, 1), with(0x40, 'a', 0, 0, 1, 0, 1),
		with(63), with(append(long, 0, 0, 1, 0, 1)...), with(0, 0, 1), with(1, 'a', 0, 0, 1, 0, 1, 0),
		optAt(0), optAt(1, 'b', 0), optAt(0xc0, 12), optAt(0xc0), short, both[:len(both)-3], append(both, both...),
	}
}

// FuzzRequest: no query makes the stub fail. What it answers by itself can be read, repeats
// the question and says nothing else; what a server answered is no longer than the client
// wants it.
func FuzzRequest(f *testing.F) {
	q := asked(f, "www.example.", dns.TypeA, nil)
	big := asked(f, "www.example.", dns.TypeTXT, func(m *dns.Msg) { m.SetEdns0(1232, true) })
	sig := "www.example. 300 RRSIG A 13 2 300 20300101000000 20200101000000 1 example. AAAA"
	answers := [][]byte{
		{}, response(f, q, true, "www.example. 300 A 192.0.2.1"), response(f, q, false, "www.example. 300 A 192.0.2.1", sig),
		response(f, q, true, "www.example. 300 CNAME a.example.", "a.example. 4294967295 A 192.0.2.1"),
		response(f, big, true, `www.example. 300 TXT "`+string(bytes.Repeat([]byte("x"), 250))+`" "`+string(bytes.Repeat([]byte("y"), 250))+`"`),
	}
	for i, query := range append(oddQueries(f), brokenQueries(f)...) {
		f.Add(query, answers[i%len(answers)], uint8(i))
	}
	f.Fuzz(func(t *testing.T, query, msg []byte, kind uint8) {
		before := bytes.Clone(query)
		r, ok := parseRequest(query)
		if !ok {
			return
		}
		for _, limit := range []int{r.size, maxMessage} {
			wantEmpty(t, &r, limit)
			if r.rcode != 0 {
				continue
			}
			rep := &peer.Reply{Msg: msg, EDE: int(kind%26) - 1, Text: "x", Secure: kind&1 != 0, MaxTTL: uint32(kind >> 1)}
			b := r.answer(rep, limit)
			if len(b) < headerSize || len(b) > limit && len(b) > plainSize {
				t.Fatalf("%d octets, limit %d", len(b), limit)
			}
			flags := binary.BigEndian.Uint16(b[2:])
			if binary.BigEndian.Uint16(b) != r.id || flags&flagQR == 0 || flags&flagAD != 0 && !rep.Secure {
				t.Fatalf("not a response to the query: %x", b)
			}
		}
		if !bytes.Equal(query, before) {
			t.Fatalf("the query has become %x", query)
		}
		optLast(msg)
		withoutSignatures(msg, r.q.Type)
		withOPT(msg, true)
	})
}

// wantEmpty looks at what a request is answered without data.
func wantEmpty(t *testing.T, r *request, limit int) {
	b := r.answer(&peer.Reply{Rcode: r.rcode, EDE: 22, Text: "nobody"}, limit)
	m := new(dns.Msg)
	if err := m.Unpack(b); err != nil || len(b) > plainSize {
		t.Fatalf("%v, %d octets: %x", err, len(b), b)
	}
	opt := m.IsEdns0()
	if m.Id != r.id || !m.Response || m.AuthenticatedData || m.Truncated || len(m.Answer)+len(m.Ns) > 0 || (opt != nil) != r.edns {
		t.Fatalf("to %+v: %v", r, m)
	}
	if end := headerSize + len(r.question); len(b) < end || !bytes.Equal(b[headerSize:end], r.question) {
		t.Fatalf("the question is not repeated: %x", b)
	}
	if want := r.rcode; opt == nil && m.Rcode != want&0xf || opt != nil && (m.Rcode != want || opt.Do() != r.q.DO) {
		t.Fatalf("to %+v: %v", r, m)
	}
}
