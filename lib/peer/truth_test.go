package peer

import (
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer/packet"
)

// agreeRig is a node of seven that wants two to agree, its servers down, asking for a
// name it does not own.
func agreeRig(t *testing.T) (*rig, Question, []Send) {
	ring := ringOf(0, 7)
	g := newRig(t, Options{Ring: ring, Agree: 2})
	q := strange(t, ring)
	g.down()
	g.ask(q)
	asks := g.asks()
	if len(asks) != 2 {
		t.Fatalf("asks %+v", asks)
	}
	return g, q, asks
}

// others gives members that are not among the owners asked.
func outsiders(asks []Send) (out []packet.NodeID) {
	for k := 1; k < 7; k++ {
		if id(k) != asks[0].To && id(k) != asks[1].To {
			out = append(out, id(k))
		}
	}
	return out
}

// One liar who gave his lie to both owners, is an owner himself, or names others as the
// origin, is never believed (S2).
func TestOneLiarIsNotEnough(t *testing.T) {
	lie := "198.51.100.66"
	for name, say := range map[string]func(*rig, Question, []Send) packet.NodeID{
		"both owners have his word": func(g *rig, q Question, asks []Send) packet.NodeID {
			liar := outsiders(asks)[0]
			g.have(asks[0], asks[0].To, liar, 0, response(q, 60, lie))
			g.have(asks[1], asks[1].To, liar, 0, response(q, 60, lie))
			return liar
		},
		"he is an owner and forges the origin": func(g *rig, q Question, asks []Send) packet.NodeID {
			g.have(asks[0], asks[0].To, outsiders(asks)[0], 0, response(q, 60, lie))
			g.have(asks[1], asks[1].To, asks[0].To, 0, response(q, 60, lie))
			return asks[0].To
		},
		"he answers for another": func(g *rig, q Question, asks []Send) packet.NodeID {
			g.have(asks[0], asks[0].To, asks[0].To, 0, response(q, 60, lie))
			g.have(asks[1], asks[0].To, asks[1].To, 0, response(q, 60, lie))
			return asks[0].To
		},
		"he answers twice": func(g *rig, q Question, asks []Send) packet.NodeID {
			g.have(asks[0], asks[0].To, asks[0].To, 0, response(q, 60, lie))
			g.have(asks[0], asks[0].To, asks[1].To, 0, response(q, 60, lie))
			return asks[0].To
		},
	} {
		t.Run(name, func(t *testing.T) {
			g, q, asks := agreeRig(t)
			liar := say(g, q, asks)
			// To the call to all he answers too, as often as he likes.
			g.wait(12 * time.Millisecond)
			for _, s := range g.asks() {
				if s.All {
					for range 3 {
						g.have(s, liar, id(6), 0, response(q, 60, lie))
					}
				}
			}
			g.wait(time.Second)
			if r := g.reply(); r.Msg != nil {
				t.Fatalf("believed: %+v", r)
			}
		})
	}
}

// Two members who had it at first hand are believed, and so is what the own name
// servers said before.
func TestTwoAreEnough(t *testing.T) {
	g, q, asks := agreeRig(t)
	who := outsiders(asks)
	g.have(asks[0], asks[0].To, who[0], 0, response(q, 60, "192.0.2.1"))
	g.silent()
	g.have(asks[1], asks[1].To, who[1], 0, response(q, 60, "192.0.2.2", "192.0.2.1"))
	if r := g.reply(); r.By != ByOwner {
		t.Fatalf("reply %+v", r)
	}

	ring := ringOf(0, 7)
	g = newRig(t, Options{Ring: ring, Agree: 2})
	q = strange(t, ring)
	g.learn(q, 60, "192.0.2.1")
	g.wait(time.Hour)
	g.down()
	g.ask(q)
	asks = g.asks()
	g.have(asks[0], asks[0].To, asks[0].To, time.Minute, response(q, 60, "192.0.2.1"))
	g.have(asks[1], asks[1].To, asks[1].To, 0, response(q, 60, "198.51.100.66"))
	if r := g.reply(); address(t, r) != "192.0.2.1" || r.Age != time.Minute {
		t.Fatalf("reply %+v", r)
	}
}

