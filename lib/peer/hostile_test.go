package peer_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer"
	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// TestAgreeAgainstOneLiar: where two must agree one liar is never believed, whoever else it
// says to have it from, and in whatever ways it is asked.
func TestAgreeAgainstOneLiar(t *testing.T) {
	q := question("www.example.com")
	for _, c := range []struct {
		name   string
		owners []packet.NodeID
		origin packet.NodeID
	}{
		{"the only owner", []packet.NodeID{liar}, liar},
		{"one of two", []packet.NodeID{liar, honest}, liar},
		{"in the name of the other", []packet.NodeID{liar, honest}, honest},
		{"in the name of this node", []packet.NodeID{liar, honest}, me},
		{"beside this node", []packet.NodeID{me, liar}, liar},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newVictim(t, peer.Options{Agree: 2}, c.owners...)
			for _, origin := range []packet.NodeID{liar, honest, me} { // into this node's own store
				v.step(peer.Received{From: liar, Body: &packet.Put{Records: []*packet.Record{{Origin: origin, Net: 7, Msg: reply(q, 600, lieAddr)}}}})
			}
			v.outage()
			v.lie = func(s peer.Send) []peer.Received {
				twice := answering(func(a *packet.Ask, r *packet.Record) { r.Origin = c.origin })(s)
				return append(twice, twice...)
			}
			for range 5 {
				v.wantNoLie(v.ask(q))
				v.run(time.Minute)
			}
		})
	}
}

// stated is a verdict without bounds.
func stated(s packet.State) peer.Verdict { return peer.Verdict{Verdict: keep.Verdict{State: s}} }

// TestLiesOfState: that something is secure is never believed of a member, and what the own
// validation refuses is neither answered nor kept nor told.
func TestLiesOfState(t *testing.T) {
	q := question("www.example.com")
	for _, c := range []struct {
		name   string
		own    peer.Verdict
		msg    bool
		secure bool
	}{
		{"bogus", peer.Verdict{Bogus: true}, false, false},
		{"not to be judged", peer.Verdict{Bogus: true, Doubt: true}, false, false},
		{"insecure", stated(packet.Insecure), true, false},
		{"unknown", stated(packet.Unknown), true, false},
		{"secure", stated(packet.Secure), true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newVictim(t, peer.Options{Validate: true}, liar, me)
			v.verdict = func(a peer.Validate) peer.Validated {
				return peer.Validated{Req: a.Req, Verdict: c.own}
			}
			v.outage()
			v.lie = answering(func(a *packet.Ask, r *packet.Record) { r.State = packet.Secure })
			r := v.ask(q)
			if r.Secure != c.secure || (r.Msg != nil) != c.msg {
				t.Errorf("secure %v, answered %v", r.Secure, r.Msg != nil)
			}
			v.lie = nil
			v.sent = nil
			v.step(peer.Received{From: honest, ID: 5, Body: &packet.Ask{Name: q.Name, Type: q.Type, DO: true, Net: 7}})
			for _, s := range v.sent {
				if a, ok := s.Body.(*packet.Answer); ok && a.Record != nil && a.Record.State == packet.Secure && !c.secure {
					t.Error("told to others as secure")
				} else if ok && a.Record != nil && c.own.Bogus {
					t.Error("told to others though it is bogus")
				}
			}
		})
	}
}

// TestSecretsAreNotTold: whatever is asked for, names that are not to be shared are neither
// given away nor looked up for others, though this node has them.
func TestSecretsAreNotTold(t *testing.T) {
	v := newVictim(t, peer.Options{Secret: []rr.Name{rr.MustName("corp.example")}}, me, liar)
	names := []string{"printer.local", "host", "db.corp.example", "corp.example", "nas.home.arpa", "1.1.168.192.in-addr.arpa"}
	for _, name := range names {
		if r := v.ask(question(name)); r.By != peer.ByUpstream {
			t.Errorf("%s by %v", name, r.By)
		}
	}
	v.run(time.Minute)
	if len(v.sent) > 0 {
		t.Errorf("given away: %+v", v.sent)
	}
	fetched := v.fetched
	for _, name := range names {
		for _, a := range []packet.Ask{{}, {Resolve: true}, {Any: true}, {FreshOnly: true}} {
			a.Name, a.Type, a.Net = rr.MustName(name), dns.TypeA, 7
			v.step(peer.Received{From: liar, ID: 9, Body: &a})
			v.run(time.Second)
		}
	}
	for _, s := range v.sent {
		if a, ok := s.Body.(*packet.Answer); !ok || a.Record != nil {
			t.Errorf("given away: %+v", s.Body)
		}
	}
	if v.fetched != fetched {
		t.Errorf("%d looked up", v.fetched-fetched)
	}
}

// TestLiarIsFoundOut: what a member said in an outage is compared with the name server's
// word afterwards, and one who lied is not asked in the next.
func TestLiarIsFoundOut(t *testing.T) {
	v := newVictim(t, peer.Options{}, liar)
	v.outage()
	v.lie = answering(func(a *packet.Ask, r *packet.Record) {})
	lies := 0
	for i := range 400 {
		if r := v.ask(question(fmt.Sprintf("n%d.example", i))); slices.Contains(said(r), lieAddr) {
			lies++
		}
	}
	if lies < 100 {
		t.Fatalf("only %d lies were believed", lies)
	}
	v.up, v.lie = true, nil
	v.run(5 * time.Minute)
	if state, _ := v.n.Upstream(); state != packet.Healthy {
		t.Fatalf("the name server is %v", state)
	}
	t.Logf("%d lies believed, %d audits, trust %.2f", lies, v.n.Stats().Audits, v.n.Trust(liar))
	v.outage()
	v.sent = nil
	v.lie = answering(func(a *packet.Ask, r *packet.Record) {})
	v.wantNoLie(v.ask(question("next.example")))
	for _, s := range v.sent {
		if !s.All {
			t.Errorf("the liar is asked: %+v", s)
		}
	}
}
