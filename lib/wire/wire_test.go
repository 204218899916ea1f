package wire

import (
	"bytes"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// pack is a query, packed; change may alter it first.
func pack(t testing.TB, name string, kind uint16, change func(*dns.Msg)) []byte {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(name, kind)
	if change != nil {
		change(m)
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func edns(size uint16, options ...dns.EDNS0) func(*dns.Msg) {
	return func(m *dns.Msg) {
		m.SetEdns0(size, true)
		m.IsEdns0().Option = options
	}
}

func TestParse(t *testing.T) {
	cookie := &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"}
	plain := pack(t, "Www.example.", dns.TypeMX, nil)
	for _, c := range []struct {
		name string
		msg  []byte
		ok   bool
	}{
		{"plain", plain, true},
		{"of the root", pack(t, ".", dns.TypeNS, nil), true},
		{"EDNS", pack(t, "www.example.", dns.TypeA, edns(1232)), true},
		{"a cookie", pack(t, "www.example.", dns.TypeA, edns(1232, cookie)), true},
		{"two cookies", pack(t, "www.example.", dns.TypeA, edns(1232, cookie, cookie)), false},
		{"another option", pack(t, "www.example.", dns.TypeA, edns(1232, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})), false},
		{"EDNS of version 1", pack(t, "www.example.", dns.TypeA, func(m *dns.Msg) { m.SetEdns0(1232, false); m.IsEdns0().SetVersion(1) }), false},
		{"OPT of a name", pack(t, "www.example.", dns.TypeA, func(m *dns.Msg) { m.SetEdns0(1232, false); m.IsEdns0().Hdr.Name = "a." }), false},
		{"a response", pack(t, "www.example.", dns.TypeA, func(m *dns.Msg) { m.Response = true }), false},
		{"another opcode", pack(t, "www.example.", dns.TypeA, func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }), false},
		{"another class", pack(t, "www.example.", dns.TypeA, func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }), false},
		{"two questions", pack(t, "www.example.", dns.TypeA, func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }), false},
		{"an answer", pack(t, "www.example.", dns.TypeA, func(m *dns.Msg) { m.Answer = []dns.RR{&dns.ANY{Hdr: dns.RR_Header{Name: "."}}} }), false},
		{"a record that is not OPT", pack(t, "www.example.", dns.TypeA, func(m *dns.Msg) { m.Extra = []dns.RR{&dns.ANY{Hdr: dns.RR_Header{Name: "."}}} }), false},
		{"octets after its end", append(bytes.Clone(plain), 0), false},
		{"a pointer", append(append(bytes.Clone(plain[:12]), 0xc0, 12), 0, 1, 0, 1), false},
		{"too long a name", append(append(bytes.Clone(plain[:12]), bytes.Repeat([]byte{1, 'a'}, 128)...), 0, 0, 1, 0, 1), false},
	} {
		var q Query
		if got := q.Parse(c.msg); got != c.ok {
			t.Errorf("%s: %t", c.name, got)
		}
		for i := range c.msg {
			if q.Parse(c.msg[:i]) && i != len(plain) {
				t.Errorf("%s: the first %d octets are a query", c.name, i)
			}
		}
	}
	var q Query
	q.Parse(pack(t, "Www.example.", dns.TypeA, edns(1400, cookie)))
	if string(q.Name) != "\x03Www\x07example\x00" || q.Type != 1 || !q.EDNS || q.Size != 1400 || !q.DO || q.CO || len(q.Cookie) != 8 {
		t.Errorf("%+v", q)
	}
}

