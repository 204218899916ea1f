package rr

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

func mustType(t *testing.T, s string) Type {
	t.Helper()
	v, err := ParseType(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestParseData(t *testing.T) {
	for _, tc := range []struct {
		name, rtype, text string
		want              Data
	}{
		{"A", "A", "192.0.2.1", "\xc0\x00\x02\x01"},
		{"A in generic form", "A", `\# 4 c0000201`, "\xc0\x00\x02\x01"},
		{"AAAA", "AAAA", "2001:db8::1", "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"},
		{"MX without a dot", "MX", "10 mail.example.net", "\x00\x0a\x04mail\x07example\x03net\x00"},
		{"null MX", "MX", "0 .", "\x00\x00\x00"},
		{"CNAME keeps case", "CNAME", "Www.Example.", "\x03Www\x07Example\x00"},
		{"TXT", "TXT", `"a b" c`, "\x03a b\x01c"},
		{"TXT with escapes", "TXT", `"\"\\\000\255;"`, "\x05\"\\\x00\xff;"},
		{"TXT with UTF-8", "TXT", "\"\u00e9\"", "\x02\xc3\xa9"},
		{"empty TXT", "TXT", `""`, "\x00"},
		{"string of 256 octets", "TXT", `"` + strings.Repeat("a", 256) + `"`, Data("\xff" + strings.Repeat("a", 255) + "\x01a")},
		{"comment after it", "A", "192.0.2.1 ; home", "\xc0\x00\x02\x01"},
		{"SRV", "SRV", "0 5 5060 sip.example.com.", "\x00\x00\x00\x05\x13\xc4\x03sip\x07example\x03com\x00"},
		{"CAA", "CAA", `0 issue "ca.example"`, "\x00\x05issueca.example"},
		{"unknown type", "TYPE65534", `\# 3 abcdef`, "\xab\xcd\xef"},
		{"unknown type without data", "TYPE65534", `\# 0`, ""},
		{"empty APL", "APL", "", ""},
		{"HTTPS", "HTTPS", "1 . alpn=h2", "\x00\x01\x00\x00\x01\x00\x03\x02h2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rtype := mustType(t, tc.rtype)
			got, err := ParseData(rtype, tc.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if err := got.Check(rtype); err != nil {
				t.Errorf("check: %v", err)
			}
			if back, err := ParseData(rtype, got.Text(rtype)); err != nil || back != got {
				t.Errorf("printed as %s, read back as %q, %v", got.Text(rtype), back, err)
			}
			if back, err := ParseData(rtype, got.Generic()); err != nil || back != got {
				t.Errorf("printed as %s, read back as %q, %v", got.Generic(), back, err)
			}
		})
	}
}

func TestParseDataErrors(t *testing.T) {
	for _, tc := range []struct{ name, rtype, text string }{
		{"short address", "A", "10.0.0"},
		{"nothing", "A", ""},
		{"two addresses", "A", "192.0.2.1 192.0.2.2"},
		{"line break", "TXT", "a\nb 0 IN A 192.0.2.1"},
		{"carriage return", "TXT", "a\rb"},
		{"open parenthesis", "MX", "( 10 mail.example."},
		{"open quote", "TXT", `"a`},
		{"generic form of the wrong length", "A", `\# 3 c0000201`},
		{"generic form that is no address", "A", `\# 3 c00002`},
		{"unknown type in words", "TYPE65534", "abc"},
		{"label too long", "NS", label63 + "a."},
		{"name too long", "NS", longest + "b."},
		{"type that does not exist here", "SOA", "1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, err := ParseData(mustType(t, tc.rtype), tc.text)
			if !errors.Is(err, ErrBadData) {
				t.Errorf("data %q, error %v", d, err)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("error of several lines: %q", err)
			}
		})
	}
}

func TestDataCheck(t *testing.T) {
	for _, tc := range []struct {
		name  string
		rtype Type
		data  Data
		ok    bool
	}{
		{"address", TypeA, "\x01\x02\x03\x04", true},
		{"address and more", TypeA, "\x01\x02\x03\x04\x05", false},
		{"short address", TypeA, "\x01\x02\x03", false},
		{"empty address", TypeA, "", false},
		{"name", TypeNS, "\x01a\x00", true},
		{"root", TypeNS, "\x00", true},
		{"name without its end", TypeNS, "\x01a", false},
		{"name and more", TypeNS, "\x01a\x00\x00", false},
		{"compressed name", TypeMX, "\x00\x01\x01a\xc0\x02", false},
		{"pointer to itself", TypeNS, "\xc0\x00", false},
		{"MX without a host", TypeMX, "\x00\x01", false},
		{"SRV without a target", TypeSRV, "\x00\x01\x00\x02\x00\x03", false},
		{"SRV", TypeSRV, "\x00\x01\x00\x02\x00\x03\x00", true},
		{"HTTPS without a target", 65, "\x00\x01", false},
		{"HTTPS", 65, "\x00\x01\x00", true},
		{"NAPTR without a replacement", 35, "\x00\x01\x00\x02\x01S\x00\x00", false},
		{"RP without its second name", 17, "\x01a\x00", false},
		{"RP", 17, "\x01a\x00\x00", true},
		{"CAA without a tag", 257, "\x00", false},
		{"TXT cut off", TypeTXT, "\x05abc", false},
		{"TXT without strings", TypeTXT, "", false},
		{"unknown type", 65534, "anything", true},
		{"unknown type without data", 65534, "", true},
		{"NULL without data", 10, "", true},
		{"too long", 65534, Data(strings.Repeat("x", 65536)), false},
		{"longest", 65534, Data(strings.Repeat("x", 65535)), true},
		{"longest TXT", TypeTXT, Data(strings.Repeat("\xff"+strings.Repeat("\x00", 255), 255) + "\xfe" + strings.Repeat("a", 254)), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.data.Check(tc.rtype)
			if (err == nil) != tc.ok {
				t.Errorf("error %v, want ok %v", err, tc.ok)
			}
			if err != nil && !errors.Is(err, ErrBadData) {
				t.Errorf("error of no kind: %v", err)
			}
		})
	}
}

