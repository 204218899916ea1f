package peer

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/t/lab"
)

// deaths are the ways in which the name server dies.
var deaths = []struct {
	name     string
	die, end func(*world)
}{
	{"silent", func(w *world) { w.unbound.Pause() }, func(w *world) { w.unbound.Resume() }},
	{"refusing", func(w *world) { w.unbound.Kill() }, func(w *world) { w.serve(100, 2) }},
	{"gone", func(w *world) { w.lan.Isolate(w.server) }, func(w *world) { w.lan.Heal() }},
}

// TestOutage: the network's one name server dies, in each way. What any machine has
// asked for before every machine goes on resolving, by every kind of client; what none
// has asked for fails soon; and when it is back its answers are fresh again.
func TestOutage(t *testing.T) {
	w := newWorld(t, 6, options{})
	for _, d := range deaths {
		t.Logf("the name server is %s", d.name)
		w.outage(d.die, d.end)
	}
}

// each is how many names each machine asks for before the outage.
const each = 8

func (w *world) outage(die, end func(*world)) {
	w.upstreamIs("healthy")
	for i, m := range w.members {
		for k := range each {
			if err := fresh(m.has(i*each + k)); err != nil {
				w.t.Errorf("%s: with a server that answers: %v", m.Name(), err)
			}
		}
	}
	w.told()
	die(w)
	first := w.members[0].has(0)
	w.t.Logf("the first lookup, of an own name: %v, %s", first.took, first.told())
	first = w.members[1].has(0)
	w.t.Logf("the first lookup of a machine that never asked: %v, %s", first.took, first.told())
	w.upstreamIs("down")
	var all []time.Duration
	for i, m := range w.members {
		for k := range len(w.members) * each {
			if a := m.has(k); k/each != i {
				all = append(all, a.took)
			}
		}
	}
	slices.Sort(all)
	w.t.Logf("%d lookups of names that other machines had asked for: p50 %v, p99 %v", len(all), all[len(all)/2], all[len(all)*99/100])
	w.unknown()
	w.clients(w.members[2].Machine)
	end(w)
	w.upstreamIs("healthy")
	for _, m := range w.members {
		w.lab.Expect(patience, func() error {
			a := m.has(1)
			return fresh(a)
		})
	}
}

// unknown asks for what nobody has.
func (w *world) unknown() {
	var all []time.Duration
	for _, m := range w.members {
		a, err := m.ask("never-asked-by-"+m.Name()+".lan.example.", dns.TypeA)
		if err != nil || a.Rcode != dns.RcodeServerFailure || !strings.Contains(a.told(), "EDE") {
			w.t.Errorf("%s: a name that nobody has: %v, %s", m.Name(), err, a.told())
			continue
		}
		all = append(all, a.took)
	}
	if slices.Sort(all); len(all) > 0 {
		w.t.Logf("names that nobody has fail after %v at most", all[len(all)-1])
	}
}

// told waits until what the machines have asked for is at its owners: nothing tells
// when a node has said all that it had to say.
func (w *world) told() {
	w.t.Helper()
	w.toldOf(len(w.members) * each)
}

// toldOf does so for the names of lower numbers than this.
func (w *world) toldOf(names int) {
	w.t.Helper()
	w.lab.Expect(patience, func() error {
		held := map[string]int{}
		for _, m := range w.members {
			out, err := m.status("cache")
			if err != nil {
				return err
			}
			for line := range strings.Lines(out) {
				if f := strings.Fields(line); len(f) > 2 && f[1] == "A" {
					held[f[0]]++
				}
			}
		}
		for i := range names {
			if held[name(i)] < 2 {
				return fmt.Errorf("%d machines have %s, want 2", held[name(i)], name(i))
			}
		}
		return nil
	})
}

// past are the extended errors of answers that are past their time, or that nobody has.
var past = regexp.MustCompile(`EDE (3|19|22|23) `)

// fresh returns nil for an answer that is not past its time: the server's, or the copy of
// an owner, which is asked beside a server that takes longer than usual.
func fresh(a answer) error {
	if told := a.told(); past.MatchString(told) {
		return errors.New(told)
	}
	return nil
}

// clients has programs that know nothing of nc-peer resolve a name.
func (w *world) clients(m *lab.Machine) {
	host := strings.TrimSuffix(name(3), ".")
	for _, c := range [][]string{
		{"getent", "ahostsv4", host},
		{"python3", "-c", "import socket; print(socket.getaddrinfo('" + host + "', 80, socket.AF_INET)[0][4][0])"},
		{"dig", "+short", "+tries=1", host},
		{"dig", "+short", "+tcp", "+tries=1", host},
		{"kdig", "+short", host},
	} {
		if _, err := m.Try("sh", "-c", "command -v "+c[0]); err != nil {
			w.t.Logf("%s is not installed", c[0])
			continue
		}
		began := time.Now()
		out, err := m.Try(c[0], c[1:]...)
		if err != nil || !strings.Contains(out, address(3)) {
			w.t.Errorf("%s: %v: %q, want %s", strings.Join(c, " "), err, out, address(3))
			continue
		}
		w.t.Logf("%s: %v", c[0], time.Since(began).Round(time.Millisecond))
	}
}
