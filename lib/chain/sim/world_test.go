package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/internal/safeguard"
)

// The size of a world. Times are of the world's own clock.
const (
	lease    = 300 * time.Millisecond // what a renewal gives a node
	renewal  = 90 * time.Millisecond
	heardOf  = 200 * time.Millisecond // after which the coordinator takes a silent node for dead
	calmTime = 12 * time.Second       // after which all must be well again
	theChain = chain.ID(7)
)

// A weakness is what a world leaves out that there should be.
type weakness struct {
	name    string
	replica safeguard.Set
	// Outside of the replica:
	noLease        bool // a lease once given never ends
	noWait         bool // the controller does not wait for leases to end
	noMargin       bool // it waits for the lease's time, whatever the clocks do
	noRenewalGuard bool // it deletes a registration that was renewed since it looked
	noRowGuard     bool // it publishes without regard to the row there is
	noProof        bool // it does not ask whether who restarts a chain has its data
	noFsync        bool // batches are said to be durable before they are
	sameInc        bool // a process that starts again goes on as the one before
	noFeedCheck    bool // a subscriber takes records without looking at their LSNs
	noSilence      bool // nobody tells whom he does not hear
}

// A profile is what kinds of trouble a world has, drawn from its seed.
type profile struct {
	nodes, replicas  int
	delay            time.Duration // of a message, at least; half as much more on average
	drop, double     float64       // of messages
	late             float64       // how many of them take very long
	clocks           float64       // how wrong clocks run, as a part of 1
	crashes, pauses  float64       // a second and node
	cuts             float64       // a second
	aside            float64       // how many of them cut a node off from the coordinator alone
	doubts           float64       // how many looks of the controller take a node for dead at random
	usurps           float64       // changes of the controller, a second
	outages          float64       // of the coordinator, a second
	total            float64       // crashes of all nodes at once, a second
	confirm          bool          // leases are not trusted
	early            bool          // disks show what is not durable yet
	lasts            time.Duration // the trouble
	stays            bool          // two nodes stay cut off from each other
	writers, readers int
}

// A world is everything there is in one run.
type world struct {
	seed   uint64
	rng    *rand.Rand
	weak   weakness
	prof   profile
	now    time.Duration
	queue  events
	serial uint64
	calm   bool // no more trouble is made
	calmAt time.Duration

	nodes    []*node
	blocked  map[[2]int]bool // links that carry nothing, one way; -1 is the coordinator
	coord    coordinator
	boss     [2]*controller
	writers  []*writer
	readers  []*reader
	follower *subscriber
	check    checker

	trace   *strings.Builder // nil if nobody wants it
	failure string
	steps   int
}

// An event is something that happens at a time.
type event struct {
	at     time.Duration
	serial uint64
	do     func()
}

// events is a heap, the next event first.
type events []event

func (q events) before(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].serial < q[j].serial
}

func (q *events) push(e event) {
	*q = append(*q, e)
	h := *q
	for i := len(h) - 1; i > 0 && h.before(i, (i-1)/2); i = (i - 1) / 2 {
		h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
	}
}

func (q *events) pop() event {
	h := *q
	e := h[0]
	n := len(h) - 1
	h[0] = h[n]
	h[n] = event{}
	h = h[:n]
	for i := 0; ; {
		j := 2*i + 1
		if j+1 < n && h.before(j+1, j) {
			j++
		}
		if j >= n || !h.before(j, i) {
			break
		}
		h[i], h[j] = h[j], h[i]
		i = j
	}
	*q = h
	return e
}

// after has something done after a while.
func (w *world) after(d time.Duration, do func()) {
	w.serial++
	w.queue.push(event{w.now + d, w.serial, do})
}

// run lets time pass up to a reading of the clock, or until done says so.
func (w *world) run(until time.Duration, done func() bool) {
	for len(w.queue) > 0 && w.failure == "" && w.queue[0].at <= until {
		e := w.queue.pop()
		w.now = e.at
		w.steps++
		e.do()
		if done != nil && w.steps%16 == 0 && done() {
			return
		}
	}
}

// fail records the first violation.
func (w *world) fail(format string, a ...any) {
	if w.failure == "" {
		w.failure = fmt.Sprintf(format, a...)
		w.logf("VIOLATION: %s", w.failure)
	}
}

func (w *world) logf(format string, a ...any) {
	if w.trace == nil {
		return
	}
	fmt.Fprintf(w.trace, "%10.3f ms  ", float64(w.now)/1e6)
	fmt.Fprintf(w.trace, format, a...)
	w.trace.WriteByte('\n')
}

// chance is true with a probability.
func (w *world) chance(p float64) bool { return p > 0 && w.rng.Float64() < p }

// spread is a time of a mean, now and then much longer.
func (w *world) spread(mean time.Duration) time.Duration {
	return time.Duration(w.rng.ExpFloat64() * float64(mean))
}

// between is a time between two.
func (w *world) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.rng.Int64N(int64(b-a)+1))
}

// travel carries something from one place to another, if it gets there: late,
// twice or not at all. Places are numbers of nodes; -1 is the coordinator, -2
// a client.
func (w *world) travel(from, to int, arrive func()) {
	if w.blocked[[2]int{from, to}] {
		return
	}
	p := &w.prof
	if !w.calm && w.chance(p.drop) {
		return
	}
	d := p.delay + w.spread(p.delay/2)
	if !w.calm && w.chance(p.late) {
		d += w.between(0, 40*p.delay)
	}
	w.after(d, arrive)
	if !w.calm && w.chance(p.double) {
		if w.chance(0.2) {
			d += w.between(0, 300*time.Millisecond)
		}
		w.after(d+w.spread(5*p.delay), arrive)
	}
}

