package upstream

import (
	"bytes"
	"errors"
	"testing"

	"github.com/miekg/dns"
)

// pack makes a message; tests only make such as can be.
func pack(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ask(t testing.TB, name string, typ uint16) []byte {
	return pack(t, new(dns.Msg).SetQuestion(name, typ))
}

func TestParseQuery(t *testing.T) {
	good := ask(t, "www.example.", dns.TypeA)
	if _, err := parseQuery(good); err != nil {
		t.Errorf("a plain query: %v", err)
	}
	response := bytes.Clone(good)
	response[2] |= 0x80
	two := bytes.Clone(good)
	two[5] = 2
	pointer := append(bytes.Clone(good[:headerSize]), 0xc0, 12, 0, 1, 0, 1)
	for what, msg := range map[string][]byte{
		"nothing": nil, "a header": good[:headerSize], "cut off": good[:len(good)-1], "a response": response,
		"two questions": two, "a compressed name": pointer, "too long": make([]byte, maxMessage+1),
	} {
		if _, err := parseQuery(msg); !errors.Is(err, ErrQuery) {
			t.Errorf("%s: %v instead of ErrQuery", what, err)
		}
	}
}

func TestAccept(t *testing.T) {
	q, err := parseQuery(ask(t, "www.Example.", dns.TypeA))
	if err != nil {
		t.Fatal(err)
	}
	const id = 4711
	reply := func(change func(*dns.Msg)) []byte {
		m := new(dns.Msg).SetReply(new(dns.Msg).SetQuestion("www.Example.", dns.TypeA))
		m.Id = id
		change(m)
		return pack(t, m)
	}
	header := reply(func(m *dns.Msg) { m.Rcode, m.Question = dns.RcodeFormatError, nil })
	cases := []struct {
		name string
		msg  []byte
		good bool
	}{
		{"the reply", reply(func(*dns.Msg) {}), true},
		{"other letters", reply(func(m *dns.Msg) { m.Question[0].Name = "WWW.example." }), true},
		{"a failure", reply(func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure }), true},
		{"only a header with a failure", header, true},
		{"only a header without one", reply(func(m *dns.Msg) { m.Question = nil }), false},
		{"no response", reply(func(m *dns.Msg) { m.Response = false }), false},
		{"another opcode", reply(func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }), false},
		{"another id", reply(func(m *dns.Msg) { m.Id++ }), false},
		{"another name", reply(func(m *dns.Msg) { m.Question[0].Name = "wwv.example." }), false},
		{"another type", reply(func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA }), false},
		{"another class", reply(func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }), false},
		{"two questions", reply(func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }), false},
		{"cut off", reply(func(*dns.Msg) {})[:20], false},
		{"nothing", nil, false},
	}
	for _, c := range cases {
		got, err := q.accept(bytes.Clone(c.msg), id)
		if (err == nil) != c.good {
			t.Errorf("%s: error %v", c.name, err)
			continue
		}
		if !c.good {
			continue
		}
		m := new(dns.Msg)
		if err := m.Unpack(got); err != nil || m.Id != q.id() || len(m.Question) != 1 {
			t.Errorf("%s: %v, %v", c.name, m, err)
		}
	}
}

func TestGrow(t *testing.T) {
	m := new(dns.Msg).SetReply(new(dns.Msg).SetQuestion("www.example.", dns.TypeA))
	for _, text := range []string{"www.example. 100 CNAME a.example.", "a.example. 30 A 192.0.2.1"} {
		r, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		m.Answer = append(m.Answer, r)
	}
	m.Compress = true
	m.SetEdns0(1232, true)
	msg := pack(t, m)
	if err := grow(msg, 40); err != nil {
		t.Fatal(err)
	}
	got := new(dns.Msg)
	if err := got.Unpack(msg); err != nil {
		t.Fatal(err)
	}
	if a, b := got.Answer[0].Header().Ttl, got.Answer[1].Header().Ttl; a != 60 || b != 0 {
		t.Errorf("TTLs of 100 and 30 are %d and %d after 40 s", a, b)
	}
	if o := got.IsEdns0(); o == nil || !o.Do() {
		t.Error("the OPT record was changed")
	}
}

// FuzzReply checks that whatever a server sends is refused or is a response to the
// query, and that ageing changes nothing but TTLs.
func FuzzReply(f *testing.F) {
	query := ask(f, "www.example.", dns.TypeA)
	m := new(dns.Msg).SetReply(new(dns.Msg).SetQuestion("www.example.", dns.TypeA))
	f.Add(pack(f, m))
	m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: "www.example.", Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: []byte{192, 0, 2, 1}})
	m.SetEdns0(1232, false)
	m.Compress = true
	f.Add(pack(f, m))
	f.Add(pack(f, m)[:headerSize])
	f.Fuzz(func(t *testing.T, msg []byte) {
		q, err := parseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		var id uint16
		if len(msg) >= 2 {
			id = uint16(msg[0])<<8 | uint16(msg[1])
		}
		got, err := q.accept(bytes.Clone(msg), id)
		if err != nil {
			return
		}
		if end, err := questionEnd(got); err != nil || !sameQuestion(got[headerSize:end], q.question) || got[0] != query[0] || got[1] != query[1] {
			t.Fatalf("%x was taken as a reply", msg)
		}
		if size := len(got); grow(got, 5) == nil && len(got) != size {
			t.Fatal("ageing changed the length")
		}
	})
}
