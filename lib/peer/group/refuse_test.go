package group

import (
	"crypto/ed25519"
	"net/netip"
	"strings"
	"testing"
	"time"

	"namecast/lib/peer"
	"namecast/lib/peer/packet"
)

// pairOf is two members, and what the second has received of the first.
func pairOf(t *testing.T, seed uint64) (w *world, a, b *machine, seen *[]Datagram) {
	w = lan(t, seed, 2, 0, true, true)
	seen = new([]Datagram)
	a, b = w.machines[0], w.machines[1]
	w.segments[0].filter = func(from, to *machine, s Send) bool {
		if from == a {
			src, _ := from.nics[0].source(s.To.Addr())
			d := Datagram{Link: 2, From: src, To: s.To, TTL: 255, Data: s.Data}
			if s.To.Addr().IsMulticast() && s.To.Addr().Is4() {
				d.TTL = 1
			}
			*seen = append(*seen, d)
		}
		return true
	}
	w.until(5 * time.Second)
	w.run(30 * time.Second)
	return w, a, b, seen
}

// refused gives a datagram to a group and checks that nothing comes of it.
func refused(t *testing.T, m *machine, d Datagram, why Reason) {
	t.Helper()
	before := m.g.Stats().Received[why]
	events, out := m.g.Receive(m.w.now, d)
	if len(out) > 0 || len(events) > 0 {
		t.Errorf("%v: %d datagrams and %d events", why, len(out), len(events))
	}
	if m.g.Stats().Received[why] != before+1 {
		t.Errorf("not refused as %v: %v", why, m.g.Stats().Received)
	}
}

// fresh is a good datagram of a to b.
func fresh(a, b *machine) Datagram {
	out := a.g.Send(a.w.now, peer.Send{To: b.g.Self(), ID: 1, Body: www()})
	from, _ := a.nics[0].source(out[0].To.Addr())
	return Datagram{Link: 2, From: from, To: out[0].To, TTL: 255, Data: out[0].Data}
}

func TestRefused(t *testing.T) {
	w, a, b, _ := pairOf(t, 50)
	v6, v4 := w.keys.Group()
	for _, c := range []struct {
		name string
		do   func(*Datagram)
		why  Reason
	}{
		{"link that is not there", func(d *Datagram) { d.Link = 9 }, NoLink},
		{"to another's address", func(d *Datagram) { d.To = netip.MustParseAddrPort("[fe80::9999]:5390") }, Elsewhere},
		{"to another group", func(d *Datagram) { d.To = netip.MustParseAddrPort("[ff02::1]:5390") }, Elsewhere},
		{"through a router", func(d *Datagram) { d.TTL = 254 }, Routed},
		{"TTL not known", func(d *Datagram) { d.TTL = 0 }, Routed},
		{"multicast through a router", func(d *Datagram) { d.TTL, d.To = 254, netip.AddrPortFrom(v6, 5390) }, Routed},
		{"multicast of IPv4 with a great TTL", func(d *Datagram) { d.To = netip.AddrPortFrom(v4, 5390) }, Routed},
		{"off link", func(d *Datagram) { d.From = netip.MustParseAddrPort("192.0.2.1:5390") }, OffLink},
		{"from a global address", func(d *Datagram) { d.From = netip.MustParseAddrPort("[2001:db8::1]:5390") }, OffLink},
		{"from a multicast address", func(d *Datagram) { d.From = netip.AddrPortFrom(v6, 5390) }, OffLink},
		{"from the broadcast address", func(d *Datagram) { d.From = netip.MustParseAddrPort("10.0.255.255:5390") }, OffLink},
		{"from no address", func(d *Datagram) { d.From = netip.AddrPort{} }, OffLink},
		{"from port 0", func(d *Datagram) { d.From = netip.AddrPortFrom(d.From.Addr(), 0) }, OffLink},
		{"garbage", func(d *Datagram) { d.Data = []byte("hello") }, Sealed},
		{"one bit turned", func(d *Datagram) { d.Data[40] ^= 1 }, Sealed},
		{"cut off", func(d *Datagram) { d.Data = d.Data[:len(d.Data)-1] }, Sealed},
		{"from another's address", func(d *Datagram) { d.From = netip.MustParseAddrPort("[fe80::7777]:5390") }, Address},
		{"from another port", func(d *Datagram) { d.From = netip.AddrPortFrom(d.From.Addr(), 9999) }, Address},
		{"a question to one by multicast", func(d *Datagram) { d.To = netip.AddrPortFrom(v6, 5390) }, Elsewhere},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := fresh(a, b)
			c.do(&d)
			refused(t, b, d, c.why)
		})
	}
	send(t, a, b)
}

