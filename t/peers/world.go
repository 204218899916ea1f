package peers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// A World is a DNS of its own: relays at a few addresses, all on one port,
// before real servers, and unbound as the resolver. Unbound asks the relays for
// the root, for test and for example.test, and keeps what it has heard.
type World struct {
	Port     int
	Relays   map[string]*Relay // by address
	Resolver *Server

	t       testing.TB
	servers map[string]*Server
}

// The places in a World. What is where is up to the test, except that the
// resolver looks for the root, test and example.test at the first three.
const (
	AtRoot  = "127.0.53.1"
	AtTest  = "127.0.53.2"
	AtOne   = "127.0.53.3"
	AtOther = "127.0.53.4"
)

// NewWorld starts the relays, which are silent until something is behind them.
func NewWorld(t testing.TB) *World {
	t.Helper()
	w := &World{t: t, Relays: map[string]*Relay{}, servers: map[string]*Server{}}
	var list []*Relay
	w.Port, list = Relays(t, AtRoot, AtTest, AtOne, AtOther)
	for _, r := range list {
		w.Relays[r.Host] = r
	}
	return w
}

// Serve puts a new server with these zones at a place; the one that was there
// ends when the new one answers.
func (w *World) Serve(host string, start func(testing.TB, map[string]string) *Server, zones map[string]string) *Server {
	w.t.Helper()
	old := w.servers[host]
	s := start(w.t, zones)
	w.servers[host] = s
	w.Relays[host].Point(s.Addr)
	if old != nil {
		old.Stop()
	}
	return s
}

// Resolve starts the resolver with further lines of its server clause. The zone
// test must be served.
func (w *World) Resolve(lines ...string) {
	w.t.Helper()
	at := func(host string) []string { return []string{fmt.Sprintf("%s:%d", host, w.Port)} }
	w.Resolver = Unbound(w.t, Resolver{
		Stubs:  map[string][]string{".": at(AtRoot), "test": at(AtTest), "example.test": at(AtOne)},
		Server: append(lines, `local-zone: "test." nodefault`, "trust-anchor-signaling: no", "root-key-sentinel: no"),
		Ready:  "test",
	})
}

// Ask gives the resolver's answer.
func (w *World) Ask(name string, qtype uint16) *dns.Msg {
	w.t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), qtype)
	m.SetEdns0(1232, true)
	a, _, err := new(dns.Client).Exchange(m, w.Resolver.Addr)
	if err != nil {
		w.t.Fatalf("ask the resolver for %s: %v\n%s", name, err, w.Resolver.Log())
	}
	return a
}

// ZoneText makes a zone whose one server is at an address.
func ZoneText(zone, server string, lines ...string) string {
	apex := dns.Fqdn(zone)
	ns := "ns." + apex
	if apex == "." {
		ns = "ns.root."
	}
	return fmt.Sprintf("$ORIGIN %s\n$TTL 300\n@ SOA %s hostmaster.%s 1 7200 1800 1209600 300\n@ NS %s\n%s A %s\n%s\n",
		apex, ns, ns, ns, ns, server, strings.Join(lines, "\n"))
}

// Delegate makes the lines of a delegation to servers at addresses.
func Delegate(zone string, hosts ...string) string {
	apex := dns.Fqdn(zone)
	var b strings.Builder
	for i, host := range hosts {
		fmt.Fprintf(&b, "%s NS ns%d.%s\nns%d.%s A %s\n", apex, i, apex, i, apex, host)
	}
	return b.String()
}
