package peer

import (
	"math/rand/v2"
	"time"

	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// Bounds of what a node does at a time.
const (
	maxLookups   = 4096
	maxWaiting   = 16384 // clients' questions
	maxMemory    = 8192  // failures, misses
	maxRecover   = 2048  // answers to be refreshed when servers are back
	maxExchanges = 16384
)

// A Node is one member, or a machine alone. It is not for several goroutines at once.
type Node struct {
	o      Options
	self   packet.NodeID
	rng    *rand.Rand
	now    time.Duration
	out    []Action
	timers timers
	stats  Stats

	net     uint64
	epoch   uint64 // grows with each change of network
	captive bool   // no canary has passed in this network
	canary  canary
	servers []*server
	since   time.Duration // of the best server's state
	asked   time.Duration // when a client last asked
	late    time.Duration // when this node last found itself late
	pulsed  time.Duration // when a server that is down last got a client's question
	begun   bool

	cache   *keep.Cache
	lookups map[Question]*lookup
	waiting int
	turns   uint64
	jobs    map[jobKey]*job
	reqs    uint64
	fetches map[uint64]*fetch
	checks  map[uint64]*check
	asks    map[uint64]*exchange
	root    health

	failed  memory[Question, failure]       // what servers could not say
	missed  memory[Question, failure]       // what the group could not say
	settled memory[Question, time.Duration] // stale, and until when nothing younger is looked for
	recent  ring
	used    []Question // while the servers were down
	usedSet map[Question]bool
	refresh bool // used is worked off

	boxes     map[packet.NodeID]*box
	change    uint64 // of the ring, as last seen
	walk      walk
	anySelf   bucket
	anyAll    bucket
	helped    bucket
	helping   memory[packet.NodeID, *bucket]
	refer     bucket // questions to helpers for nobody who waits
	delayed   int    // answers to calls that wait for their moment
	trust     memory[packet.NodeID, trust]
	standings memory[packet.NodeID, standing] // what members said, beside the own copies
	demands   memory[Question, *demand]       // of members, in share mode
	credit    int                             // for what is asked for often
	renewals  bucket                          // of what is asked for often
	audits    []*audit
}

// New makes a node. The caller says with Network which servers there are.
func New(now time.Duration, o Options) *Node {
	o = o.whole()
	n := &Node{
		o: o, rng: o.Rand, now: now, since: now, asked: now - time.Hour, pulsed: now - time.Hour,
		lookups: map[Question]*lookup{}, jobs: map[jobKey]*job{}, fetches: map[uint64]*fetch{},
		checks: map[uint64]*check{}, asks: map[uint64]*exchange{}, boxes: map[packet.NodeID]*box{},
		failed: newMemory[Question, failure](maxMemory), missed: newMemory[Question, failure](maxMemory),
		settled: newMemory[Question, time.Duration](maxMemory), usedSet: map[Question]bool{},
		recent:  ring{told: newMemory[Question, verdict](1024)},
		helping: newMemory[packet.NodeID, *bucket](1024), trust: newMemory[packet.NodeID, trust](1024),
		standings: newMemory[packet.NodeID, standing](1024), demands: newMemory[Question, *demand](maxDemands),
		anySelf: perSecond(5), anyAll: perSecond(20), helped: perSecond(50), refer: perSecond(10), renewals: perSecond(5),
	}
	if o.Ring != nil {
		n.self = o.Ring.Self()
		n.change = o.Ring.Change()
	}
	n.cache = cacheOf(o)
	n.after(sweepEvery, n.sweep)
	return n
}

// whole fills in the defaults.
func (o Options) whole() Options {
	if o.Rand == nil {
		o.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if o.Owners == 0 {
		o.Owners = 2
	}
	o.Owners = min(max(o.Owners, 1), maxOwners)
	o.MaxStale = orElse(o.MaxStale, 7*24*time.Hour, 7*24*time.Hour)
	o.Window = max(orElse(o.Window, 24*time.Hour, 30*24*time.Hour), o.MaxStale)
	o.Stale = orElse(o.Stale, 500*time.Millisecond, 10*time.Second)
	o.Suppress = orElse(o.Suppress, 6*time.Hour, 7*24*time.Hour)
	o.Agree = min(max(o.Agree, 1), 2)
	if o.Entries == 0 {
		o.Entries = 50_000
	}
	return o
}

// orElse is d, or a default, and not more than a bound.
func orElse(d, otherwise, most time.Duration) time.Duration {
	if d == 0 {
		d = otherwise
	}
	return min(d, most)
}

// tooLate is how late a node may be called before it holds no silence against others:
// it was stopped itself, or the machine slept.
const tooLate = 150 * time.Millisecond

// Step gives the node one event at a reading of a clock that does not stop when the
// machine sleeps (package clock has it), and says what is to be done, in this order. It
// has to be called by Next with a Tick if nothing else happens.
func (n *Node) Step(now time.Duration, ev Event) []Action {
	n.out = nil
	if now > n.Next()+tooLate {
		n.late = now
	}
	n.now = max(n.now, now)
	n.members()
	n.take(ev)
	n.expire()
	return n.out
}

// Next is when Step has to be called at the latest.
func (n *Node) Next() time.Duration {
	return n.timers.first()
}

func (n *Node) take(ev Event) {
	switch ev := ev.(type) {
	case Query:
		n.query(ev)
	case Fetched:
		n.fetched(ev)
	case Iterated:
		n.iterated(Fetched(ev))
	case Validated:
		n.validated(ev)
	case Received:
		n.received(ev)
	case Network:
		n.network(ev)
	case Hint:
		n.hint()
	case Forget:
		n.forget(ev)
	}
}

func (n *Node) emit(a Action) { n.out = append(n.out, a) }

// next numbers a request to the caller.
func (n *Node) request() uint64 {
	n.reqs++
	return n.reqs
}

// Upstream is the state of the best name server, and how long it has been so.
func (n *Node) Upstream() (packet.UpstreamState, time.Duration) { return n.best(), n.now - n.since }

// network takes note of where the machine is. What is under way is begun again: the
// answers of another network's servers and members are of no use here.
func (n *Node) network(ev Network) {
	moved := !n.begun || ev.Net != n.net
	if n.begun && moved && n.net == 0 {
		n.cache.ForgetNet(0) // what was unknown then may be any network
	}
	n.begun, n.net = true, ev.Net
	n.epoch++
	n.captive = ev.New && !n.o.NoProbes
	n.conceal(ev.Secret)
	n.servers = make([]*server, max(0, ev.Servers))
	for i := range n.servers {
		n.servers[i] = &server{state: n.living(), since: n.now}
	}
	n.since = n.now
	n.emit(Trace{Kind: TraceNetwork, Text: networkText(ev)})
	n.restart(moved)
	if n.captive {
		n.canary = canary{every: canaryFirst}
		n.sing()
	}
}

// restart drops what is under way and begins the lookups of clients again.
func (n *Node) restart(moved bool) {
	waiting := n.sorted()
	for _, j := range n.jobs {
		j.done = true
	}
	clear(n.lookups)
	clear(n.jobs)
	clear(n.fetches)
	clear(n.checks)
	clear(n.asks)
	clear(n.boxes)
	n.audits = nil
	n.failed, n.missed = newMemory[Question, failure](maxMemory), newMemory[Question, failure](maxMemory)
	n.settled = newMemory[Question, time.Duration](maxMemory)
	n.demands = newMemory[Question, *demand](maxDemands)
	n.root = health{}
	if moved {
		n.used, n.usedSet = nil, map[Question]bool{}
		n.walk = walk{}
	}
	for _, l := range waiting {
		l.done = true
		for _, id := range l.clients {
			n.waiting--
			n.ask(id, l.q)
		}
	}
}

// forget removes what is kept of names, that of failures too.
func (n *Node) forget(ev Forget) {
	n.stats.Forgotten += uint64(n.cache.Forget(ev.Name.Lower(), ev.Below))
	gone := func(q Question) bool { return q.Name == ev.Name.Lower() || ev.Below && q.Name.Under(ev.Name) }
	for _, m := range []*memory[Question, failure]{&n.failed, &n.missed} {
		for q := range m.of {
			if gone(q) {
				m.of[q] = failure{}
			}
		}
	}
}

// key is where the answer to a question is kept.
func (n *Node) key(q Question) keep.Key {
	return keep.Key{Net: n.net, Name: q.Name, Type: q.Type, DO: q.DO, CD: q.CD}
}

// normal is a question as the node asks it.
func (n *Node) normal(q Question) Question {
	q.Name = q.Name.Lower()
	q.DO = q.DO || n.o.Validate
	return q
}

// owners gives the members that own a name, the node itself perhaps among them.
func (n *Node) owners(name rr.Name) []packet.NodeID {
	if n.o.Ring == nil {
		return nil
	}
	return n.o.Ring.Owners(name, n.o.Owners, nil)
}
