package peer

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// maxDelay is the longest that a datagram is under way in a world.
const maxDelay = 3 * time.Millisecond

// A fact is what a name server once said; its serial number is in the address.
type fact struct {
	q    Question
	net  uint64
	ttl  time.Duration
	born time.Duration
	node packet.NodeID // who was told
}

// A mate is one node in a world.
type mate struct {
	k      int
	n      *Node
	ring   *fakeRing
	net    uint64
	up     bool          // its name server answers
	since  time.Duration // since it does or does not
	refuse bool          // if not, it is refused at once
	asked  map[Question]time.Duration
	wanted map[place]bool          // what its clients ask for
	first  map[place]time.Duration // when its name server last answered such a question
	open   map[uint64]Question
}

// A place is a question in a network.
type place struct {
	net uint64
	q   Question
}

// A world is some nodes with a network and name servers of the test's own. It looks at
// all that is said.
type world struct {
	t     testing.TB
	rng   *rand.Rand
	now   time.Duration
	mates []*mate
	opts  Options
	queue moments
	turn  uint64
	facts []fact
	cut   map[[2]int]bool // who cannot reach whom
	liar  int             // a member that is no node but lies, or -1
	ids   uint64
	seen  map[By]int
}

// A moment is something that happens.
type moment struct {
	at   time.Duration
	turn uint64
	do   func()
}

type moments []moment

func (m moments) Len() int { return len(m) }
func (m moments) Less(i, j int) bool {
	return m[i].at < m[j].at || m[i].at == m[j].at && m[i].turn < m[j].turn
}
func (m moments) Swap(i, j int) { m[i], m[j] = m[j], m[i] }
func (m *moments) Push(x any)   { *m = append(*m, x.(moment)) }
func (m *moments) Pop() any {
	x := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return x
}

func newWorld(t testing.TB, seed uint64, nodes int, lies bool, o Options) *world {
	w := &world{
		t: t, rng: rand.New(rand.NewPCG(seed, 77)), now: time.Hour, opts: o, cut: map[[2]int]bool{},
		facts: make([]fact, 1), liar: -1, seen: map[By]int{},
	}
	all := nodes
	if lies {
		w.liar, all = nodes, nodes+1
	}
	for k := range nodes {
		m := &mate{k: k, ring: ringOf(k, all), net: 7, up: true, since: w.now}
		w.mates = append(w.mates, m)
		w.boot(m)
	}
	return w
}

// boot starts a node without memory.
func (w *world) boot(m *mate) {
	o := w.opts
	o.Ring, o.Rand = m.ring, rand.New(rand.NewPCG(w.rng.Uint64(), uint64(m.k)))
	m.n = New(w.now, o)
	m.asked, m.first, m.open = map[Question]time.Duration{}, map[place]time.Duration{}, map[uint64]Question{}
	m.wanted = map[place]bool{}
	w.step(m, Network{Net: m.net, Servers: 1})
}

func (w *world) at(d time.Duration, do func()) {
	w.turn++
	heap.Push(&w.queue, moment{w.now + d, w.turn, do})
}

// run lets time pass, each node called exactly when it wants to be.
func (w *world) run(d time.Duration) {
	end := w.now + d
	for {
		next, who := end, (*mate)(nil)
		for _, m := range w.mates {
			if at := m.n.Next(); at < next {
				next, who = max(at, w.now), m
			}
		}
		if len(w.queue) > 0 && w.queue[0].at <= next {
			x := heap.Pop(&w.queue).(moment)
			w.now = max(w.now, x.at)
			x.do()
			continue
		}
		w.now = next
		if who == nil {
			return
		}
		w.step(who, Tick{})
	}
}

func (w *world) step(m *mate, ev Event) {
	_, told := ev.(Received)
	for _, a := range m.n.Step(w.now, ev) {
		switch a := a.(type) {
		case Reply:
			w.reply(m, a)
		case Fetch:
			w.fetch(m, a)
		case Iterate:
			w.iterate(m, a)
		case Send:
			if ask, ok := a.Body.(*packet.Ask); ok && told {
				if _, asked := ev.(Received).Body.(*packet.Ask); asked {
					w.t.Errorf("I5: an Ask for %s follows from an Ask", ask.Name)
				}
			}
			w.send(m, a)
		}
	}
}

