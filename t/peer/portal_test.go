package peer

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"namecast/lib/peer/packet"
	"namecast/t/lab"
)

// portalAddr is what a captive portal says of every name.
const portalAddr = "203.0.115.80"

// Names that are asked for in another network, before the portal, before the portal only,
// and after it.
const (
	elsewhere  = 0  // to 8, by all
	oneMachine = 8  // by one machine, and never again
	before     = 40 // to 48
	after      = 20 // to 32
)

// TestPortal: the machines come to another network, before which stands a portal that
// says the same of every name. What it says goes through to the programs as it came, and
// nothing of it is kept or told, there or later; nor is what was true in the network of
// before given in this one. When the user has signed in, the machines are a group again.
func TestPortal(t *testing.T) {
	w := newWorld(t, 0, options{})
	router := w.lab.Machine("router")
	w.lan.Join(router, "192.0.2.1/24")
	for range 3 {
		m := w.join()
		m.IP("route", "add", "default", "via", "192.0.2.1")
		m.start()
	}
	w.complete(3)
	for i := elsewhere; i < elsewhere+8; i++ {
		for _, m := range w.members {
			m.has(i)
		}
	}
	w.members[0].has(oneMachine)
	w.tellsOwners(elsewhere, oneMachine+1)
	w.move(router, "02:00:5e:00:53:02")
	w.unbound.Kill()
	w.portal()
	end := w.askOn()
	for _, m := range w.members {
		m.arrive()
	}
	w.upstreamIs("captive")
	end()
	t.Run("passed through", func(t *testing.T) { w.t = t; w.passesThrough() })
	t.Run("silent", func(t *testing.T) { w.t = t; w.silentPortal() })
	w.unbound.Kill()
	w.serve(100, 2)
	t.Run("signed in", func(t *testing.T) { w.t = t; w.signedIn() })
	t.Run("nothing is left", func(t *testing.T) { w.t = t; w.nothingLeft() })
}

// move takes all machines off the network, of which the router is another then.
func (w *world) move(router *lab.Machine, mac string) {
	for _, m := range append([]*lab.Machine{router}, w.machines()...) {
		m.IP("link", "set", "eth0", "down")
	}
	router.IP("link", "set", "eth0", "address", mac)
	router.IP("link", "set", "eth0", "up")
}

func (w *world) machines() (all []*lab.Machine) {
	for _, m := range w.members {
		all = append(all, m.Machine)
	}
	return all
}

// arrive puts a machine onto the network again, as a lease of an address does.
func (m *member) arrive() {
	m.IP("link", "set", "eth0", "up")
	m.IP("route", "add", "default", "via", "192.0.2.1")
}

// askOn has programs on each machine ask all the time while it comes to the network, until
// the returned function is called. What was true in the other one may be said as long as
// nothing is there, and must not be when the portal has once been heard.
func (w *world) askOn() (end func()) {
	stop, all := make(chan struct{}), sync.WaitGroup{}
	for _, m := range w.members {
		all.Go(func() {
			portal := false
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				n := name(before + i%8)
				if i%2 == 0 {
					n = name(elsewhere + i/2%8)
				}
				a, err := m.ask(n, dns.TypeA)
				switch {
				case err != nil || a.address() == "":
				case a.address() == portalAddr:
					portal = true
				case portal:
					w.t.Errorf("%s: %s is %s, %s, of another network", m.Name(), n, a.address(), a.told())
				}
			}
		})
	}
	end = sync.OnceFunc(func() { close(stop); all.Wait() })
	w.t.Cleanup(end)
	return end
}

// portal starts a name server that says the same of every name.
func (w *world) portal() {
	w.t.Helper()
	w.startUnbound("portal.example.", fmt.Sprintf("server:\n\tlocal-zone: \".\" redirect\n\tlocal-data: \". 60 A %s\"\n", portalAddr))
}

