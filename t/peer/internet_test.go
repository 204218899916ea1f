package peer

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/t/lab"
	"namecast/t/peers"
)

// Places of the private Internet. The router joins it to the members' network.
const (
	routerInside  = "192.0.2.1"
	routerOutside = "198.51.100.1"
	atRoot        = "198.51.100.2"
	atAlpha       = "198.51.100.3"
	atBeta        = "198.51.100.4"
	atSigned      = "198.51.100.5"
	atPlain       = "198.51.100.6"
)

// halfway is what a packet takes in each direction between the router and a server.
const halfway = 10 * time.Millisecond

// An internet is a private one behind the router of the members' network, with servers as
// the real one has them: a root, two domains below it, and many zones in these, half of
// them signed. The site's resolver asks them, and so do members with -iterate.
type internet struct {
	*world
	net     *lab.Slow
	router  *lab.Machine
	hosts   map[string]*lab.Machine // by address
	zones   int
	hints   string // files
	anchors string
}

// A site is a name with an address.
type site struct {
	name   string
	addr   string
	signed bool
	alias  bool
	shared bool // it is asked for on the way to others too
}

// newInternet makes one with so many zones, and a network with members that iterate.
func newInternet(t *testing.T, zones, members int, dnssec bool) *internet {
	t.Helper()
	n := &internet{zones: zones, hosts: map[string]*lab.Machine{}}
	newWorld(t, 0, options{serve: n.build})
	args := []string{"-iterate", "-hints", n.hints}
	if dnssec {
		args = append(args, "-dnssec", "-anchors", n.anchors)
	}
	for range members {
		m := n.join(args...)
		n.route(m.Machine)
		m.start()
	}
	n.complete(members)
	return n
}

// build starts all servers, those first whose keys others have to vouch for.
func (n *internet) build(w *world) {
	n.world = w
	n.router = w.lab.Machine("router")
	w.lan.Join(n.router, routerInside+"/24")
	n.net = w.lab.SlowLAN("internet", lab.Path{Delay: halfway})
	n.net.Join(n.router, routerOutside+"/24")
	n.router.Sysctl("net.ipv4.ip_forward", "1")
	n.route(w.server)
	n.host("plain", atPlain, peers.NSDAt(w.t, atPlain, n.hosted(false, address)))
	n.host("signed", atSigned, peers.KnotAt(w.t, atSigned, n.hosted(true, address)))
	n.host("alpha", atAlpha, peers.KnotAt(w.t, atAlpha, map[string]string{"alpha": n.domain("alpha", atAlpha)}))
	n.host("beta", atBeta, peers.BINDAt(w.t, atBeta, map[string]string{"beta": n.domain("beta", atBeta)}))
	root := peers.ZoneText(".", atRoot,
		peers.Delegate("alpha", atAlpha)+"ns0.alpha. AAAA 2001:db8:53::3", n.ds(atAlpha, "alpha"),
		peers.Delegate("beta", atBeta)+"ns0.beta. AAAA 2001:db8:53::4", n.ds(atBeta, "beta"))
	n.host("root", atRoot, peers.KnotAt(w.t, atRoot, map[string]string{".": root}))
	n.hints, n.anchors = filepath.Join(w.dir, "hints"), filepath.Join(w.dir, "anchors")
	write(w.t, n.hints, ". 3600000 NS ns.root.\nns.root. 3600000 A "+atRoot+"\nns.root. 3600000 AAAA 2001:db8:53::2\n")
	write(w.t, n.anchors, n.ds(atRoot, "."))
	n.resolve()
}

// route gives a machine of the members' network its way out. Its router is known from the
// beginning, as it is where a machine has just been given its addresses by it.
func (n *internet) route(m *lab.Machine) {
	mac := macText.FindStringSubmatch(n.router.IP("-o", "link", "show", "eth0"))
	if mac == nil {
		n.t.Fatal("the router has no card")
	}
	m.IP("neigh", "replace", routerInside, "lladdr", mac[1], "dev", "eth0", "nud", "permanent")
	m.IP("route", "add", "default", "via", routerInside)
}

// host starts a server on a machine of its own.
func (n *internet) host(name, addr string, p peers.Program) {
	m := n.lab.Machine(name)
	n.net.Join(m, addr+"/24")
	m.IP("route", "add", "default", "via", routerOutside)
	m.Start(p.Path, p.Args...)
	n.hosts[addr] = m
}

// zone is the name of a zone, and signed whether it is.
func zone(i int) string { return fmt.Sprintf("z%d.%s", i, [2]string{"alpha", "beta"}[i%2]) }
func signed(i int) bool { return i%4 < 2 }

