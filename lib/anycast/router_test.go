package anycast

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"namecast/t/lab"
)

const (
	service4 = "192.0.2.0/24"
	service6 = "2001:db8:53::/48"
	covering = "192.0.0.0/22"
	foreign  = "203.0.113.0/24"
)

// A network is a node, 10.0.N.1, and routers, 10.0.N.2, each on a link of its own.
type network struct {
	*lab.Lab
	t       *testing.T
	node    *lab.Machine
	routers []*lab.Machine
}

func newNetwork(t *testing.T, routers int) *network {
	l := lab.New(t)
	n := &network{Lab: l, t: t, node: l.Machine("node")}
	for i := range routers {
		link := l.LAN(fmt.Sprintf("lan%d", i))
		r := l.Machine(fmt.Sprintf("router%d", i))
		link.Join(n.node, fmt.Sprintf("10.0.%d.1/24", i), fmt.Sprintf("2001:db8:%d::1/64", i+1))
		link.Join(r, fmt.Sprintf("10.0.%d.2/24", i), fmt.Sprintf("2001:db8:%d::2/64", i+1))
		n.routers = append(n.routers, r)
	}
	return n
}

// neighbor is the node as a router sees it.
func (n *network) neighbor(i int) lab.Neighbor {
	return lab.Neighbor{Addr: netip.MustParseAddr(fmt.Sprintf("10.0.%d.1", i)), AS: 65001}
}

// conf is a configuration of the node with all routers; attributes go to each.
func (n *network) conf(attributes, rest string) string {
	var c strings.Builder
	fmt.Fprintln(&c, "local as=65001 id=10.0.0.1 linger=300ms")
	for i := range n.routers {
		fmt.Fprintf(&c, "neighbor=10.0.%d.2 as=65000 next-hop6=2001:db8:%d::1 %s\n", i, i+1, attributes)
	}
	return c.String() + rest
}

// start runs nc-bgp on the node.
func (n *network) start(conf string) *lab.Process {
	n.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		n.t.Fatal(err)
	}
	return n.node.StartCommand(lab.Command{
		Path: exe, Name: "nc-bgp", Pipe: true, Env: []string{childOf + "=" + write(n.t, "bgp.conf", conf)},
	})
}

// tell writes commands.
func tell(t *testing.T, p *lab.Process, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if _, err := fmt.Fprintln(p.Input, line); err != nil {
			t.Fatal(err)
		}
	}
}

// shows waits until BIRD's answer about a prefix has all these words, in that order,
// or says that there is no such route, if there are no words.
func (n *network) shows(b *lab.Bird, prefix string, words ...string) {
	n.t.Helper()
	n.Expect(soon, func() error {
		out, err := b.TryBirdc("show route for " + prefix + " all")
		if len(words) == 0 {
			if err == nil && strings.Contains(out, prefix) {
				return fmt.Errorf("still there: %s", out)
			}
			return nil
		}
		if err != nil {
			return err
		}
		rest := out
		for _, w := range words {
			_, after, found := strings.Cut(rest, w)
			if !found {
				return fmt.Errorf("no %q in its place: %s", w, out)
			}
			rest = after
		}
		return nil
	})
}