// fetch is a name server.
func (w *world) fetch(m *mate, f Fetch) {
	n, epoch := m.n, m.n.epoch
	back := func(ev Fetched) {
		if m.n == n && m.n.epoch == epoch {
			w.step(m, ev)
		}
	}
	switch {
	case m.up:
		w.at(time.Duration(1+w.rng.IntN(10))*time.Millisecond, func() {
			if m.n == n && m.n.epoch == epoch && m.up {
				back(Fetched{Req: f.Req, Msg: w.truth(m, f)})
			}
		})
	case m.refuse:
		w.at(time.Microsecond, func() { back(Fetched{Req: f.Req, Failure: Unreachable}) })
	default:
		w.at(f.Within, func() { back(Fetched{Req: f.Req, Failure: Timeout}) })
	}
}

// iterate is the Internet, which is there half of the time.
func (w *world) iterate(m *mate, it Iterate) {
	n, epoch, there := m.n, m.n.epoch, w.rng.IntN(2) == 0
	w.at(50*time.Millisecond, func() {
		switch {
		case m.n != n || m.n.epoch != epoch:
		case there:
			w.step(m, Iterated{Req: it.Req, Msg: w.truth(m, Fetch{Question: it.Question})})
		default:
			w.step(m, Iterated{Req: it.Req, Failure: Timeout})
		}
	})
}

// truth makes a fact, and the message that says it.
func (w *world) truth(m *mate, f Fetch) []byte {
	if f.Question.Type == typeNS {
		return failed(f.Question, dns.RcodeSuccess)
	}
	ttls := []time.Duration{0, time.Second, 30 * time.Second, 5 * time.Minute, time.Hour}
	x := fact{f.Question, m.net, ttls[w.rng.IntN(len(ttls))], w.now, m.ring.self}
	w.facts = append(w.facts, x)
	if at := (place{m.net, f.Question}); m.wanted[at] {
		m.first[at] = w.now // what is only looked up for members is not kept
	}
	s := len(w.facts) - 1
	return response(f.Question, int(x.ttl/time.Second), fmt.Sprintf("8.%d.%d.%d", s>>16, s>>8&255, s&255))
}

// fact finds what a message says.
func (w *world) fact(msg []byte) (fact, bool) {
	d := new(dns.Msg)
	if err := d.Unpack(msg); err != nil || len(d.Answer) != 1 {
		w.t.Fatalf("a message that nobody made: %v", msg)
	}
	ip := d.Answer[0].(*dns.A).A.To4()
	if ip[0] != 8 {
		return fact{q: Question{Name: rr.MustName(d.Question[0].Name), Type: d.Question[0].Qtype}}, false
	}
	return w.facts[int(ip[1])<<16|int(ip[2])<<8|int(ip[3])], true
}

// steady reports whether a node's name server has been well for a while.
func (w *world) steady(m *mate) bool {
	s, since := m.n.Upstream()
	return m.up && w.now-m.since > 5*time.Second && s == packet.Healthy && since > 5*time.Second
}

func (w *world) reply(m *mate, r Reply) {
	q, ok := m.open[r.ID]
	if !ok {
		w.t.Fatalf("a reply to no question, or a second one: %+v", r)
	}
	delete(m.open, r.ID)
	w.seen[r.By]++
	if r.Secure {
		w.t.Errorf("I17: AD without a validation: %+v", r)
	}
	if r.Msg == nil {
		if r.EDE < 0 || r.Text == "" {
			w.t.Errorf("I16: a failure without a reason: %+v", r)
		}
		if w.steady(m) {
			w.t.Errorf("a failure though the servers answer: %+v", r)
		}
		return
	}
	x, true := w.fact(r.Msg)
	if !true {
		w.lied(m, q, r)
		return
	}
	age := w.now - x.born
	switch {
	case x.q != q:
		w.t.Errorf("the answer to %v for %v", x.q, q)
	case x.net != m.net:
		w.t.Errorf("I9: of network %d in network %d", x.net, m.net)
	case r.Age+maxDelay < age:
		w.t.Errorf("I3: said to be %s old, is %s", r.Age, age)
	case age > x.ttl+w.oldest(m)+maxDelay:
		w.t.Errorf("I4: %s old with a TTL of %s", age, x.ttl)
	case age > x.ttl+maxDelay && (r.EDE < 0 || r.Text == "" || r.MaxTTL == 0 || r.MaxTTL > staleTTL):
		w.t.Errorf("I16: stale without a word: %+v", r)
	case age > x.ttl+maxDelay && w.steady(m):
		w.t.Errorf("I13: stale though the servers answer: %+v", r)
	case x.born+maxDelay < m.first[place{m.net, q}]: // the way of a Put does not count in its age
		w.t.Errorf("I6, I14: older than what the own servers said %s ago: %+v", w.now-m.first[place{m.net, q}], r)
	}
}

// oldest is for how long past its time a node may give an answer.
func (w *world) oldest(m *mate) time.Duration {
	if s, _ := m.n.Upstream(); s == packet.Down {
		return 7 * 24 * time.Hour
	}
	return 24 * time.Hour
}