// hostOf is the zone of the names of servers that have zones of a kind, and their address.
func hostOf(signed bool) (zone, addr string) {
	if signed {
		return "signed.alpha", atSigned
	}
	return "plain.beta", atPlain
}

// inZone are the names with an address of each zone.
var inZone = []string{"www", "@", "mail", "a.b.c"}

// hosted makes the zones of a kind. Their addresses are for a short time only.
func (n *internet) hosted(sign bool, addressOf func(int) string) map[string]string {
	own, addr := hostOf(sign)
	zones := map[string]string{own: peers.ZoneText(own, addr)}
	for i := range n.zones {
		if signed(i) != sign {
			continue
		}
		var lines []string
		for k, host := range inZone {
			lines = append(lines, fmt.Sprintf("%s 2 A %s", host, addressOf(i*len(inZone)+k)))
		}
		lines = append(lines, fmt.Sprintf("cdn 2 CNAME www.%s.", zone((i+1)%n.zones)))
		zones[zone(i)] = peers.ZoneText(zone(i), addr, lines...)
	}
	return zones
}

// domain makes a domain with the delegations of its zones. A fifth of them have servers
// whose names are elsewhere.
func (n *internet) domain(name, at string) string {
	var lines []string
	for _, sign := range []bool{true, false} {
		if own, addr := hostOf(sign); strings.HasSuffix(own, "."+name) {
			lines = append(lines, fmt.Sprintf("%s. NS ns.%s.\nns.%s. A %s", own, own, own, addr))
			if sign {
				lines = append(lines, n.ds(addr, own))
			}
		}
	}
	for i := range n.zones {
		own, addr := hostOf(signed(i))
		switch {
		case !strings.HasSuffix(zone(i), "."+name):
			continue
		case i%5 == 4:
			lines = append(lines, fmt.Sprintf("%s. NS ns.%s.", zone(i), own))
		default:
			lines = append(lines, peers.Delegate(zone(i), addr))
		}
		if signed(i) {
			lines = append(lines, n.ds(addr, zone(i)))
		}
	}
	return peers.ZoneText(name, at, lines...)
}

// ds waits until a server has signed a zone, and gives the record for the zone above.
func (n *internet) ds(addr, zone string) (record string) {
	n.t.Helper()
	n.lab.Expect(patience, func() error {
		a, err := ask(n.hosts[addr], addr+":53", dns.Fqdn(zone), dns.TypeDNSKEY)
		if err != nil {
			return err
		}
		for _, x := range a.Answer {
			if k, ok := x.(*dns.DNSKEY); ok && k.Flags&dns.SEP != 0 {
				record = k.ToDS(dns.SHA256).String() + "\n"
				return nil
			}
		}
		return fmt.Errorf("%s has no key yet", zone)
	})
	return record
}

// resolve starts the site's resolver.
func (n *internet) resolve() {
	n.t.Helper()
	n.startUnbound(dns.Fqdn("www."+zone(0)), fmt.Sprintf(`server:
	module-config: "validator iterator"
	root-hints: %q
	trust-anchor-file: %q
	trust-anchor-signaling: no
	root-key-sentinel: no
	do-ip6: no
`, n.hints, n.anchors))
	for i := range 2 {
		n.lab.Expect(patience, func() error {
			a, err := ask(n.server, upstream+":53", dns.Fqdn("www."+zone(i)), dns.TypeA, authentic)
			if err == nil && !a.AuthenticatedData {
				err = fmt.Errorf("%s is not signed: %s", zone(i), a.told())
			}
			return err
		})
	}
}

// authentic has a client be told whether data is.
func authentic(q *dns.Msg) { q.AuthenticatedData = true }

// sites are all names, in a random order.
func (n *internet) sites() (all []site) {
	for i := range n.zones {
		for k, host := range inZone {
			name := strings.TrimPrefix(host+"."+zone(i), "@.")
			all = append(all, site{name + ".", address(i*len(inZone) + k), signed(i), false, k < 2})
		}
		next := (i + 1) % n.zones
		all = append(all, site{"cdn." + zone(i) + ".", address(next * len(inZone)), signed(i) && signed(next), true, false})
	}
	rand.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	return all
}

// cut has the router drop all questions to servers outside; heal ends it.
func (n *internet) cut() {
	n.router.Run("nft", `add table ip cut; add chain ip cut out { type filter hook forward priority 0; }; add rule ip cut out udp dport 53 drop; add rule ip cut out tcp dport 53 drop`)
}

func (n *internet) heal() { n.router.Run("nft", "delete table ip cut") }
