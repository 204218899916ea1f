package bfd

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

const ms = time.Millisecond

// half is the middle of what jitter allows: 87.5 % of the interval, or 82.5 % of
// the last interval.
func half() float64 { return 0.5 }

func newTestMachine(multiplier int) *machine {
	m := newMachine(Session{Tx: 300 * ms, Rx: 200 * ms, Multiplier: multiplier}, 11, half)
	return m
}

// peer is a packet of a neighbour with the discriminator 22 that sends every
// 100 ms and takes 50.
func peer(s state, yours uint32, changes ...func(*packet)) *packet {
	p := packet{state: s, multiplier: 3, mine: 22, yours: yours, minTx: 100 * ms, minRx: 50 * ms}
	for _, change := range changes {
		change(&p)
	}
	return &p
}

func poll(p *packet)   { p.poll = true }
func final(p *packet)  { p.final = true }
func demand(p *packet) { p.demand = true }

// show prints packets in short: state, diagnostic, P and F, the neighbour's
// discriminator and the interval.
func show(packets []packet) string {
	var words []string
	for _, p := range packets {
		flags := ""
		if p.poll {
			flags += " P"
		}
		if p.final {
			flags += " F"
		}
		words = append(words, fmt.Sprintf("%v/%d%s to %d every %v", p.state, p.diag, flags, p.yours, p.minTx))
	}
	return strings.Join(words, "; ")
}

// to brings a new machine into a state at the start.
func to(t *testing.T, want state, multiplier int) *machine {
	t.Helper()
	m := newTestMachine(multiplier)
	m.step(start, nil)
	if want == initial || want == up {
		m.step(start, peer(down, 0))
	}
	if want == up {
		m.step(start, peer(initial, 11))
	}
	if want == adminDown {
		m.stop()
	}
	if m.state != want {
		t.Fatalf("in %v, want %v", m.state, want)
	}
	return m
}

// TestReceive is the table of states of RFC 5880 section 6.2 and what 6.8.6 says
// is answered.
func TestReceive(t *testing.T) {
	for _, c := range []struct {
		name string
		from state
		in   *packet
		to   state
		out  string
	}{
		{"Down hears Down", down, peer(down, 0), initial, "Init/0 to 22 every 1s"},
		{"Down hears Down with our number", down, peer(down, 11), initial, "Init/0 to 22 every 1s"},
		{"Down hears Init", down, peer(initial, 11), up, "Up/0 P to 22 every 300ms"},
		{"Down hears Up", down, peer(up, 11), down, ""},
		{"Down hears AdminDown", down, peer(adminDown, 0), down, ""},
		{"Init hears Down", initial, peer(down, 11), initial, ""},
		{"Init hears Init", initial, peer(initial, 11), up, "Up/0 P to 22 every 300ms"},
		{"Init hears Up", initial, peer(up, 11), up, "Up/0 P to 22 every 300ms"},
		{"Init hears AdminDown", initial, peer(adminDown, 11), down, "Down/3 to 22 every 1s"},
		{"Up hears Down", up, peer(down, 11), down, "Down/3 to 22 every 1s"},
		{"Up hears Down of a new life", up, peer(down, 0, func(p *packet) { p.mine = 33 }), down, "Down/3 to 33 every 1s"},
		{"Up hears Init", up, peer(initial, 11), up, ""},
		{"Up hears Up", up, peer(up, 11), up, ""},
		{"Up hears AdminDown", up, peer(adminDown, 11), down, "Down/3 to 22 every 1s"},
		{"AdminDown hears Down", adminDown, peer(down, 11), adminDown, ""},
		{"AdminDown hears a poll", adminDown, peer(up, 11, poll), adminDown, ""},
		{"another session's number", up, peer(down, 12), up, ""},
		{"another session's poll", up, peer(down, 12, poll), up, ""},
		{"Up hears a poll", up, peer(up, 11, poll), up, "Up/0 F to 22 every 300ms"},
		{"a poll that changes the state", initial, peer(initial, 11, poll), up, "Up/0 F to 22 every 300ms"},
		{"Down hears a poll", down, peer(adminDown, 0, poll), down, "Down/0 F to 22 every 1s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := to(t, c.from, 3)
			if got := show(m.step(start.Add(ms), c.in)); got != c.out || m.state != c.to {
				t.Errorf("%v, sent %q; want %v, %q", m.state, got, c.to, c.out)
			}
		})
	}
}

