package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

// silence is how long a test listens for what must not come.
const silence = 60 * time.Millisecond

// soon is how long something may take that happens at once.
const soon = 5 * time.Second

// A speaker of a test speaks UDP from a machine.
type speaker struct {
	t    testing.TB
	conn net.PacketConn
}

func newSpeaker(t testing.TB, m *Machine, addr netip.Addr) *speaker {
	t.Helper()
	c, err := m.ListenPacket("udp", netip.AddrPortFrom(addr, 7).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &speaker{t: t, conn: c}
}

func (s *speaker) send(to *speaker, text string) {
	s.t.Helper()
	if _, err := s.conn.WriteTo([]byte(text), to.conn.LocalAddr()); err != nil {
		s.t.Fatal(err)
	}
}

// hears returns the next datagram within that time.
func (s *speaker) hears(within time.Duration) (string, bool) {
	s.t.Helper()
	buf := make([]byte, 2000)
	if err := s.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		s.t.Fatal(err)
	}
	n, _, err := s.conn.ReadFrom(buf)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "", false
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return string(buf[:n]), true
}

// gets says whether a datagram arrives within that time.
func gets(from, to *speaker, within time.Duration) bool {
	from.t.Helper()
	text := fmt.Sprint("datagram ", time.Now().UnixNano())
	from.send(to, text)
	for {
		got, ok := to.hears(within)
		if !ok || got == text {
			return ok
		}
	}
}

// reach lists the ways that work: "ab" is from a to b. Those that are wanted
// have all the time they need.
func reach(list map[string]*speaker, want string) string {
	var works []string
	for _, from := range []string{"a", "b", "c"} {
		for _, to := range []string{"a", "b", "c"} {
			within := silence
			if strings.Contains(want, from+to) {
				within = soon
			}
			if from != to && gets(list[from], list[to], within) {
				works = append(works, from+to)
			}
		}
	}
	return strings.Join(works, " ")
}

// three machines on a network, and a speaker on each.
func three(t *testing.T, l *Lab, n *Net) ([]*Machine, map[string]*speaker) {
	var machines []*Machine
	speakers := map[string]*speaker{}
	for i, name := range []string{"a", "b", "c"} {
		m := l.Machine(name)
		p := n.Join(m, fmt.Sprintf("10.0.0.%d/24", i+1), fmt.Sprintf("2001:db8::%d/64", i+1))
		if p.Addr() != m.Addr() || p.Device() != "eth0" {
			t.Errorf("%s has %v on %s, and its port has %v", m, m.Addr(), p.Device(), p.Addr())
		}
		machines = append(machines, m)
		speakers[name] = newSpeaker(t, m, p.Addr())
	}
	return machines, speakers
}

const everyWay = "ab ac ba bc ca cb"

// TestCuts makes every kind of cut on both kinds of network.
func TestCuts(t *testing.T) {
	kinds := map[string]func(*Lab) *Net{
		"bridge": func(l *Lab) *Net { return l.LAN("lan") },
		"slow":   func(l *Lab) *Net { return l.SlowLAN("lan", Path{}).Net },
	}
	for kind, make := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			l := New(t)
			n := make(l)
			m, list := three(t, l, n)
			a, b, c := m[0], m[1], m[2]
			steps := []struct {
				name string
				do   func()
				want string
			}{
				{"nothing", func() {}, everyWay},
				{"cut", func() { n.Cut(a, b) }, "ac bc ca cb"},
				{"cut more", func() { n.CutOneWay(c, a) }, "ac bc cb"},
				{"mend", func() { n.Mend(b, a) }, "ab ac ba bc cb"},
				{"heal", n.Heal, everyWay},
				{"one way", func() { n.CutOneWay(b, a) }, "ab ac bc ca cb"},
				{"mute", func() { n.Heal(); n.Mute(b) }, "ab ac ca cb"},
				{"deaf", func() { n.Heal(); n.Deafen(b) }, "ac ba bc ca"},
				{"isolated", func() { n.Heal(); n.Isolate(b) }, "ac ca"},
				{"partition", func() { n.Heal(); n.Partition([]*Machine{a, b}) }, "ab ba"},
				{"healed", n.Heal, everyWay},
			}
			for _, step := range steps {
				step.do()
				if got := reach(list, step.want); got != step.want {
					t.Errorf("after %s these get through: %s, want %s", step.name, got, step.want)
				}
			}
		})
	}
}

