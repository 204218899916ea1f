package peer_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer"
	"namecast/lib/peer/packet"
)

// TestLies: of what an owner can answer in an outage only that is believed which keeps to
// the rules. That a lie within them is, shows that the others fail by the rules alone.
func TestLies(t *testing.T) {
	q := question("www.example.com")
	line := "www.example.com. 60 A " + lieAddr
	for _, c := range []struct {
		name     string
		believed bool
		make     func(a *packet.Ask, r *packet.Record)
	}{
		{"within the rules", true, func(a *packet.Ask, r *packet.Record) {}},
		{"another question", false, func(a *packet.Ask, r *packet.Record) { r.Msg = reply(question("other.example.com"), 60, lieAddr) }},
		{"another type", false, func(a *packet.Ask, r *packet.Record) {
			r.Msg = packed(message(peer.Question{Name: q.Name, Type: dns.TypeTXT}, 0, line))
		}},
		{"another name's address", false, func(a *packet.Ask, r *packet.Record) {
			r.Msg = packed(message(q, 0, "other.example.com. 60 A "+lieAddr))
		}},
		{"an address beside the chain", false, func(a *packet.Ask, r *packet.Record) {
			r.Msg = packed(message(q, 0, "www.example.com. 60 CNAME a.example.com.", "b.example.com. 60 A "+lieAddr))
		}},
		{"name servers beside", false, func(a *packet.Ask, r *packet.Record) {
			m := message(q, 0, line)
			m.Ns = message(q, 0, "com. 60 NS ns.example.net.").Answer
			r.Msg = packed(m)
		}},
		{"glue beside", false, func(a *packet.Ask, r *packet.Record) {
			m := message(q, 0, line)
			m.Extra = message(q, 0, "ns.example.com. 60 A "+lieAddr).Answer
			r.Msg = packed(m)
		}},
		{"an error", false, func(a *packet.Ask, r *packet.Record) { r.Msg = packed(message(q, dns.RcodeRefused, line)) }},
		{"another class", false, func(a *packet.Ask, r *packet.Record) {
			m := message(q, 0, "www.example.com. 60 CH A "+lieAddr)
			r.Msg = packed(m)
		}},
		{"octets behind the message", false, func(a *packet.Ask, r *packet.Record) { r.Msg = append(r.Msg, 0) }},
		{"cut off", false, func(a *packet.Ask, r *packet.Record) { r.Msg = r.Msg[:len(r.Msg)-1] }},
		{"another network", false, func(a *packet.Ask, r *packet.Record) { r.Net++ }},
		{"of nobody", false, func(a *packet.Ask, r *packet.Record) { r.Origin = packet.NodeID{} }},
		{"of the week before last", false, func(a *packet.Ask, r *packet.Record) { r.Age = 8 * 24 * time.Hour }},
		{"of nearly for ever ago", false, func(a *packet.Ask, r *packet.Record) { r.Age = 10 * 365 * 24 * time.Hour }},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newVictim(t, peer.Options{}, liar)
			v.outage()
			v.lie = answering(c.make)
			r := v.ask(q)
			if got := slices.Contains(said(r), lieAddr); got != c.believed {
				t.Errorf("believed %v, by %v: %s", got, r.By, r.Text)
			}
			if r.Secure {
				t.Error("it is called secure")
			}
		})
	}
}

// TestLiesOfTime: what a member says is believed for 300 s if it is fresh and 30 s if it is
// not, whatever its TTL.
func TestLiesOfTime(t *testing.T) {
	q := question("www.example.com")
	for _, c := range []struct {
		name string
		ttl  int
		age  time.Duration
		most uint32
	}{
		{"fresh for ever", 1<<31 - 1, 0, 300},
		{"stale", 60, time.Hour, 30},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newVictim(t, peer.Options{}, liar)
			v.outage()
			v.lie = answering(func(a *packet.Ask, r *packet.Record) { r.Msg, r.Age = reply(q, c.ttl, lieAddr), c.age })
			if r := v.ask(q); r.MaxTTL == 0 || r.MaxTTL > c.most || r.EDE < 0 || r.Text == "" {
				t.Errorf("%d s, want at most %d; EDE %d %q", r.MaxTTL, c.most, r.EDE, r.Text)
			}
			v.up, v.lie = true, nil
			v.run(10 * time.Second)
			v.wantNoLie(v.ask(q))
		})
	}
}

