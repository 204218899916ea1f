package upstream

import (
	"errors"
	"net/netip"
	"testing"
)

var specs = []struct {
	in, out string // out: as String prints it; empty: refused
	want    Server
}{
	{"192.0.2.1", "192.0.2.1", Server{Addr: place("192.0.2.1:53")}},
	{"192.0.2.1:53", "192.0.2.1", Server{Addr: place("192.0.2.1:53")}},
	{"192.0.2.1:5353", "192.0.2.1:5353", Server{Addr: place("192.0.2.1:5353")}},
	{"2001:db8::1", "2001:db8::1", Server{Addr: place("[2001:db8::1]:53")}},
	{"[2001:db8::1]", "2001:db8::1", Server{Addr: place("[2001:db8::1]:53")}},
	{"[2001:db8::1]:5353", "[2001:db8::1]:5353", Server{Addr: place("[2001:db8::1]:5353")}},
	{"::ffff:192.0.2.1", "192.0.2.1", Server{Addr: place("192.0.2.1:53")}},
	{"fe80::1%eth0", "fe80::1%eth0", Server{Addr: place("[fe80::1%eth0]:53")}},
	{"192.0.2.1#dns.example", "tls://192.0.2.1#dns.example", Server{TLS, place("192.0.2.1:853"), "dns.example", ""}},
	{"192.0.2.1:853#DNS.Example.", "tls://192.0.2.1#dns.example", Server{TLS, place("192.0.2.1:853"), "dns.example", ""}},
	{"2001:db8::1#dns.example", "tls://[2001:db8::1]#dns.example", Server{TLS, place("[2001:db8::1]:853"), "dns.example", ""}},
	{"tls://192.0.2.1", "tls://192.0.2.1", Server{TLS, place("192.0.2.1:853"), "", ""}},
	{"tls://192.0.2.1:8853#dns.example", "tls://192.0.2.1:8853#dns.example", Server{TLS, place("192.0.2.1:8853"), "dns.example", ""}},
	{"tls://dns.example", "tls://dns.example", Server{TLS, nowhere(853), "dns.example", ""}},
	{"tls://dns.example:53", "tls://dns.example:53", Server{TLS, nowhere(53), "dns.example", ""}},
	{"https://192.0.2.1/dns-query#dns.example", "https://192.0.2.1/dns-query#dns.example", Server{HTTPS, place("192.0.2.1:443"), "dns.example", "/dns-query"}},
	{"https://dns.example", "https://dns.example/dns-query", Server{HTTPS, nowhere(443), "dns.example", "/dns-query"}},
	{"https://dns.example:8443/a/b{?dns}", "https://dns.example:8443/a/b", Server{HTTPS, nowhere(8443), "dns.example", "/a/b"}},
	{"https://[2001:db8::1]/q", "https://[2001:db8::1]/q", Server{HTTPS, place("[2001:db8::1]:443"), "", "/q"}},
	{in: ""},
	{in: "dns.example"},
	{in: "#dns.example"},
	{in: "192.0.2.1#"},
	{in: "192.0.2.1#192.0.2.1"},
	{in: "192.0.2.1#a b"},
	{in: "192.0.2.1:0"},
	{in: "192.0.2.1:65536"},
	{in: "192.0.2.1:"},
	{in: "192.0.2.256"},
	{in: "0.0.0.0"},
	{in: "::"},
	{in: "224.0.0.251"},
	{in: "ff02::fb"},
	{in: "255.255.255.255"},
	{in: "[2001:db8::1"},
	{in: "[2001:db8::1]x"},
	{in: "[dns.example]:53"},
	{in: "tls://[dns.example]"},
	{in: "tls://"},
	{in: "tls://dns.example#other.example"},
	{in: "tls://192.0.2.1/x"},
	{in: "https:///dns-query"},
	{in: "https://dns.example/a?b"},
	{in: "https://dns.example/a b"},
	{in: "https://dns.example//x"},
	{in: "http://192.0.2.1/"},
}

func place(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func nowhere(port uint16) netip.AddrPort { return netip.AddrPortFrom(netip.Addr{}, port) }

func TestParse(t *testing.T) {
	for _, c := range specs {
		got, err := Parse(c.in)
		if c.out == "" {
			if !errors.Is(err, ErrSpec) {
				t.Errorf("%q: %+v, %v instead of ErrSpec", c.in, got, err)
			}
			continue
		}
		if err != nil || got != c.want || got.String() != c.out {
			t.Errorf("%q: %+v, printed %v, error %v\ninstead of %+v, printed %v", c.in, got, got, err, c.want, c.out)
		}
	}
}

// FuzzParse checks that what is accepted is printed such that it reads back as the
// same server.
func FuzzParse(f *testing.F) {
	for _, c := range specs {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		s, err := Parse(spec)
		if err != nil {
			return
		}
		if again, err := Parse(s.String()); err != nil || again != s {
			t.Errorf("%q is %+v, and %q is %+v, %v", spec, s, s, again, err)
		}
	})
}