// TestFamilies connects by both families of addresses and by TCP.
func TestFamilies(t *testing.T) {
	t.Parallel()
	l := New(t)
	n := l.LAN("lan")
	a, b := l.Machine("a"), l.Machine("b")
	n.Join(a, "10.0.0.1/24", "2001:db8::1/64")
	n.Join(b, "10.0.0.2/24", "2001:db8::2/64")
	for _, addr := range []string{"10.0.0.2:80", "[2001:db8::2]:80"} {
		ln, err := b.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		c, err := a.Dial(context.Background(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if c.RemoteAddr().String() != addr {
			t.Errorf("connected with %v, want %s", c.RemoteAddr(), addr)
		}
		c.Close()
		ln.Close()
	}
	if _, err := a.Dial(context.Background(), "tcp", "localhost:80"); !errors.Is(err, errLiteral) {
		t.Errorf("dial a name: %v", err)
	}
}

// TestUnplug lets a machine see that its cable is out.
func TestUnplug(t *testing.T) {
	t.Parallel()
	l := New(t)
	a, b := l.Machine("a"), l.Machine("b")
	for _, n := range []*Net{l.LAN("fast"), l.SlowLAN("slow", Path{}).Net} {
		p := n.Join(a)
		n.Join(b)
		carrier := func(want string) {
			l.Expect(soon, func() error {
				if got := a.IP("-o", "link", "show", p.Device()); strings.Contains(got, "NO-CARRIER") != (want == "no") {
					return fmt.Errorf("want %s carrier on network %v: %s", want, n, got)
				}
				return nil
			})
		}
		carrier("a")
		p.Unplug()
		carrier("no")
		p.Plug()
		carrier("a")
	}
}

// TestDelay measures the delay of each direction.
func TestDelay(t *testing.T) {
	t.Parallel()
	l := New(t)
	n := l.SlowLAN("wan", Path{Delay: 50 * time.Millisecond})
	m, list := three(t, l, n.Net)
	a, b := list["a"], list["b"]
	roundTrip := func() time.Duration {
		began := time.Now()
		for _, to := range []*speaker{b, a} {
			from := map[*speaker]*speaker{a: b, b: a}[to]
			from.send(to, "hello")
			if _, ok := to.hears(soon); !ok {
				t.Fatal("nothing arrives")
			}
		}
		return time.Since(began)
	}
	roundTrip() // the first one asks for addresses as well
	if d := roundTrip(); d < 100*time.Millisecond || d > soon {
		t.Errorf("there and back takes %v, want 100ms and little more", d)
	}
	n.SetPath(m[0], m[1], Path{})
	if d := roundTrip(); d < 50*time.Millisecond {
		t.Errorf("there at once and back takes %v, want 50ms and little more", d)
	}
	n.SetPaths(m[0], m[1], Path{})
	best := soon
	for range 20 {
		best = min(best, roundTrip())
	}
	if best >= 50*time.Millisecond {
		t.Errorf("without delay it takes %v", best)
	}
}

// TestUnderWay cuts a way while a frame is on it.
func TestUnderWay(t *testing.T) {
	t.Parallel()
	l := New(t)
	n := l.SlowLAN("wan", Path{})
	m, list := three(t, l, n.Net)
	a, b := list["a"], list["b"]
	if !gets(a, b, soon) {
		t.Fatal("nothing arrives")
	}
	n.SetPath(m[0], m[1], Path{Delay: 100 * time.Millisecond})
	a.send(b, "hello")
	n.Cut(m[0], m[1])
	if got, ok := b.hears(200 * time.Millisecond); ok {
		t.Errorf("%q arrives over a way that was cut", got)
	}
	if n.Count().Cut == 0 {
		t.Errorf("none was counted: %+v", n.Count())
	}
}

// TestAllLost loses every frame of one direction.
func TestAllLost(t *testing.T) {
	t.Parallel()
	l := New(t)
	n := l.SlowLAN("wan", Path{})
	m, list := three(t, l, n.Net)
	a, b := list["a"], list["b"]
	if !gets(a, b, soon) || !gets(b, a, soon) {
		t.Fatal("nothing arrives")
	}
	n.SetPath(m[0], m[1], Path{Loss: 1})
	before := n.Count()
	for range 10 {
		a.send(b, "hello")
	}
	if got, ok := b.hears(silence); ok {
		t.Errorf("%q arrives though all is lost", got)
	}
	if lost := n.Count().Lost - before.Lost; lost < 10 {
		t.Errorf("%d frames were counted as lost, want 10", lost)
	}
	if !gets(b, a, soon) {
		t.Error("the other direction loses too")
	}
}

// TestLoss loses half of the frames.
func TestLoss(t *testing.T) {
	t.Parallel()
	l := New(t)
	n := l.SlowLAN("wan", Path{})
	m, list := three(t, l, n.Net)
	a, b := list["a"], list["b"]
	if !gets(a, b, soon) {
		t.Fatal("nothing arrives")
	}
	n.SetPath(m[0], m[1], Path{Loss: 0.5})
	const sent = 400
	for range sent {
		a.send(b, "hello")
	}
	// Frames keep their order: what is heard before the end is all.
	arrived := 0
	l.Expect(soon, func() error {
		a.send(b, "end")
		for {
			switch got, ok := b.hears(silence); {
			case !ok:
				return errors.New("the end does not arrive")
			case got == "end":
				return nil
			}
			arrived++
		}
	})
	// Ten standard deviations of the binomial distribution on each side.
	if arrived < sent/4 || arrived > sent*3/4 {
		t.Errorf("of %d half of which are lost, %d arrive", sent, arrived)
	}
}

// TestOrder lets frames overtake, or not.
func TestOrder(t *testing.T) {
	t.Parallel()
	l := New(t)
	n := l.SlowLAN("wan", Path{})
	m, list := three(t, l, n.Net)
	a, b := list["a"], list["b"]
	if !gets(a, b, soon) {
		t.Fatal("nothing arrives")
	}
	for _, reorder := range []bool{false, true} {
		n.SetPath(m[0], m[1], Path{Jitter: 20 * time.Millisecond, Reorder: reorder})
		const sent = 200
		for i := range sent {
			a.send(b, fmt.Sprintf("%03d", i))
		}
		overtaken := false
		last := ""
		for range sent {
			got, ok := b.hears(soon)
			if !ok {
				t.Fatal("frames are missing")
			}
			overtaken = overtaken || got < last
			last = got
		}
		if overtaken != reorder {
			t.Errorf("frames overtake: %v, want %v", overtaken, reorder)
		}
	}
}

// TestStream sends octets through a bad network.
func TestStream(t *testing.T) {
	t.Parallel()
	l := New(t)
	n := l.SlowLAN("wan", Path{Delay: time.Millisecond, Jitter: time.Millisecond, Loss: 0.01, Reorder: true})
	a, b := l.Machine("a"), l.Machine("b")
	n.Join(a, "10.0.0.1/24")
	n.Join(b, "10.0.0.2/24")
	ln, err := b.Listen("tcp", "10.0.0.2:80")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	const size = 300_000
	result := make(chan error, 1)
	go func() {
		c, err := ln.Accept()
		if err == nil {
			defer c.Close()
			_, err = c.Write(make([]byte, size))
		}
		result <- err
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := a.Dial(ctx, "tcp", "10.0.0.2:80")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got, err := io.ReadAll(c)
	if e := <-result; err != nil || e != nil || len(got) != size {
		t.Errorf("of %d octets %d arrive: %v, %v", size, len(got), err, e)
	}
	t.Logf("%+v", n.Count())
}
