package group

import (
	"bytes"
	"crypto/ed25519"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"namecast/lib/peer"
	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// hostilePackets is how many datagrams of an outsider a test sends, others in each run:
// -count=40 makes ten million.
const hostilePackets = 250_000

// wiretap notes what is on a segment from now on.
func (s *segment) wiretap(heard *[]Datagram) {
	s.filter = func(from, m *machine, out Send) bool {
		source, _ := from.nics[0].source(out.To.Addr())
		ttl := 255
		if out.To.Addr().Is4() && out.To.Addr().IsMulticast() {
			ttl = 1
		}
		*heard = append(*heard, Datagram{Link: m.nics[0].Index, From: source, To: out.To, TTL: ttl, Data: out.Data})
		return true
	}
}

// overheard is a LAN of n machines that have found each other, and what was said on it: also
// some of what members say to each other.
func overheard(t *testing.T, seed uint64, n int) (*world, []Datagram) {
	w := lan(t, seed, n, 0, true, true)
	var heard []Datagram
	w.segments[0].wiretap(&heard)
	w.until(10 * time.Second)
	for _, m := range w.machines {
		for _, to := range w.machines {
			if to != m {
				m.send(m.g.Send(w.now, peer.Send{To: to.g.Self(), ID: 7, Body: &packet.Ask{Name: rr.MustName("a.example"), Type: 1}}))
				m.send(m.g.Send(w.now, peer.Send{To: to.g.Self(), Body: &packet.Put{Records: []*packet.Record{bigRecord(0)}}}))
				m.send(m.g.Send(w.now, peer.Send{To: to.g.Self(), ID: 8, Body: &packet.Answer{Record: bigRecord(3000)}}))
			}
		}
		m.send(m.g.Send(w.now, peer.Send{All: true, Body: &packet.Ask{Name: rr.MustName("b.example"), Type: 1, Any: true}}))
	}
	w.run(time.Second)
	w.segments[0].filter = nil
	return w, heard
}

// bigRecord is a record with so many octets behind its question.
func bigRecord(more int) *packet.Record {
	msg := append([]byte{0, 0, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, rr.MustName("a.example")...)
	return &packet.Record{Msg: append(append(msg, 0, 0, 1, 0, 1), make([]byte, more)...)}
}

// unmoved gives a function that fails the test if a datagram has any effect.
func (m *machine) unmoved(t *testing.T) func(d Datagram) {
	t.Helper()
	g := m.g
	nodes, claims, hints, members, taken := len(g.nodes), g.Stats().Candidates, len(g.hints), g.Size(), g.stats.Received[Taken]
	return func(d Datagram) {
		events, out := g.Receive(m.w.now, d)
		if len(out) > 0 || len(events) > 0 || g.stats.Received[Taken] != taken {
			t.Fatalf("%x from %v to %v, TTL %d: sends %v, events %v", d.Data, d.From, d.To, d.TTL, out, events)
		}
		if len(g.nodes) != nodes || len(g.hints) != hints || g.Size() != members || g.Stats().Candidates != claims {
			t.Fatalf("%x from %v to %v is remembered", d.Data, d.From, d.To)
		}
	}
}

// TestOutsider: what somebody without the key can send has no effect at all, and no answer.
func TestOutsider(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w, heard := overheard(t, 3, 4)
	victim := w.machines[0]
	check := victim.unmoved(t)
	r := rand.New(rand.NewPCG(seed, 2))
	forged := foreign(t, newWorld(t, seed).keys, heard)
	refused := victim.g.stats.Received
	for i := range hostilePackets {
		d := heard[r.IntN(len(heard))]
		d.Link = victim.nics[0].Index
		if a, ok := victim.nics[0].source(d.To.Addr()); ok && !d.To.Addr().IsMulticast() {
			d.To = a
		}
		switch i % 8 {
		case 0:
			d.Data = garbage(r)
		case 1: // it begins as one of the group's
			d.Data = append(bytes.Clone(d.Data[:29]), garbage(r)...)
		case 2:
			d.Data = forged[r.IntN(len(forged))]
		case 3:
			d.Data = bytes.Clone(d.Data[:r.IntN(len(d.Data))])
		case 4:
			d.Data = append(bytes.Clone(d.Data), byte(i))
		default:
			d.Data = bytes.Clone(d.Data)
			d.Data[r.IntN(len(d.Data))] ^= 1 << r.IntN(8)
		}
		check(d)
	}
	for reason, now := range victim.g.stats.Received {
		if more := now - refused[reason]; more > 0 {
			t.Logf("%v: %d", Reason(reason), more)
		}
	}
}

// foreign seals Hellos under other keys, which pass for the group's by their id.
func foreign(t *testing.T, keys *packet.Keys, heard []Datagram) [][]byte {
	var all [][]byte
	for i := range 100 {
		_, key, err := ed25519.GenerateKey(seeded(uint64(i)))
		if err != nil {
			t.Fatal(err)
		}
		m := &packet.Message{Boot: uint64(i), Seq: 1, Body: &packet.Hello{Addrs: []netip.AddrPort{heard[0].From}}}
		if err := packet.SignHello(m, key); err != nil {
			t.Fatal(err)
		}
		out, err := keys.Seal(m, seeded(uint64(i)))
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			copy(out[0][3:5], heard[0].Data[3:5])
		}
		all = append(all, out[0])
	}
	return all
}

func garbage(r *rand.Rand) []byte {
	b := make([]byte, r.IntN(1500))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestAllAgain: nothing that was on the link has an effect again, on whomever, whenever and
// from wherever it is sent; nor after the sender has started anew.
func TestAllAgain(t *testing.T) {
	w, heard := overheard(t, 4, 4)
	replay := func(when string) {
		t.Logf("%s: %d datagrams to each of %d", when, len(heard), len(w.machines))
		for _, m := range w.machines {
			check := m.unmoved(t)
			for _, d := range heard {
				d.Link = m.nics[0].Index
				check(d) // a copy for the same, or for somebody else
				if a, ok := m.nics[0].source(d.From.Addr()); ok && !d.To.Addr().IsMulticast() {
					d.To = a
					check(d) // its address made that of another
				}
				d.From = netip.AddrPortFrom(netip.MustParseAddr("10.0.200.200"), d.From.Port())
				check(d) // from the attacker's own address
			}
		}
	}
	replay("at once")
	w.run(5 * time.Second)
	replay("5 seconds later")
	w.run(time.Hour)
	replay("an hour later")
	again := w.machines[1]
	again.stopped = true
	w.run(time.Minute)
	again.start()
	w.until(time.Minute)
	w.run(time.Minute)
	w.machines = append(w.machines[:1], w.machines[2:]...) // those that have not forgotten
	replay("after the sender's new start")
}

// TestFromElsewhere: a good message that comes from behind a router, from no neighbour, over
// another link or to another address is refused; the same message as it should be is not.
func TestFromElsewhere(t *testing.T) {
	w, _ := overheard(t, 6, 3)
	a, b := w.machines[0], w.machines[1]
	out := a.g.Send(w.now, peer.Send{To: b.g.Self(), Body: &packet.Ask{Type: 1}})
	from, _ := a.nics[0].source(out[0].To.Addr())
	good := Datagram{Link: b.nics[0].Index, From: from, To: out[0].To, TTL: 255, Data: out[0].Data}
	elsewhere := netip.MustParseAddrPort("203.0.113.5:5390")
	broadcast := netip.AddrPortFrom(b.nics[0].Broadcast, DefaultPort)
	_, group4 := w.keys.Group()
	check := b.unmoved(t)
	for name, change := range map[string]func(d *Datagram){
		"TTL 254":              func(d *Datagram) { d.TTL = 254 },
		"TTL 64":               func(d *Datagram) { d.TTL = 64 },
		"TTL unknown":          func(d *Datagram) { d.TTL = 0 },
		"off link":             func(d *Datagram) { d.From = elsewhere },
		"off link of IPv6":     func(d *Datagram) { d.From = netip.MustParseAddrPort("[2001:db8::1]:5390") },
		"from a group":         func(d *Datagram) { d.From = netip.AddrPortFrom(group4, DefaultPort) },
		"from the broadcast":   func(d *Datagram) { d.From = broadcast },
		"from nowhere":         func(d *Datagram) { d.From = netip.AddrPort{} },
		"from another port":    func(d *Datagram) { d.From = netip.AddrPortFrom(d.From.Addr(), 53) },
		"from port 0":          func(d *Datagram) { d.From = netip.AddrPortFrom(d.From.Addr(), 0) },
		"from a neighbour":     func(d *Datagram) { d.From = netip.MustParseAddrPort("[fe80::1:2]:5390") },
		"another link":         func(d *Datagram) { d.Link = 99 },
		"to another":           func(d *Datagram) { d.To = elsewhere },
		"to a group of others": func(d *Datagram) { d.To = netip.MustParseAddrPort("239.255.255.250:5390") },
		"by routed multicast":  func(d *Datagram) { d.To, d.TTL = netip.AddrPortFrom(group4, DefaultPort), 255 },
	} {
		t.Log(name)
		d := good
		change(&d)
		check(d)
	}
	if events, _ := b.g.Receive(w.now, good); len(events) != 1 {
		t.Errorf("the good one is refused: %v", b.g.stats.Received)
	}
}

// A liar is a member that says whatever it likes.
type liar struct {
	*machine
	seq uint64
}

// turn makes a machine a liar: its own program does nothing any more.
func (m *machine) turn() *liar {
	m.stopped = true
	return &liar{machine: m, seq: uint64((m.w.now - m.g.o.Started).Microseconds())}
}

// say makes a datagram of the liar for a machine; change may make anything of its message
// before it is sealed.
func (l *liar) say(to *machine, body packet.Body, change func(m *packet.Message)) Datagram {
	l.w.t.Helper()
	l.seq = max(l.seq+1, uint64((l.w.now - l.g.o.Started).Microseconds()))
	m := &packet.Message{From: l.g.Self(), To: to.g.Self(), Boot: l.boot, Seq: l.seq, Body: body}
	if change != nil {
		change(m)
	}
	out, err := l.w.keys.Seal(m, seeded(l.w.Uint64()))
	if err != nil {
		l.w.t.Fatal(err)
	}
	from, _ := l.nics[0].source(netip.IPv4Unspecified())
	dest, _ := to.nics[0].source(netip.IPv4Unspecified())
	return Datagram{Link: to.nics[0].Index, From: from, To: dest, TTL: 255, Data: out[0]}
}

// TestLiar: what a member can say that is not so has no effect.
func TestLiar(t *testing.T) {
	w, _ := overheard(t, 7, 4)
	victim, other, l := w.machines[0], w.machines[1], w.machines[3].turn()
	check := victim.unmoved(t)
	addr, _ := l.nics[0].source(netip.IPv4Unspecified())
	hello := func(key ed25519.PrivateKey, change func(m *packet.Message, h *packet.Hello)) Datagram {
		h := &packet.Hello{Addrs: []netip.AddrPort{addr}}
		return l.say(victim, h, func(m *packet.Message) {
			if err := packet.SignHello(m, key); err != nil {
				t.Fatal(err)
			}
			change(m, h)
		})
	}
	stolen := other.g.hello(other.g.links[0])
	real := &packet.Message{Boot: other.boot, Seq: other.g.seq + 1, Body: stolen}
	if err := packet.SignHello(real, other.key); err != nil {
		t.Fatal(err)
	}
	ask := &packet.Ask{Type: 1}
	asOther := func(m *packet.Message) { m.From, m.Boot, m.Seq = other.g.Self(), other.boot, other.g.seq+100 }
	for _, c := range []struct {
		name string
		d    Datagram
		want Reason
	}{
		{"a message in another's name", l.say(victim, ask, asOther), Address},
		{"a bye in another's name", l.say(victim, &packet.Bye{}, asOther), Address},
		{"a message of another start", l.say(victim, ask, func(m *packet.Message) { m.Boot++ }), Stranger},
		{"a message of nobody known", l.say(victim, ask, func(m *packet.Message) { m.From[0]++ }), Stranger},
		{"a message in the victim's name", l.say(victim, ask, func(m *packet.Message) { m.From, m.Boot = victim.g.Self(), victim.boot }), Own},
		{"a message for another", l.say(victim, ask, func(m *packet.Message) { m.To = other.g.Self() }), Elsewhere},
		{"an old number", l.say(victim, ask, func(m *packet.Message) { m.Seq = 1 }), Replayed},
		{"a number of next year", l.say(victim, ask, func(m *packet.Message) { m.Seq += 365 * 86400 * 1e6 }), Late},
		{"the greatest number", l.say(victim, ask, func(m *packet.Message) { m.Seq = 1<<64 - 1 }), Replayed},
		{"a pong for nothing", l.say(victim, &packet.Pong{}, nil), Useless},
		{"a list that nobody asked for", l.say(victim, &packet.Known{Addrs: []netip.AddrPort{netip.MustParseAddrPort("10.0.9.9:53")}}, nil), Useless},
		{"another's hello from here", l.say(victim, stolen, func(m *packet.Message) { *m = *real }), Address},
		{"another's hello of another start", hello(l.key, func(m *packet.Message, h *packet.Hello) {
			*h = *stolen
			h.Addrs = []netip.AddrPort{addr}
			m.From, m.Boot = other.g.Self(), 99
		}), Signature},
		{"a hello in another's name", hello(l.key, func(m *packet.Message, h *packet.Hello) { m.From = other.g.Self(); m.Boot++ }), Signature},
		{"a hello that was changed", hello(l.key, func(m *packet.Message, h *packet.Hello) { h.Weight = 16 }), Signature},
		{"a hello from no address of its own", hello(l.key, func(m *packet.Message, h *packet.Hello) { h.Addrs = nil }), Address},
	} {
		before := victim.g.stats.Received[c.want]
		check(c.d)
		if victim.g.stats.Received[c.want] != before+1 {
			t.Errorf("%s is not refused as %v", c.name, c.want)
		}
	}
	if events, _ := victim.g.Receive(w.now, l.say(victim, ask, nil)); len(events) != 1 {
		t.Errorf("then the truth is refused as well: %v", victim.g.stats.Received)
	}
}

// TestLiarsFlood: however much members send, no more is handed on than the budgets allow,
// and the other members stay.
func TestLiarsFlood(t *testing.T) {
	any := func(m *packet.Message) { m.To = packet.NodeID{} }
	for _, c := range []struct {
		name   string
		liars  int
		body   packet.Body
		change func(m *packet.Message)
		most   int // a second
	}{
		{"asks", 1, &packet.Ask{Type: 1}, nil, 200},
		{"asks of twelve", 12, &packet.Ask{Type: 1}, nil, 1000},
		{"calls", 1, &packet.Ask{Type: 1, Any: true}, any, 5},
		{"calls of twelve", 12, &packet.Ask{Type: 1, Any: true}, any, 20},
		{"puts", 1, &packet.Put{Records: []*packet.Record{bigRecord(0)}}, nil, 100},
		{"answers", 1, &packet.Answer{Outcome: packet.Miss}, nil, 500},
		{"fragments", 1, &packet.Fragment{Count: 2, Part: make([]byte, packet.MaxPart)}, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, _ := overheard(t, 8, c.liars+2)
			victim := w.machines[0]
			var liars []*liar
			for _, m := range w.machines[2:] {
				liars = append(liars, m.turn())
			}
			nodes, got := len(victim.g.nodes), 0
			const seconds, perSecond = 3, 4000
			for range seconds * perSecond / c.liars {
				w.run(time.Second / perSecond * time.Duration(c.liars))
				for _, l := range liars {
					events, out := victim.g.Receive(w.now, l.say(victim, c.body, c.change))
					got += len(events)
					if len(out) > 0 {
						t.Fatalf("sends %v", out)
					}
				}
			}
			t.Logf("%d of %d handed on in %d seconds", got, seconds*perSecond, seconds)
			if got > c.most*(seconds+1) || got < c.most*seconds {
				t.Errorf("%d handed on, want %d to %d", got, c.most*seconds, c.most*(seconds+1))
			}
			if len(victim.g.nodes) != nodes || victim.g.fragments.Len() > 4*c.liars || victim.g.Size() != c.liars+2 {
				t.Errorf("%d nodes, %d unfinished answers, %d members", len(victim.g.nodes), victim.g.fragments.Len(), victim.g.Size())
			}
		})
	}
}

// TestHelloStorm: a member that says Hello as thousands that are not there makes nobody
// forget those that are, and gets few answers.
func TestHelloStorm(t *testing.T) {
	w, _ := overheard(t, 9, 4)
	victim, l := w.machines[0], w.machines[3].turn()
	addr, _ := l.nics[0].source(netip.IPv4Unspecified())
	sent, storm := victim.g.stats.Sent, 0
	const seconds, perSecond = 3, 1500
	for i := range seconds * perSecond {
		w.run(time.Second / perSecond)
		_, key, err := ed25519.GenerateKey(seeded(uint64(i)))
		if err != nil {
			t.Fatal(err)
		}
		d := l.say(victim, &packet.Hello{Addrs: []netip.AddrPort{addr}}, func(m *packet.Message) {
			m.Boot = uint64(i)
			if err := packet.SignHello(m, key); err != nil {
				t.Fatal(err)
			}
		})
		_, out := victim.g.Receive(w.now, d)
		storm += len(out)
		victim.send(nil)
	}
	g := victim.g
	t.Logf("%d hellos: %d answers at once, %d datagrams in all, %d candidates at last",
		seconds*perSecond, storm, g.stats.Sent-sent, g.Stats().Candidates)
	if len(g.nodes) > 4+maxClaimsThere || g.Stats().Candidates > maxClaimsThere {
		t.Errorf("%d nodes, %d candidates", len(g.nodes), g.Stats().Candidates)
	}
	if most := uint64(2 * maxTries * maxClaimsThere * 2); g.stats.Sent-sent > most {
		t.Errorf("%d datagrams", g.stats.Sent-sent)
	}
	w.run(2 * time.Minute)
	if g.Stats().Candidates != 0 || g.Size() != 3 {
		t.Errorf("afterwards %d candidates, %d members: %v", g.Stats().Candidates, g.Size(), g.stats.Received)
	}
}