// TestPoll: what is sent in turn has the poll bit until the neighbour answers.
func TestPoll(t *testing.T) {
	m := to(t, up, 3)
	now, _ := m.wake()
	if got := show(m.step(now, nil)); got != "Up/0 P to 22 every 300ms" {
		t.Errorf("before the answer: %q", got)
	}
	m.step(now, peer(up, 11))
	if !m.polling {
		t.Error("ended without the final bit")
	}
	if got := show(m.step(now, peer(up, 11, final, poll))); got != "Up/0 F to 22 every 300ms" {
		t.Errorf("answer to a poll: %q", got)
	}
	now, _ = m.wake()
	if got := show(m.step(now, nil)); got != "Up/0 to 22 every 300ms" {
		t.Errorf("after the answer: %q", got)
	}
}

// TestInterval has the rates that are agreed on (section 6.8.7), by when the
// machine wants to be called again after it has sent.
func TestInterval(t *testing.T) {
	for _, c := range []struct {
		name       string
		state      state
		in         *packet
		multiplier int
		want       time.Duration // 0: never to send
	}{
		{"nobody heard", down, nil, 3, 875 * ms},
		{"Init", initial, peer(down, 11), 3, 875 * ms},
		{"Up", up, peer(up, 11), 3, 262500 * time.Microsecond},
		{"last interval", up, peer(up, 11), 1, 247500 * time.Microsecond},
		{"the neighbour wants it slower", up, peer(up, 11, func(p *packet) { p.minRx = 2 * time.Second }), 3, 1750 * ms},
		{"the neighbour wants it slower than we while down", down, peer(up, 11, func(p *packet) { p.minRx = 2 * time.Second }), 3, 1750 * ms},
		{"the neighbour wants nothing", up, peer(up, 11, func(p *packet) { p.minRx = 0 }), 3, 0},
		{"demand mode", up, peer(up, 11, demand, final), 3, 0},
		{"demand mode while we poll", up, peer(up, 11, demand), 3, 262500 * time.Microsecond},
		{"demand mode while it is not up", up, peer(initial, 11, demand, final), 3, 262500 * time.Microsecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := to(t, c.state, c.multiplier)
			if c.in != nil {
				c.in.minTx = time.Minute // it does not expire
			}
			m.step(start, c.in)
			at, wanted := m.sendAt()
			if wanted != (c.want > 0) {
				t.Errorf("sends: %v", wanted)
			}
			if c.want == 0 {
				return
			}
			if got := at.Sub(start); got != c.want {
				t.Errorf("sends after %v, want %v", got, c.want)
			}
			if got := show(m.step(at.Add(-1), nil)); got != "" {
				t.Errorf("sent early: %q", got)
			}
			if got := m.step(at, nil); len(got) != 1 {
				t.Errorf("sent %q when due", show(got))
			}
		})
	}
}

// TestFaster has the neighbour ask for a higher rate: it is honoured at once and
// not after the interval that has begun.
func TestFaster(t *testing.T) {
	m := to(t, up, 3)
	m.step(start, peer(up, 11, func(p *packet) { p.minRx = 10 * time.Second }))
	later := start.Add(299 * ms)
	if got := m.step(later, peer(up, 11)); len(got) != 1 {
		t.Errorf("sent %q", show(got))
	}
}

func TestJitter(t *testing.T) {
	for _, c := range []struct {
		multiplier int
		random     float64
		want       float64
	}{{3, 0, 0.75}, {3, 1, 1}, {1, 0, 0.75}, {1, 1, 0.9}, {2, 0.5, 0.875}} {
		m := newMachine(Session{Tx: 300 * ms, Rx: 300 * ms, Multiplier: c.multiplier}, 1, func() float64 { return c.random })
		if got := m.jitter(); got < c.want-1e-9 || got > c.want+1e-9 {
			t.Errorf("multiplier %d, random %v: %v, want %v", c.multiplier, c.random, got, c.want)
		}
	}
}

// TestExpire is section 6.8.4: the neighbour's multiplier, and the slower of what
// it sends and what we take.
func TestExpire(t *testing.T) {
	for _, c := range []struct {
		name  string
		state state
		last  *packet
		want  time.Duration
		out   string
	}{
		{"its multiplier, our interval", up, peer(up, 11), 600 * ms, "Down/1 to 0 every 1s"},
		{"its interval", up, peer(up, 11, func(p *packet) { p.minTx, p.multiplier = 400*ms, 2 }), 800 * ms, "Down/1 to 0 every 1s"},
		{"Init", initial, peer(down, 11), 600 * ms, "Down/1 to 0 every 1s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := to(t, c.state, 3)
			m.step(start, c.last)
			end := start.Add(c.want)
			m.step(end.Add(-1), nil)
			if m.state != c.state {
				t.Fatalf("%v early", m.state)
			}
			if got := show(m.step(end, nil)); got != c.out || m.state != down {
				t.Errorf("%v, sent %q; want %q", m.state, got, c.out)
			}
			// It is a session like a new one now: nobody is known.
			if got := show(m.step(end.Add(ms), peer(down, 0))); got != "Init/1 to 22 every 1s" {
				t.Errorf("heard again: %q", got)
			}
		})
	}
}