// passesThrough: what the portal says is given as it came, and nowhere else.
func (w *world) passesThrough() {
	w.t.Helper()
	names := []string{name(elsewhere), name(oneMachine)}
	for i := range 8 {
		names = append(names, name(before+i))
	}
	var taps []*tap
	kept := map[*member][]string{}
	for _, m := range w.members {
		taps = append(taps, newTap(w.t, m.Machine))
		kept[m] = m.cached()
	}
	for range 2 {
		for _, m := range w.members {
			for _, n := range names {
				w.asPortal(m, n)
			}
		}
	}
	for _, m := range w.members {
		if now := m.cached(); !slices.Equal(now, kept[m]) {
			w.t.Errorf("%s keeps\n%v\nand kept before\n%v", m.Name(), now, kept[m])
		}
		if out, _ := m.status("upstream"); !strings.Contains(out, " captive ") {
			w.t.Errorf("%s: %s", m.Name(), out)
		}
	}
	for _, m := range w.said(taps) {
		switch m.Body.(type) {
		case *packet.Ask, *packet.Answer, *packet.Put:
			w.t.Errorf("%T before a portal: %+v", m.Body, m.Body)
		}
	}
}

// asPortal asks the portal and the stub, which have to say the same.
func (w *world) asPortal(m *member, name string) {
	w.t.Helper()
	direct, err := ask(m.Machine, upstream+":53", name, dns.TypeA)
	if err != nil {
		w.t.Fatal(err)
	}
	a, err := m.ask(name, dns.TypeA)
	if err != nil {
		w.t.Errorf("%s: %s: %v", m.Name(), name, err)
		return
	}
	if got, want := fmt.Sprint(a.Answer), fmt.Sprint(direct.Answer); got != want || a.address() != portalAddr || a.told() != direct.told() {
		w.t.Errorf("%s: %s is %s, %s; the portal says %s, %s", m.Name(), name, got, a.told(), want, direct.told())
	}
}

// cached are the names and types that the machine keeps.
func (m *member) cached() (names []string) {
	m.w.t.Helper()
	out, err := m.status("cache")
	if err != nil {
		m.w.t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) > 1 && f[0] != "name" {
			names = append(names, f[0]+" "+f[1])
		}
	}
	slices.Sort(names)
	return names
}

// silentPortal: what was true in the other network is not given for want of better.
func (w *world) silentPortal() {
	w.t.Helper()
	w.unbound.Pause()
	for _, m := range w.members {
		for _, i := range []int{elsewhere, oneMachine, before} {
			if a, err := m.ask(name(i), dns.TypeA); err != nil || a.Rcode != dns.RcodeServerFailure {
				w.t.Errorf("%s: %s is %s, %s: %v", m.Name(), name(i), a.address(), a.told(), err)
			}
		}
	}
	w.unbound.Resume()
	w.upstreamIs("captive")
}

// signedIn: the portal is passed, and the group works as before.
func (w *world) signedIn() {
	w.t.Helper()
	w.upstreamIs("healthy")
	w.complete(3)
	for i, m := range w.members {
		for k := range 4 {
			if err := fresh(m.has(after + i*4 + k)); err != nil {
				w.t.Errorf("%s: %v", m.Name(), err)
			}
		}
	}
	w.tellsOwners(after, after+12)
	w.unbound.Pause()
	w.upstreamIs("down")
	for _, m := range w.members {
		for i := after; i < after+12; i++ {
			m.has(i)
		}
		if a, err := m.ask(name(oneMachine), dns.TypeA); err != nil || a.address() != "" {
			w.t.Errorf("%s: what was asked for in the other network is %s here, %s: %v", m.Name(), a.address(), a.told(), err)
		}
	}
}

// nothingLeft: no machine has anything of what the portal said, in its memory or on its
// disk.
func (w *world) nothingLeft() {
	w.t.Helper()
	for _, m := range w.members {
		for i := range 8 {
			if a, err := m.ask(name(before+i), dns.TypeA); err != nil || a.address() != "" {
				w.t.Errorf("%s: %s is %s, %s: %v", m.Name(), name(before+i), a.address(), a.told(), err)
			}
			if slices.Contains(m.cached(), name(before+i)+" A") {
				w.t.Errorf("%s keeps %s", m.Name(), name(before+i))
			}
		}
		m.stop()
		text, err := os.ReadFile(filepath.Join(m.dir, "snapshot"))
		if err != nil {
			w.t.Fatal(err)
		}
		good, bad := netip.MustParseAddr(address(after)), netip.MustParseAddr(portalAddr)
		if !bytes.Contains(text, good.AsSlice()) || bytes.Contains(text, bad.AsSlice()) {
			w.t.Errorf("%s: the snapshot of %d octets has %v: %v, %v: %v", m.Name(), len(text), good, bytes.Contains(text, good.AsSlice()),
				bad, bytes.Contains(text, bad.AsSlice()))
		}
	}
}