// TestReplay: whatever was on the wire comes again, also to a third machine, from
// other addresses, and after the sender has started anew.
func TestReplay(t *testing.T) {
	w, a, b, seen := pairOf(t, 51)
	for range 20 {
		send(t, a, b)
		w.run(time.Second)
	}
	again := func(when string) {
		before, change := b.g.Stats(), b.g.Change()
		for _, d := range *seen {
			if d.To.Addr() == a.nics[0].Addrs[0].Addr() {
				continue
			}
			if events, out := b.g.Receive(w.now, d); len(events)+len(out) > 0 {
				t.Errorf("%s: %d events, %d datagrams", when, len(events), len(out))
			}
			d.From = netip.MustParseAddrPort("[fe80::1:7777]:5390")
			if events, out := b.g.Receive(w.now, d); len(events)+len(out) > 0 {
				t.Errorf("%s, from elsewhere: %d events, %d datagrams", when, len(events), len(out))
			}
		}
		if after := b.g.Stats(); after.Received[Taken] != before.Received[Taken] || b.g.Change() != change {
			t.Errorf("%s: taken %v, before %v", when, after.Received, before.Received)
		}
	}
	again("at once")
	w.run(time.Hour)
	again("after an hour")
	*seen = (*seen)[:100]
	a.start()
	w.until(time.Minute)
	again("after it started anew")
	a.stopped = true
	w.run(time.Minute)
	again("when it has gone")
	again("and again")
}

// TestHeldBack: a datagram that nobody has seen comes after a minute.
func TestHeldBack(t *testing.T) {
	w, a, b, _ := pairOf(t, 52)
	d := fresh(a, b)
	w.run(time.Minute)
	before := len(b.got)
	events, _ := b.g.Receive(w.now, d)
	if len(events) > 0 || len(b.got) != before || b.g.Stats().Received[Late]+b.g.Stats().Received[Replayed] == 0 {
		t.Errorf("events %v, %v", events, b.g.Stats().Received)
	}
}

// TestClockStoodStill: the sender's clock loses a minute, as when its machine is moved.
func TestClockStoodStill(t *testing.T) {
	for _, lost := range []time.Duration{12 * time.Second, 10 * time.Minute} {
		w, a, b, _ := pairOf(t, 53)
		send(t, a, b)
		a.stopped = true
		w.run(lost)
		a.stopped = false
		a.g.o.Started += lost
		for _, n := range a.g.list {
			n.window.ahead -= lost.Microseconds() // the world has one clock for all
		}
		a.g.wake = w.now
		a.send(a.g.Step(w.now))
		w.run(20 * time.Second)
		send(t, a, b)
		send(t, b, a)
		if lost < time.Minute && b.g.Stats().Received[Late] == 0 {
			t.Error("nothing was late")
		}
	}
}

// TestForgedHello: a member gives out another's Hello, or one that is not signed.
func TestForgedHello(t *testing.T) {
	w, a, b, _ := pairOf(t, 54)
	_, other, _ := ed25519.GenerateKey(seeded(9))
	from := netip.MustParseAddrPort("[fe80::1:5555]:5390")
	v6, _ := w.keys.Group()
	try := func(why Reason, change func(*packet.Message, *packet.Hello)) {
		h := a.g.hello(a.g.links[0])
		h.Addrs = []netip.AddrPort{from}
		m := &packet.Message{Boot: 77, Seq: 1e9, Body: h}
		if err := packet.SignHello(m, other); err != nil {
			t.Fatal(err)
		}
		change(m, h)
		data, err := w.keys.Seal(m, seeded(3))
		if err != nil {
			t.Fatal(err)
		}
		refused(t, b, Datagram{Link: 2, From: from, To: netip.AddrPortFrom(v6, 5390), TTL: 255, Data: data[0]}, why)
	}
	try(Signature, func(m *packet.Message, h *packet.Hello) { m.From = a.g.Self() })
	try(Signature, func(m *packet.Message, h *packet.Hello) { m.Seq++ })
	try(Signature, func(m *packet.Message, h *packet.Hello) { m.Boot++ })
	try(Signature, func(m *packet.Message, h *packet.Hello) { h.Weight++ })
	try(Signature, func(m *packet.Message, h *packet.Hello) { h.Key[0]++ })
	try(Address, func(m *packet.Message, h *packet.Hello) { h.Addrs = nil })
	send(t, a, b)
}

// TestBudgets: one member floods. The others are served.
func TestBudgets(t *testing.T) {
	w := lan(t, 55, 3, 0, true, true)
	w.until(5 * time.Second)
	w.run(time.Minute)
	a, b, c := w.machines[0], w.machines[1], w.machines[2]
	taken := 0
	for range 10000 {
		d := fresh(a, b)
		events, out := b.g.Receive(w.now, d)
		if taken += len(events); len(out) > 0 {
			t.Fatal("an answer")
		}
	}
	if taken != 200 {
		t.Errorf("%d questions taken in one moment", taken)
	}
	send(t, c, b)
	taken = 0
	for range 2000 {
		w.run(time.Millisecond)
		events, _ := b.g.Receive(w.now, fresh(a, b))
		taken += len(events)
	}
	if taken < 380 || taken > 420 {
		t.Errorf("%d questions taken in two seconds", taken)
	}
	send(t, c, b)
	if w.missing() != 0 {
		t.Error("a member is lost")
	}
}

