package bfd

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"namecast/t/lab"
)

// flaps is how often a session is interrupted in TestFlaps: each takes about two
// seconds, so there are few if nobody asks.
var flaps = flag.Int("flaps", 3, "how often TestFlaps stops a session")

// child is the variable of the environment that makes this program a speaker of
// BFD and nothing else: a process that can be stopped.
const child = "BFD_TEST_SESSIONS"

func TestMain(m *testing.M) {
	text := os.Getenv(child)
	if text == "" {
		os.Exit(m.Run())
	}
	var sessions []Session
	if err := json.Unmarshal([]byte(text), &sessions); err != nil {
		panic(err)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	err := Run(ctx, Config{Sessions: sessions, Changed: func(peer netip.Addr, up bool, why string) {
		fmt.Printf("%v up=%v %s\n", peer, up, why)
	}})
	if err != nil {
		panic(err)
	}
	fmt.Println("ended")
}

// speaker starts the sessions in a process of their own.
func speaker(t *testing.T, m *lab.Machine, sessions ...Session) *lab.Process {
	t.Helper()
	text, err := json.Marshal(sessions)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return m.StartCommand(lab.Command{Path: exe, Name: "speaker", Env: []string{child + "=" + string(text)}})
}

// A watcher tells the state of a router's session with an address, in lower case.
type watcher func(netip.Addr) (string, error)

var errNoSession = errors.New("no such session")

// birdState asks BIRD.
func birdState(b *lab.Bird) watcher {
	return func(a netip.Addr) (string, error) {
		out, err := b.TryBirdc("show bfd sessions")
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(out) {
			if w := strings.Fields(line); len(w) > 2 && w[0] == a.String() {
				return strings.ToLower(w[2]), nil
			}
		}
		return "", fmt.Errorf("%w with %v: %s", errNoSession, a, out)
	}
}

// frrState asks FRR.
func frrState(f *lab.FRR) watcher {
	return func(a netip.Addr) (string, error) {
		out, err := f.TryVtysh("show bfd peers json")
		if err != nil {
			return "", err
		}
		var peers []struct{ Peer, Status string }
		if err := json.Unmarshal([]byte(out), &peers); err != nil {
			return "", fmt.Errorf("%w: %s", err, out)
		}
		for _, p := range peers {
			if p.Peer == a.String() {
				return p.Status, nil
			}
		}
		return "", fmt.Errorf("%w with %v: %s", errNoSession, a, out)
	}
}

// is is a condition for lab.Expect.
func (w watcher) is(a netip.Addr, want string) func() error {
	return func() error {
		got, err := w(a)
		if err == nil && got != want {
			err = fmt.Errorf("the session with %v is %s, not %s", a, got, want)
		}
		return err
	}
}

// daemons are the two routers.
var daemons = map[string]func(*lab.Lab, *lab.Machine, lab.Router) watcher{
	"bird": func(l *lab.Lab, m *lab.Machine, r lab.Router) watcher { return birdState(l.Bird(m, r)) },
	"frr":  func(l *lab.Lab, m *lab.Machine, r lab.Router) watcher { return frrState(l.FRR(m, r)) },
}

// Addresses of the lab: a router and a speaker, by both families.
var (
	router4, speaker4 = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	router6, speaker6 = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
)

// neighbors is the speaker as the router sees it.
func neighbors(interval time.Duration, multihop int) []lab.Neighbor {
	n := lab.Neighbor{Addr: speaker4, Local: router4, AS: 65001, BFD: interval, Multihop: multihop, Passive: true}
	n6 := n
	n6.Addr, n6.Local = speaker6, router6
	return []lab.Neighbor{n, n6}
}

// side is a router and a speaker on one network, and both sessions up.
func side(t *testing.T, daemon string, interval time.Duration) (*lab.Lab, watcher, *lab.Process) {
	t.Helper()
	l := lab.New(t)
	lan := l.LAN("lan")
	r, s := l.Machine("router"), l.Machine("speaker")
	lan.Join(r, router4.String()+"/24", router6.String()+"/64")
	lan.Join(s, speaker4.String()+"/24", speaker6.String()+"/64")
	p := speaker(t, s, Session{Peer: router4, Tx: interval, Rx: interval}, Session{Peer: router6, Local: speaker6, Tx: interval, Rx: interval})
	w := daemons[daemon](l, r, lab.Router{AS: 65000, Neighbors: neighbors(interval, 0)})
	bothUp(t, l, w, p)
	return l, w, p
}

// bothUp waits until both ends say of both sessions that they are up.
func bothUp(t *testing.T, l *lab.Lab, w watcher, p *lab.Process) {
	t.Helper()
	l.Expect(15*time.Second, w.is(speaker4, "up"))
	l.Expect(15*time.Second, w.is(speaker6, "up"))
	l.Expect(5*time.Second, func() error {
		for _, a := range []netip.Addr{router4, router6} {
			if !lastUp(p.Log(), a) {
				return fmt.Errorf("the speaker says of %v: %s", a, p.Log())
			}
		}
		return nil
	})
}

// lastUp is what the speaker has said last of a router.
func lastUp(log string, a netip.Addr) (up bool) {
	for line := range strings.Lines(log) {
		if strings.HasPrefix(line, a.String()+" ") {
			up = strings.Contains(line, " up=true ")
		}
	}
	return up
}

// TestRouters has the sessions with both routers by both families come up, stop the
// speaker and measure until the router has seen it, and end in order.
func TestRouters(t *testing.T) {
	t.Parallel()
	for daemon := range daemons {
		for _, interval := range []time.Duration{300 * ms, 100 * ms} {
			t.Run(fmt.Sprintf("%s %v", daemon, interval), func(t *testing.T) {
				t.Parallel()
				l, w, p := side(t, daemon, interval)
				began := time.Now()
				p.Pause()
				l.Expect(5*time.Second, w.is(speaker4, "down"))
				took := time.Since(began)
				l.Expect(5*time.Second, w.is(speaker6, "down"))
				t.Logf("%s has seen after %v that the speaker stands still (and the other family's after %v)", daemon, took.Round(ms), time.Since(began).Round(ms))
				p.Resume()
				bothUp(t, l, w, p)
				if err := p.Stop(); err != nil {
					t.Errorf("the speaker's end: %v", err)
				}
				l.Expect(5*time.Second, w.is(speaker4, "down"))
			})
		}
	}
}

// TestFlaps stops and resumes the speaker again and again: each time the session
// goes down once and up once, at both ends, and after the last it stays. A machine
// that is busy with other tests may keep the speaker from its three packets of
// 100 ms now and then; a loop would be one more for each interruption at the least.
func TestFlaps(t *testing.T) {
	t.Parallel()
	l, w, p := side(t, "bird", 100*ms)
	var took []time.Duration
	for range *flaps {
		began := time.Now()
		p.Pause()
		l.Expect(5*time.Second, w.is(speaker4, "down"))
		took = append(took, time.Since(began).Round(ms))
		p.Resume()
		bothUp(t, l, w, p)
	}
	quiet := time.Now().Add(3 * time.Second)
	l.Expect(10*time.Second, func() error {
		for _, a := range []netip.Addr{speaker4, speaker6} {
			if err := w.is(a, "up")(); err != nil {
				t.Fatal(err)
			}
		}
		if time.Now().Before(quiet) {
			return errors.New("up, but not for long")
		}
		return nil
	})
	changes := strings.Count(p.Log(), router4.String()+" ")
	slices.Sort(took)
	t.Logf("%d changes in %d interruptions, seen after %v (median), %v at most", changes, len(took), took[len(took)/2], took[len(took)-1])
	if more := changes - 1 - 2**flaps; more < 0 || more > 2*(1+*flaps/10) {
		t.Errorf("%d changes in %d interruptions:\n%s", changes, *flaps, p.Log())
	}
}

// far is the start of a router whose speaker is behind another: FRR's bgpd asks
// for such a session only when BGP is up, so its bfdd is told by hand.
func far(l *lab.Lab, m *lab.Machine, daemon string, n []lab.Neighbor) watcher {
	if daemon == "bird" {
		return daemons[daemon](l, m, lab.Router{AS: 65000, Neighbors: n})
	}
	f := l.FRR(m, lab.Router{AS: 65000})
	for _, x := range n {
		f.Vtysh(fmt.Sprintf("configure terminal\nbfd\npeer %v multihop local-address %v\ntransmit-interval %d\nreceive-interval %d\n",
			x.Addr, x.Local, x.BFD.Milliseconds(), x.BFD.Milliseconds()))
	}
	return frrState(f)
}

// path makes a router and a speaker with a machine between them that forwards, and
// whose way to the speaker can be cut.
func path(l *lab.Lab) (r, s *lab.Machine, cut, heal func()) {
	near, remote := l.LAN("near"), l.LAN("remote")
	r, between, s := l.Machine("router"), l.Machine("between"), l.Machine("speaker")
	near.Join(r, "10.0.0.1/24", "2001:db8::1/64")
	near.Join(between, "10.0.0.3/24", "2001:db8::3/64")
	remote.Join(between, "10.0.1.3/24", "2001:db8:1::3/64")
	remote.Join(s, "10.0.1.2/24", "2001:db8:1::2/64")
	between.Sysctl("net.ipv4.ip_forward", "1")
	between.Sysctl("net.ipv6.conf.all.forwarding", "1")
	r.IP("route", "add", "10.0.1.0/24", "via", "10.0.0.3")
	r.IP("-6", "route", "add", "2001:db8:1::/64", "via", "2001:db8::3")
	s.IP("route", "add", "10.0.0.0/24", "via", "10.0.1.3")
	s.IP("-6", "route", "add", "2001:db8::/64", "via", "2001:db8:1::3")
	return r, s, func() { remote.Cut(between, s) }, remote.Heal
}

// TestLabMultihop has a machine that forwards between the two ends.
func TestLabMultihop(t *testing.T) {
	t.Parallel()
	for daemon := range daemons {
		t.Run(daemon, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			r, s, cut, heal := path(l)
			n := neighbors(100*ms, 2)
			n[0].Addr, n[1].Addr = netip.MustParseAddr("10.0.1.2"), netip.MustParseAddr("2001:db8:1::2")
			p := speaker(t, s, Session{Peer: router4, Multihop: true, Tx: 100 * ms, Rx: 100 * ms},
				Session{Peer: router6, Multihop: true, Tx: 100 * ms, Rx: 100 * ms})
			w := far(l, r, daemon, n)
			for _, x := range n {
				l.Expect(15*time.Second, w.is(x.Addr, "up"))
			}
			began := time.Now()
			cut()
			for _, x := range n {
				l.Expect(5*time.Second, w.is(x.Addr, "down"))
			}
			t.Logf("%s has seen after %v that the way is cut", daemon, time.Since(began).Round(ms))
			heal()
			for i, x := range n {
				l.Expect(15*time.Second, w.is(x.Addr, "up"))
				l.Expect(5*time.Second, func() error {
					if a := []netip.Addr{router4, router6}[i]; !lastUp(p.Log(), a) {
						return fmt.Errorf("the speaker says: %s", p.Log())
					}
					return nil
				})
			}
		})
	}
}

