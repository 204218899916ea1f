package peer_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer"
	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// The members of the tests with liars: the node itself, a liar, and one more that is honest
// or silent.
var (
	me     = packet.NodeID{1}
	liar   = packet.NodeID{2}
	honest = packet.NodeID{3}
)

// lieAddr is the address that lies lead to, trueAddr that of the truth.
const (
	lieAddr  = "203.0.113.66"
	trueAddr = "192.0.2.1"
)

// rigged is a ring whose owners of every name are given.
type rigged struct{ owners, helpers []packet.NodeID }

func (r *rigged) Self() packet.NodeID { return me }
func (r *rigged) Owners(_ rr.Name, n int, to []packet.NodeID) []packet.NodeID {
	return append(to, r.owners[:min(n, len(r.owners))]...)
}
func (r *rigged) Absent(_ rr.Name, _ int, to []packet.NodeID) []packet.NodeID { return to }
func (r *rigged) Helpers(_ rr.Name, n int, to []packet.NodeID) []packet.NodeID {
	return append(to, r.helpers[:min(n, len(r.helpers))]...)
}
func (r *rigged) Wait(packet.NodeID) time.Duration { return 5 * time.Millisecond }
func (r *rigged) Silent(packet.NodeID)             {}
func (r *rigged) Size() int                        { return 3 }
func (r *rigged) Change() uint64                   { return 1 }
func (r *rigged) Born(packet.NodeID) time.Duration { return 0 }

// A victim is a node among liars, with a clock and name servers of the test's own.
type victim struct {
	t       *testing.T
	n       *peer.Node
	now     time.Duration
	ids     uint64
	replies map[uint64]peer.Reply
	sent    []peer.Send
	fetched int
	up      bool // the name server answers, with trueAddr
	lie     func(peer.Send) []peer.Received
	verdict func(peer.Validate) peer.Validated
}

func newVictim(t *testing.T, o peer.Options, owners ...packet.NodeID) *victim {
	o.Ring = &rigged{owners: owners}
	o.Rand = rand.New(rand.NewPCG(1, 2))
	v := &victim{t: t, now: time.Hour, replies: map[uint64]peer.Reply{}, up: true}
	v.n = peer.New(v.now, o)
	v.step(peer.Network{Net: 7, Servers: 1})
	return v
}

// step gives the node an event and does what it wants.
func (v *victim) step(ev peer.Event) {
	for _, a := range v.n.Step(v.now, ev) {
		switch a := a.(type) {
		case peer.Reply:
			v.replies[a.ID] = a
		case peer.Fetch:
			v.fetched++
			if v.up {
				v.step(peer.Fetched{Req: a.Req, Msg: reply(a.Question, 60, trueAddr)})
			} else {
				v.step(peer.Fetched{Req: a.Req, Failure: peer.Unreachable})
			}
		case peer.Send:
			v.sent = append(v.sent, a)
			if v.lie != nil {
				for _, r := range v.lie(a) {
					v.step(r)
				}
			}
		case peer.Validate:
			v.step(v.verdict(a))
		}
	}
}

// run lets time pass.
func (v *victim) run(d time.Duration) {
	for end := v.now + d; ; {
		next := max(v.now, v.n.Next())
		if next > end {
			v.now = end
			return
		}
		v.now = next
		v.step(peer.Tick{})
	}
}

// ask is a client's question, and the reply within so many seconds.
func (v *victim) ask(q peer.Question) peer.Reply {
	v.t.Helper()
	v.ids++
	id := v.ids
	v.step(peer.Query{ID: id, Question: q})
	v.run(3 * time.Second)
	r, ok := v.replies[id]
	if !ok {
		v.t.Fatalf("no reply to %v", q)
	}
	return r
}

// outage has the name server fail until the node has noticed.
func (v *victim) outage() {
	v.up = false
	for i := range 3 {
		v.ask(question(fmt.Sprintf("outage%d.example", i)))
	}
	if state, _ := v.n.Upstream(); state != packet.Down {
		v.t.Fatalf("the name server is %v", state)
	}
}

func question(name string) peer.Question {
	return peer.Question{Name: rr.MustName(name), Type: dns.TypeA}
}

// message makes a response with records in their presentation form.
func message(q peer.Question, rcode int, records ...string) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(q.Name.FQDN(), q.Type)
	m.Response, m.RecursionAvailable, m.Rcode = true, true, rcode
	for _, text := range records {
		r, err := dns.NewRR(text)
		if err != nil {
			panic(err)
		}
		m.Answer = append(m.Answer, r)
	}
	return m
}

func packed(m *dns.Msg) []byte {
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

// reply is a response with one address.
func reply(q peer.Question, ttl int, addr string) []byte {
	return packed(message(q, 0, fmt.Sprintf("%s %d A %s", q.Name.FQDN(), ttl, addr)))
}

// said gives the addresses of a reply.
func said(r peer.Reply) (addrs []string) {
	m := new(dns.Msg)
	if r.Msg == nil || m.Unpack(r.Msg) != nil {
		return nil
	}
	for _, rr := range m.Answer {
		if a, ok := rr.(*dns.A); ok {
			addrs = append(addrs, a.A.String())
		}
	}
	return addrs
}

func (v *victim) wantNoLie(r peer.Reply) {
	v.t.Helper()
	if slices.Contains(said(r), lieAddr) {
		v.t.Errorf("a lie is answered, by %v: %s", r.By, r.Text)
	}
}

// answering has the liar answer every Ask that it gets with a record made for it.
func answering(make func(a *packet.Ask, r *packet.Record)) func(peer.Send) []peer.Received {
	return func(s peer.Send) []peer.Received {
		a, ok := s.Body.(*packet.Ask)
		if !ok || s.To != liar && !s.All {
			return nil
		}
		q := peer.Question{Name: a.Name, Type: a.Type}
		r := &packet.Record{Origin: liar, Net: a.Net, Age: time.Second, Msg: reply(q, 60, lieAddr)}
		make(a, r)
		return []peer.Received{{From: liar, ID: s.ID, Body: &packet.Answer{Record: r}}}
	}
}