// TestPrivateLie: a member cannot lead a public name into the own network.
func TestPrivateLie(t *testing.T) {
	q := question("www.example.com")
	for _, addr := range []string{"127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.1.1", "100.64.0.1", "0.0.0.0", "224.0.0.1"} {
		v := newVictim(t, peer.Options{}, liar)
		v.outage()
		v.lie = answering(func(a *packet.Ask, r *packet.Record) { r.Msg = reply(q, 60, addr) })
		if r := v.ask(q); r.Msg != nil {
			t.Errorf("%s is believed", addr)
		}
	}
	q.Type = dns.TypeAAAA
	for _, addr := range []string{"::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"} {
		v := newVictim(t, peer.Options{}, liar)
		v.outage()
		v.lie = answering(func(a *packet.Ask, r *packet.Record) {
			m := message(q, 0)
			m.Answer = []dns.RR{&dns.AAAA{Hdr: dns.RR_Header{Name: q.Name.FQDN(), Rrtype: dns.TypeAAAA, Class: dns.ClassINET, Ttl: 60}, AAAA: netip.MustParseAddr(addr).AsSlice()}}
			r.Msg = packed(m)
		})
		if r := v.ask(q); r.Msg != nil {
			t.Errorf("%s is believed", addr)
		}
	}
}

// TestNobodyAsked: an Answer counts only from whom the question went to, under its number.
func TestNobodyAsked(t *testing.T) {
	q := question("www.example.com")
	lie := &packet.Answer{Record: &packet.Record{Origin: liar, Net: 7, Msg: reply(q, 60, lieAddr)}}
	for _, c := range []struct {
		name string
		lie  func(s peer.Send) []peer.Received
	}{
		{"of another member", func(s peer.Send) []peer.Received { return []peer.Received{{From: liar, ID: s.ID, Body: lie}} }},
		{"of another number", func(s peer.Send) []peer.Received { return []peer.Received{{From: honest, ID: s.ID + 1, Body: lie}} }},
		{"of number 0", func(s peer.Send) []peer.Received { return []peer.Received{{From: honest, Body: lie}} }},
	} {
		v := newVictim(t, peer.Options{}, honest)
		v.outage()
		v.lie = func(s peer.Send) []peer.Received {
			if s.All {
				return nil
			}
			return c.lie(s)
		}
		if v.wantNoLie(v.ask(q)); v.n.Stats().Unasked == 0 {
			t.Errorf("%s: not counted", c.name)
		}
	}
	v := newVictim(t, peer.Options{}, honest)
	for i := range 10_000 {
		v.step(peer.Received{From: liar, ID: uint64(i), Body: lie})
	}
	if len(v.sent) > 0 || v.n.Kept().Entries > 0 {
		t.Errorf("unasked answers: %d sent, %d kept", len(v.sent), v.n.Kept().Entries)
	}
}

// TestLiesAgainstOwn: what the own name server has said is never replaced by a member's word
// that is not younger, and while the server answers no member's word is given at all.
func TestLiesAgainstOwn(t *testing.T) {
	q := question("www.example.com")
	v := newVictim(t, peer.Options{}, liar, me)
	v.lie = answering(func(a *packet.Ask, r *packet.Record) { r.Age = 0 })
	put := func(age time.Duration) {
		v.step(peer.Received{From: liar, Body: &packet.Put{Records: []*packet.Record{{Origin: liar, Net: 7, Age: age, Msg: reply(q, 3600, lieAddr)}}}})
	}
	put(0)
	for range 100 {
		v.wantNoLie(v.ask(q))
		put(0)
		v.run(30 * time.Second)
	}
	v.outage()
	put(v.now)
	if r := v.ask(q); r.By != peer.ByStale && r.By != peer.ByCache {
		t.Errorf("by %v", r.By)
	}
	v.wantNoLie(v.ask(q))
}