func TestDataEqual(t *testing.T) {
	for _, tc := range []struct {
		name  string
		rtype Type
		a, b  Data
		want  bool
	}{
		{"same", TypeA, "\x01\x02\x03\x04", "\x01\x02\x03\x04", true},
		{"names in other case", TypeNS, "\x01A\x00", "\x01a\x00", true},
		{"texts in other case", TypeTXT, "\x01A", "\x01a", false},
		{"addresses that look like letters", TypeA, "AAAA", "aaaa", false},
		{"other octets that are not UTF-8", TypeTXT, "\x01\xff", "\x01\xfe", false},
		{"MX in other case", TypeMX, "\x00\x01\x01A\x00", "\x00\x01\x01a\x00", true},
		{"MX of other preference", TypeMX, "\x00A\x01A\x00", "\x00a\x01a\x00", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.a.Equal(tc.b, tc.rtype); got != tc.want {
				t.Errorf("equal: %v, want %v", got, tc.want)
			}
		})
	}
}

func TestTarget(t *testing.T) {
	host := MustName("mail.example.net")
	for _, tc := range []struct {
		name  string
		rtype Type
		data  Data
		want  Name
		ok    bool
	}{
		{"NS", TypeNS, NameData(host), host, true},
		{"MX", TypeMX, MXData(10, host), host, true},
		{"SRV", TypeSRV, Data("\x00\x01\x00\x02\x00\x03" + string(host.Wire())), host, true},
		{"null MX", TypeMX, MXData(0, ""), "", true},
		{"address", TypeA, "\x01\x02\x03\x04", "", false},
		{"cut off", TypeMX, "\x00\x01", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, ok := tc.data.Target(tc.rtype); got != tc.want || ok != tc.ok {
				t.Errorf("target %q %v, want %q %v", got, ok, tc.want, tc.ok)
			}
		})
	}
}

func TestTXTData(t *testing.T) {
	for _, n := range []int{0, 1, 254, 255, 256, 510, 511, 1000} {
		text := strings.Repeat("x", n)
		d := TXTData(text)
		if err := d.Check(TypeTXT); err != nil {
			t.Errorf("%d octets: %v", n, err)
		}
		if got := strings.Join(d.Strings(), ""); got != text {
			t.Errorf("%d octets became %d", n, len(got))
		}
	}
}

func TestSetRecords(t *testing.T) {
	s := Set{Owner: MustName("www"), Type: TypeA, TTL: 60, Data: []Data{"\x01\x02\x03\x04", "\x05\x06\x07\x08"}}
	got, err := s.Records("www.example.")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"www.example.\t60\tIN\tA\t1.2.3.4", "www.example.\t60\tIN\tA\t5.6.7.8"}
	if diff := cmp.Diff(want, []string{got[0].String(), got[1].String()}); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if s.Size() != 2*(4+10+4) {
		t.Errorf("size %d", s.Size())
	}
	s.Data[0] = "bad"
	if _, err := s.Records("www.example."); !errors.Is(err, ErrBadData) {
		t.Errorf("error %v", err)
	}
}

