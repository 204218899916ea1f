package peer

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// churners is how many machines there are in TestChurn; each has asked for namesEach
// names before the name server dies.
const (
	churners  = 9
	namesEach = 6
)

// TestChurn: while the name server is dead, machines die and come back with what they had
// and without it, the network falls into two parts and is one again, a machine stops for a
// while, and one gets another address. What some machine that is reached has is answered
// to all.
func TestChurn(t *testing.T) {
	w := newWorld(t, churners, options{})
	for i := range churners * namesEach {
		w.members[i/namesEach].has(i)
	}
	w.toldOf(churners * namesEach)
	w.unbound.Pause()
	w.upstreamIs("down")
	for _, c := range []struct {
		name string
		do   func(*world)
	}{
		{"a third is killed", killThird},
		{"they come back", comeBack},
		{"two parts", twoParts},
		{"one stops for a while", stopsForAWhile},
		{"another address", otherAddress},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			c.do(w)
		})
	}
}

// dead and the rest of the machines in TestChurn.
func (w *world) dead() []*member { return w.members[:churners/3] }
func (w *world) rest() []*member { return w.members[churners/3:] }

// killThird kills machines, all at once but for one, which ends in good order.
func killThird(w *world) {
	for i, m := range w.dead() {
		if i == 0 {
			m.stop()
		} else {
			m.Kill()
		}
	}
	w.answered(w.rest(), w.rest())
}

// comeBack starts them again: one with what it saved at its end, one with what was on its
// disk when it was killed, which is nothing of late, and one with nothing.
func comeBack(w *world) {
	for i, m := range w.dead() {
		if i == 2 {
			if err := os.RemoveAll(m.dir); err != nil {
				w.t.Fatal(err)
			}
			if err := os.Mkdir(m.dir, 0o700); err != nil {
				w.t.Fatal(err)
			}
		}
		m.start()
	}
	saved := w.dead()[0]
	for i := range namesEach {
		if a := saved.has(i); !strings.Contains(a.told(), "EDE 3 ") {
			w.t.Errorf("%s: %s: %s", saved.Name(), name(i), a.told())
		}
	}
	w.complete(churners)
	w.answered(w.members, w.members)
}

// twoParts cuts the network into two, of which each goes on with what it has.
func twoParts(w *world) {
	half := w.machines()[:churners/2]
	w.lan.Partition(half)
	w.answered(w.members[:churners/2], w.members[:churners/2])
	w.answered(w.members[churners/2:], w.members[churners/2:])
	w.lan.Heal()
	w.complete(churners)
	w.answered(w.members, w.members)
}

// stopsForAWhile stops a machine until the others have noticed, and lets it go on.
func stopsForAWhile(w *world) {
	m := w.members[churners-1]
	m.peer.Pause()
	w.answered(w.members[:churners-1], w.members[:churners-1])
	w.members[0].sees(churners - 1)
	m.peer.Resume()
	began := time.Now()
	m.has((churners - 1) * namesEach)
	w.t.Logf("it answered %v after it went on", time.Since(began))
	w.complete(churners)
	w.answered([]*member{m}, w.members)
}

// otherAddress gives a machine another address, of which its neighbours soon know.
func otherAddress(w *world) {
	m := w.members[churners-2]
	m.IP("addr", "del", m.addr+"/24", "dev", "eth0")
	m.IP("addr", "add", "192.0.2.233/24", "dev", "eth0")
	w.answered([]*member{m, w.members[0], w.members[1]}, w.members)
	w.complete(churners)
}

// answered has machines ask for every name of before. What one that can be reached has at
// first hand, or as an owner, is answered: at once, or now and then when somebody has said
// for five seconds that nobody knows it. How many, and of how many nobody has such a copy,
// is logged.
func (w *world) answered(askers, reached []*member) {
	w.t.Helper()
	var all []time.Duration
	lost, late := 0, 0
	for k, m := range askers {
		for n := range churners * namesEach {
			i := (k*namesEach + n) % (churners * namesEach)
			a, err := m.ask(name(i), dns.TypeA)
			switch {
			case err == nil && a.address() == address(i):
				all = append(all, a.took)
			case err == nil && a.address() == "" && !offered(reached, i):
				lost++
			default:
				late++
				w.lab.Expect(patience, func() error { return w.right(m, i) })
			}
		}
	}
	slices.Sort(all)
	w.t.Logf("%d machines ask %d that are reached for %d names each: %d answered at once (p50 %v, p99 %v), %d after a while, %d that nobody has",
		len(askers), len(reached), churners*namesEach, len(all), quantile(all, 0.5), quantile(all, 0.99), late, lost)
	if (late+lost)*10 > len(all) {
		w.t.Errorf("%d names were not answered at once, and %d not at all, of %d", late, lost, len(all))
	}
}

// offered tells whether a machine has a name that it may tell others.
func offered(reached []*member, i int) bool {
	return slices.ContainsFunc(reached, func(m *member) bool {
		why, _ := m.status("why", strings.TrimSuffix(name(i), "."))
		return strings.Contains(why, "kept: own copy") || strings.Contains(why, "kept for the group")
	})
}

// whoHas says who keeps a name, for people.
func (w *world) whoHas(i int) (text string) {
	for _, m := range w.members {
		if m.peer.Ended() {
			continue
		}
		why, err := m.status("why", strings.TrimSuffix(name(i), "."))
		text += fmt.Sprintf("\n%s (%v): %s", m.Name(), err, why)
	}
	return text
}

// right asks a machine for a name, of which the address has to be right.
func (w *world) right(m *member, i int) error {
	a, err := m.ask(name(i), dns.TypeA)
	if err == nil && a.address() != address(i) {
		err = fmt.Errorf("%s: %s is %q, %s%s", m.Name(), name(i), a.address(), a.told(), w.whoHas(i))
	}
	return err
}