// TestLabLinkLocal has two speakers of our own on addresses that need a zone.
func TestLabLinkLocal(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	lan := l.LAN("lan")
	peers := []string{"fe80::a%eth0", "fe80::b%eth0"}
	var processes []*lab.Process
	for i, name := range []string{"a", "b"} {
		m := l.Machine(name)
		lan.Join(m, fmt.Sprintf("10.0.0.%d/24", i+1))
		m.IP("addr", "add", "fe80::"+name+"/64", "dev", "eth0", "nodad")
		processes = append(processes, speaker(t, m, Session{Peer: netip.MustParseAddr(peers[1-i]), Local: netip.MustParseAddr(peers[i])}))
	}
	for _, p := range processes {
		p.WaitFor(10*time.Second, "up=true")
	}
	began := time.Now()
	processes[0].Pause()
	processes[1].WaitFor(5*time.Second, "up=false nothing heard for")
	t.Logf("seen after %v", time.Since(began).Round(ms))
	processes[0].Resume()
	processes[0].WaitFor(5*time.Second, "up=false")
	for _, p := range processes {
		p.WaitFor(10*time.Second, "up=true")
	}
}

// A guest is a neighbour of the test's own making on a machine.
type guest struct {
	*testing.T
	*net.UDPConn
}

// hear returns the next packet.
func (g guest) hear() packet {
	g.Helper()
	g.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, 100)
	n, err := g.Read(b)
	if err != nil {
		g.Fatal(err)
	}
	p, err := parse(b[:n])
	if err != nil {
		g.Fatal(err)
	}
	return p
}