// FuzzParse holds that what is read in place is what the library reads.
func FuzzParse(f *testing.F) {
	f.Add(pack(f, "Www.example.", dns.TypeMX, nil))
	f.Add(pack(f, "www.example.", dns.TypeA, edns(1232, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"})))
	f.Fuzz(func(t *testing.T, msg []byte) {
		var q Query
		if !q.Parse(msg) {
			return
		}
		m := new(dns.Msg)
		if err := m.Unpack(msg); err != nil {
			t.Fatalf("the library does not read %x: %v", msg, err)
		}
		name, err := rr.ParseName(m.Question[0].Name)
		if err != nil || string(name.Wire()) != string(q.Name) || len(m.Question) != 1 || m.Question[0].Qtype != q.Type || m.Response || m.Opcode != 0 {
			t.Fatalf("%+v for %v", q, m)
		}
		opt := m.IsEdns0()
		if (opt != nil) != q.EDNS || opt != nil && (opt.UDPSize() != q.Size || opt.Do() != q.DO || opt.Co() != q.CO || opt.Version() != 0) {
			t.Fatalf("%+v for %v", q, opt)
		}
	})
}

func TestAppendLower(t *testing.T) {
	var all []byte
	for c := range 256 {
		all = append(all, byte(c))
	}
	for _, b := range [][]byte{all, all[:3], all[60:95], nil} {
		var want []byte
		for _, c := range b {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			want = append(want, c)
		}
		if got := AppendLower(nil, b); !bytes.Equal(got, want) {
			t.Errorf("%x: %x", b, got)
		}
	}
}

// TestCompression refers to names that stood before, whatever their case, and
// leaves alone the data that must not be compressed.
func TestCompression(t *testing.T) {
	question := append(rr.MustName("www.Example.com").Wire(), 0, 1, 0, 1)
	var w Writer
	w.Start(nil, question)
	start := w.Len()
	for _, c := range []struct {
		owner, kind, data string
		octets            int // of the record
	}{
		{"www.example.com", "CNAME", "web.example.com.", 2 + 10 + 4 + 2},
		{"web.EXAMPLE.com", "A", "192.0.2.1", 2 + 10 + 4},
		{"example.com", "MX", "10 mail.example.com.", 2 + 10 + 2 + 5 + 2},
		{"mail.example.com", "SRV", "1 2 3 mail.example.com.", 2 + 10 + 6 + 18},
		{"com", "SOA", "ns.example.net. a.ns.example.net. 1 2 3 4 5", 2 + 10 + 16 + 2 + 2 + 20},
		{"other.test", "DNAME", "long.example.com.", 12 + 10 + 18},
		{"a.long.example.com", "CNAME", "b.long.example.com.", 2 + 2 + 10 + 2 + 2},
		{"a.other.test", "NS", "other.test.", 2 + 2 + 10 + 2},
	} {
		kind, err := rr.ParseType(c.kind)
		if err != nil {
			t.Fatal(err)
		}
		data, err := rr.ParseData(kind, c.data)
		if err != nil {
			t.Fatal(err)
		}
		before := w.Len()
		w.Record(rr.MustName(c.owner), kind, 1, 300, data)
		if got := w.Len() - before; got != c.octets {
			t.Errorf("%s %s: %d octets, want %d", c.owner, c.kind, got, c.octets)
		}
		_, n, err := dns.UnpackRR(w.Bytes(), before)
		if err != nil || n != w.Len() {
			t.Errorf("%s %s: %v", c.owner, c.kind, err)
		}
	}
	w.Back(Place{start, 3})
	if w.Len() != start {
		t.Errorf("%d octets", w.Len())
	}
}

// FuzzWriter writes records with any names and reads them back.
func FuzzWriter(f *testing.F) {
	f.Add([]byte("\x03www\x07example\x03com\x00"), []byte("\x04mail\x07eXample\x03com\x00\x03www\x07example\x03com\x00\x01a\x03com\x00"))
	f.Fuzz(func(t *testing.T, asked, more []byte) {
		var names []rr.Name
		for _, b := range append(bytes.SplitAfter(more, []byte{0}), asked) {
			if n := rr.Name(strings.TrimSuffix(string(b), "\x00")); n.Check() == nil {
				names = append(names, n)
			}
		}
		if len(names) == 0 {
			return
		}
		question := append(names[len(names)-1].Wire(), 0, 1, 0, 1)
		var w Writer
		w.Start(nil, question)
		for _, n := range names {
			w.Set(rr.Set{Owner: n, Type: rr.TypeMX, TTL: 1, Data: []rr.Data{rr.MXData(1, n), rr.MXData(2, names[0])}})
		}
		at := HeaderSize + len(question)
		for i := range 2 * len(names) {
			r, next, err := dns.UnpackRR(w.Bytes(), at)
			if err != nil {
				t.Fatalf("record %d: %v", i, err)
			}
			owner, _ := rr.ParseName(r.Header().Name)
			host, _ := rr.ParseName(r.(*dns.MX).Mx)
			if want := names[i/2]; !owner.Equal(want) || i%2 == 0 && !host.Equal(want) || i%2 == 1 && !host.Equal(names[0]) {
				t.Fatalf("record %d: %v, want %s", i, r, want)
			}
			at = next
		}
		if at != w.Len() {
			t.Fatalf("%d octets, %d were read", w.Len(), at)
		}
	})
}
