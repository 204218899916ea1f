package peers

import (
	"fmt"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// NSD starts nsd with zones given as master-file text by their names.
func NSD(t testing.TB, zones map[string]string) *Server {
	t.Helper()
	return kind{
		name: "nsd", program: "nsd", version: []string{"-v"},
		config: nsdConfig,
		args:   func(conf string) []string { return []string{"-d", "-c", conf} },
	}.run(t, zones)
}

func nsdConfig(dir string, port int, zones []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `server:
	ip-address: 127.0.0.1@%d
	server-count: 1
	username: ""
	chroot: ""
	zonesdir: %q
	database: ""
	pidfile: ""
	xfrdfile: %q
	zonelistfile: %q
	xfrdir: %q
	hide-version: no
	identity: "nsd-peer"
	nsid: "ascii_nsd-peer"
	rrl-ratelimit: 0
remote-control:
	control-enable: no
`, port, dir, filepath.Join(dir, "xfrd.state"), filepath.Join(dir, "zone.list"), dir)
	for _, z := range zones {
		fmt.Fprintf(&b, "zone:\n\tname: %q\n\tzonefile: %q\n", z, zoneFile(dir, z))
	}
	return b.String()
}

// Knot starts knotd with zones given as master-file text by their names.
func Knot(t testing.TB, zones map[string]string) *Server {
	t.Helper()
	return kind{
		name: "knot", program: "knotd", version: []string{"-V"},
		config: knotConfig,
		args:   func(conf string) []string { return []string{"-c", conf} },
	}.run(t, zones)
}

func knotConfig(dir string, port int, zones []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `server:
  rundir: %q
  listen: 127.0.0.1@%d
  identity: "knot-peer"
  nsid: "knot-peer"
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: %q
log:
  - target: stderr
    any: info
template:
  - id: default
    storage: %q
    semantic-checks: off
    journal-content: none
    zonefile-sync: -1
zone:
`, dir, port, dir, dir)
	for _, z := range zones {
		fmt.Fprintf(&b, "  - domain: %q\n    file: %q\n", dns.Fqdn(z), zoneFile(dir, z))
	}
	return b.String()
}

// BIND starts named, authoritative only, with zones given as master-file text
// by their names.
func BIND(t testing.TB, zones map[string]string) *Server {
	t.Helper()
	return kind{
		name: "bind", program: "named", version: []string{"-v"},
		config: bindConfig,
		args:   func(conf string) []string { return []string{"-g", "-n", "1", "-c", conf} },
	}.run(t, zones)
}

func bindConfig(dir string, port int, zones []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `options {
	directory %q;
	listen-on port %d { 127.0.0.1; };
	listen-on-v6 { none; };
	pid-file none;
	session-keyfile none;
	managed-keys-directory %q;
	recursion no;
	dnssec-validation no;
	notify no;
	allow-transfer { none; };
	minimal-responses no-auth;
	minimal-any yes;
	zero-no-soa-ttl no;
	max-udp-size 1232;
	edns-udp-size 1232;
	server-id "bind-peer";
	check-names primary ignore;
	check-mx ignore;
	check-mx-cname ignore;
	check-srv-cname ignore;
	check-integrity no;
	check-sibling no;
	check-wildcard no;
	check-dup-records ignore;
};
controls { };
`, dir, port, dir)
	for _, z := range zones {
		fmt.Fprintf(&b, "zone %q { type primary; file %q; };\n", dns.Fqdn(z), zoneFile(dir, z))
	}
	return b.String()
}

// A Resolver says how an unbound is to resolve.
type Resolver struct {
	// Stubs are the zones whose servers are known: zone name to the addresses,
	// host:port, of servers that are authoritative for it. Delegations below
	// them are followed, to port 53 as ever.
	Stubs map[string][]string
	// Server are further lines of the server clause, as `trust-anchor: "..."`.
	Server []string
	// Clauses is further configuration that follows.
	Clauses string
	// Ready is a name that must resolve to an answer before Unbound returns;
	// when empty, any answer to a question for the root will do.
	Ready string
}

// Unbound starts a validating resolver, which asks nobody but its stubs.
func Unbound(t testing.TB, r Resolver) *Server {
	t.Helper()
	k := kind{
		name: "unbound", program: "unbound", version: []string{"-V"},
		config: func(dir string, port int, _ []string) string { return r.config(dir, port) },
		args:   func(conf string) []string { return []string{"-d", "-c", conf} },
	}
	s := k.run(t, nil)
	m := new(dns.Msg)
	m.SetQuestion(".", dns.TypeNS)
	good := func(*dns.Msg) bool { return true }
	if r.Ready != "" {
		m.SetQuestion(dns.Fqdn(r.Ready), dns.TypeSOA)
		good = func(a *dns.Msg) bool { return a.Rcode == dns.RcodeSuccess && len(a.Answer) > 0 }
	}
	if err := s.poll(m, time.Now().Add(limit), good); err != nil {
		t.Fatalf("start unbound: %v\n%s", err, s.Log())
	}
	return s
}

func (r Resolver) config(dir string, port int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `server:
	interface: 127.0.0.1@%d
	do-daemonize: no
	username: ""
	chroot: ""
	directory: %q
	pidfile: ""
	use-syslog: no
	logfile: ""
	verbosity: 1
	num-threads: 1
	do-ip6: no
	do-not-query-localhost: no
	access-control: 127.0.0.0/8 allow
	module-config: "validator iterator"
	unblock-lan-zones: yes
	insecure-lan-zones: yes
	qname-minimisation: no
`, port, dir)
	for _, line := range r.Server {
		fmt.Fprintf(&b, "\t%s\n", line)
	}
	fmt.Fprint(&b, "remote-control:\n\tcontrol-enable: no\n")
	for _, zone := range sortedKeys(r.Stubs) {
		fmt.Fprintf(&b, "stub-zone:\n\tname: %q\n\tstub-prime: no\n", dns.Fqdn(zone))
		for _, addr := range r.Stubs[zone] {
			fmt.Fprintf(&b, "\tstub-addr: %s\n", strings.Replace(addr, ":", "@", 1))
		}
	}
	b.WriteString(r.Clauses)
	return b.String()
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