// say sends that it is down, with a hop limit and a number of its own.
func (g guest) say(hops int, mine uint32) {
	g.Helper()
	raw, err := g.SyscallConn()
	if err != nil {
		g.Fatal(err)
	}
	raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, hops) })
	if err != nil {
		g.Fatal(err)
	}
	p := packet{state: down, multiplier: 3, mine: mine, minTx: time.Second, minRx: time.Second}
	if _, err := g.WriteToUDPAddrPort(p.append(nil), netip.AddrPortFrom(speaker6, singlePort)); err != nil {
		g.Fatal(err)
	}
}

// TestLabHopLimit is TestDropped's TTL for IPv6, which has one loopback address.
func TestLabHopLimit(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	lan := l.LAN("lan")
	r, s := l.Machine("router"), l.Machine("speaker")
	lan.Join(r, router6.String()+"/64")
	lan.Join(s, speaker6.String()+"/64")
	conn, err := r.ListenPacket("udp6", netip.AddrPortFrom(router6, singlePort).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	speaker(t, s, Session{Peer: router6})
	g := guest{t, conn.(*net.UDPConn)}
	g.hear() // its sockets are open
	g.say(254, 66)
	g.say(255, 77)
	for {
		switch p := g.hear(); p.yours {
		case 0: // sent before
		case 77:
			return
		default:
			t.Fatalf("answered a hop limit of 254: %+v", p)
		}
	}
}