// TestManyIdentities: a member makes up nodes without end. What is remembered and
// what is sent is bounded, and the members stay.
func TestManyIdentities(t *testing.T) {
	w, a, b, _ := pairOf(t, 56)
	v6, _ := w.keys.Group()
	sent := 0
	from := netip.MustParseAddrPort("[fe80::1:5555]:5390")
	rng := seeded(4)
	for i := range 1500 {
		_, key, _ := ed25519.GenerateKey(rng)
		m := &packet.Message{Boot: uint64(i), Seq: 1e9, Body: &packet.Hello{Addrs: []netip.AddrPort{from}}}
		packet.SignHello(m, key)
		data, _ := w.keys.Seal(m, rng)
		_, out := b.g.Receive(w.now, Datagram{Link: 2, From: from, To: netip.AddrPortFrom(v6, 5390), TTL: 255, Data: data[0]})
		out = append(out, b.g.Step(w.now)...)
		sent += len(out)
		if i%300 == 0 {
			w.run(100 * time.Millisecond)
		}
	}
	if s := b.g.Stats(); s.Candidates > maxClaimsThere || s.Received[Budget] == 0 || sent > 100 {
		t.Errorf("%d datagrams sent, %+v", sent, s)
	}
	w.run(time.Minute)
	if s := b.g.Stats(); s.Candidates != 0 || s.Known > 10 {
		t.Errorf("afterwards %+v", s)
	}
	if b.g.Size() != 2 || a.g.Size() != 2 {
		t.Error("a member is lost")
	}
	send(t, a, b)
}

// TestUnasked: a member that is not asked gives a list, and one that is asked gives
// addresses that are none of the link.
func TestUnasked(t *testing.T) {
	w, a, b, _ := pairOf(t, 57)
	addrs := []netip.AddrPort{netip.MustParseAddrPort("[fe80::1:9]:53"), netip.MustParseAddrPort("192.0.2.9:53"),
		netip.MustParseAddrPort("10.0.255.255:5390")}
	give := func() []Send {
		a.g.unicast(a.g.nodes[b.g.Self()], 2, b.nics[0].addrPort(), &packet.Known{Addrs: addrs}, 0)
		b.g.Receive(w.now, Datagram{Link: 2, From: a.nics[0].addrPort(), To: b.nics[0].addrPort(), TTL: 255, Data: a.g.flush()[0].Data})
		var out []Send
		for range 20 {
			w.now += 10 * time.Millisecond
			out = append(out, b.g.Step(w.now)...)
		}
		return out
	}
	for _, s := range give() {
		t.Errorf("sent to %v, unasked", s.To)
	}
	b.g.pull.from, b.g.pull.asked = a.g.Self(), w.now
	for _, s := range give() {
		if s.To != addrs[0] && s.To != a.nics[0].addrPort() && !s.To.Addr().IsMulticast() {
			t.Errorf("sent to %v", s.To)
		}
	}
}

func (n *nic) addrPort() netip.AddrPort {
	return netip.AddrPortFrom(n.Addrs[0].Addr(), DefaultPort)
}

// TestOtherGroup: another group is on the same link; nobody notices, whatever it does.
func TestOtherGroup(t *testing.T) {
	w := lan(t, 58, 6, 0, true, true)
	text, _ := packet.NewKey("other", seeded(99))
	other, err := packet.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range w.machines[3:] {
		m.options = func(o *Options) { o.Keys = other }
	}
	w.segments[0].noMulti = true // so that they hear each other's broadcasts
	w.run(time.Minute)
	for _, m := range w.machines {
		if m.g.Size() != 3 {
			t.Errorf("%s has %d members", m.name, m.g.Size()-1)
		}
		if strings.Contains(strings.Join(m.log, ""), "Left") {
			t.Errorf("%s: %v", m.name, m.log)
		}
	}
}

// FuzzReceive: octets from an outsider are refused, and cause nothing.
func FuzzReceive(f *testing.F) {
	w := lan(f, 59, 2, 0, true, true)
	w.until(5 * time.Second)
	a, b := w.machines[0], w.machines[1]
	f.Add(2, 255, fresh(a, b).Data)
	f.Add(2, 255, []byte("NC\x01"))
	f.Add(3, 254, []byte{})
	f.Fuzz(func(t *testing.T, link, ttl int, data []byte) {
		if len(data) > 0 {
			data[len(data)-1]++ // so that it is nothing that a member has sealed
		}
		events, out := b.g.Receive(w.now, Datagram{Link: link, From: a.nics[0].addrPort(), To: b.nics[0].addrPort(), TTL: ttl, Data: data})
		if len(events)+len(out) > 0 {
			t.Errorf("%d events, %d datagrams", len(events), len(out))
		}
	})
}