func (w *world) send(m *mate, s Send) {
	switch b := s.Body.(type) {
	case *packet.Ask:
		q := Question{Name: b.Name, Type: b.Type, DO: b.DO}
		if at, ok := m.asked[q]; !ok || w.now-at > 6*time.Second {
			w.t.Errorf("I5: an Ask for %s that no client wants", b.Name)
		}
		w.open(b.Name, b.Net, m)
	case *packet.Put:
		for _, r := range b.Records {
			x := w.record(m, r)
			if r.Origin != m.ring.self || x.node != m.ring.self {
				w.t.Errorf("I8: given at second hand")
			}
		}
	case *packet.Answer:
		if b.Record != nil {
			w.record(m, b.Record)
		}
	}
	for k := range w.mates {
		if k != m.k && (s.All || id(k) == s.To) && !w.cut[[2]int{m.k, k}] && w.rng.IntN(100) > 0 {
			w.deliver(k, Received{From: m.ring.self, ID: s.ID, Body: s.Body})
		}
	}
	if w.liar >= 0 && (s.All || id(w.liar) == s.To) {
		w.lie(m, s)
	}
}

// open looks at what is on the wire.
func (w *world) open(name rr.Name, net uint64, m *mate) {
	if name.Under(rr.MustName("corp.example")) {
		w.t.Errorf("I10: %s is on the wire", name)
	}
	if net != m.net {
		w.t.Errorf("I9: network %d in network %d is on the wire", net, m.net)
	}
}

// record looks at a record that a node tells.
func (w *world) record(m *mate, r *packet.Record) fact {
	x, true := w.fact(r.Msg)
	w.open(x.q.Name, r.Net, m)
	if !true {
		if r.Origin != id(w.liar) || !slices.Contains(m.ring.Owners(x.q.Name, 2, nil), m.ring.self) {
			w.t.Errorf("I8: a lie is passed on as %s's", r.Origin)
		}
		return x
	}
	owner := slices.Contains(m.ring.Owners(x.q.Name, 2, nil), m.ring.self)
	if x.node != r.Origin || r.Origin != m.ring.self && !owner {
		w.t.Errorf("I8: %s tells what %s had as %s's", m.ring.self, x.node, r.Origin)
	}
	if r.Age+maxDelay < w.now-x.born {
		w.t.Errorf("I3: said to be %s old, is %s", r.Age, w.now-x.born)
	}
	return x
}

func (w *world) deliver(k int, ev Received) {
	w.at(time.Duration(w.rng.Int64N(int64(maxDelay))), func() { w.step(w.mates[k], ev) })
}

// ask has a client of a node ask.
func (w *world) ask(m *mate, q Question) {
	w.ids++
	m.open[w.ids], m.asked[q], m.wanted[place{m.net, q}] = q, w.now, true
	w.step(m, Query{ID: w.ids, Question: q})
}

// chance does one thing of many.
func (w *world) chance() {
	m := w.mates[w.rng.IntN(len(w.mates))]
	switch w.rng.IntN(20) {
	case 0:
		m.up, m.since, m.refuse = !m.up, w.now, w.rng.IntN(2) == 0
	case 1:
		for _, m := range w.mates {
			m.up, m.since = w.rng.IntN(3) > 0, w.now
		}
	case 2:
		pair := [2]int{m.k, w.rng.IntN(len(w.mates))}
		w.cut[pair] = !w.cut[pair]
	case 3:
		if len(m.open) == 0 {
			w.boot(m)
		}
	case 4:
		m.net = 7 + uint64(w.rng.IntN(2))
		w.step(m, Network{Net: m.net, Servers: 1})
	case 5:
		clear(m.ring.silent)
		m.ring.change++
		m.ring.helpers = nil
		for _, o := range w.mates {
			if s, _ := o.n.Upstream(); s == packet.Healthy && o != m {
				m.ring.helpers = append(m.ring.helpers, o.ring.self)
			}
		}
	case 6:
		w.run(time.Duration(w.rng.Int64N(int64(3 * time.Hour))))
	case 7:
		w.run(time.Duration(w.rng.Int64N(int64(time.Minute))))
	default:
		names := []string{"a.example", "b.example", "c.example", "d.example", "e.example", "f.example", "x.corp.example"}
		q := a(names[w.rng.IntN(len(names))])
		for range 1 + w.rng.IntN(3) {
			w.ask(w.mates[w.rng.IntN(len(w.mates))], q)
		}
		w.run(time.Duration(w.rng.Int64N(int64(2 * time.Second))))
	}
}
