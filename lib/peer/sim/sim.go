package sim

import (
	"math/rand/v2"
	"time"

	"namecast/lib/peer"
	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
)

// network is the identity of the network that all are in.
const network = 1

// manyNodes is the size of a group above which a call to all reaches only those who have
// the answer: that the others hear it too costs a step each, and changes nothing but the
// budget of calls, which is not reached.
const manyNodes = 100

// A Death is how a name server goes.
type Death uint8

// Deaths.
const (
	Silent  Death = iota // it answers no more
	Refused              // the machine or the network says so
	Lame                 // it answers with errors
	Slow                 // two seconds late
	Lossy                // nine answers of ten are lost
	Alive                // it does not
)

// A Config is what is played. The zero value of a field is its default.
type Config struct {
	Habits
	Nodes int     // 1 to 32,000
	Daily float64 // lookups of a node in a day
	Seed  uint64

	Warm   time.Duration // the name server answers for so long before what is played
	Before time.Duration // it goes on so while played
	After  time.Duration // then it dies
	Death  Death
	Remove float64 // share of the nodes that vanish with it
	Wipe   float64 // share of those left whose caches are wiped
	Helped float64 // share of the nodes whose own way to a name server stays
	Root   bool    // the Internet is there still, and nodes ask from the root on
	Liars  int     // of the nodes; they answer all questions with a lie

	Probes   bool          // nodes ask name servers whether they live, as they do without a simulator
	Solo     bool          // no group
	Mute     bool          // no multicast goes through
	Share    bool          // share mode
	Owners   int           // of a name; default 2
	Agree    int           // members; default 1
	Suppress time.Duration // default 6 h
	MaxStale time.Duration // default 7 days
	Entries  int           // of each cache; default 50,000
	Changes  time.Duration // a fifth of the names has another address after so long; 0: none
	Loss     float64       // of each packet in the local network
	Parts    int           // the network falls apart into so many with the death; default 1
	Answer   time.Duration // median time of the name server; default 12 ms

	TTL    func(name int32) uint32 // of a name's records, in seconds; default as it was in 2019
	Replay *Replay                 // instead of lookups that are made up; nil: none
}

func (c Config) owners() int {
	if c.Owners == 0 {
		return 2
	}
	return c.Owners
}

func (c Config) suppress() time.Duration {
	if c.Suppress == 0 {
		return 6 * time.Hour
	}
	return c.Suppress
}

func (c Config) stale() time.Duration {
	if c.MaxStale == 0 {
		return 7 * 24 * time.Hour
	}
	return c.MaxStale
}

// A node is a machine.
type node struct {
	n       *peer.Node
	cache   *keep.Cache
	view    *view
	alive   bool
	liar    bool
	served  bool          // its way to the name server stays
	wake    time.Duration // when it is to be called, or before now
	waiting map[uint64]Lookup
}

// A sim is a run.
type sim struct {
	c       Config
	rng     *rand.Rand
	w       *world
	g       *group
	trace   *Trace
	lookups []Lookup // of a Replay, to come
	nodes   []*node
	now     time.Duration
	events  events
	seq     uint64
	asks    uint64 // clients' questions, for their numbers
	dead    bool   // the name server
	res     *Result
}

// Run plays a configuration.
func Run(c Config) *Result { return NewPast(c).Run(c) }

// A Past is a group after its first days, from which several runs can begin.
type Past struct {
	c     Config
	trace Trace
	p     *past
}

// NewPast makes that of a configuration.
func NewPast(c Config) *Past {
	c.Habits = c.Habits.whole()
	w := &world{changes: c.Changes, ttl: c.TTL, first: make([]*truth, c.Names), later: make(map[answerKey]*truth)}
	g := newGroup(c.Nodes, c.Names, rand.New(rand.NewPCG(c.Seed, 1)))
	t := NewTrace(c.Habits, c.Nodes, c.Daily, c.Seed)
	p := &Past{c: c, p: live(c, w, g, t)}
	p.trace = *t
	return p
}

// Run plays what comes after it. The configuration may differ from that of the past in
// what happens, but not in its nodes and their habits,
// the number of owners, Solo or Share; Seed makes it another course of the same group.
func (p *Past) Run(c Config) *Result {
	s := p.begin(c)
	s.play()
	return s.res
}

// begin starts the nodes.
func (p *Past) begin(c Config) *sim {
	s := &sim{
		c: c, rng: rand.New(rand.NewPCG(c.Seed, 2)), w: p.p.w, trace: p.trace.clone(c.Seed),
		g: newGroup(c.Nodes, p.c.Names, rand.New(rand.NewPCG(p.c.Seed, 1))), now: c.Warm, res: newResult(c),
	}
	p.p.c.Entries, p.p.c.MaxStale = c.Entries, c.MaxStale
	for i := range c.Nodes {
		s.nodes = append(s.nodes, s.join(i, p))
	}
	s.replay(c.Replay)
	return s
}

