package watch

import (
	"fmt"
	"time"

	"namecast/lib/quorum"
)

// A node is a machine with a DNS server, a storage, and the watch of both.
type node struct {
	*world
	id     int
	name   string
	offset time.Duration // of its monotonic clock
	skew   time.Duration // of its wall clock
	conf   Config

	// What is.
	on       bool // it has power
	dns      process
	store    process
	poisoned bool          // its DNS server answers wrongly
	hidden   bool          // nobody outside gets an answer, though it finds itself well
	quiet    time.Duration // when the last trouble of its own ended; -1 while there is some
	troubled time.Duration // when the last trouble began
	pids     int

	// The watch.
	watch   *Watch // nil if its process is gone
	life    int    // counts the processes
	begunAt time.Duration
	stopped bool
	waiting []func() // what comes meanwhile
	wakes   int      // counts the wakes, of which only the last is good
	touched time.Duration
	known   map[string]int // the processes that the watch was told of
	fellAt  time.Duration
	level   int
	seen    [8]int        // looks from outside that failed in a row
	deaf    time.Duration // when nobody outside was answered last; -1 if so now

	// The speaker.
	route     Route
	wishedAt  time.Duration
	ballot    *quorum.Ballot
	seq       uint64
	ordered   bool
	ableSince time.Duration // -1 if it could not announce
}

// A process runs or does not, and may hang.
type process struct {
	name    string
	running bool
	hung    bool
	pid     int
}

// answers reports whether the process works.
func (p process) answers() bool { return p.running && !p.hung }

// epoch is the wall clock's reading at time zero.
var epoch = time.Unix(1_800_000_000, 0)

func newNode(w *world, i int) *node {
	n := &node{world: w, id: i, name: nodeName(i), offset: w.between(time.Second, time.Hour), skew: w.between(-time.Second, time.Second),
		dns: process{name: "dns"}, store: process{name: "store"}, ableSince: -1}
	n.conf = Config{
		Name:       n.name,
		Prefixes:   []Prefix{{Prefix: net4}},
		Components: []Component{{Name: "dns", Needs: []string{"store"}, Process: true, Restart: true, Start: 2 * time.Second}, {Name: "store", Process: true, Restart: true}},
		Probes:     []Probe{{Name: "udp", Component: "dns"}, {Name: "http", Component: "store"}},
		Remote:     w.list.Allowed(),
		Timing:     Timing{Hold: holds, RestartsIn: time.Minute, Trust: 20 * time.Second},
		Rand:       w.Float64,
	}
	n.conf.Components[0].Respawns = w.IntN(2) == 0
	for j := range w.list.Len() {
		if j != i {
			n.conf.Peers = append(n.conf.Peers, Peer{Name: nodeName(j), Asked: true, Voting: true})
		}
	}
	return n
}

// holds are shorter than the defaults, so that a world does not take long.
var holds = []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 12 * time.Second}

// clock is what the node's own reads.
func (n *node) clock() time.Duration { return n.now + n.offset }
func (n *node) wall() time.Time      { return epoch.Add(n.now + n.skew) }

// boot turns the machine on.
func (n *node) boot() {
	n.on, n.route, n.ordered = true, Withdraw, false
	n.start(&n.dns)
	n.start(&n.store)
	var err error
	if n.ballot, err = quorum.NewBallot(n.list, n.name, []prefixName{net4}, 1); err != nil {
		panic(err)
	}
	n.begin()
}

// begin starts the watch.
func (n *node) begin() {
	n.life++
	n.stopped, n.waiting, n.level, n.touched, n.begunAt, n.seen = false, nil, 0, 0, n.now, [8]int{}
	n.known = map[string]int{}
	n.wishedAt = n.now
	var err error
	if n.watch, err = New(n.conf, n.clock()); err != nil {
		panic(err)
	}
	life := n.life
	for _, p := range []*process{&n.dns, &n.store} {
		n.after(n.between(5*ms, 50*ms), func() {
			if life == n.life && p.running {
				n.step(Started{p.name, p.pid})
			}
		})
	}
	n.after(n.between(0, 250*ms), func() { n.look(life, "udp", n.now, n.seeDNS) })
	n.after(n.between(0, 250*ms), func() { n.look(life, "http", n.now, n.seeStore) })
	for _, other := range n.nodes {
		if other != n {
			n.after(n.between(0, time.Second), func() { n.ask(life, other, n.now) })
		}
	}
	n.step(Tick{})
	n.after(n.between(5*ms, 50*ms), n.obey) // nc-bgp tells of orders that hold
	n.update()
}

// end ends the watch, and with it the announcement.
func (n *node) end() {
	n.life++
	n.watch = nil
	n.setRoute(Withdraw)
}

// step gives the watch an event, now or when it is no longer stopped.
func (n *node) step(ev Event) {
	n.soon(func() {
		switch e := ev.(type) {
		case Exited, Restarted:
			n.touched = n.now
		case Started:
			if n.known[e.Component] != e.PID {
				n.known[e.Component] = e.PID
				n.touched = n.now
			}
		}
		for _, a := range n.watch.Step(n.clock(), ev) {
			n.act(a)
		}
		n.wakes++
		wake := n.wakes
		n.at(n.watch.Wake()-n.offset+time.Duration(n.IntN(3))*ms, func() {
			if wake == n.wakes && n.watch != nil && !n.stopped {
				n.step(Tick{})
			}
		})
	})
}

