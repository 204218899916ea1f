package peer

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/t/lab"
	"namecast/t/peers"
)

// A visit is what came of lookups.
type visit struct {
	took  []time.Duration
	wrong []string // what was not as it should be
}

// visit has the members ask for sites, each one after another a share of them, and looks
// at each answer: what is wrong with it, or nothing.
func (n *internet) visit(sites []site, look func(site, answer) error, more ...func(*dns.Msg)) (v visit) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for i, m := range n.members {
		all.Go(func() {
			for k := i; k < len(sites); k += len(n.members) {
				a, err := m.ask(sites[k].name, dns.TypeA, more...)
				if err == nil {
					err = look(sites[k], a)
				}
				mu.Lock()
				v.took = append(v.took, a.took)
				if err != nil {
					v.wrong = append(v.wrong, fmt.Sprintf("%s: %s: %v", m.Name(), sites[k].name, err))
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return v
}

// least fails the test if less of the answers than a share are right.
func (v visit) least(t *testing.T, share float64, what string) visit {
	t.Helper()
	if right := len(v.took) - len(v.wrong); float64(right) < share*float64(len(v.took)) {
		t.Errorf("%s: %d of %d answers are right, want %.0f %%:\n%s", what, right, len(v.took), share*100, strings.Join(v.wrong, "\n"))
	}
	t.Logf("%s: %d lookups, %d wrong, p50 %v, p99 %v", what, len(v.took), len(v.wrong), quantile(v.took, 0.5), quantile(v.took, 0.99))
	return v
}

// there is an answer with the site's address.
func there(s site, a answer) error {
	if len(a.Answer) > 0 {
		if x, ok := a.Answer[len(a.Answer)-1].(*dns.A); ok && x.A.String() == s.addr {
			return nil
		}
	}
	return fmt.Errorf("%s, want %s: %v", a.told(), s.addr, a.Answer)
}

// known is an answer with the site's address that is past its time.
func known(s site, a answer) error {
	if err := there(s, a); err != nil {
		return err
	}
	if !strings.Contains(a.told(), "EDE 3 ") {
		return fmt.Errorf("%s, want one that is past its time", a.told())
	}
	return nil
}

// lost is an answer that nobody knows.
func lost(_ site, a answer) error {
	if a.Rcode != dns.RcodeServerFailure {
		return fmt.Errorf("%s, want SERVFAIL", a.told())
	}
	return nil
}

// most is the share of what can be resolved that has to be (goal A5).
const most = 0.99

// TestIterate: the site's resolver dies in each way, and the Internet does not. Members
// resolve names from the root on, also such as nobody asked for before, each by one of
// them. Then the Internet is gone as well, and comes back.
func TestIterate(t *testing.T) {
	n := newInternet(t, 200, 4, false)
	n.upstreamIs("healthy")
	rest := n.sites()
	take := func(k int) []site {
		some := rest[:k]
		rest = rest[k:]
		return some
	}
	before := take(100)
	n.visit(before, there).least(t, most, "by the site's resolver")
	goals := []goal{}
	for _, d := range n.deaths() {
		d.die()
		n.visit(take(4), there).least(t, most, "first of all, resolver "+d.name)
		n.upstreamIs("down")
		v := n.visit(take(200), there).least(t, most, "never asked before, resolver "+d.name)
		n.visit(before, there).least(t, most, "asked before, resolver "+d.name)
		goals = append(goals, goal{"A5 a name never asked before, resolver " + d.name, v.took, 80 * time.Millisecond, 0, "0 % without"})
		n.once(take(40))
		d.end()
		n.upstreamIs("healthy")
	}
	goals = append(goals, n.gone(take(40), take(84))...)
	t.Logf("the way to the servers: %+v", n.net.Count())
	table := n.table(goals)
	t.Logf("\n%s", table)
	if *output != "" {
		write(t, *output, "# Names from the root on\n\nFour machines with nc-peer -iterate, behind a router a private Internet of 205 zones on five servers, "+
			"20 ms away; the site's resolver is dead. Written by `go test ./t/peer -run TestIterate$`.\n\n"+table)
	}
}

// A death is a way in which the site's resolver dies, and comes back.
type death struct {
	name     string
	die, end func()
}

func (n *internet) deaths() []death {
	return []death{
		{"silent", func() { n.unbound.Pause() }, func() { n.unbound.Resume() }},
		{"killed", func() { n.unbound.Kill() }, n.resolve},
		{"cut off", func() { n.lan.Isolate(n.server) }, n.lan.Heal},
	}
}

// alone is how long a member leaves a name to its owner before it iterates too.
const alone = 300 * time.Millisecond

// once has all members ask for the same name at the same time: as long as that does not
// take them too long, one of them asks the servers outside for it. A member that is too
// busy to say in time that it does not have the name is passed over, so that on a busy
// machine there may be a few exceptions.
func (n *internet) once(sites []site) {
	n.t.Helper()
	sites = slices.DeleteFunc(slices.Clone(sites), func(s site) bool { return s.shared })
	outside := newTapOn(n.t, n.router, "eth1", func(p parcel) bool { return p.to.Port() == 53 })
	quick := n.together(sites)
	judged, more := 0, 0
	for name, quick := range quick {
		if !quick {
			continue
		}
		judged++
		n.lab.Expect(patience, func() error {
			if len(askers(outside, name)) == 0 {
				return fmt.Errorf("nobody has asked for %s outside", name)
			}
			return nil
		})
		if who := askers(outside, name); len(who) != 1 {
			more++
			n.t.Logf("%s was asked for outside by %v, want one member", name, who)
		}
	}
	n.t.Logf("of %d names that all asked for at once, %d soon enough, %d were iterated by more than one member", len(sites), judged, more)
	if judged == 0 || more > judged/20 || *judge && more > 0 {
		n.t.Error("names are iterated by more than one member")
	}
}

// together has all members ask for each site at the same time, and tells which were
// resolved by all of them within the owner's time.
func (n *internet) together(sites []site) map[string]bool {
	quick := map[string]bool{}
	for _, s := range sites {
		var mu sync.Mutex
		var all sync.WaitGroup
		quick[s.name] = true
		for _, m := range n.members {
			all.Go(func() {
				a, err := m.ask(s.name, dns.TypeA)
				if err == nil {
					err = there(s, a)
				}
				mu.Lock()
				defer mu.Unlock()
				if err != nil || a.took >= alone {
					quick[s.name] = false
					n.t.Logf("%s: %s: %v after %v", m.Name(), s.name, err, a.took)
				}
			})
		}
		all.Wait()
	}
	return quick
}

// askers are who has asked servers outside for a name.
func askers(outside *tap, name string) map[netip.Addr]bool {
	who := map[netip.Addr]bool{}
	for _, p := range outside.datagrams() {
		q := new(dns.Msg)
		if q.Unpack(p.data) == nil && len(q.Question) == 1 && strings.EqualFold(q.Question[0].Name, name) {
			who[p.from.Addr()] = true
		}
	}
	return who
}

// gone has questions to the Internet lost as well, and come back: what was asked for is
// answered although it is past its time, the rest fails soon.
func (n *internet) gone(held, never []site) []goal {
	t := n.t
	n.unbound.Pause()
	n.upstreamIs("down")
	n.visit(held, there).least(t, most, "before the Internet is gone")
	n.cut()
	n.expired()
	found := n.visit(never[:4], lost).least(t, 1, "never asked, while it is found out")
	none := n.visit(never[4:44], lost).least(t, 1, "never asked, the Internet gone")
	stale := n.visit(held, known).least(t, most, "asked before, the Internet gone")
	n.heal()
	began := time.Now()
	for i, m := range n.members {
		s := never[44+i]
		n.lab.Expect(patience, func() error {
			a, err := m.ask(s.name, dns.TypeA)
			if err == nil {
				err = there(s, a)
			}
			return err
		})
	}
	back := time.Since(began)
	// Members that others have answered meanwhile may leave the root alone for a second yet.
	n.inTheEnd(never[48:], there)
	n.unbound.Resume()
	n.upstreamIs("healthy")
	n.visit(never[:4], there).least(t, 1, "what failed before, the resolver back")
	return []goal{
		{"outbound 53 cut as well: a name asked before", stale.took, 0, 5 * time.Millisecond, "past its time"},
		{"   a name never asked before, while it is found out", found.took, 0, 0, "SERVFAIL"},
		{"   afterwards", none.took, 0, 500 * time.Millisecond, "SERVFAIL"},
		{"   until all members iterate again", []time.Duration{back}, 0, 2 * time.Second, ""},
	}
}

// TestIterateDNSSEC: names from the root on are validated by each member itself, by the
// private Internet's own keys; whoever takes the place of a zone's servers is refused.
func TestIterateDNSSEC(t *testing.T) {
	n := newInternet(t, 60, 4, true)
	n.upstreamIs("healthy")
	all := n.sites()
	judged := func(s site, a answer) error {
		if err := there(s, a); err != nil {
			return err
		}
		if a.AuthenticatedData != s.signed {
			return fmt.Errorf("signed: %v, said to be authentic: %v", s.signed, a.AuthenticatedData)
		}
		return nil
	}
	n.visit(all[:50], judged, authentic).least(t, 1, "by the site's resolver")
	n.unbound.Pause()
	n.upstreamIs("down")
	n.visit(all[50:150], judged, authentic).least(t, most, "from the root on, validated")
	n.forge()
	var lied, left []site
	for _, s := range all[150:] {
		switch {
		case s.signed:
			lied = append(lied, s)
		case !s.alias:
			left = append(left, s)
		}
	}
	n.visit(lied, lost, authentic).least(t, 1, "forged")
	n.visit(left, judged, authentic).least(t, most, "what cannot be forged for want of signatures")
	n.unbound.Resume()
}

// forge has a server with other data, and no keys, take the place of that of the zones
// that are signed.
func (n *internet) forge() {
	n.t.Helper()
	m := n.hosts[atSigned]
	m.Kill()
	p := peers.NSDAt(n.t, atSigned, n.hosted(true, func(int) string { return "203.0.112.66" }))
	m.StartCommand(lab.Command{Path: p.Path, Args: p.Args, Name: "forger"})
	n.lab.Expect(patience, func() error {
		a, err := ask(m, atSigned+":53", dns.Fqdn("www."+zone(0)), dns.TypeA)
		if err == nil && a.address() != "203.0.112.66" {
			err = fmt.Errorf("%s", a.told())
		}
		return err
	})
}
