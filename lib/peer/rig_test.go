package peer

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// response makes a server's answer: addresses, or that the name does not exist.
func response(q Question, ttl int, addrs ...string) []byte {
	m := new(dns.Msg)
	m.SetQuestion(q.Name.FQDN(), q.Type)
	m.Response, m.RecursionAvailable = true, true
	if q.DO {
		m.SetEdns0(1232, true)
	}
	for _, a := range addrs {
		ip := netip.MustParseAddr(a)
		m.Answer = append(m.Answer, &dns.A{
			Hdr: dns.RR_Header{Name: q.Name.FQDN(), Rrtype: dns.TypeA, Class: 1, Ttl: uint32(ttl)}, A: ip.AsSlice(),
		})
	}
	if len(addrs) == 0 {
		m.Rcode = dns.RcodeNameError
		m.Ns = append(m.Ns, &dns.SOA{
			Hdr: dns.RR_Header{Name: "example.", Rrtype: dns.TypeSOA, Class: 1, Ttl: uint32(ttl)},
			Ns:  "ns.example.", Mbox: "m.example.", Serial: 1, Refresh: 1, Retry: 1, Expire: 1, Minttl: uint32(ttl),
		})
	}
	return pack(m)
}

// alias makes an answer that is an alias of another name with an address.
func alias(q Question, ttl int, target, addr string) []byte {
	m := new(dns.Msg)
	m.SetQuestion(q.Name.FQDN(), q.Type)
	m.Response = true
	m.Answer = []dns.RR{
		&dns.CNAME{Hdr: dns.RR_Header{Name: q.Name.FQDN(), Rrtype: dns.TypeCNAME, Class: 1, Ttl: uint32(ttl)}, Target: target},
		&dns.A{Hdr: dns.RR_Header{Name: target, Rrtype: dns.TypeA, Class: 1, Ttl: uint32(ttl)}, A: netip.MustParseAddr(addr).AsSlice()},
	}
	return pack(m)
}

