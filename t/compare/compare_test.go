// Package compare asks nc-serve and the servers that people trust the same
// questions about the same data. Where the answers differ, a named exception
// says why, or the test fails.
package compare

import (
	"fmt"
	"os"
	"sort"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"namecast/t/peers"
	"namecast/t/tools"
)

// questions is how many are generated, beside those written by hand.
const questions = 4000

// seed makes the generated questions; NAMECAST_SEED is another one.
const seed = 20090504

func TestCompare(t *testing.T) {
	all := accounts()
	node := startNode(t, tools.Build(t), all)
	ours := dial(t, "namecast", node)
	files := zoneFiles(all, func(zone string) string { return expectedSOA(t, ours, zone) })
	if dir := os.Getenv("NAMECAST_KEEP"); dir != "" {
		keep(t, dir, files)
	}
	asked := append(handWritten(all), generate(names(files), questions, seedOf(t))...)
	var theirs []*client
	for _, start := range []func(testing.TB, map[string]string) *peers.Server{peers.NSD, peers.Knot, peers.BIND} {
		s := start(t, files)
		theirs = append(theirs, dial(t, s.Name, s.Addr))
	}
	tally := newTally([]string{"nsd", "knot", "bind"}, exceptions)
	for _, q := range asked {
		tally.question(t, q, ours.ask(q), askAll(theirs, q))
	}
	tally.report(t)
	compareMalformed(t, ours, theirs)
}

func askAll(peers []*client, q question) map[string]*dns.Msg {
	answers := map[string]*dns.Msg{}
	for _, p := range peers {
		if p.name == "bind" && q.class == dns.ClassCHAOS {
			continue // it answers three a second there, and drops the rest
		}
		answers[p.name] = p.ask(q)
	}
	return answers
}

// expectedSOA is the line that a zone's SOA must be; only the serial is asked
// for.
func expectedSOA(t *testing.T, c *client, zone string) string {
	t.Helper()
	r := c.ask(question{name: dns.Fqdn(zone), kind: dns.TypeSOA, class: dns.ClassINET})
	if len(r.Answer) != 1 {
		t.Fatalf("no SOA of %s: %v", zone, r)
	}
	rname := "hostmaster.example.com."
	if zone == base {
		rname = "hostmaster." + base + "."
	}
	return fmt.Sprintf("@ %d IN SOA ns1.%s. %s %d 7200 1800 1209600 300",
		domainTTL, base, rname, r.Answer[0].(*dns.SOA).Serial)
}

// names are all owner names of the zone files.
func names(files map[string]string) []string {
	seen := map[string]bool{}
	for zone, text := range files {
		zp := dns.NewZoneParser(strings.NewReader(text), dns.Fqdn(zone), "")
		for r, ok := zp.Next(); ok; r, ok = zp.Next() {
			seen[r.Header().Name] = true
		}
	}
	out := make([]string, 0, len(seen))
	for n := range seen {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}