// soon does what the watch's process does, when it is not stopped.
func (n *node) soon(do func()) {
	switch {
	case n.watch == nil:
	case n.stopped:
		n.waiting = append(n.waiting, do)
	default:
		do()
	}
}

// look is one look of a probe and all that follow it. What is seen comes after 2 ms,
// or not at all.
func (n *node) look(life int, name string, due time.Duration, see func() Outcome) {
	if life != n.life {
		return
	}
	n.soon(func() {
		began := n.now
		o, takes := see(), 2*ms
		if o == Timeout {
			takes = 250 * ms
		}
		n.after(takes, func() {
			if life != n.life {
				return
			}
			n.soon(func() {
				if n.now-began > 250*ms {
					o = Timeout // the deadline is past, whatever lies in the socket
				}
				n.step(Result{Probe: name, Due: due + n.offset, Began: began + n.offset, Outcome: o, Detail: name})
			})
			next := max(due+250*ms, n.now)
			n.at(next, func() { n.look(life, name, next, see) })
		})
	})
}

func (n *node) seeDNS() Outcome {
	switch {
	case !n.dns.running:
		return Fail
	case n.dns.hung:
		return Timeout
	case n.poisoned:
		return Fail
	}
	return Pass
}

func (n *node) seeStore() Outcome {
	switch {
	case !n.store.running:
		return Fail
	case n.store.hung:
		return Timeout
	}
	return Pass
}

// ask asks another node from outside, again and again.
func (n *node) ask(life int, other *node, due time.Duration) {
	if life != n.life {
		return
	}
	n.soon(func() {
		began := n.now
		o, takes := Timeout, 500*ms
		answers := 0
		for range 3 { // names at the same time, of which one may fail
			if n.reaches(n, other) && n.reaches(other, n) {
				answers++
			}
		}
		if answers > 1 && other.dns.answers() && !other.hidden {
			o, takes = Pass, n.between(2*ms, 100*ms)
		}
		n.after(takes, func() {
			if life != n.life {
				return
			}
			n.soon(func() {
				n.step(Outside{Peer: other.name, Due: due + n.offset, Began: began + n.offset, Outcome: o, Detail: "asked"})
				n.seen[other.id] = map[bool]int{false: n.seen[other.id] + 1}[o == Pass]
			})
			next := max(due+time.Second, n.now)
			n.at(next, func() { n.ask(life, other, next) })
		})
	})
}

// act does what the watch wants.
func (n *node) act(a Action) {
	switch a := a.(type) {
	case Wish:
		n.wishedAt = n.now
		n.setRoute(a.Route)
		if a.Changed {
			n.note("%s: %v: %s", n.name, a.Route, a.Why)
		}
		n.expire()
	case Restart:
		n.restart(a)
	case Beat:
		for _, other := range n.nodes {
			if other != n && n.reaches(n, other) {
				n.after(n.between(ms, 60*ms), func() { other.step(Heard{Peer: n.name, Claims: a.Claims, Sees: a.Sees}) })
			}
		}
	case Vote:
		n.send(a)
	case Say:
		n.note("%s: %s: %s", n.name, a.About, a.Why)
	}
}

// expire withdraws when wishes are not repeated in time, as nc-bgp does.
func (n *node) expire() {
	life, at := n.life, n.wishedAt
	n.after(1500*ms, func() {
		if life == n.life && at == n.wishedAt && n.watch != nil {
			n.note("%s: lost beat", n.name)
			n.setRoute(Withdraw)
		}
	})
}

// restart runs the command that restarts a component.
func (n *node) restart(r Restart) {
	n.note("%s: restart %d of %s: %s", n.name, r.Attempt, r.Component, r.Why)
	n.touched = n.now
	life := n.life
	p := &n.dns
	if r.Component == "store" {
		p = &n.store
	}
	n.after(n.between(10*ms, 300*ms), func() { n.stop(p, "stopped") })
	n.after(n.between(300*ms, 1500*ms), func() {
		err := ""
		if n.Float64() < 0.1 {
			err = "exit status 1"
		} else {
			n.start(p)
		}
		if life == n.life {
			n.step(Restarted{r.Component, err})
		}
	})
}

// start starts a process, if there is power and it does not run.
func (n *node) start(p *process) {
	if !n.on || p.running {
		return
	}
	n.pids++
	p.running, p.hung, p.pid = true, false, n.pids
	n.note("%s: %s runs, pid %d", n.name, p.name, p.pid)
	life, pid := n.life, p.pid
	n.after(n.between(ms, 250*ms), func() {
		if life == n.life && p.running && p.pid == pid {
			n.step(Started{p.name, pid})
		}
	})
	n.update()
}

// stop ends a process.
func (n *node) stop(p *process, how string) {
	if !p.running {
		return
	}
	p.running, p.hung = false, false
	n.note("%s: %s %s", n.name, p.name, how)
	n.after(n.between(0, 5*ms), func() { n.step(Exited{p.name, how}) })
	n.update()
}

// String is the node's state in a line.
func (n *node) String() string {
	return fmt.Sprintf("%s on=%v dns=%+v store=%+v poisoned=%v hidden=%v stopped=%v route=%v ordered=%v",
		n.name, n.on, n.dns, n.store, n.poisoned, n.hidden, n.stopped, n.route, n.ordered)
}