// newWorld makes the world of a seed.
func newWorld(seed uint64, weak weakness, shape func(*profile)) *world {
	w := &world{seed: seed, rng: rand.New(rand.NewPCG(seed, 5)), weak: weak, blocked: map[[2]int]bool{}}
	w.prof = w.draw()
	if shape != nil {
		shape(&w.prof)
	}
	w.check.init(w)
	w.coord.init(w)
	for i := range w.prof.nodes {
		w.nodes = append(w.nodes, newNode(w, i))
	}
	for i := range w.boss {
		w.boss[i] = newController(w, i)
	}
	for i := range w.prof.writers {
		w.writers = append(w.writers, newWriter(w, i))
	}
	for i := range w.prof.readers {
		w.readers = append(w.readers, newReader(w, i))
	}
	w.follower = newSubscriber(w)
	return w
}

// draw draws the troubles of a world. Most worlds have some kinds and not
// others, so that each kind meets calm and stormy weather.
func (w *world) draw() profile {
	some := func(p, most float64) float64 {
		if !w.chance(p) {
			return 0
		}
		return w.rng.Float64() * most
	}
	p := profile{
		nodes: 3 + w.rng.IntN(2), replicas: 3, delay: w.between(200*time.Microsecond, 4*time.Millisecond),
		drop: some(0.5, 0.05), double: some(0.5, 0.1), late: some(0.5, 0.2), clocks: some(0.7, 0.05),
		crashes: some(0.6, 1.5), pauses: some(0.4, 2), cuts: some(0.5, 6), doubts: some(0.5, 0.1),
		usurps: some(0.3, 4), outages: some(0.2, 2), total: some(0.15, 1.5),
		confirm: w.chance(0.2), early: w.chance(0.5), lasts: 1200 * time.Millisecond, writers: 2, readers: 2,
	}
	if w.chance(0.2) {
		p.replicas = 2
	}
	if w.chance(0.04) {
		p.writers = 10
	}
	p.stays = w.chance(0.2)
	return p
}

// trouble starts the faults of the world, and ends them in time. A chain whose
// first members all die before anything is on a disk is lost, so it begins after that.
func (w *world) trouble() {
	founded := w.coord.row.Epoch > 0
	for _, m := range w.coord.row.Members {
		founded = founded && w.node(m.Node).disk.synced > 0
	}
	if !founded {
		w.after(5*time.Millisecond, w.trouble)
		return
	}
	each := func(rate float64, do func()) {
		if rate == 0 {
			return
		}
		var again func()
		again = func() {
			if w.calm {
				return
			}
			do()
			w.after(w.spread(time.Duration(float64(time.Second)/rate)), again)
		}
		w.after(w.spread(time.Duration(float64(time.Second)/rate)), again)
	}
	for _, n := range w.nodes {
		each(w.prof.crashes, func() { n.crash("crashes"); w.after(w.between(0, 400*time.Millisecond), n.boot) })
		each(w.prof.pauses, func() { n.pause(w.between(time.Millisecond, 2*lease)) })
	}
	each(w.prof.cuts, w.cut)
	each(w.prof.usurps, func() { w.boss[w.rng.IntN(len(w.boss))].campaign() })
	each(w.prof.outages, w.outage)
	each(w.prof.total, func() {
		for _, n := range w.nodes {
			n.crash("crashes with all others")
			w.after(w.between(0, 300*time.Millisecond), n.boot)
		}
	})
	w.after(w.prof.lasts, w.heal)
}

// cut blocks a link for a while, one way or both, or all of a node's.
func (w *world) cut() {
	from, to := w.rng.IntN(len(w.nodes)), w.rng.IntN(len(w.nodes)+1)-1
	links := [][2]int{{from, to}}
	if w.chance(w.prof.aside) {
		to = -1
		links = [][2]int{{from, to}, {to, from}}
	}
	switch kind := w.rng.IntN(3); {
	case to == -1 && w.prof.aside > 0:
	case kind == 0:
		links = append(links, [2]int{to, from})
	case kind == 1:
		for i := -1; i < len(w.nodes); i++ {
			links = append(links, [2]int{from, i}, [2]int{i, from})
		}
	}
	d := w.between(10*time.Millisecond, 600*time.Millisecond)
	if to == -1 {
		d *= 2
	}
	w.logf("links are cut for %v: %v", d, links)
	for _, l := range links {
		w.blocked[l] = true
	}
	w.after(d, func() {
		for _, l := range links {
			if !w.calm {
				delete(w.blocked, l)
			}
		}
	})
}

// outage makes the coordinator unreachable for a while.
func (w *world) outage() {
	d := w.between(10*time.Millisecond, 3*lease)
	w.logf("the coordinator is away for %v", d)
	w.coord.away = w.now + d
}

// heal ends all trouble.
func (w *world) heal() {
	w.logf("calm")
	w.calm, w.calmAt = true, w.now
	clear(w.blocked)
	if w.prof.stays {
		a := w.rng.IntN(len(w.nodes))
		b := (a + 1 + w.rng.IntN(len(w.nodes)-1)) % len(w.nodes)
		w.blocked[[2]int{a, b}] = true
		w.blocked[[2]int{b, a}] = w.chance(0.5)
		w.logf("%s and %s stay cut off: %v", w.nodes[a].name, w.nodes[b].name, w.blocked)
	}
	w.coord.away = 0
	for _, n := range w.nodes {
		n.resume()
	}
}
