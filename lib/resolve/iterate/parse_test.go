package iterate

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

func TestHints(t *testing.T) {
	h := Hints()
	if len(h) != 26 || !slices.Contains(h, netip.MustParseAddrPort("[2001:7fe::53]:53")) {
		t.Errorf("built in: %v", h)
	}
	const file = `; comment
.                    3600000  NS    A.ROOT-SERVERS.NET.
A.ROOT-SERVERS.NET.  3600000  A     198.41.0.4
a.root-servers.net.  3600000  AAAA  2001:503:ba3e::2:30
x.root-servers.net.  3600000  A     192.0.2.1
`
	got, err := ParseHints(strings.NewReader(file))
	want := []netip.AddrPort{netip.MustParseAddrPort("198.41.0.4:53"), netip.MustParseAddrPort("[2001:503:ba3e::2:30]:53")}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "nonsense", ". 1 NS a.root.\n", "a. 1 A 192.0.2.1\n"} {
		if got, err := ParseHints(strings.NewReader(bad)); err == nil {
			t.Errorf("%q gave %v", bad, got)
		}
	}
}

func TestUsable(t *testing.T) {
	for _, s := range []string{"127.0.0.1", "::1", "0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "255.255.255.255", "240.0.0.1", "fe80::1", "169.254.1.1", "ff02::1", "::ffff:127.0.0.1"} {
		if Usable(netip.MustParseAddr(s)) {
			t.Errorf("%s may be asked", s)
		}
	}
	for _, s := range []string{"192.0.2.1", "10.1.2.3", "2001:db8::1", "fd00::1"} {
		if !Usable(netip.MustParseAddr(s)) {
			t.Errorf("%s may not be asked", s)
		}
	}
}

func TestTableIsBounded(t *testing.T) {
	tab := newTable[int, int](100)
	for i := range 10_000 {
		tab.put(0, i, i, 10)
		if len(tab.m) > 100 {
			t.Fatalf("%d entries", len(tab.m))
		}
	}
	if _, ok := tab.get(10, 9_999); ok {
		t.Error("an entry outlives its time")
	}
	if v, ok := tab.get(9, 9_999); !ok || v != 9_999 {
		t.Error("the last entry is not there")
	}
}

func TestGrow(t *testing.T) {
	for _, c := range []struct {
		name string
		most int
	}{{"a", 1}, {"a.b.c.d", 4}, {"a.b.c.d.e", 5}, {strings.Repeat("a.", 60), maxSteps + 1}} {
		name, at, n := rr.MustName(c.name), rr.Name(""), 0
		for ; at != name; n++ {
			next := grow(at, name, n)
			if next.Count() <= at.Count() || !name.Under(next) {
				t.Fatalf("%s after %s", next, at)
			}
			at = next
		}
		if n > c.most {
			t.Errorf("%s: %d steps", c.name, n)
		}
	}
}

// FuzzRead feeds responses of any kind: what is believed of them is in the zone, and can
// be packed.
func FuzzRead(f *testing.F) {
	w := &world{at: map[string]handler{}}
	w.rootAt("")
	for _, name := range []string{"test.", "www.test.", "x."} {
		b, err := w.at["192.0.2.1"](new(dns.Msg).SetQuestion(name, dns.TypeA)).Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint16(dns.TypeA), true)
	}
	in := rr.MustName("test")
	f.Fuzz(func(t *testing.T, b []byte, typ uint16, do bool) {
		m := new(dns.Msg)
		if m.Unpack(b) != nil || len(m.Question) != 1 {
			return
		}
		name, err := rr.ParseName(m.Question[0].Name)
		if err != nil || !name.Under(in) {
			return
		}
		q := Question{name.Lower(), typ, do}
		p := read(m, in, q)
		if p.kind == referral && (p.cut.name == in || !p.cut.name.Under(in) || !q.Name.Under(p.cut.name)) {
			t.Fatalf("a referral from %s to %s for %s", in, p.cut.name, q.Name)
		}
		for _, x := range append(p.answer, p.authority...) {
			if n, ok := ownerOf(x); !ok || !n.Under(in) {
				t.Fatalf("believed: %v", x)
			}
		}
		var a answer
		a.add(p)
		_, _ = a.pack(q) // must not panic; what does not fit is an error
	})
}

func FuzzHints(f *testing.F) {
	f.Add(". 1 NS a.root.\na.root. 1 A 192.0.2.1\n")
	f.Add("$INCLUDE /etc/passwd\n")
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := ParseHints(strings.NewReader(s)); (err == nil) != (len(got) > 0) {
			t.Errorf("%v, %v", got, err)
		}
	})
}

func FuzzAnswers(f *testing.F) {
	q, err := new(dns.Msg).SetQuestion("www.test.", dns.TypeA).Pack()
	if err != nil {
		f.Fatal(err)
	}
	a := append([]byte{}, q...)
	a[2] |= 0x80
	f.Add(q, a)
	f.Add(a[:12], a)
	f.Fuzz(func(t *testing.T, q, b []byte) {
		if len(q) >= 12 && answers(q, b) && b[2]&0x80 == 0 {
			t.Error("a query was taken as a response")
		}
	})
}