// Each rule for data without a proof.
func TestRules(t *testing.T) {
	q := a("www.example")
	for name, c := range map[string]struct {
		record packet.Record
		want   error
	}{
		"good":             {packet.Record{Origin: id(3), Net: 7, Msg: response(q, 60, "192.0.2.1")}, nil},
		"another network":  {packet.Record{Origin: id(3), Net: 8, Msg: response(q, 60, "192.0.2.1")}, errNet},
		"another question": {packet.Record{Origin: id(3), Net: 7, Msg: response(a("ftp.example"), 60, "192.0.2.1")}, errAnother},
		"another type":     {packet.Record{Origin: id(3), Net: 7, Msg: response(Question{Name: q.Name, Type: 28}, 60)}, errAnother},
		"an error":         {packet.Record{Origin: id(3), Net: 7, Msg: failed(q, 2)}, errKind},
		"private":          {packet.Record{Origin: id(3), Net: 7, Msg: response(q, 60, "192.168.1.1")}, errPrivate},
		"a secret alias":   {packet.Record{Origin: id(3), Net: 7, Msg: alias(q, 60, "x.local.", "192.0.2.1")}, errPrivate},
		"more in it":       {packet.Record{Origin: id(3), Net: 7, Msg: extra(q)}, errExtra},
		"no origin":        {packet.Record{Net: 7, Msg: response(q, 60, "192.0.2.1")}, errHand},
		"too old":          {packet.Record{Origin: id(3), Age: 169 * time.Hour, Net: 7, Msg: response(q, 60, "192.0.2.1")}, errTooOld},
		"long TTL, old":    {packet.Record{Origin: id(3), Age: 166 * time.Hour, Net: 7, Msg: response(q, 1<<31-1, "192.0.2.1")}, nil},
	} {
		g := newRig(t, Options{Ring: ringOf(0, 5)})
		if _, err := g.n.judge(q, id(3), &c.record, 0); err != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// extra is an answer with a record of another name beside it.
func extra(q Question) []byte {
	var m dns.Msg
	if err := m.Unpack(response(q, 60, "192.0.2.1")); err != nil {
		panic(err)
	}
	m.Answer = append(m.Answer, &dns.A{
		Hdr: dns.RR_Header{Name: "bank.example.", Rrtype: dns.TypeA, Class: 1, Ttl: 60}, A: []byte{198, 51, 100, 66},
	})
	return pack(&m)
}

// A private address is believed if the own name servers have said it too; and nothing
// takes the place of what they said not before it (I6).
func TestOwnHistory(t *testing.T) {
	ring := ringOf(0, 5)
	g := newRig(t, Options{Ring: ring})
	q := strange(t, ring)
	g.learn(q, 60, "10.1.2.3")
	g.wait(time.Hour)
	young := packet.Record{Origin: id(3), Age: time.Minute, Net: 7, Msg: response(q, 60, "10.1.2.3")}
	if _, err := g.n.judge(q, id(3), &young, 0); err != nil {
		t.Errorf("what is known: %v", err)
	}
	old := packet.Record{Origin: id(3), Age: time.Hour, Net: 7, Msg: response(q, 60, "10.1.2.3")}
	if _, err := g.n.judge(q, id(3), &old, 0); err != errKnown {
		t.Errorf("what is not younger: %v", err)
	}
}

// With the own validation on, nothing of members is given before it has spoken; it may
// take longer than the owners' budget.
func TestMembersAreValidated(t *testing.T) {
	ring := ringOf(0, 5)
	g := newRig(t, Options{Ring: ring, Validate: true})
	q := strange(t, ring)
	g.down()
	g.ask(q)
	q.DO = true
	asks := g.asks()
	if !asks[0].Body.(*packet.Ask).DO {
		t.Fatalf("asked without DO")
	}
	g.have(asks[0], asks[0].To, id(3), 0, response(q, 60, "198.51.100.66"))
	g.have(asks[1], asks[1].To, id(4), 0, response(q, 60, "192.0.2.1"))
	g.wait(100 * time.Millisecond)
	g.silent()
	if len(g.checks) != 2 {
		t.Fatalf("checks %+v", g.checks)
	}
	g.step(Validated{Req: g.checks[0].Req, Verdict: Verdict{Bogus: true}})
	g.silent()
	g.step(Validated{Req: g.checks[1].Req, Verdict: stated(packet.Secure)})
	if r := g.reply(); address(t, r) != "192.0.2.1" || !r.Secure {
		t.Fatalf("reply %+v", r)
	}
	if g.n.Stats().Refused != 1 {
		t.Fatalf("stats %+v", g.n.Stats())
	}
}

// A name that was signed stays signed: an unsigned answer of a member is refused, even
// if the own validation cannot tell.
func TestSignaturesDoNotGo(t *testing.T) {
	ring := ringOf(0, 5)
	g := newRig(t, Options{Ring: ring, Validate: true})
	q := strange(t, ring)
	g.ask(q)
	f := g.fetch()
	g.step(Fetched{Req: f.Req, Msg: response(f.Question, 60, "192.0.2.1"), Verdict: stated(packet.Secure)})
	g.reply()
	g.wait(time.Hour)
	g.down()
	g.ask(q)
	asks := g.asks()
	g.have(asks[0], asks[0].To, id(3), 0, response(f.Question, 60, "198.51.100.66"))
	g.step(Validated{Req: g.checks[0].Req, Verdict: stated(packet.Unknown)})
	g.wait(time.Second)
	if r := g.reply(); address(t, r) != "192.0.2.1" || r.By != ByStale || r.Secure {
		t.Fatalf("reply %+v", r)
	}
}

// A member whose word has nothing in common with the name servers', again and again, is
// asked no more.
func TestAudit(t *testing.T) {
	ring := ringOf(0, 2)
	g := newRig(t, Options{Ring: ring})
	for round := 0; g.n.trusted(id(1)); round++ {
		if round > 2000 {
			t.Fatal("still trusted")
		}
		q := a("n" + string(rune('a'+round%26)) + string(rune('a'+round/26%26)) + string(rune('a'+round/676)) + ".example")
		g.ask(q)
		g.sends = nil
		g.wait(maxHedge) // the server is slow: the owner is asked
		for _, s := range g.asks() {
			g.have(s, s.To, s.To, 0, response(q, 60, "198.51.100.66"))
		}
		for range 4 {
			for _, f := range append(g.fetches, g.probes...) {
				g.step(Fetched{Req: f.Req, Msg: response(f.Question, 1, "192.0.2.1")})
			}
			g.fetches, g.probes = nil, nil
			g.wait(500 * time.Millisecond)
		}
	}
	if s := g.n.Stats(); s.Lies == 0 || s.Lies != s.Audits {
		t.Fatalf("stats %+v", s)
	}
	g.sends = nil
	g.ask(a("last.example"))
	g.wait(maxHedge)
	if asks := g.asks(); len(asks) != 0 {
		t.Fatalf("asked still: %+v", asks)
	}
	// It is not for ever.
	g.fetches, g.probes = nil, nil
	g.step(Network{Net: 7, Servers: 1})
	g.wait(12 * time.Hour)
	if !g.n.trusted(id(1)) {
		t.Fatalf("not trusted half a day later: %v", g.n.Trust(id(1)))
	}
}
