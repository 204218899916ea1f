package peer_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer"
	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// The members of the tests of this file: the node itself, a liar, and one more that is
// honest or silent.
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
func (r *rigged) Helpers(_ rr.Name, n int, to []packet.NodeID) []packet.NodeID {
	return append(to, r.helpers[:min(n, len(r.helpers))]...)
}
func (r *rigged) Wait(packet.NodeID) time.Duration { return 5 * time.Millisecond }
func (r *rigged) Silent(packet.NodeID)             {}
func (r *rigged) Size() int                        { return 3 }
func (r *rigged) Change() uint64                   { return 1 }

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
		{"of last week", false, func(a *packet.Ask, r *packet.Record) { r.Age = 7 * 24 * time.Hour }},
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

// TestPutsOfLiars: an owner keeps nothing that its sender did not have itself, that is
// wrong in form, or that is not its to keep.
func TestPutsOfLiars(t *testing.T) {
	q := question("www.example.com")
	for _, c := range []struct {
		name  string
		owner packet.NodeID
		kept  int
		make  func(r *packet.Record)
	}{
		{"as it should be", me, 1, func(r *packet.Record) {}},
		{"to one who is no owner", honest, 0, func(r *packet.Record) {}},
		{"of another origin", me, 0, func(r *packet.Record) { r.Origin = honest }},
		{"of the receiver's origin", me, 0, func(r *packet.Record) { r.Origin = me }},
		{"of another network", me, 0, func(r *packet.Record) { r.Net = 8 }},
		{"private", me, 0, func(r *packet.Record) { r.Msg = reply(q, 60, "10.0.0.1") }},
		{"a secret name", me, 0, func(r *packet.Record) { r.Msg = reply(question("printer.local"), 60, lieAddr) }},
		{"an error", me, 0, func(r *packet.Record) { r.Msg = packed(message(q, dns.RcodeServerFailure)) }},
		{"nothing without a zone", me, 0, func(r *packet.Record) { r.Msg = packed(message(q, dns.RcodeNameError)) }},
		{"a referral", me, 0, func(r *packet.Record) {
			m := message(q, 0)
			m.Ns = message(q, 0, "example.com. 60 NS ns.example.com.").Answer
			r.Msg = packed(m)
		}},
	} {
		v := newVictim(t, peer.Options{}, c.owner)
		r := &packet.Record{Origin: liar, Net: 7, State: packet.Secure, Msg: reply(q, 60, lieAddr)}
		c.make(r)
		v.step(peer.Received{From: liar, Body: &packet.Put{Records: []*packet.Record{r}}})
		v.run(time.Second)
		if got := v.n.Kept().Entries; got != c.kept {
			t.Errorf("%s: %d kept", c.name, got)
		}
		if len(v.sent) > 0 {
			t.Errorf("%s: sends %+v", c.name, v.sent)
		}
	}
}

// TestPutFlood: a member that gives more than there is room for pushes out nothing that the
// own clients asked for, and memory stays flat.
func TestPutFlood(t *testing.T) {
	const entries, own, flood = 2000, 900, 30_000
	v := newVictim(t, peer.Options{Entries: entries}, me)
	for i := range own {
		v.ids++
		v.step(peer.Query{ID: v.ids, Question: question(fmt.Sprintf("own%d.example", i))})
	}
	fill := func(from packet.NodeID, first, n int) {
		for i := range n {
			q := question(fmt.Sprintf("foreign%d.example", first+i))
			v.step(peer.Received{From: from, Body: &packet.Put{Records: []*packet.Record{{Origin: from, Net: 7, Msg: reply(q, 86400, lieAddr)}}}})
		}
	}
	fill(liar, 0, flood/10)
	before := heap()
	fill(liar, flood/10, flood)
	grown := int64(heap()) - int64(before)
	kept := v.n.Kept()
	t.Logf("%d kept of %d, %d own, %d owned; memory %+d kB", kept.Entries, flood, kept.Own, kept.Owned, grown>>10)
	if kept.Entries > entries || kept.Own != own || grown > 4<<20 {
		t.Errorf("%d entries, %d own, memory %+d", kept.Entries, kept.Own, grown)
	}
	for i := range own {
		v.ids++
		v.step(peer.Query{ID: v.ids, Question: question(fmt.Sprintf("own%d.example", i))})
		if r := v.replies[v.ids]; r.By != peer.ByCache {
			t.Fatalf("own name %d by %v", i, r.By)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestResolveFlood: members get 20 lookups a second each and 50 all together, a Busy for the
// rest, and own clients theirs as ever; no Ask makes another.
func TestResolveFlood(t *testing.T) {
	for _, liars := range []int{1, 10} {
		v := newVictim(t, peer.Options{}, me)
		const seconds, perSecond = 10, 500
		answers := 0
		for i := range seconds * perSecond {
			v.now += time.Second / perSecond
			from := packet.NodeID{9, byte(i % liars)}
			v.step(peer.Received{From: from, ID: uint64(i), Body: &packet.Ask{Name: rr.MustName(fmt.Sprintf("n%d.example", i)), Type: dns.TypeA, Resolve: true, Deadline: time.Second, Net: 7}})
			v.run(0)
		}
		for _, s := range v.sent {
			switch s.Body.(type) {
			case *packet.Ask:
				t.Fatalf("an Ask made an Ask")
			case *packet.Answer:
				answers++
			}
		}
		most := min(20*liars, 50) * (seconds + 1)
		t.Logf("%d members: %d lookups, %d answers", liars, v.fetched, answers)
		if v.fetched > most || answers > seconds*perSecond {
			t.Errorf("%d lookups, want at most %d; %d answers", v.fetched, most, answers)
		}
		if r := v.ask(question("own.example")); r.By != peer.ByUpstream {
			t.Errorf("own lookup by %v", r.By)
		}
	}
}

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

// TestLiesOfState: that something is secure is never believed of a member, and what the own
// validation refuses is neither answered nor kept nor told.
func TestLiesOfState(t *testing.T) {
	q := question("www.example.com")
	for _, c := range []struct {
		name   string
		own    peer.Validated
		msg    bool
		secure bool
	}{
		{"bogus", peer.Validated{Bogus: true}, false, false},
		{"insecure", peer.Validated{State: packet.Insecure}, true, false},
		{"unknown", peer.Validated{State: packet.Unknown}, true, false},
		{"secure", peer.Validated{State: packet.Secure}, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newVictim(t, peer.Options{Validate: true}, liar, me)
			v.verdict = func(a peer.Validate) peer.Validated {
				ev := c.own
				ev.Req = a.Req
				return ev
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