func TestTypes(t *testing.T) {
	for _, tc := range []struct {
		in       string
		want     Type
		hostable bool
	}{
		{"A", TypeA, true}, {"aaaa", TypeAAAA, true}, {"TYPE28", TypeAAAA, true}, {"type65534", 65534, true},
		{"SOA", TypeSOA, false}, {"RRSIG", 46, false}, {"ANY", TypeANY, false}, {"AXFR", 252, false}, {"OPT", 41, false}, {"TYPE65535", 65535, false},
	} {
		t.Run(tc.in, func(t *testing.T) {
			got, err := ParseType(tc.in)
			if err != nil || got != tc.want {
				t.Fatalf("type %d, %v; want %d", got, err, tc.want)
			}
			if err := got.Hostable(); (err == nil) != tc.hostable || err != nil && !errors.Is(err, ErrUnsupported) {
				t.Errorf("hostable: %v", err)
			}
			if back, err := ParseType(got.String()); err != nil || back != got {
				t.Errorf("printed as %s, read back as %d, %v", got, back, err)
			}
		})
	}
	for _, in := range []string{"", "TYPE0", "TYPE65536", "TYPE", "NONE", "AA", "TYPE-1", "TYPE+1", "A "} {
		if got, err := ParseType(in); !errors.Is(err, ErrBadType) {
			t.Errorf("%q: type %d, error %v", in, got, err)
		}
	}
}

func FuzzParseData(f *testing.F) {
	for name, text := range map[string]string{
		"A": "192.0.2.1", "AAAA": "2001:db8::1", "MX": "10 mail.example.", "TXT": `"a b" c`, "SRV": "0 5 5060 sip.example.", "CAA": `0 issue "ca.example"`,
		"TYPE65534": `\# 3 abcdef`, "HTTPS": "1 . alpn=h2 ipv4hint=192.0.2.1", "NAPTR": `1 2 "S" "SIP+D2U" "" _sip._udp.example.`, "LOC": "51 30 12.748 N 0 7 39.611 W 0.00m",
		"SSHFP": "4 2 abcd", "TLSA": "3 1 1 abcd", "DS": "1 8 2 abcd", "APL": "1:192.0.2.0/24", "IPSECKEY": "1 1 2 192.0.2.1 AQID", "HINFO": "a b", "URI": `1 2 "http://a/"`,
	} {
		v, err := ParseType(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint16(v), text)
	}
	f.Fuzz(func(t *testing.T, v uint16, text string) {
		rtype := Type(v)
		d, err := ParseData(rtype, text)
		if err != nil {
			if !errors.Is(err, ErrBadData) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		if back, err := ParseData(rtype, d.Text(rtype)); err != nil || back != d {
			t.Errorf("%s %q is %q, printed as %q, read back as %q, %v", rtype, text, d, d.Text(rtype), back, err)
		}
	})
}

func FuzzDataCheck(f *testing.F) {
	for v, d := range map[uint16]string{
		dns.TypeA: "\x01\x02\x03\x04", dns.TypeMX: "\x00\x01\x01a\x00", dns.TypeTXT: "\x01a\x00", dns.TypeHTTPS: "\x00\x01\x00\x00\x01\x00\x03\x02h2",
		dns.TypeNAPTR: "\x00\x01\x00\x02\x01S\x00\x00\x01a\x00", dns.TypeLOC: "\x00\x12\x16\x13\x89\x17\x2d\xd0\x70\xbe\x15\xf0\x00\x98\x8d\x20",
		dns.TypeAPL: "\x00\x01\x18\x03\xc0\x00\x02", dns.TypeNSEC: "\x01a\x00\x00\x01\x40", dns.TypeIPSECKEY: "\x01\x01\x02\xc0\x00\x02\x01\x01\x02", 65534: "x",
		dns.TypeCAA: "\x00\x05issueca", dns.TypeCSYNC: "\x00\x00\x00\x01\x00\x01\x00\x01\x40", dns.TypeEUI48: "\x01\x02\x03\x04\x05\x06", dns.TypeGPOS: "\x011\x012\x013",
	} {
		f.Add(v, d)
	}
	f.Fuzz(func(t *testing.T, v uint16, s string) {
		rtype, d := Type(v), Data(s)
		if ok, known := d.plain(rtype); known {
			r, err := d.record(".", rtype, 0)
			if err == nil {
				back, packErr := pack(r)
				err = errors.Join(packErr, map[bool]error{false: ErrBadData}[back == d && !nameMissing(reflect.ValueOf(r).Elem())])
			}
			if ok != (err == nil) {
				t.Errorf("%s %q: plain says %v, the library %v", rtype, s, ok, err)
			}
		}
		if err := d.Check(rtype); err != nil || rtype.Hostable() != nil {
			return
		}
		if !d.Equal(d, rtype) {
			t.Error("not equal to itself")
		}
		if _, err := (Set{Type: rtype, Data: []Data{d}}).Records("."); err != nil {
			t.Errorf("record: %v", err)
		}
		back, err := ParseData(rtype, d.Text(rtype))
		if err != nil || back != d {
			t.Errorf("%s %q printed as %q, read back as %q, %v", rtype, s, d.Text(rtype), back, err)
		}
	})
}
