package group

import (
	"flag"
	"net/netip"
	"testing"
	"time"
)

// many is the size of the greatest group of the tests; with 250 they take a minute.
var many = flag.Int("many", 50, "how many machines start at the same time in TestMany")

func TestTwelve(t *testing.T) {
	for _, c := range []struct {
		name      string
		six, four bool
	}{{"IPv6", true, false}, {"IPv4", false, true}, {"both", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			w := lan(t, 1, 12, 0, c.six, c.four)
			took := w.until(2 * time.Second)
			w.run(30 * time.Second)
			if w.missing() != 0 {
				t.Errorf("%d members have been lost", w.missing())
			}
			t.Logf("found within %v; %d multicasts at most in a second", took, w.segments[0].most())
		})
	}
}

// TestMany starts a room of machines at the same moment.
func TestMany(t *testing.T) {
	w := lan(t, 2, *many, 0, true, true)
	took := w.until(15 * time.Second)
	w.run(time.Second)
	s := w.segments[0]
	t.Logf("%d found each other within %v; %d multicasts at most in a second, %d unicasts, refused %v",
		*many, took, s.most(), s.unicasts, w.reasons())
	if s.most() > 10 {
		t.Errorf("%d multicasts in a second", s.most())
	}
}

// TestBackground measures what a group that rests sends (goal C2).
func TestBackground(t *testing.T) {
	w := lan(t, 3, 50, 10*time.Second, true, false)
	w.run(10 * time.Second)
	w.until(15 * time.Second)
	w.run(15 * time.Second)
	s := w.segments[0]
	s.multi, s.multiSize, s.size, s.unicasts = nil, 0, 0, 0
	const span = time.Minute
	w.run(span)
	// Each host hears all multicasts, and sends and gets its share of the unicasts.
	octets := float64(s.multiSize+2*s.size/50) / span.Seconds()
	t.Logf("50 hosts: %d multicasts at most in a second, %.0f octets a second for each host", s.most(), octets)
	if s.most() > 10 || octets > 2000 {
		t.Error("too much")
	}
	if w.missing() != 0 {
		t.Errorf("%d members have been lost", w.missing())
	}
}

// TestOneByOne: a machine that comes to a group that is there finds all at once.
func TestOneByOne(t *testing.T) {
	w := lan(t, 4, 20, 0, true, true)
	w.until(5 * time.Second)
	w.run(time.Minute)
	m := w.machine(nil)
	m.join(w.segments[0], true, true)
	m.start()
	if took := w.until(5 * time.Second); took > 2*time.Second {
		t.Errorf("a new machine was usable after %v", took)
	}
}

func TestMulticastBlocked(t *testing.T) {
	w := lan(t, 5, 12, 0, true, true)
	w.segments[0].noMulti = true
	took := w.until(30 * time.Second)
	t.Logf("found by broadcast within %v", took)
	w.run(2 * time.Minute)
	if w.missing() != 0 {
		t.Errorf("%d members have been lost", w.missing())
	}
	if most := w.segments[0].most(); most > 10 {
		t.Errorf("%d multicasts and broadcasts in a second", most)
	}
}

// TestAllBlocked: neither multicast nor broadcast. They are alone, but for what
// unicast can do.
func TestAllBlocked(t *testing.T) {
	w := lan(t, 6, 12, 0, true, true)
	w.segments[0].noMulti, w.segments[0].noBroad = true, true
	w.run(time.Minute)
	for _, m := range w.machines {
		if m.g.Size() != 1 {
			t.Fatalf("%s has %d members", m.name, m.g.Size()-1)
		}
		if m.g.Stats().Quiet != 1 {
			t.Errorf("%s does not find its link quiet", m.name)
		}
	}
}

// TestOneAddress: where nothing but unicast works, one address is enough for all.
func TestOneAddress(t *testing.T) {
	for _, given := range []string{"static", "remembered"} {
		w := newWorld(t, 7)
		s := w.segment()
		s.noMulti, s.noBroad = true, true
		for range 12 {
			m := w.machine(nil)
			m.join(s, true, false)
			first := netip.AddrPortFrom(w.machines[0].nics[0].Addrs[0].Addr().WithZone("eth0"), DefaultPort)
			m.options = func(o *Options) {
				if given == "static" {
					o.Static = []netip.AddrPort{first}
				} else {
					o.Remembered = []netip.AddrPort{first}
				}
			}
			w.after(time.Duration(w.Float64()*float64(time.Second)), m.start)
		}
		t.Logf("%s: found within %v", given, w.until(20*time.Second))
		w.run(5 * time.Minute)
		if w.missing() != 0 {
			t.Errorf("%s: %d members have been lost", given, w.missing())
		}
		for _, m := range w.machines {
			if len(m.g.Remembered()) < 11 {
				t.Errorf("%s remembers %v", m.name, m.g.Remembered())
			}
		}
	}
}

