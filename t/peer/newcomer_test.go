package peer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestNewcomer is goal D1: a machine that comes to a group can be used at once, and has
// soon what it owns now, of the group and not of the name server.
func TestNewcomer(t *testing.T) {
	const machines, names = 8, 400
	w := newWorld(t, machines, options{names: names})
	for i := range names {
		w.members[i%machines].has(i)
	}
	w.toldOf(names)
	began := time.Now()
	m := w.join()
	m.start()
	m.has(0)
	usable := time.Since(began)
	m.sees(machines + 1)
	sees := time.Since(began)
	owned := m.owns(names)
	var full time.Duration
	w.lab.Expect(10*time.Minute, func() error {
		had, err := m.keeps(owned)
		if err == nil && 10*had < 9*len(owned) {
			err = fmt.Errorf("it has %d of the %d names that it owns", had, len(owned))
		}
		full = time.Since(began)
		return err
	})
	t.Logf("D1: a new machine answers after %v (bound 2s), sees %d others after %v, and has 9 of 10 of the %d names that it owns after %v (bound 10m)",
		usable.Round(time.Millisecond), machines, sees.Round(time.Millisecond), len(owned), full.Round(time.Millisecond))
	if *judge && (usable > 2*time.Second || sees > 2*time.Second) {
		t.Error("D1: it is usable too late")
	}
	w.unbound.Pause()
	w.upstreamIs("down")
	for i := range names {
		m.has(i)
	}
}

// owns are those of the names, by their numbers, of which a machine is an owner.
func (m *member) owns(names int) map[string]bool {
	m.w.t.Helper()
	order := m.w.ring(len(m.w.members))
	owned := map[string]bool{}
	for i := range names {
		if best := order(name(i)); m.w.members[best[0]] == m || m.w.members[best[1]] == m {
			owned[name(i)] = true
		}
	}
	return owned
}

// keeps counts those of the names whose addresses a machine keeps.
func (m *member) keeps(names map[string]bool) (n int, err error) {
	out, err := m.status("cache")
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) > 2 && names[f[0]] && f[1] == dns.TypeToString[dns.TypeA] {
			n++
		}
	}
	return n, err
}