// TestRouters: two routers see exactly what is wished, attribute by attribute, and
// nothing of each other.
func TestRouters(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, 2)
	to := n.neighbor(0)
	to.Send = lab.SendStatic
	a := n.Bird(n.routers[0], lab.Router{AS: 65000, Neighbors: []lab.Neighbor{to}, Static: []netip.Prefix{netip.MustParsePrefix(foreign)}})
	b := n.Bird(n.routers[1], lab.Router{AS: 65000, Neighbors: []lab.Neighbor{n.neighbor(1)}})
	p := n.start(n.conf("", "prefix="+service4+" med=5\nprefix="+service6+" drain-prepend=2\nfallback="+covering+"\n"))
	p.WaitFor(soon, "^route "+covering+" announced 2/2")
	for _, r := range []*lab.Bird{a, b} {
		n.shows(r, covering, covering)
		n.shows(r, service4)
	}
	tell(t, p, "announce "+service4+" prepend 2 community 65000:1 community 65000:2 large 1:2:3 large 4:5:6", "announce "+service6)
	p.WaitFor(soon, "^route "+service4+" announced 2/2")
	for i, r := range []*lab.Bird{a, b} {
		n.shows(r, service4, "BGP.as_path: 65001 65001 65001\n", fmt.Sprintf("BGP.next_hop: 10.0.%d.1\n", i), "BGP.med: 5\n",
			"BGP.community: (65000,1) (65000,2)\n", "BGP.large_community: (1, 2, 3) (4, 5, 6)\n")
		n.shows(r, service6, "BGP.as_path: 65001\n", fmt.Sprintf("BGP.next_hop: 2001:db8:%d::1", i+1))
	}
	tell(t, p, "announce "+service4+" med 7", "drain "+service6)
	for _, r := range []*lab.Bird{a, b} {
		n.shows(r, service4, "BGP.as_path: 65001\n", "BGP.med: 7\n")
		n.shows(r, service6, "BGP.as_path: 65001 65001 65001\n", "BGP.local_pref: 0\n", "BGP.community: (65535,0)\n")
	}
	tell(t, p, "withdraw "+service6, "drain "+service4+" prepend 1")
	for _, r := range []*lab.Bird{a, b} {
		n.shows(r, service4, "BGP.as_path: 65001 65001\n", "BGP.med: 5\n", "BGP.community: (65535,0)\n")
		n.shows(r, service6)
		n.shows(r, covering, covering)
	}
	n.shows(b, foreign)
	if out, err := b.TryBirdc("show route"); err != nil || strings.Contains(out, "203.0.113") {
		t.Errorf("%v\n%s", err, out)
	}
	p.Input.Close()
	for _, r := range []*lab.Bird{a, b} {
		n.shows(r, service4)
		n.shows(r, covering)
	}
	if err := p.Wait(soon); err != nil {
		t.Error(err)
	}
}

// TestMeans: the session comes up by each means, and with the wrong one it does not.
func TestMeans(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, attributes string
		router           lab.Neighbor
		refused          bool
	}{
		{name: "password", attributes: "password-file=secret", router: lab.Neighbor{Password: "a secret"}},
		{name: "wrong password", attributes: "password-file=secret", router: lab.Neighbor{Password: "another"}, refused: true},
		{name: "no password here", router: lab.Neighbor{Password: "a secret"}, refused: true},
		{name: "gtsm", attributes: "gtsm", router: lab.Neighbor{GTSM: true}},
		{name: "gtsm there only", router: lab.Neighbor{GTSM: true}, refused: true},
		{name: "source", attributes: "source=10.0.0.1"},
		{name: "wrong AS", router: lab.Neighbor{AS: 65009}, refused: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := newNetwork(t, 1)
			with := n.neighbor(0)
			c.router.Addr, c.router.AS = with.Addr, max(c.router.AS, with.AS)
			r := n.Bird(n.routers[0], lab.Router{AS: 65000, Neighbors: []lab.Neighbor{c.router}})
			attributes := strings.ReplaceAll(c.attributes, "=secret", "="+write(t, "secret", "a secret\n"))
			p := n.start(n.conf(attributes, "prefix="+service4+"\n"))
			tell(t, p, "announce "+service4)
			if !c.refused {
				p.WaitFor(soon, "^route "+service4+" announced 1/1")
				n.shows(r, service4, "BGP.as_path: 65001")
				return
			}
			// What this node takes for established the router may not.
			if line, err := p.TryWaitFor(6*time.Second, "^error"); err == nil {
				t.Errorf("got %q", line)
			}
			if r.Established(with.Addr) == nil {
				t.Error("the router takes it for its neighbour")
			}
			if p.Ended() {
				t.Error("the process has ended")
			}
			n.shows(r, service4)
		})
	}
}

