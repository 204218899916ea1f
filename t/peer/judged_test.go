package peer

import (
	"fmt"
	"testing"

	"github.com/miekg/dns"

	"namecast/t/lab"
)

// TestOutageDNSSEC: members that validate, and cannot ask from the root on, help each other
// as any: with keys, and with the proofs that zones have none, from each other too. What
// is signed is authentic also past its time, as long as its signature holds.
func TestOutageDNSSEC(t *testing.T) {
	n := &internet{zones: 40, hosts: map[string]*lab.Machine{}}
	newWorld(t, 0, options{serve: n.build})
	const members = 4
	for range members {
		n.join("-dnssec", "-anchors", n.anchors).start()
	}
	n.complete(members)
	judged := func(s site, a answer) error {
		if err := there(s, a); err != nil {
			return err
		}
		if a.AuthenticatedData != s.signed {
			return fmt.Errorf("signed: %v, said to be authentic: %v (%s)", s.signed, a.AuthenticatedData, a.told())
		}
		return nil
	}
	n.upstreamIs("healthy")
	all := n.sites()
	n.visit(all, judged, authentic).least(t, 1, "by the site's resolver")
	n.unbound.Pause()
	n.upstreamIs("down")
	other := append(all[1:], all[0]) // each member asks for what another asked before
	share := 0.0
	if *judge {
		share = most
	}
	n.visit(other, judged, authentic).least(t, share, "by each other, at once")
	// What failed since those who have it were too busy to say so does not stay so.
	n.inTheEnd(other, judged, authentic)
	n.unbound.Resume()
}

// inTheEnd waits until all sites are answered as they should be, by the members that visit
// has ask for them.
func (n *internet) inTheEnd(sites []site, look func(site, answer) error, more ...func(*dns.Msg)) {
	n.t.Helper()
	for k, s := range sites {
		m := n.members[k%len(n.members)]
		n.lab.Expect(patience, func() error {
			a, err := m.ask(s.name, dns.TypeA, more...)
			if err != nil {
				return err
			}
			return look(s, a)
		})
	}
}