// TestLoss: a fifth of all datagrams is lost.
func TestLoss(t *testing.T) {
	w := lan(t, 8, 12, time.Second, true, true)
	w.segments[0].loss = 0.2
	w.run(time.Second)
	t.Logf("found within %v", w.until(30*time.Second))
	for range 20 {
		w.run(10 * time.Second)
		if w.missing() > 2 {
			t.Errorf("%d members are lost", w.missing())
		}
	}
}

// TestTwoLinks: a machine on two segments is one member for those that are on both.
func TestTwoLinks(t *testing.T) {
	w := newWorld(t, 9)
	s1, s2 := w.segment(), w.segment()
	for range 2 {
		m := w.machine(nil)
		m.join(s1, true, true)
		m.join(s2, true, true)
		m.start()
	}
	only := w.machine(nil)
	only.join(s2, true, true)
	only.start()
	w.until(5 * time.Second)
	w.run(2 * time.Minute)
	a, b := w.machines[0], w.machines[1]
	links := map[string]bool{}
	for _, m := range a.g.Members() {
		if m.ID == b.g.Self() {
			for _, l := range m.Links {
				links[l] = true
			}
		}
	}
	if len(links) != 2 || a.g.Size() != 3 || only.g.Size() != 3 {
		t.Fatalf("links %v, sizes %d %d", links, a.g.Size(), only.g.Size())
	}
	// One of the links goes: they stay members by the other.
	a.nics[0].gone = true
	a.links()
	w.run(2 * time.Minute)
	if a.g.Size() != 3 || b.g.Size() != 3 {
		t.Errorf("sizes %d and %d after a link went\n%v", a.g.Size(), b.g.Size(), b.log)
	}
	send(t, a, b)
	send(t, b, a)
}

// TestLinkAgain: an interface is deleted and made again under its name.
func TestLinkAgain(t *testing.T) {
	w := lan(t, 10, 4, 0, true, true)
	w.until(5 * time.Second)
	m := w.machines[0]
	m.nics[0].gone = true
	m.links()
	if m.g.Size() != 1 {
		t.Errorf("%d members without a link", m.g.Size()-1)
	}
	w.run(time.Second) // the others have not noticed
	m.nics[0].gone = false
	m.nics[0].Index = 77
	m.nics[0].Addrs[1] = netip.MustParsePrefix("10.0.7.7/16")
	m.links()
	if took := w.until(5 * time.Second); took > 2*time.Second {
		t.Errorf("it has its members again after %v", took)
	}
	send(t, m, w.machines[1])
	send(t, w.machines[1], m)
}

// TestAddressChanges: a machine gets another address of the same network.
func TestAddressChanges(t *testing.T) {
	w := lan(t, 11, 4, 0, false, true)
	w.until(5 * time.Second)
	m := w.machines[0]
	m.nics[0].Addrs = []netip.Prefix{netip.MustParsePrefix("10.0.7.7/16")}
	m.links()
	w.run(3 * time.Second)
	if w.missing() != 0 {
		t.Errorf("%d members are missing: %v", w.missing(), w.machines[1].log)
	}
	send(t, m, w.machines[1])
	send(t, w.machines[1], m)
}

// TestPartition: two halves lose and find each other.
func TestPartition(t *testing.T) {
	w := lan(t, 12, 10, 0, true, true)
	w.until(5 * time.Second)
	half := func(m *machine) bool { return m.name < "m5" }
	w.segments[0].filter = func(from, to *machine, _ Send) bool { return half(from) == half(to) }
	w.run(time.Minute)
	for _, m := range w.machines {
		if m.g.Size() != 5 {
			t.Errorf("%s has %d members in its half", m.name, m.g.Size()-1)
		}
	}
	w.segments[0].filter = nil
	t.Logf("one group again after %v", w.until(15*time.Second))
}