// TestMultihop: a router behind another one is spoken to if the configuration says
// so.
func TestMultihop(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, 1)
	between, far, lan := n.routers[0], n.Machine("far"), n.LAN("far")
	between.Sysctl("net.ipv4.ip_forward", "1")
	lan.Join(between, "10.0.9.1/24")
	lan.Join(far, "10.0.9.2/24")
	n.node.IP("route", "add", "10.0.9.0/24", "via", "10.0.0.2")
	far.IP("route", "add", "10.0.0.0/24", "via", "10.0.9.1")
	with := n.neighbor(0)
	with.Multihop = 2
	r := n.Bird(far, lab.Router{AS: 65000, Neighbors: []lab.Neighbor{with}})
	conf := "local as=65001 id=10.0.0.1\nneighbor=10.0.9.2 as=65000 %s\nprefix=" + service4 + "\n"
	p := n.start(fmt.Sprintf(conf, ""))
	tell(t, p, "announce "+service4)
	if line, err := p.TryWaitFor(5*time.Second, "established"); err == nil || p.Ended() {
		t.Errorf("without it: %q", line)
	}
	p.Kill()
	p = n.start(fmt.Sprintf(conf, "multihop=2"))
	tell(t, p, "announce "+service4)
	p.WaitFor(soon, "^route "+service4+" announced 1/1")
	n.shows(r, service4, "BGP.as_path: 65001")
}

// TestFRR: another router sees the same.
func TestFRR(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, 1)
	with := n.neighbor(0)
	with.Password = "secret"
	f := n.FRR(n.routers[0], lab.Router{AS: 65000, Neighbors: []lab.Neighbor{with}})
	p := n.start(n.conf("password-file="+write(t, "secret", "secret\n"), "prefix="+service4+"\nprefix="+service6+"\n"))
	tell(t, p, "announce "+service4+" med 7 prepend 1 community 65000:1 large 1:2:3", "announce "+service6)
	p.WaitFor(soon, "^route "+service6+" announced 1/1")
	shows := func(command string, words ...string) {
		t.Helper()
		n.Expect(soon, func() error {
			out, err := f.TryVtysh(command)
			for _, w := range words {
				if err == nil && !strings.Contains(out, w) {
					err = fmt.Errorf("no %q: %s", w, out)
				}
			}
			return err
		})
	}
	shows("show bgp ipv4 unicast "+service4, "65001 65001\n", "metric 7", "Community: 65000:1", "Large Community: 1:2:3", "10.0.0.1")
	shows("show bgp ipv6 unicast "+service6, "65001\n", "2001:db8:1::1")
	tell(t, p, "drain "+service4)
	shows("show bgp ipv4 unicast "+service4, "Community: graceful-shutdown")
	tell(t, p, "withdraw "+service4)
	shows("show bgp ipv4 unicast "+service4, "Network not in table")
}

// service is a change of the router's about the service's prefix.
func service(added bool) func(lab.Route) bool {
	return func(r lab.Route) bool { return r.Added == added && r.Prefix.String() == service4 }
}

// TestDeaths: however the process ends, the route goes, and how fast is shown.
func TestDeaths(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, 1)
	n.Bird(n.routers[0], lab.Router{AS: 65000, Neighbors: []lab.Neighbor{n.neighbor(0)}})
	routes := n.routers[0].Watch()
	for _, c := range []struct {
		name string
		end  func(*lab.Process)
	}{
		{"withdraw", func(p *lab.Process) { tell(t, p, "withdraw "+service4) }},
		{"end of input", func(p *lab.Process) { p.Input.Close() }},
		{"quit", func(p *lab.Process) { tell(t, p, "quit") }},
		{"beat lost", func(p *lab.Process) { tell(t, p, "beat 100") }},
		{"SIGTERM", func(p *lab.Process) { p.Signal(syscall.SIGTERM) }},
		{"SIGKILL", func(p *lab.Process) { p.Signal(syscall.SIGKILL) }},
	} {
		p, began := n.start(n.conf("", "prefix="+service4+"\n")), time.Now()
		tell(t, p, "announce "+service4)
		routes.Wait(soon, began, service(true))
		began = time.Now()
		c.end(p)
		gone := routes.Wait(soon, began, service(false))
		took := gone.Time.Sub(began)
		t.Logf("%-12s %6.1f ms", c.name, float64(took.Microseconds())/1000)
		if took > 3*time.Second {
			t.Errorf("%s: the route was there for %s", c.name, took)
		}
		p.Kill()
	}
}