// TestExpireForgets has a neighbour that has gone while both were down: what it
// has asked for must not keep the session silent.
func TestExpireForgets(t *testing.T) {
	m := to(t, down, 3)
	m.step(start, peer(adminDown, 0, func(p *packet) { p.minRx = 0 }))
	if _, wanted := m.sendAt(); wanted {
		t.Fatal("sends to a neighbour that wants nothing")
	}
	at, _ := m.wake()
	if got := show(m.step(at, nil)); got != "" || m.remoteDiscr != 0 {
		t.Errorf("at the end of the detection time: number %d, sent %q", m.remoteDiscr, got)
	}
	if at, wanted := m.wake(); !wanted || at.After(start.Add(time.Second)) {
		t.Errorf("sends: %v, at %v", wanted, at)
	}
}

// TestExcuse has a process that did not run for a while.
func TestExcuse(t *testing.T) {
	m := to(t, up, 3)
	later := start.Add(2 * time.Second)
	m.excuse(1500 * ms)
	m.step(later, nil)
	if m.state != up {
		t.Error("went down for its own delay")
	}
	m.step(later.Add(100*ms), nil)
	if m.state != down {
		t.Error("did not go down at all")
	}
}

func TestStop(t *testing.T) {
	m := to(t, up, 3)
	if got := show([]packet{m.stop()}); got != "AdminDown/7 to 22 every 1s" {
		t.Error(got)
	}
	if got := m.step(start.Add(time.Hour), peer(up, 11, poll)); len(got) != 0 {
		t.Errorf("sent %q after the end", show(got))
	}
}

func TestParse(t *testing.T) {
	good := packet{diag: diagPeer, state: up, poll: true, final: true, demand: true, multiplier: 3, mine: 0x01020304, yours: 0x05060708, minTx: 300 * ms, minRx: 4294967295 * time.Microsecond}
	b := good.append(nil)
	if got := fmt.Sprintf("%x", b); got != "23f203180102030405060708000493e0ffffffff00000000" {
		t.Errorf("written %s", got)
	}
	if got, err := parse(append(b, 1, 2, 3)); err != nil || got != good {
		t.Errorf("read %+v, %v; want %+v", got, err, good)
	}
	for _, c := range []struct {
		name  string
		at    int
		value byte
	}{
		{"version 0", 0, 0x03}, {"version 2", 0, 0x43}, {"length 23", 3, 23}, {"length 25", 3, 25}, {"length 0", 3, 0},
		{"multiplier 0", 2, 0}, {"multipoint", 1, 0xc1}, {"authenticated", 1, 0xc4},
	} {
		bad := slices.Clone(b)
		bad[c.at] = c.value
		if _, err := parse(bad); err == nil {
			t.Errorf("%s: taken", c.name)
		}
	}
	for n := range b {
		if _, err := parse(b[:n]); err == nil {
			t.Errorf("%d octets: taken", n)
		}
	}
	for _, p := range []packet{
		{state: down, multiplier: 3},
		{state: up, multiplier: 3, mine: 1},
		{state: initial, multiplier: 3, mine: 1},
	} {
		if _, err := parse(p.append(nil)); err == nil {
			t.Errorf("taken: %+v", p)
		}
	}
	for _, s := range []state{adminDown, down} {
		if _, err := parse(packet{state: s, multiplier: 1, mine: 1}.append(nil)); err != nil {
			t.Errorf("%v without our number: %v", s, err)
		}
	}
}

// FuzzParse checks that what is taken can be written again, and that no packet
// makes a session in any state do what it may not.
func FuzzParse(f *testing.F) {
	f.Add([]byte{}, uint8(0))
	for i, p := range []*packet{peer(down, 0), peer(initial, 11, poll), peer(up, 11, final), peer(adminDown, 11), peer(up, 11, demand)} {
		f.Add(p.append(nil), uint8(i))
	}
	f.Fuzz(func(t *testing.T, b []byte, in uint8) {
		p, err := parse(b)
		if err != nil {
			return
		}
		again, err := parse(p.append(nil))
		if err != nil || again != p {
			t.Fatalf("%+v again %+v, %v", p, again, err)
		}
		m := to(t, state(in%4), 3)
		was, now := m.state, start.Add(ms)
		out := m.step(now, &p)
		switch {
		case len(out) > 1:
			t.Fatalf("one packet is answered by %s", show(out))
		case was == adminDown && (m.state != was || len(out) > 0):
			t.Fatalf("AdminDown went %v, sent %s", m.state, show(out))
		case was != up && m.state == up && p.yours != 11:
			t.Fatalf("%v went Up without our number", was)
		}
		if at, due := m.wake(); due && len(out) > 0 && !at.After(now) {
			t.Fatalf("due again at %v after %s", at, show(out))
		}
	})
}
