package system

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"namecast/lib/resolve/upstream"
	"namecast/lib/rr"
)

var stub = netip.MustParseAddrPort("127.0.0.35:53")

// files makes a machine of files; a text that begins with "-> " makes a link.
func files(t testing.TB, texts map[string]string) Machine {
	t.Helper()
	m := Machine{Root: t.TempDir(), Own: []netip.AddrPort{stub}}
	for name, text := range texts {
		set(t, m, name, text)
	}
	return m
}

func set(t testing.TB, m Machine, name, text string) {
	t.Helper()
	path := filepath.Join(m.Root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	os.Remove(path)
	var err error
	if to, ok := strings.CutPrefix(text, "-> "); ok {
		err = os.Symlink(to, path)
	} else {
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// servers reads specs, separated by spaces.
func servers(t testing.TB, specs string) (list []upstream.Server) {
	t.Helper()
	for _, spec := range strings.Fields(specs) {
		s, err := upstream.Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

const (
	stubLink = "-> ../run/systemd/resolve/stub-resolv.conf"
	stubConf = "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch lan\n"
)

var machines = []struct {
	name   string
	files  map[string]string
	source string
	want   string // servers
	search string
	split  string // DOMAIN=SERVER,SERVER ...
}{
	{name: "nothing"},
	{
		name:   "a bare file",
		files:  map[string]string{"etc/resolv.conf": "# c\n;nameserver 192.0.2.9\nnameserver 192.0.2.1 # first\nnameserver\t2001:db8::1\nnameserver fe80::1%eth0\nnameserver dns.example\ndomain a.example\nsearch b.example c.example\nnameserver 192.0.2.1\nnameserver"},
		source: "/etc/resolv.conf", want: "192.0.2.1 2001:db8::1 fe80::1%eth0", search: "b.example c.example",
	},
	{
		name:   "a server on this machine",
		files:  map[string]string{"etc/resolv.conf": "nameserver 127.0.0.1\nnameserver 127.0.0.35\nnameserver 127.0.0.53\n"},
		source: "/etc/resolv.conf", want: "127.0.0.1 127.0.0.53",
	},
	{
		name:  "only the stub itself",
		files: map[string]string{"etc/resolv.conf": "nameserver 127.0.0.35\n"},
	},
	{
		name: "resolved",
		files: map[string]string{
			"etc/resolv.conf": stubLink, "run/systemd/resolve/stub-resolv.conf": stubConf,
			"run/systemd/resolve/resolv.conf": "nameserver 192.0.2.1\nsearch lan\n",
		},
		source: "systemd-resolved", want: "192.0.2.1", search: "lan",
	},
	{
		name: "resolved with nothing but its own stub",
		files: map[string]string{
			"etc/resolv.conf": stubLink, "run/systemd/resolve/stub-resolv.conf": stubConf,
			"run/systemd/resolve/resolv.conf": "# no servers\n",
		},
	},
	{
		name: "resolved while it asks the stub",
		files: map[string]string{
			"etc/resolv.conf": stubLink, "run/systemd/resolve/stub-resolv.conf": stubConf,
			"run/systemd/resolve/resolv.conf":              "nameserver 127.0.0.35\nnameserver 192.0.2.1\n",
			"etc/systemd/resolved.conf":                    "[Resolve]\n#DNS=192.0.2.66\nDNS=192.0.2.65\n",
			"etc/systemd/resolved.conf.d/a.conf":           "[Resolve]\nDNS=\nDNS=192.0.2.2#dns.example [2001:db8::2]:5353\n",
			"usr/lib/systemd/resolved.conf.d/a.conf":       "[Resolve]\nDNS=192.0.2.67\n",
			"etc/systemd/resolved.conf.d/b.conf.disabled":  "[Resolve]\nDNS=192.0.2.68\n",
			"run/systemd/resolved.conf.d/zz-namecast.conf": "[Resolve]\nDNS=\nDNS=127.0.0.35\n",
		},
		source: "systemd-resolved", want: "192.0.2.1 192.0.2.2 [2001:db8::2]:5353",
	},
	{
		name: "a VPN by NetworkManager and resolved",
		files: map[string]string{
			"etc/resolv.conf":                        stubLink,
			"run/NetworkManager/no-stub-resolv.conf": "nameserver 192.0.2.1\nnameserver 10.8.0.1\n",
			"run/NetworkManager/resolv.conf":         "nameserver 127.0.0.53\n",
			"run/systemd/resolve/resolv.conf":        "nameserver 192.0.2.1\nnameserver 10.8.0.1\n",
			"run/systemd/resolve/netif/2":            "# private\nLLMNR=yes\nSERVERS=192.0.2.1\nDOMAINS=lan\n",
			"run/systemd/resolve/netif/7":            "SERVERS=10.8.0.1 10.8.0.2%7 [fd00::1]:5353%7 nonsense\nDOMAINS=~Corp.Example ~8.10.in-addr.arpa staff.corp.example\n",
			"run/systemd/resolve/netif/9":            "SERVERS=\nDOMAINS=~none.example\n",
		},
		source: "NetworkManager", want: "192.0.2.1",
		split: "corp.example=10.8.0.1,10.8.0.2,[fd00::1]:5353 staff.corp.example=10.8.0.1,10.8.0.2,[fd00::1]:5353 8.10.in-addr.arpa=10.8.0.1,10.8.0.2,[fd00::1]:5353",
	},
	{
		name: "two links for everything, each with a domain",
		files: map[string]string{
			"run/systemd/resolve/resolv.conf": "nameserver 192.0.2.1\nnameserver 198.51.100.1\n",
			"run/systemd/netif/links/2":       "DNS=192.0.2.1\nDOMAINS=a.example\n",
			"run/systemd/netif/links/3":       "DNS=198.51.100.1\nDOMAINS=b.example\n",
		},
		source: "systemd-resolved", want: "192.0.2.1 198.51.100.1", split: "a.example=192.0.2.1 b.example=198.51.100.1",
	},
	{
		name: "a VPN for everything by networkd",
		files: map[string]string{
			"run/systemd/resolve/resolv.conf": "nameserver 10.8.0.1\nnameserver fe80::1%2\nnameserver 192.0.2.1\n",
			"run/systemd/netif/links/2":       "DNS=192.0.2.1 fe80::1%2\nDOMAINS=\nDNS_DEFAULT_ROUTE=no\n",
			"run/systemd/netif/links/7":       "DNS=10.8.0.1\nROUTE_DOMAINS=.\n",
		},
		source: "systemd-resolved", want: "10.8.0.1",
	},
	{
		name: "NetworkManager with dnsmasq",
		files: map[string]string{
			"etc/resolv.conf":                        "# Generated by NetworkManager\nnameserver 127.0.0.1\n",
			"run/NetworkManager/resolv.conf":         "# Generated by NetworkManager\nnameserver 127.0.0.1\n",
			"run/NetworkManager/no-stub-resolv.conf": "# Generated by NetworkManager\nsearch lan\nnameserver 192.0.2.1\n",
		},
		source: "NetworkManager", want: "192.0.2.1", search: "lan",
	},
	{
		name: "Debian's resolvconf",
		files: map[string]string{
			"etc/resolv.conf":                         "-> /run/resolvconf/resolv.conf",
			"run/resolvconf/resolv.conf":              "# generated by resolvconf(8)\nnameserver 127.0.0.35\n",
			"run/resolvconf/interface/eth0.dhclient":  "nameserver 192.0.2.1\nsearch lan\n",
			"run/resolvconf/interface/lo.dnsmasq":     "nameserver 127.0.0.1\n",
			"run/resolvconf/interface/lo.namecast":    "nameserver 127.0.0.36\n",
			"run/resolvconf/interface/wlan0.dhclient": "nameserver 192.0.2.2\nsearch lan other\n",
		},
		source: "resolvconf", want: "127.0.0.1 192.0.2.1 192.0.2.2", search: "lan other",
	},
	{
		name: "a file that was replaced",
		files: map[string]string{
			"etc/resolv.conf":                        mark + "\nnameserver 127.0.0.36\n",
			"etc/namecast/resolver.undo/resolv.conf": "nameserver 192.0.2.1\n",
		},
		source: "the resolv.conf that was replaced", want: "192.0.2.1",
	},
	{
		name:   "too many",
		files:  map[string]string{"etc/resolv.conf": strings.Repeat("nameserver 192.0.2.1\n", 3) + "nameserver 192.0.2.2\n" + strings.Repeat("search a\n", 100)},
		source: "/etc/resolv.conf", want: "192.0.2.1 192.0.2.2", search: "a",
	},
	{
		name:  "links in a circle",
		files: map[string]string{"etc/resolv.conf": "-> other", "etc/other": "-> resolv.conf"},
	},
}

func TestServers(t *testing.T) {
	for _, c := range machines {
		t.Run(c.name, func(t *testing.T) {
			got, err := files(t, c.files).Servers()
			if (c.want == "") != errors.Is(err, ErrNone) {
				t.Errorf("error %v", err)
			}
			if want := servers(t, c.want); got.Source != c.source || !slices.Equal(got.Servers, want) {
				t.Errorf("%v of %s, instead of %v of %s", got.Servers, got.Source, want, c.source)
			}
			if !slices.Equal(got.Search, names(strings.Fields(c.search))) {
				t.Errorf("search %v", got.Search)
			}
			checkSplit(t, got.Split, c.split)
		})
	}
}

func checkSplit(t *testing.T, got []Split, want string) {
	t.Helper()
	var text []string
	for _, s := range got {
		var list []string
		for _, server := range s.Servers {
			list = append(list, server.String())
		}
		text = append(text, s.Domain.String()+"="+strings.Join(list, ","))
	}
	words := strings.Fields(want)
	slices.Sort(words)
	slices.Sort(text)
	if !slices.Equal(text, words) {
		t.Errorf("split %q instead of %q", text, words)
	}
}

func TestOwn(t *testing.T) {
	m := Machine{Own: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:53")}, Root: t.TempDir()}
	for at, want := range map[string]bool{"127.0.0.1:53": true, "127.0.0.1:54": false, "192.0.2.1:53": false} {
		if m.own(netip.MustParseAddrPort(at)) != want {
			t.Errorf("%s leads back: %v", at, !want)
		}
	}
}

// TestWatch checks that what the machine says is told first, after changes, and
// not else.
func TestWatch(t *testing.T) {
	m := files(t, map[string]string{"etc/resolv.conf": "nameserver 192.0.2.1\n"})
	ctx, cancel := context.WithCancel(t.Context())
	wake, told, ended := make(chan struct{}), make(chan Found, 10), make(chan bool)
	go func() {
		defer close(ended)
		m.Watch(ctx, time.Hour, wake, func(f Found) { told <- f })
	}()
	if f := <-told; !slices.Equal(f.Servers, servers(t, "192.0.2.1")) {
		t.Errorf("first %v", f)
	}
	wake <- struct{}{}
	set(t, m, "run/NetworkManager/resolv.conf", "nameserver 192.0.2.2\n")
	wake <- struct{}{}
	if f := <-told; !slices.Equal(f.Servers, servers(t, "192.0.2.2")) || f.Source != "NetworkManager" {
		t.Errorf("then %v", f)
	}
	if err := os.RemoveAll(filepath.Join(m.Root, "run")); err != nil {
		t.Fatal(err)
	}
	set(t, m, "etc/resolv.conf", "")
	wake <- struct{}{}
	if f := <-told; len(f.Servers) != 0 {
		t.Errorf("in the end %v", f)
	}
	cancel()
	<-ended
	if len(told) != 0 {
		t.Errorf("told again: %v", <-told)
	}
}

// FuzzConf checks that no text makes a list of servers longer than it may be, or
// with a server that cannot be asked.
func FuzzConf(f *testing.F) {
	for _, c := range machines {
		for _, text := range c.files {
			f.Add(text)
		}
	}
	f.Add("Global: ~.\nLink 3 (eth0): ~corp.example 192.0.2.1 [fd00::1]:5353%7\nLink 4 (tun0):\n")
	f.Fuzz(func(t *testing.T, text string) {
		c := parseConf(text)
		if len(c.servers) > maxServers {
			t.Errorf("%d servers", len(c.servers))
		}
		v := variables(text)
		l := newLink(v["SERVERS"], v["DOMAINS"], v["DOMAINS"], v["DEFAULT_ROUTE"])
		for _, said := range parseResolvectl(text, text, text) {
			l.servers = append(l.servers, said.servers...)
			l.domains = append(l.domains, said.domains...)
		}
		for _, s := range append(c.servers, l.servers...) {
			if again, err := upstream.Parse(s.String()); err != nil || again != s {
				t.Errorf("server %v: %v", s, err)
			}
		}
		for _, n := range append(c.search, l.domains...) {
			if n.Check() != nil || n == "" || n != rr.Name.Lower(n) {
				t.Errorf("domain %q", n)
			}
		}
	})
}