// TestHang: BFD tells the router of a process that hangs, and the route comes back
// with it.
func TestHang(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, 1)
	with := n.neighbor(0)
	with.BFD = 100 * time.Millisecond
	n.Bird(n.routers[0], lab.Router{AS: 65000, Neighbors: []lab.Neighbor{with}})
	routes := n.routers[0].Watch()
	p, began := n.start(n.conf("bfd=100ms", "prefix="+service4+"\n")), time.Now()
	tell(t, p, "announce "+service4)
	p.WaitFor(soon, `^bfd 10\.0\.0\.2 up`)
	routes.Wait(soon, began, service(true))
	began = time.Now()
	p.Pause()
	took := routes.Wait(soon, began, service(false)).Time.Sub(began)
	t.Logf("gone %s after SIGSTOP", took)
	if took > 5*time.Second {
		t.Errorf("the route was there for %s", took)
	}
	began = time.Now()
	p.Resume()
	routes.Wait(soon, began, service(true))
}

// TestNobody: without privileges all works but the addresses, and a prefix whose
// address cannot be put is not announced.
func TestNobody(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, 1)
	with := n.neighbor(0)
	with.Password = "a secret"
	r := n.Bird(n.routers[0], lab.Router{AS: 65000, Neighbors: []lab.Neighbor{with}})
	dir, err := os.MkdirTemp("", "nc") // open to others, unlike that of the test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	conf := n.conf("password-file=secret", "prefix="+service4+"\nprefix=198.51.100.0/24 address=198.51.100.1\n")
	n.node.Run("cp", exe, filepath.Join(dir, "nc-bgp"))
	for name, text := range map[string]string{"bgp.conf": conf, "secret": "a secret\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n.node.Run("chown", "-R", "65534", dir)
	p := n.node.StartCommand(lab.Command{
		Path: "setpriv", Args: []string{"--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", filepath.Join(dir, "nc-bgp")},
		Name: "nc-bgp", Pipe: true, Env: []string{childOf + "=" + filepath.Join(dir, "bgp.conf")},
	})
	tell(t, p, "announce "+service4, "announce 198.51.100.0/24")
	p.WaitFor(soon, `^error 2 put address 198\.51\.100\.1 on the loopback device: operation not permitted`)
	p.WaitFor(soon, "^route "+service4+" announced 1/1")
	n.shows(r, service4, "BGP.as_path: 65001")
	n.shows(r, "198.51.100.0/24")
}

// TestAddresses: an address is there before its prefix is announced, and for a while
// after it was withdrawn; one that a process before has left goes too.
func TestAddresses(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, 1)
	r := n.Bird(n.routers[0], lab.Router{AS: 65000, Neighbors: []lab.Neighbor{n.neighbor(0)}})
	has := func(a string) bool { return strings.Contains(n.node.IP("addr", "show", "dev", "lo"), a) }
	until := func(a string, want bool) {
		t.Helper()
		n.Expect(soon, func() error {
			if has(a) != want {
				return fmt.Errorf("address %s is there: %v", a, !want)
			}
			return nil
		})
	}
	n.node.IP("addr", "add", "192.0.2.53/32", "dev", "lo")
	conf := n.conf("", "prefix="+service4+" address=192.0.2.53\nprefix="+service6+" address=2001:db8:53::53\n")
	p := n.start(conf)
	until("192.0.2.53/32", false)
	tell(t, p, "announce "+service4, "announce "+service6)
	n.shows(r, service4, "BGP.as_path")
	n.shows(r, service6, "BGP.as_path")
	if !has("192.0.2.53/32") || !has("2001:db8:53::53/128") {
		t.Error("an address is not there")
	}
	n.node.IP("addr", "del", "192.0.2.53/32", "dev", "lo")
	until("192.0.2.53/32", true)
	tell(t, p, "withdraw "+service4)
	n.shows(r, service4)
	until("192.0.2.53/32", false)
	p.Input.Close()
	if err := p.Wait(soon); err != nil {
		t.Error(err)
	}
	if !has("2001:db8:53::53/128") {
		t.Error("an address that was needed is gone")
	}
	n.node.IP("addr", "del", "2001:db8:53::53/128", "dev", "lo")
	p = n.start(strings.Replace(conf, "linger=300ms", "linger=keep", 1))
	until("192.0.2.53/32", true)
	until("2001:db8:53::53/128", true)
	tell(t, p, "announce "+service4)
	n.shows(r, service4, "BGP.as_path")
	p.Kill()
}
