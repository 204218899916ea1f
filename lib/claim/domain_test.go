package claim

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/rr"
)

const account = "k3vzqw5gq6tmsnb3rj4ro5uuxlo2w7ay"

func TestProofName(t *testing.T) {
	base := rr.MustName("namecast.example")
	long := strings.Repeat("a.", 110) + "example"
	for _, c := range []struct {
		name, domain, account, want, refusal string
	}{
		{name: "plain", domain: "example.com", account: account, want: "validate-" + account + ".example.com"},
		{name: "upper case", domain: "EXAMPLE.Com", account: account, want: "validate-" + account + ".example.com"},
		{name: "paper's account name", domain: "example.com", account: strings.Repeat("0a", 20), want: "validate-" + strings.Repeat("0a", 20) + ".example.com"},
		{name: "reverse zone", domain: "2.0.192.in-addr.arpa", account: account, want: "validate-" + account + ".2.0.192.in-addr.arpa"},
		{name: "beside the base domain", domain: "other.example", account: account, want: "validate-" + account + ".other.example"},
		{name: "name that ends like the base domain", domain: "notnamecast.example", account: account, want: "validate-" + account + ".notnamecast.example"},
		{name: "root", domain: ".", account: account, refusal: "the root"},
		{name: "top-level domain", domain: "com", account: account, refusal: "top-level"},
		{name: "base domain", domain: "NameCast.Example", account: account, refusal: "own domain"},
		{name: "below the base domain", domain: "x.namecast.example", account: account, refusal: "below"},
		{name: "localhost", domain: "my.localhost", account: account, refusal: "public DNS"},
		{name: "onion", domain: "x.Onion", account: account, refusal: "public DNS"},
		{name: "all of IPv4", domain: "in-addr.arpa", account: account, refusal: "reverse names"},
		{name: "all of IPv6", domain: "ip6.arpa", account: account, refusal: "reverse names"},
		{name: "wildcard", domain: "*.example.com", account: account, refusal: "wildcard"},
		{name: "wildcard inside", domain: "a.*.example.com", account: account, refusal: "wildcard"},
		{name: "no room for the proof", domain: long, account: account, refusal: "too long"},
		{name: "no account", domain: "example.com", refusal: "account"},
		{name: "account too long", domain: "example.com", account: strings.Repeat("a", 55), refusal: "account"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := proofName(base, rr.MustName(c.domain), c.account)
			if c.refusal != "" {
				if !errors.Is(err, ErrDomain) || !strings.Contains(err.Error(), c.refusal) {
					t.Fatalf("want ErrDomain with %q, got %v", c.refusal, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got.String()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if _, err := proofName(rr.MustName("ns.corp.example"), rr.MustName("corp.example"), account); !errors.Is(err, ErrDomain) {
		t.Errorf("above the base domain: want ErrDomain, got %v", err)
	}
	if _, err := proofName(base, "\x05ab", account); !errors.Is(err, ErrDomain) {
		t.Errorf("name cut off: want ErrDomain, got %v", err)
	}
}

func TestPublic(t *testing.T) {
	for _, c := range []struct {
		addrs string
		want  bool
	}{
		{"8.8.8.8 193.0.0.1 100.63.255.255 100.128.0.1 2a00::1 2600::53 64:ff9b::808:808 2002:808:808::1 ::ffff:8.8.8.8", true},
		{"127.0.0.1 127.5.5.5 ::1 ::ffff:127.0.0.1", false},
		{"10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 fc00::1 fd12::1 fec0::1", false},
		{"169.254.169.254 fe80::1 fe80::1%eth0", false},
		{"224.0.0.251 239.1.1.1 ff02::fb 255.255.255.255 240.0.0.1", false},
		{"0.0.0.0 0.1.2.3 :: 100.64.0.1 192.0.0.8 198.18.0.1 198.51.100.1 2001:db8::1 2001::1 ::8.8.8.8", false},
		{"64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 2002:7f00:1::1 2002:a00:1::1 64:ff9b:1::1", false},
	} {
		for _, a := range strings.Fields(c.addrs) {
			if got := public(netip.MustParseAddr(a)); got != c.want {
				t.Errorf("public(%s): want %v, got %v", a, c.want, got)
			}
		}
	}
}

func TestStarts(t *testing.T) {
	for _, c := range []struct{ domain, want string }{
		{"example.com", "com @"},
		{"a.b.example.com", "com example.com b.example.com @"},
		{"a.b.c.d.e.f.example.com", "com example.com f.example.com e.f.example.com @"},
	} {
		var got []string
		for _, n := range starts(rr.MustName(c.domain)) {
			got = append(got, n.String())
		}
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.domain, diff)
		}
	}
}

func TestAgree(t *testing.T) {
	missing := errors.Join(ErrMissing, errors.New("no such name"))
	missing2 := errors.Join(ErrMissing, errors.New("no such record"))
	here, there := errors.Join(ErrTarget, errors.New("here")), errors.Join(ErrTarget, errors.New("there"))
	for _, c := range []struct {
		name       string
		a, b, want error
	}{
		{name: "both found it"},
		{name: "one did not", b: missing, want: ErrDisagree},
		{name: "one found another target", b: here, want: ErrDisagree},
		{name: "one heard nothing", b: ErrTimeout, want: ErrTimeout},
		{name: "missing for both", a: missing, b: missing2, want: ErrMissing},
		{name: "the same target", a: here, b: here, want: ErrTarget},
		{name: "different targets", a: here, b: there, want: ErrDisagree},
		{name: "missing and target", a: missing, b: there, want: ErrDisagree},
		{name: "missing and silence", a: missing, b: ErrTimeout, want: ErrMissing},
		{name: "silence twice", a: ErrTimeout, b: ErrTimeout, want: ErrTimeout},
		{name: "bogus and found", b: ErrBogus, want: ErrBogus},
		{name: "bogus and silence", a: ErrTimeout, b: ErrBogus, want: ErrBogus},
		{name: "wildcard and missing", a: missing, b: ErrWildcard, want: ErrWildcard},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, got := range []error{agree(c.a, c.b, "\x01x"), agree(c.b, c.a, "\x01x")} {
				if !errors.Is(got, c.want) {
					t.Errorf("want %v, got %v", c.want, got)
				}
			}
		})
	}
}
