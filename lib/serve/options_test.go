package serve

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"namecast/lib/cookie"
	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
	"namecast/lib/zone"
)

var someone = netip.MustParseAddr("192.0.2.1")

// quiet is a server without sockets, over an empty store.
func quiet(t testing.TB) *DNS {
	t.Helper()
	db, err := leveldb.OpenMemory(leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	d := &DNS{Store: db, Log: slog.New(slog.DiscardHandler), Service: &zone.Service{
		Base: rr.MustName("namecast.example"), Expire: 1000, ID: "node",
	}}
	d.conns.open(Limits{})
	d.SetCookies(cookie.NewSecrets(cookie.Secret{1}))
	return d
}

// respond responds to one message now.
func (d *DNS) respond(query []byte, from client, out []byte) []byte {
	return d.respondAt(time.Now(), query, from, out, new(scratch))
}

// edns is a question with an OPT record, packed.
func edns(t testing.TB, name string, kind, size uint16, options ...dns.EDNS0) []byte {
	t.Helper()
	q := new(dns.Msg)
	q.SetQuestion(name, kind)
	q.SetEdns0(size, false)
	q.IsEdns0().Option = options
	b, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func local(code uint16, data string) dns.EDNS0 {
	b, err := hex.DecodeString(data)
	if err != nil {
		panic(err)
	}
	return &dns.EDNS0_LOCAL{Code: code, Data: b}
}

// told is what a response says: its code, and its options but for their data
// where that is not always the same.
func told(t *testing.T, b []byte) string {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(b); err != nil {
		t.Fatal(err)
	}
	words := []string{dns.RcodeToString[m.Rcode]}
	if m.Truncated {
		words = append(words, "tc")
	}
	if opt := m.IsEdns0(); opt != nil {
		words = append(words, "opt")
		for _, o := range opt.Option {
			switch o := o.(type) {
			case *dns.EDNS0_COOKIE:
				words = append(words, fmt.Sprintf("cookie:%s+%d", o.Cookie[:16], len(o.Cookie)/2-8))
			case *dns.EDNS0_EDE:
				words = append(words, fmt.Sprintf("ede:%d", o.InfoCode))
			case *dns.EDNS0_PADDING:
				words = append(words, fmt.Sprintf("padded:%d", len(b)))
			case *dns.EDNS0_NSID:
				words = append(words, "nsid")
			case *dns.EDNS0_EXPIRE:
				words = append(words, fmt.Sprintf("expire:%d", o.Expire))
			case *dns.EDNS0_TCP_KEEPALIVE:
				words = append(words, fmt.Sprintf("keepalive:%d", o.Timeout))
			default:
				words = append(words, fmt.Sprint(o.Option()))
			}
		}
	}
	return strings.Join(words, " ")
}

func TestOptions(t *testing.T) {
	const base, out = "namecast.example.", "out.test."
	d := quiet(t)
	for _, c := range []struct {
		name, q string
		kind    uint16
		over    transport
		options []dns.EDNS0
		want    string
	}{
		{"nothing asked", base, dns.TypeSOA, overUDP, nil, "NOERROR opt"},
		{"unknown", base, dns.TypeSOA, overUDP, []dns.EDNS0{local(65001, "00")}, "NOERROR opt"},

		{"client cookie", base, dns.TypeSOA, overUDP, []dns.EDNS0{local(10, "0102030405060708")}, "NOERROR opt cookie:0102030405060708+16"},
		{"client cookie over TCP", base, dns.TypeSOA, overTCP, []dns.EDNS0{local(10, "0102030405060708")}, "NOERROR opt cookie:0102030405060708+16"},
		{"a foreign server cookie", base, dns.TypeSOA, overUDP, []dns.EDNS0{local(10, "0102030405060708aaaaaaaaaaaaaaaa")}, "NOERROR opt cookie:0102030405060708+16"},
		{"two cookies", base, dns.TypeSOA, overUDP, []dns.EDNS0{local(10, "0102030405060708"), local(10, "00")}, "NOERROR opt cookie:0102030405060708+16"},
		{"cookie too short", base, dns.TypeSOA, overUDP, []dns.EDNS0{local(10, "010203040506"), local(10, "0102030405060708")}, "FORMERR opt"},
		{"server cookie too short", base, dns.TypeSOA, overUDP, []dns.EDNS0{local(10, "0102030405060708aaaaaaaaaaaaaa")}, "FORMERR opt"},
		{"empty cookie", base, dns.TypeSOA, overTLS, []dns.EDNS0{local(10, "")}, "FORMERR opt"},
		{"cookie and an error", out, dns.TypeSOA, overUDP, []dns.EDNS0{local(10, "0102030405060708")}, "REFUSED opt ede:20 cookie:0102030405060708+16"},

		{"expire", base, dns.TypeSOA, overUDP, []dns.EDNS0{local(9, "")}, "NOERROR opt expire:1000"},
		{"expire with a value", base, dns.TypeSOA, overUDP, []dns.EDNS0{local(9, "00000001")}, "NOERROR opt expire:1000"},
		{"expire of another type", base, dns.TypeNS, overUDP, []dns.EDNS0{local(9, "")}, "NOERROR opt"},
		{"expire of no zone", "x." + base, dns.TypeSOA, overUDP, []dns.EDNS0{local(9, "")}, "NXDOMAIN opt"},

		{"keepalive over UDP", base, dns.TypeSOA, overUDP, []dns.EDNS0{local(11, "")}, "NOERROR opt"},
		{"keepalive over TCP", base, dns.TypeSOA, overTCP, []dns.EDNS0{local(11, "")}, "NOERROR opt keepalive:100"},
		{"keepalive over TLS", base, dns.TypeSOA, overTLS, []dns.EDNS0{local(11, "")}, "NOERROR opt keepalive:100"},

		{"padding in the clear", base, dns.TypeSOA, overTCP, []dns.EDNS0{local(12, "0000")}, "NOERROR opt"},
		{"padding", base, dns.TypeSOA, overTLS, []dns.EDNS0{local(12, "")}, "NOERROR opt padded:468"},
		{"padding of an error", out, dns.TypeSOA, overTLS, []dns.EDNS0{local(12, "00")}, "REFUSED opt ede:20 padded:468"},

		{"everything", base, dns.TypeSOA, overTLS, []dns.EDNS0{local(12, ""), local(11, ""), local(10, "0102030405060708"), local(9, ""), local(3, "")},
			"NOERROR opt nsid expire:1000 cookie:0102030405060708+16 keepalive:100 padded:468"},

		{"not ours", out, dns.TypeA, overUDP, nil, "REFUSED opt ede:20"},
		{"transfer", base, dns.TypeIXFR, overTCP, nil, "REFUSED opt ede:21"},
		{"transfer of no zone", out, dns.TypeAXFR, overTCP, nil, "NOTAUTH opt ede:20"},
		{"a type nobody asks for", base, 128, overUDP, nil, "FORMERR opt ede:30"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := d.respond(edns(t, c.q, c.kind, 1232, c.options...), client{c.over, someone}, nil)
			if diff := cmp.Diff(c.want, told(t, b)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestCookieReturns takes a cookie as good when it comes back, from the same
// address only.
func TestCookieReturns(t *testing.T) {
	d := quiet(t)
	m := new(dns.Msg)
	if err := m.Unpack(d.respond(edns(t, "namecast.example.", dns.TypeSOA, 1232, local(10, "0102030405060708")), client{overUDP, someone}, nil)); err != nil {
		t.Fatal(err)
	}
	full := m.IsEdns0().Option[0].(*dns.EDNS0_COOKIE).Cookie
	for _, from := range []string{"192.0.2.1", "192.0.2.2"} {
		d.respond(edns(t, "namecast.example.", dns.TypeSOA, 1232, local(10, full)), client{overUDP, netip.MustParseAddr(from)}, nil)
	}
	if diff := cmp.Diff(Cookies{cookie.New: 1, cookie.Good: 1, cookie.Bad: 1}, d.Stats().Cookies); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestOptionsOfErrors tells EDE for what zones do not see.
func TestOptionsOfErrors(t *testing.T) {
	d := quiet(t)
	change := func(f func(b []byte)) []byte {
		b := edns(t, "namecast.example.", dns.TypeSOA, 1232, local(10, "0102030405060708"))
		f(b)
		return b
	}
	question := 12 + len("namecast.example.") + 1
	for _, c := range []struct {
		name string
		b    []byte
		want string
	}{
		{"opcode", change(func(b []byte) { b[2] |= dns.OpcodeNotify << 3 }), "NOTIMP opt ede:21 cookie:0102030405060708+16"},
		{"class", change(func(b []byte) { b[question+3] = dns.ClassHESIOD }), "REFUSED opt ede:21 cookie:0102030405060708+16"},
		{"EDNS version", change(func(b []byte) { b[question+4+6] = 1 }), "BADSIG opt"}, // the library's word for 16
		{"no EDNS", query(t, 1), "NOERROR"},
	} {
		if diff := cmp.Diff(c.want, told(t, d.respond(c.b, client{overUDP, someone}, nil))); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.name, diff)
		}
	}
	d.Store = views(func() (store.View, error) { return nil, store.ErrUnavailable })
	if got := told(t, d.respond(edns(t, "namecast.example.", dns.TypeSOA, 1232), client{overUDP, someone}, nil)); got != "SERVFAIL opt ede:14" {
		t.Errorf("storage does not answer: %s", got)
	}
}

// TestRoom keeps responses with options within what the client takes, for
// clients of every size.
func TestRoom(t *testing.T) {
	d := quiet(t)
	for i := range 14 { // about 900 octets of NS records and addresses
		host := fmt.Sprintf("%s%02d.namecast.example", strings.Repeat("x", 30), i)
		d.Service.NS = append(d.Service.NS, zone.NameServer{Name: rr.MustName(host), Addrs: []netip.Addr{someone}})
	}
	truncated := 0
	for size := uint16(512); size <= 1300; size++ {
		b := d.respond(edns(t, "namecast.example.", dns.TypeNS, size, local(10, "0102030405060708")), client{overUDP, someone}, nil)
		if len(b) > int(size) || len(b) > 1232 {
			t.Errorf("%d octets for %d", len(b), size)
		}
		said := told(t, b)
		if !strings.Contains(said, "cookie") {
			t.Errorf("size %d: %s", size, said)
		}
		if strings.Contains(said, "tc") {
			truncated++
		}
	}
	if truncated == 0 || truncated > 700 {
		t.Errorf("%d of 789 truncated", truncated)
	}
}

// TestPadding pads to whole blocks whatever the length.
func TestPadding(t *testing.T) {
	d := quiet(t)
	for i := range 200 {
		name := strings.Repeat("a", i%63+1) + "." + strings.Repeat("b", i/4+1) + ".namecast.example."
		b := d.respond(edns(t, name, dns.TypeA, 1232, local(12, ""), local(10, "0102030405060708")), client{overTLS, someone}, nil)
		if len(b)%padBlock != 0 {
			t.Errorf("%s: %d octets", name, len(b))
		}
	}
}

// TestKeepAliveOfACrowd tells clients to leave when connections are scarce.
func TestKeepAliveOfACrowd(t *testing.T) {
	d := quiet(t)
	d.conns.open(Limits{Conns: 10, ConnsPerPrefix: 10})
	for range 9 {
		d.conns.enter(netip.Prefix{})
	}
	if got := told(t, d.respond(edns(t, "namecast.example.", dns.TypeSOA, 1232, local(11, "")), client{overTCP, someone}, nil)); got != "NOERROR opt keepalive:0" {
		t.Error(got)
	}
}

// FuzzOptions gives any octets as the data of OPT, over every transport.
func FuzzOptions(f *testing.F) {
	d := quiet(f)
	for _, s := range []string{"", "000a0008" + "0102030405060708", "000a0018" + strings.Repeat("01", 24), "0009 0000", "00090004 00000000", "000b0000", "000b0002 0001",
		"000c0000", "000c0003 000000", "000a0001 00", "00030000", "000a0008", "000f0002 0000", "0009000100"} {
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint16(1232), byte(0))
	}
	plain := edns(f, "namecast.example.", dns.TypeSOA, 0)
	f.Fuzz(func(t *testing.T, data []byte, size uint16, over byte) {
		if len(data) > 2000 {
			return
		}
		q := bytes.Clone(plain)
		binary.BigEndian.PutUint16(q[len(q)-8:], size)
		binary.BigEndian.PutUint16(q[len(q)-2:], uint16(len(data)))
		from := client{transport(over % 3), someone}
		b := d.respond(append(q, data...), from, nil)
		m := new(dns.Msg)
		if err := m.Unpack(b); err != nil {
			t.Fatalf("%x: %v", b, err)
		}
		if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeFormatError || d.Stats().Panics > 0 {
			t.Fatal(m)
		}
		if opt := m.IsEdns0(); (m.Rcode == dns.RcodeSuccess) && opt == nil {
			t.Fatal("no OPT in the response")
		}
		if limit := max(512, min(int(size), 1232)); from.over == overUDP && len(b) > limit {
			t.Fatalf("%d octets, want %d at most", len(b), limit)
		}
	})
}
