package peer

import (
	"crypto/ed25519"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// TestLiars: what a member can do that has the key and lies.
func TestLiars(t *testing.T) {
	w := newWorld(t, 2, options{names: liarNames})
	l := newLiar(w)
	l.join()
	for _, m := range w.members {
		for i := range 20 {
			m.has(i)
		}
	}
	t.Run("floods", func(t *testing.T) { w.t = t; l.floods() })
	w.unbound.Pause()
	for _, m := range w.members {
		m.has(0)
	}
	w.upstreamIs("down")
	t.Run("lies", func(t *testing.T) { w.t = t; l.lies() })
	w.unbound.Resume()
	w.upstreamIs("healthy")
	t.Run("no lie lasts", func(t *testing.T) {
		w.t = t
		for _, m := range w.members {
			for i := firstLie; i < firstLie+60; i++ {
				m.has(i)
			}
		}
	})
}

// floods asks and gives as fast as it can, and looks at what the members do about it.
func (l *liar) floods() {
	t, sizes := l.w.t, sizes(l.w.t, l.w)
	for _, c := range []struct {
		name string
		body func(i int) packet.Body
		most int // answers of a member in a second; one more second's worth may come at once
	}{
		{"lookups", func(i int) packet.Body {
			return &packet.Ask{Name: rr.MustName(fmt.Sprintf("x%d.lan.example", i)), Type: dns.TypeA, Resolve: true, Deadline: time.Second, Net: l.net}
		}, 200},
		{"asks", func(i int) packet.Body {
			return &packet.Ask{Name: rr.MustName("n1.lan.example"), Type: dns.TypeA, Net: l.net}
		}, 200},
		{"puts", func(i int) packet.Body {
			r := &packet.Record{Origin: packet.NodeIDOf(l.key.Public().(ed25519.PublicKey)), Net: l.net}
			r.Msg = lieMsg(dns.Question{Name: fmt.Sprintf("y%d.example.", i), Qtype: dns.TypeA, Qclass: dns.ClassINET}, 86400, lieAddr)
			return &packet.Put{Records: []*packet.Record{r}}
		}, 0},
	} {
		before, sent, began := l.answered.Load(), 0, time.Now()
		for time.Since(began) < 3*time.Second {
			l.each(func(id packet.NodeID, to netip.AddrPort) { l.say(to, id, uint64(sent), c.body(sent)) })
			if sent++; sent%20 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		time.Sleep(1200 * time.Millisecond) // the last answers
		got := int(l.answered.Load() - before)
		seconds := int(time.Since(began)/time.Second) + 1
		t.Logf("%s: %d sent to each, %d answers", c.name, sent, got)
		if most := len(l.w.members) * c.most * (seconds + 1); got > most {
			t.Errorf("%s: %d answers in %d s, want at most %d", c.name, got, seconds, most)
		}
		for _, m := range l.w.members {
			m.has(2)
		}
	}
	for i, m := range l.w.members {
		grown := memory(t, m) - sizes[i]
		t.Logf("%s has grown by %d kB", m.Name(), grown>>10)
		if grown > 16<<20 {
			t.Errorf("%s has grown by %d octets", m.Name(), grown)
		}
		out, _ := m.status("stats")
		t.Logf("%s:\n%s", m.Name(), out)
	}
}

// A lie is what a liar makes of a record for a question.
type lie func(a *packet.Ask, r *packet.Record)

// withinRules leads to another address, for as long as a TTL can say.
func withinRules(a *packet.Ask, r *packet.Record) {
	r.Msg = lieMsg(dnsQuestion(a), 1<<31-1, lieAddr)
}

// more puts an address into the answer that nobody asked for.
func more(a *packet.Ask, r *packet.Record) {
	m := new(dns.Msg)
	if m.Unpack(r.Msg) == nil {
		m.Extra = append(m.Extra, &dns.A{Hdr: dns.RR_Header{Name: "bank.example.", Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.ParseIP(lieAddr)})
		r.Msg, _ = m.Pack()
	}
}

// another answers another question.
func another(a *packet.Ask, r *packet.Record) {
	q := dnsQuestion(a)
	q.Name = "other.lan.example."
	r.Msg = lieMsg(q, 60, lieAddr)
}

// lies answers questions about names that nobody has asked for, while the name server is
// dead: within the rules it is believed for a while, and beyond them not at all; and who
// answers other questions than were asked is soon not asked any more.
func (l *liar) lies() {
	next := firstLie
	for _, c := range []struct {
		name string
		some bool // of them are believed; else none
		lie  lie
	}{
		{"within the rules", true, withinRules},
		{"a private address", false, func(a *packet.Ask, r *packet.Record) { r.Msg = lieMsg(dnsQuestion(a), 60, "192.168.0.1") }},
		{"another network", false, func(a *packet.Ask, r *packet.Record) { r.Net++ }},
		{"very old", false, func(a *packet.Ask, r *packet.Record) { r.Age = 30 * 24 * time.Hour }},
		{"another question", false, another},
		{"more than the answer", false, more},
	} {
		l.lie.Store(&c.lie)
		believed := 0
		for _, m := range l.w.members {
			for before := l.asked.Load(); l.asked.Load() < before+2; next++ {
				believed += l.deceives(m, next)
			}
		}
		l.w.t.Logf("%s: %d believed", c.name, believed)
		if (believed > 0) != c.some {
			l.w.t.Errorf("%s: %d believed", c.name, believed)
		}
	}
	l.foundOut(next)
	l.lie.Store(nil)
}

// foundOut has a member that was lied to ask on, from a name on, until the liar is not asked
// any more.
func (l *liar) foundOut(next int) {
	m := l.w.members[0]
	for range 30 {
		l.deceives(m, next)
		next++
	}
	before := l.asked.Load()
	for range 30 {
		l.deceives(m, next)
		next++
	}
	if n := l.asked.Load() - before; n > 0 {
		l.w.t.Errorf("%s asks the liar %d times after all that", m.Name(), n)
	}
}

// TestOneLiarOfTwo: where two members must agree, one that lies is not believed in anything.
func TestOneLiarOfTwo(t *testing.T) {
	w := newWorld(t, 2, options{names: liarNames, args: []string{"-agree", "2"}})
	l := newLiar(w)
	l.join()
	w.unbound.Pause()
	for _, m := range w.members {
		if _, err := m.ask(name(0), dns.TypeA); err != nil {
			t.Error(err)
		}
	}
	w.upstreamIs("down")
	lie := lie(withinRules)
	l.lie.Store(&lie)
	next, believed := firstLie, 0
	for _, m := range w.members {
		for before := l.asked.Load(); l.asked.Load() < before+20; next++ {
			believed += l.deceives(m, next)
		}
	}
	t.Logf("%d questions to the liar, %d answers believed", l.asked.Load(), believed)
	if believed > 0 {
		t.Errorf("%d lies are believed", believed)
	}
}

// deceives has a member's client ask for a name that only the liar can know, and counts 1 if
// it gets an answer. No lie may be good for longer than 300 s.
func (l *liar) deceives(m *member, i int) int {
	l.w.t.Helper()
	if i >= liarNames {
		l.w.t.Fatal("the liar is not asked")
	}
	a, err := m.ask(name(i), dns.TypeA)
	if err != nil {
		l.w.t.Fatal(err)
	}
	if len(a.Answer) == 0 {
		return 0
	}
	if ttl := a.Answer[0].Header().Ttl; ttl > 300 {
		l.w.t.Errorf("%s: a lie is good for %d s", m.Name(), ttl)
	}
	return 1
}