// join starts the node i with what it keeps of the past, or with nothing if p is nil.
func (s *sim) join(i int, p *Past) *node {
	nd := &node{alive: true, view: &view{g: s.g, self: i}, waiting: make(map[uint64]Lookup)}
	o := peer.Options{
		Rand: rand.New(rand.NewPCG(s.c.Seed, uint64(1000+i))), Owners: s.c.Owners, MaxStale: s.c.MaxStale,
		Agree: s.c.Agree, Suppress: s.c.Suppress, Entries: s.c.Entries, Share: s.c.Share, Iterate: s.c.Root,
		NoProbes: !s.c.Probes,
	}
	if !s.c.Solo {
		o.Ring = nd.view
	}
	nd.cache = s.c.cache()
	if p != nil {
		p.p.fill(i, nd.cache)
	}
	o.Cache = nd.cache
	nd.n = peer.New(s.now, o)
	for _, a := range nd.n.Step(s.now, peer.Network{Net: network, Servers: 1}) {
		s.do(i, nd, a)
	}
	s.alarm(i, nd)
	return nd
}

// play plays all there is.
func (s *sim) play() {
	death := s.c.Warm + s.c.Before
	end := death + s.c.After
	s.at(death, event{what: deathEvent})
	s.at(s.now, event{what: helloEvent})
	next := s.peek()
	for {
		if next < end && (len(s.events) == 0 || next <= s.events[0].at) {
			l := s.next()
			next = s.peek()
			s.now = l.At
			s.query(l)
			continue
		}
		// What is under way at the end is played out.
		if len(s.events) == 0 || s.events[0].at > end+10*time.Second {
			break
		}
		e := s.events.pop()
		s.now = e.at
		s.happen(e)
	}
	s.count()
}

// happen does what an event says.
func (s *sim) happen(e event) {
	switch e.what {
	case deathEvent:
		s.die()
	case faultEvent:
		s.strike(e.fault)
	case goneEvent:
		s.g.gone(e.gone)
	case bornEvent:
		s.g.reborn(s.now, e.gone)
	case helloEvent:
		s.hello()
	case wakeEvent:
		nd := s.nodes[e.node]
		if nd.wake == e.at {
			s.step(int(e.node), peer.Tick{})
		}
	case nodeEvent:
		if from := e.from; from >= 0 {
			s.nodes[e.node].view.heard(int(from))
		}
		s.step(int(e.node), e.ev)
	}
}

// query is a client's.
func (s *sim) query(l Lookup) {
	nd := s.nodes[l.Node]
	if !nd.alive || nd.liar {
		return
	}
	s.asks++
	nd.waiting[s.asks] = l
	s.res.minute(s.now).Lookups++
	s.step(l.Node, peer.Query{ID: s.asks, Question: peer.Question{Name: s.w.at(l.Name, 0).info.Name, Type: 1}})
}

// step gives a node an event.
func (s *sim) step(i int, ev peer.Event) {
	nd := s.nodes[i]
	if !nd.alive {
		return
	}
	if nd.liar {
		s.deceive(i, ev)
		return
	}
	for _, a := range nd.n.Step(s.now, ev) {
		s.do(i, nd, a)
	}
	s.alarm(i, nd)
}

// alarm has a node called when it wants to be.
func (s *sim) alarm(i int, nd *node) {
	if next := nd.n.Next(); next != nd.wake {
		nd.wake = max(next, s.now)
		s.at(nd.wake, event{what: wakeEvent, node: int32(i)})
	}
}

// do does what a node wants done.
func (s *sim) do(i int, nd *node, a peer.Action) {
	switch a := a.(type) {
	case peer.Reply:
		if q, ok := nd.waiting[a.ID]; ok {
			delete(nd.waiting, a.ID)
			s.res.reply(s, q, a)
			s.replied(q, a.By)
		}
	case peer.Fetch:
		s.fetch(i, a)
	case peer.Iterate:
		s.iterate(i, a)
	case peer.Send:
		s.send(i, a)
	}
}

// die is the death of the name server, and what comes with it.
func (s *sim) die() {
	s.dead = s.c.Death != Alive
	order := s.rng.Perm(s.c.Nodes)
	removed := order[:int(s.c.Remove*float64(s.c.Nodes))]
	left := order[len(removed):]
	s.remove(removed)
	wiped := left[:int(s.c.Wipe*float64(len(left)))]
	for _, i := range wiped {
		s.nodes[i] = s.join(i, nil)
	}
	if len(wiped) > 0 {
		s.at(s.now+period(s.c.Nodes), event{what: bornEvent, gone: wiped})
	}
	for k, i := range left {
		s.nodes[i].served = float64(k) >= (1-s.c.Helped)*float64(len(left))
		s.nodes[i].liar = k < s.c.Liars
	}
}

// remove has nodes vanish, which all know in a while.
func (s *sim) remove(nodes []int) {
	for _, i := range nodes {
		s.nodes[i].alive = false
	}
	if len(nodes) > 0 {
		s.at(s.now+3*period(s.c.Nodes), event{what: goneEvent, gone: nodes})
	}
}

// hello is when all have said how their name servers are.
func (s *sim) hello() {
	s.g.helpers = s.g.helpers[:0]
	for i, nd := range s.nodes {
		state, _ := nd.n.Upstream()
		if nd.alive && (nd.liar || state == packet.Healthy) {
			s.g.helpers = append(s.g.helpers, i)
		}
	}
	s.at(s.now+period(s.c.Nodes), event{what: helloEvent})
}

// count sums up at the end.
func (s *sim) count() {
	for _, nd := range s.nodes {
		if nd.alive && !nd.liar {
			s.res.Kept += nd.n.Kept().Entries
			s.res.Unanswered += len(nd.waiting)
		}
	}
}
