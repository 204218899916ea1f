package dnssec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"namecast/lib/rr"
)

func TestNSEC(t *testing.T) {
	for _, c := range []struct {
		name  string
		owner string
		types []rr.Type
		want  string
	}{
		{"no such name", "No.Example.COM", []rr.Type{TypeNXNAME}, `\000.no.example.com. RRSIG NSEC NXNAME`},
		{"empty non-terminal", "ent.example.com", nil, `\000.ent.example.com. RRSIG NSEC`},
		{"apex", "example.com", []rr.Type{TypeCDS, rr.TypeSOA, rr.TypeNS, TypeDNSKEY, TypeCDNSKEY}, `\000.example.com. NS SOA RRSIG NSEC DNSKEY CDS CDNSKEY`},
		{"types of several blocks", "a.example.com", []rr.Type{65280, 257, rr.TypeA, 32769}, `\000.a.example.com. A RRSIG NSEC CAA DLV TYPE65280`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := NSEC(rr.MustName(c.owner), rr.MustName("example.com"), 300, c.types...)
			got := s.Data[0].Text(TypeNSEC)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if string(s.Owner) != strings.ToLower(string(rr.MustName(c.owner))) || s.TTL != 300 {
				t.Errorf("owner %s, TTL %d", s.Owner, s.TTL)
			}
		})
	}
}

func TestSuccessor(t *testing.T) {
	long := func(first string, total int) string { // a name of so many octets without the root
		name := first + ".example"
		for len(name)+1 < total {
			name += "." + strings.Repeat("y", min(63, total-len(name)-2))
		}
		return name
	}
	for _, c := range []struct{ name, in, zone, want string }{
		{"short", "a.example", "example", `\000.a.example`},
		{"the root", "@", "@", `\000`},
		{"room for one octet", long("a", 253), "", `a\000` + long("a", 253)[1:]},
		{"no room", long("a", 254), "", "b" + long("a", 254)[1:]},
		{"before the letters", long(`\064`, 257), "", `[` + long(`\064`, 257)[4:]},
		{"the last label", long(`\255`, 257), "", `example\000` + long(`\255`, 257)[4+len(".example"):]},
		{"the last label of the zone", long(`\255`, 257), long(`\255`, 257)[5:], long(`\255`, 257)[5:]},
		{"a last octet", long(`a\255`, 257), "", `b` + long(`a\255`, 257)[5:]},
	} {
		t.Run(c.name, func(t *testing.T) {
			zone := rr.Name("")
			if c.zone != "" {
				zone = rr.MustName(c.zone)
			}
			got := successor(rr.MustName(c.in), zone)
			if got != rr.MustName(c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if err := got.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// canonicalLess is the order of RFC 4034 section 6.1, for the test alone.
func canonicalLess(a, b rr.Name) bool {
	x, y := labelsFromRoot(a), labelsFromRoot(b)
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return x[i] < y[i]
		}
	}
	return len(x) < len(y)
}

func labelsFromRoot(n rr.Name) (out []string) {
	for l := range n.Lower().Labels() {
		out = append([]string{l}, out...)
	}
	return out
}

func FuzzNSEC(f *testing.F) {
	f.Add([]byte("\x01a\x07example"), []byte{0, 1, 1, 1})
	f.Add([]byte("\x3f"+strings.Repeat("\xff", 63)+"\x3f"+strings.Repeat("\xff", 63)+"\x3f"+strings.Repeat("Z", 63)+"\x3d"+strings.Repeat("@", 61)), []byte{})
	f.Fuzz(func(t *testing.T, name, types []byte) {
		n := rr.Name(name)
		if n.Check() != nil {
			return
		}
		var list []rr.Type
		for i := 0; i+1 < len(types); i += 2 {
			list = append(list, rr.Type(types[i])<<8|rr.Type(types[i+1]))
		}
		s := NSEC(n, "", 300, list...)
		records, err := s.Records(s.Owner.FQDN())
		if err != nil {
			t.Fatalf("%x: %v", name, err)
		}
		nsec := records[0].(*dns.NSEC)
		seen := map[uint16]bool{}
		for _, b := range nsec.TypeBitMap {
			seen[b] = true
		}
		for _, want := range append(list, TypeRRSIG, TypeNSEC) {
			if !seen[uint16(want)] {
				t.Errorf("%x: no %s in %v", name, want, nsec)
			}
		}
		next := successor(n.Lower(), "")
		if next.Check() != nil || next != "" && !canonicalLess(n, next) {
			t.Errorf("%s is followed by %s", n, next)
		}
	})
}

func FuzzCanonical(f *testing.F) {
	f.Add(uint16(15), []byte("\x00\x0a\x04Mail\x00"))
	f.Add(uint16(35), []byte("\x00\x00\x00\x00\x01A\x01B\x01C\x01D\x00"))
	f.Add(uint16(6), []byte("\x3fA"))
	f.Fuzz(func(t *testing.T, kind uint16, data []byte) {
		got := canonical(rr.Type(kind), rr.Data(data))
		if !strings.EqualFold(got, string(data)) && len(got) != len(data) {
			t.Errorf("type %d: %x became %x", kind, data, got)
		}
	})
}
