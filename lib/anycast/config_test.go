package anycast

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/bfd"
	"namecast/lib/route"
	"namecast/lib/speaker"
)

// folder makes a folder with these files.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestConfiguration: every attribute arrives where it belongs.
func TestConfiguration(t *testing.T) {
	dir := folder(t, map[string]string{"secret": "a 'secret' #\n", "bgp.conf": `
# all there is
local as=4200000001 id=192.0.2.1 linger=keep
neighbor=10.0.0.1 as=65000 bfd=300ms
neighbor=10.0.1.1 as=65010 port=1790 password-file=secret gtsm hold=30 source=10.0.1.2 next-hop6=2001:db8:1::2 max-prefixes=50
neighbor=2001:db8::1 as=65000 multihop=2 bfd=100ms bfd-multiplier=5
prefix=192.0.2.0/24 address=192.0.2.53 med=0 prepend=1 community=65000:1 community=65000:2 large=1:2:3 drain-prepend=3
prefix=2001:db8:53::/48
fallback=192.0.0.0/22
`})
	s, err := load(filepath.Join(dir, "bgp.conf"))
	if err != nil {
		t.Fatal(err)
	}
	addr, pre := netip.MustParseAddr, netip.MustParsePrefix
	want := settings{
		speaker: speaker.Config{
			AS: 4200000001, ID: addr("192.0.2.1"),
			Neighbors: []speaker.Neighbor{
				{Addr: addr("10.0.0.1"), Port: 179, AS: 65000, Hold: 9 * time.Second},
				{Addr: addr("10.0.1.1"), Port: 1790, AS: 65010, Password: "a 'secret' #", GTSM: true, Hold: 30 * time.Second,
					Source: addr("10.0.1.2"), NextHop6: addr("2001:db8:1::2"), MaxPrefixes: 50},
				{Addr: addr("2001:db8::1"), Port: 179, AS: 65000, Multihop: 2, Hold: 9 * time.Second},
			},
			Prefixes: []netip.Prefix{pre("192.0.2.0/24"), pre("2001:db8:53::/48")},
			Fallback: []netip.Prefix{pre("192.0.0.0/22")},
		},
		prefixes: []prefix{
			{Prefix: pre("192.0.2.0/24"), address: addr("192.0.2.53"), drainPrepend: 3, attrs: route.Attrs{
				MED: new(uint32), Prepend: 1, Communities: []route.Community{65000<<16 | 1, 65000<<16 | 2}, Large: []route.Large{{1, 2, 3}},
			}},
			{Prefix: pre("2001:db8:53::/48")},
		},
		bfd: []bfd.Session{
			{Peer: addr("10.0.0.1"), Tx: 300 * time.Millisecond, Rx: 300 * time.Millisecond},
			{Peer: addr("2001:db8::1"), Multihop: true, Tx: 100 * time.Millisecond, Rx: 100 * time.Millisecond, Multiplier: 5},
		},
		linger: keep, minLive: 1,
	}
	if diff := cmp.Diff(want, s, values); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestConfigurationRefused: an error names the file and the line, and what is wrong.
func TestConfigurationRefused(t *testing.T) {
	const local, neighbor, own = "local as=65001 id=192.0.2.1\n", "neighbor=10.0.0.1 as=65000\n", "prefix=192.0.2.0/24\n"
	for _, c := range []struct{ name, text, want string }{
		{"no lines", "", `: there is no line that begins with the word local`},
		{"no neighbour", local + own, `: no neighbour`},
		{"no prefix", local + neighbor, `: no prefix`},
		{"bad quoting", local + "prefix='192.0.2.0/24\n", `, line 2: bad quoting: a quote is not closed`},
		{"unknown line", local + "peer=10.0.0.1\n", `, line 2: unknown line "peer"`},
		{"unknown attribute", local + "neighbor=10.0.0.1 asn=65000\n", `, line 2: neighbor=10.0.0.1: unknown attribute "asn"`},
		{"attribute twice", "local as=1 as=2\n", `, line 1: local: as= twice`},
		{"local twice", local + local, `, line 2: local: twice`},
		{"neighbour twice", local + neighbor + neighbor, `, line 3: neighbor=10.0.0.1: twice`},
		{"prefix twice", local + own + own, `, line 3: prefix=192.0.2.0/24: twice`},
		{"number too large", "local as=4294967295\n", `, line 1: local: as=4294967295: "4294967295" is no number within 1 to 4294967294`},
		{"no number", "local as=-1\n", `, line 1: local: as=-1: "-1" is no number within 1 to 4294967294`},
		{"no address", "local id=a\n", `, line 1: local: id=a: "a" is no address`},
		{"no time", "local linger=1\n", `, line 1: local: linger=1: "1" is no time within 0s to 1h0m0s`},
		{"own AS", local + "neighbor=10.0.0.1 as=65001\n" + own, `: neighbour 10.0.0.1: AS 65001 is this node's own, and BGP within an AS is not spoken`},
		{"flag with a value", "neighbor=10.0.0.1 as=65000 gtsm=255\n", `, line 1: neighbor=10.0.0.1: gtsm=255: it takes no value`},
		{"BFD without an interval", "neighbor=10.0.0.1 as=65000 bfd-multiplier=3\n", `, line 1: neighbor=10.0.0.1: bfd-multiplier= needs bfd=`},
		{"hold time", "neighbor=10.0.0.1 as=65000 hold=2\n", `, line 1: neighbor=10.0.0.1: hold=2: "2" is no number within 3 to 180`},
		{"no password file", "neighbor=10.0.0.1 as=65000 password-file=none\n", `, line 1: neighbor=10.0.0.1: password-file "none": no such file or directory`},
		{"empty password", "neighbor=10.0.0.1 as=65000 password-file=empty\n", `, line 1: neighbor=10.0.0.1: password-file "empty": not one line with a password`},
		{"open password", "neighbor=10.0.0.1 as=65000 password-file=open\n", `, line 1: neighbor=10.0.0.1: password-file "open": mode 0644: others may read it; run chmod 600`},
		{"default route", "prefix=0.0.0.0/0\n", `, line 1: prefix=0.0.0.0/0: prefix 0.0.0.0/0 is the default route`},
		{"bits beyond", "prefix=192.0.2.1/24\n", `, line 1: prefix=192.0.2.1/24: bad line: prefix "192.0.2.1/24" has bits beyond its length: 192.0.2.0/24 has not`},
		{"address elsewhere", "prefix=192.0.2.0/24 address=192.0.3.1\n", `, line 1: prefix=192.0.2.0/24: address 192.0.3.1 is not in it`},
		{"address twice", "prefix=192.0.2.0/24 address=192.0.2.1\nprefix=192.0.2.0/25 address=192.0.2.1\n", `, line 2: prefix=192.0.2.0/25: address 192.0.2.1 is another prefix's`},
		{"community", "prefix=192.0.2.0/24 community=1\n", `, line 1: prefix=192.0.2.0/24: community=1: bad line: community "1" is not A:B with numbers up to 65535`},
		{"fallback with more", "fallback=192.0.0.0/22 med=1\n", `, line 1: fallback=192.0.0.0/22: unknown attribute "med"`},
		{"IPv6 to nobody", local + neighbor + "prefix=2001:db8::/48\n", `: prefix 2001:db8::/48: no neighbour is told of its family: one over IPv6, or with a next hop for it, is needed`},
		{"half of the votes", "local as=65001 id=192.0.2.1 name=a votes=127.0.0.1:8155\n" + neighbor + own, `: votes of other nodes need name=, nodes= and votes=, and there is only name= and votes=`},
		{"no list of nodes", "local as=65001 id=192.0.2.1 name=a nodes=none votes=127.0.0.1:8155\n" + neighbor + own, `: nodes "none": no such file or directory`},
		{"bad list of nodes", "local as=65001 id=192.0.2.1 name=a nodes=open votes=127.0.0.1:8155\n" + neighbor + own, `: nodes "open": `},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := folder(t, map[string]string{"bgp.conf": c.text, "empty": "\n", "open": "open\n"})
			if err := os.Chmod(filepath.Join(dir, "open"), 0o644); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "bgp.conf")
			_, err := load(path)
			if !errors.Is(err, ErrConfig) {
				t.Fatalf("got %v", err)
			}
			got, ok := strings.CutPrefix(err.Error(), `configuration "`+path+`"`)
			if !ok || got != c.want && !(c.name == "bad list of nodes" && strings.HasPrefix(got, c.want)) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// values has cmp look into types of this package and of others that have no secrets.
var values = cmp.Options{
	cmp.AllowUnexported(settings{}, prefix{}, speaker.Config{}),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "nodes" || strings.HasSuffix(p.String(), "Changed") }, cmp.Ignore()),
}