func pack(m *dns.Msg) []byte {
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

// failed makes an answer that is an error.
func failed(q Question, rcode int) []byte {
	m := new(dns.Msg)
	m.SetQuestion(q.Name.FQDN(), q.Type)
	m.Response, m.Rcode = true, rcode
	return pack(m)
}

// address gives the first address of a reply.
func address(t testing.TB, r Reply) string {
	t.Helper()
	m := new(dns.Msg)
	if r.Msg == nil || m.Unpack(r.Msg) != nil {
		t.Fatalf("reply without a message: %+v", r)
	}
	for _, rr := range m.Answer {
		if a, ok := rr.(*dns.A); ok {
			return a.A.String()
		}
	}
	return ""
}

func a(name string) Question { return Question{Name: rr.MustName(name), Type: typeA} }

func id(k int) (out packet.NodeID) {
	binary.BigEndian.PutUint64(out[:], uint64(k)+1)
	return out
}

// stated is a verdict without bounds.
func stated(s packet.State) Verdict { return Verdict{Verdict: keep.Verdict{State: s}} }

// fakeRing is a ring of nodes with hashed ranks, of which some are known to live.
type fakeRing struct {
	self    packet.NodeID
	all     []packet.NodeID
	helpers []packet.NodeID
	silent  map[packet.NodeID]int
	change  uint64
	born    map[packet.NodeID]time.Duration
}

func ringOf(self, nodes int) *fakeRing {
	r := &fakeRing{self: id(self), silent: map[packet.NodeID]int{}}
	for k := range nodes {
		r.all = append(r.all, id(k))
	}
	return r
}

func ranked(name rr.Name, ids []packet.NodeID, n int, to []packet.NodeID) []packet.NodeID {
	score := func(id packet.NodeID) uint64 {
		h := fnv.New64a()
		h.Write([]byte(name))
		h.Write(id[:])
		x := h.Sum64()
		x ^= x >> 31
		x *= 0x9E3779B97F4A7C15
		return x ^ x>>29
	}
	sorted := slices.Clone(ids)
	slices.SortFunc(sorted, func(a, b packet.NodeID) int { return cmp.Compare(score(b), score(a)) })
	return append(to, sorted[:min(n, len(sorted))]...)
}

func (r *fakeRing) Self() packet.NodeID { return r.self }
func (r *fakeRing) Owners(name rr.Name, n int, to []packet.NodeID) []packet.NodeID {
	live := slices.DeleteFunc(slices.Clone(r.all), func(id packet.NodeID) bool { return r.silent[id] > 1 })
	return ranked(name, live, n, to)
}
func (r *fakeRing) Absent(name rr.Name, n int, to []packet.NodeID) []packet.NodeID {
	best := ranked(name, r.all, n, nil)
	return append(to, slices.DeleteFunc(best, func(id packet.NodeID) bool { return r.silent[id] < 2 })...)
}
func (r *fakeRing) Helpers(name rr.Name, n int, to []packet.NodeID) []packet.NodeID {
	return ranked(name, r.helpers, n, to)
}
func (r *fakeRing) Wait(packet.NodeID) time.Duration    { return 8 * time.Millisecond }
func (r *fakeRing) Silent(id packet.NodeID)             { r.silent[id]++ }
func (r *fakeRing) Size() int                           { return len(r.all) }
func (r *fakeRing) Change() uint64                      { return r.change }
func (r *fakeRing) Born(id packet.NodeID) time.Duration { return r.born[id] }

// A rig is one node whose every action a test sees and answers.
type rig struct {
	t       testing.TB
	n       *Node
	now     time.Duration
	ids     uint64
	all     []Action
	replies []Reply
	fetches []Fetch // not yet answered, without probes
	probes  []Fetch
	roots   []Iterate
	checks  []Validate
	sends   []Send
}

func newRig(t testing.TB, o Options) *rig {
	if o.Rand == nil {
		o.Rand = rand.New(rand.NewPCG(1, 2))
	}
	g := &rig{t: t, now: time.Hour}
	g.n = New(g.now, o)
	g.step(Network{Net: 7, Servers: 1})
	return g
}

func (g *rig) step(ev Event) {
	for _, a := range g.n.Step(g.now, ev) {
		g.all = append(g.all, a)
		switch a := a.(type) {
		case Reply:
			g.replies = append(g.replies, a)
		case Fetch:
			if a.Probe {
				g.probes = append(g.probes, a)
			} else {
				g.fetches = append(g.fetches, a)
			}
		case Iterate:
			g.roots = append(g.roots, a)
		case Validate:
			g.checks = append(g.checks, a)
		case Send:
			g.sends = append(g.sends, a)
		}
	}
}

// wait lets time pass.
func (g *rig) wait(d time.Duration) {
	end := g.now + d
	for g.n.Next() <= end {
		g.now = max(g.now, g.n.Next())
		g.step(Tick{})
	}
	g.now = end
	g.step(Tick{})
}

func (g *rig) ask(q Question) uint64 {
	g.ids++
	g.step(Query{ID: g.ids, Question: q})
	return g.ids
}

// reply gives the only reply since the last call.
func (g *rig) reply() Reply {
	g.t.Helper()
	if len(g.replies) != 1 {
		g.t.Fatalf("%d replies, want 1: %+v", len(g.replies), g.replies)
	}
	r := g.replies[0]
	g.replies = nil
	return r
}

func (g *rig) silent() {
	g.t.Helper()
	if len(g.replies) != 0 {
		g.t.Fatalf("there are replies: %+v", g.replies)
	}
}

// fetch gives the only open question to a server.
func (g *rig) fetch() Fetch {
	g.t.Helper()
	if len(g.fetches) != 1 {
		g.t.Fatalf("%d fetches, want 1: %+v", len(g.fetches), g.fetches)
	}
	f := g.fetches[0]
	g.fetches = nil
	return f
}

// learn has the node ask and get an answer from its server.
func (g *rig) learn(q Question, ttl int, addrs ...string) {
	g.t.Helper()
	g.ask(q)
	g.step(Fetched{Req: g.fetch().Req, Msg: response(q, ttl, addrs...)})
	g.reply()
}

// down makes the server unreachable.
func (g *rig) down() {
	g.t.Helper()
	g.ask(a("down.example"))
	for range 4 {
		f, p := g.fetches, g.probes
		g.fetches, g.probes = nil, nil
		for _, x := range append(f, p...) {
			g.step(Fetched{Req: x.Req, Failure: Unreachable})
		}
		for _, s := range g.asks() {
			if !s.All {
				g.miss(s)
			}
		}
	}
	g.wait(owedWithin + 50*time.Millisecond)
	if s, _ := g.n.Upstream(); s != packet.Down {
		g.t.Fatalf("the server is %s, want down", s)
	}
	g.replies, g.sends, g.fetches, g.probes, g.roots = nil, nil, nil, nil, nil
	g.n.pulsed = g.now // no client's question is a probe in the next second
}

// asks gives the Asks sent since the last call, calls to all among them.
func (g *rig) asks() (out []Send) {
	for _, s := range g.sends {
		if _, ok := s.Body.(*packet.Ask); ok {
			out = append(out, s)
		}
	}
	g.sends = nil
	return out
}

// have answers an Ask with a record.
func (g *rig) have(s Send, from packet.NodeID, origin packet.NodeID, age time.Duration, msg []byte) {
	g.step(Received{From: from, ID: s.ID, Body: &packet.Answer{Outcome: packet.Have, Record: &packet.Record{
		Origin: origin, Age: age, Net: 7, Msg: msg,
	}}})
}

func (g *rig) miss(s Send) {
	g.step(Received{From: s.To, ID: s.ID, Body: &packet.Answer{Outcome: packet.Miss}})
}
