package sim

import (
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// A node is a process with a disk and a clock, and what a node does around a
// replica: it registers, renews its lease, and fetches rows.
type node struct {
	w     *world
	at    int
	name  string
	rate  float64 // of its clock
	began time.Duration

	disk    *disk
	slow    time.Duration // a sync's time, on average
	syncing bool

	up     bool
	run    int    // counts processes
	trying uint64 // the attempt to register that counts
	paused bool
	deaf   bool     // its replica is given nothing
	queued []func() // what came while it was paused
	self   chain.Member
	rep    *replica.Replica
	until  time.Duration            // of the lease, on its clock
	wakeAt time.Duration            // of the world's clock; 0 is none
	barred time.Duration            // since when it has been fenced; 0 if it is not
	missed map[string]time.Duration // since when there is no connection with others
	said   word                     // of whom the coordinator was told that last
	told   bool                     // it has taken that in
	seen   seen
}

// seen is how the replica was after its last step.
type seen struct {
	replica.Status
	on bool
}

func newNode(w *world, i int) *node {
	n := &node{w: w, at: i, name: string(rune('A' + i)), disk: newDisk(), slow: w.between(100*time.Microsecond, 3*time.Millisecond)}
	n.rate = 1 + (2*w.rng.Float64()-1)*w.prof.clocks
	if w.chance(0.5) && w.prof.clocks > 0 {
		n.rate = 1 - w.prof.clocks
	}
	n.began = w.between(0, time.Hour)
	return n
}

// clock reads the node's clock.
func (n *node) clock() time.Duration { return n.began + time.Duration(float64(n.w.now)*n.rate) }

// in gives how long the world has to wait for the node's clock to move on.
func (n *node) in(d time.Duration) time.Duration { return time.Duration(float64(d)/n.rate) + 1 }

// later has something done by this process, if it still runs.
func (n *node) later(d time.Duration, do func()) {
	run := n.run
	n.w.after(d, func() { n.now(run, do) })
}

// now has something done by a process, or when it runs on.
func (n *node) now(run int, do func()) {
	switch {
	case run != n.run || !n.up:
	case n.paused:
		n.queued = append(n.queued, func() { n.now(run, do) })
	default:
		do()
	}
}

// boot starts the process.
func (n *node) boot() {
	if n.up {
		return
	}
	n.up, n.run = true, n.run+1
	n.w.logf("%s starts", n.name)
	n.missed, n.said, n.told = map[string]time.Duration{}, word{}, true
	n.listen()
	if n.w.weak.sameInc && n.self.Inc != 0 {
		n.rep = replica.New(n.options(), n.disk)
		n.step(replica.Configure{Row: n.disk.Meta().Row})
		n.renew()
		return
	}
	n.register()
}

// crash ends the process, with what was not synced.
func (n *node) crash(why string) {
	if !n.up {
		return
	}
	kept := n.disk.synced
	if more := len(n.disk.journal) - kept; more > 0 {
		kept += n.w.rng.IntN(more + 1)
	}
	n.w.logf("%s %s; %d batches were synced, %d more written, %d of those lost", n.name, why, n.disk.synced,
		len(n.disk.journal)-n.disk.synced, len(n.disk.journal)-kept)
	n.disk.crash(kept)
	n.up, n.paused, n.queued, n.syncing, n.wakeAt, n.barred = false, false, nil, false, 0, 0
	n.rep, n.seen, n.until = nil, seen{}, 0
}

// pause stops the process for a while. Its clock runs on.
func (n *node) pause(d time.Duration) {
	if !n.up || n.paused {
		return
	}
	n.w.logf("%s stands still for %v", n.name, d)
	n.paused = true
	run := n.run
	n.w.after(d, func() {
		if run == n.run {
			n.resume()
		}
	})
}

func (n *node) resume() {
	n.paused = false
	queued := n.queued
	n.queued = nil
	for _, do := range queued {
		do()
	}
}

// register takes the incarnation after the last one there was, and starts a
// replica. A transaction that is late finds that another one was quicker: else it
// would declare dead the process that sent it.
func (n *node) register() {
	var sent time.Duration
	held, old, try := n.disk.Meta().Held(), n.disk.inc(), n.w.serial
	n.trying = try
	n.call(func() any { return n.w.coord.incs[n.name] }, func(answer any) {
		if n.trying != try || n.rep != nil {
			return
		}
		last := answer.(chain.Incarnation)
		sent = n.clock()
		n.call(func() any { return n.w.coord.register(n.name, last, held, old) }, func(answer any) {
			if a := answer.(registration); a.inc != 0 && n.trying == try && n.rep == nil {
				n.start(a, sent)
			}
		})
	})
	n.later(n.in(100*time.Millisecond), func() {
		if n.rep == nil {
			n.register()
		}
	})
}

// start makes the replica of a process that has registered.
func (n *node) start(a registration, sent time.Duration) {
	n.self = chain.Member{Node: n.name, Inc: a.inc}
	n.w.logf("%s is %v", n.name, n.self)
	n.rep = replica.New(n.options(), n.disk)
	n.leaseFrom(sent)
	if a.row.Epoch > 0 {
		n.step(replica.Configure{Row: a.row})
	}
	n.later(n.in(renewal), n.renew)
}

func (n *node) options() replica.Options {
	return replica.Options{
		Self: n.self, MaxPending: 6, Keep: 8, Window: window, Cache: 600, Chunk: 60, GateLag: 4, MaxCopies: 1,
		Retry: 25 * time.Millisecond, Timeout: 150 * time.Millisecond, Stall: 200 * time.Millisecond, Pace: 60 * time.Millisecond,
		AlwaysConfirm: n.w.prof.confirm, Without: n.w.weak.replica,
	}
}

// leaseFrom gives the replica the lease of a renewal.
func (n *node) leaseFrom(sent time.Duration) {
	until := sent + lease
	if n.w.weak.noLease {
		until = 1 << 60
	}
	n.until = until
	n.step(replica.Lease{Until: until})
}

// renew renews the lease, again and again. If the registration is gone, the
// node comes back as a new incarnation.
func (n *node) renew() {
	sent := n.clock()
	n.call(func() any { return n.w.coord.renew(n.self) }, func(answer any) {
		a := answer.(registration)
		if a.inc != n.self.Inc && !n.w.weak.noLease {
			n.reset("has lost its registration")
			return
		}
		n.leaseFrom(sent)
		if n.rep != nil && a.row.Epoch > n.seen.Row.Epoch {
			n.step(replica.Configure{Row: a.row})
		}
	})
	if n.barred != 0 && n.w.now-n.barred > 4*lease {
		n.reset("has been fenced for long")
		return
	}
	n.later(n.in(renewal), n.renew)
}

// reset ends all replicas of the process and starts anew as another incarnation.
func (n *node) reset(why string) {
	n.crash(why)
	n.boot()
}

// call asks the coordinator something. Questions may get there twice, and they
// and answers get lost.
func (n *node) call(ask func() any, then func(any)) {
	run, w, answered := n.run, n.w, false
	w.travel(n.at, -1, func() {
		if w.now < w.coord.away {
			return
		}
		answer := ask()
		w.travel(-1, n.at, func() {
			if !answered {
				answered = true
				n.now(run, func() { then(answer) })
			}
		})
	})
}

// step gives the replica an input, and carries out what it wants.
func (n *node) step(in replica.Input) {
	if n.rep == nil || n.deaf || n.w.failure != "" {
		return
	}
	if n.w.trace != nil {
		n.w.logf("%v <- %T %+v", n.self, in, in)
	}
	if q, ok := in.(replica.Request); ok {
		n.w.check.asked(q)
	}
	effects := n.rep.Step(n.clock(), in)
	n.w.check.stepped(n)
	for _, e := range effects {
		n.carryOut(e)
	}
	if n.rep == nil {
		return
	}
	if n.seen.Role == replica.Barred && n.barred == 0 {
		n.barred = n.w.now
	} else if n.seen.Role != replica.Barred {
		n.barred = 0
	}
	n.wake()
}

// wake has a Tick come when the replica wants one.
func (n *node) wake() {
	at, ok := n.rep.Wake()
	if !ok {
		return
	}
	in := max(n.in(at-n.clock()), time.Microsecond)
	if n.wakeAt != 0 && n.wakeAt <= n.w.now+in {
		return
	}
	mine := n.w.now + in
	n.wakeAt = mine
	n.later(in, func() {
		if n.wakeAt == mine {
			n.wakeAt = 0
			n.step(replica.Tick{})
		}
	})
}

// tell traces an effect; of a batch, what is in it.
func (n *node) tell(e replica.Effect) {
	m, ok := e.(replica.Write)
	if !ok {
		n.w.logf("%v -> %T %+v", n.self, e, e)
		return
	}
	b := m.Batch
	n.w.logf("%v -> replica.Write %d, sync %v", n.self, b.Seq, b.Sync)
	part := func(is bool, format string, a ...any) {
		if is {
			n.w.logf("        "+format, a...)
		}
	}
	part(b.Wipe, "wipe")
	part(b.Cut, "cut after %d", b.CutAfter)
	if b.Meta != nil {
		part(true, "meta %+v", *b.Meta)
	}
	part(len(b.Records) > 0, "records %+v", b.Records)
	part(len(b.Items) > 0, "items %v", b.Items)
	part(len(b.Changes) > 0, "changes %v", b.Changes)
	part(len(b.Remembered) > 0, "remembered %+v", b.Remembered)
	part(b.Moved, "state %d %v", b.State, b.Hash)
	part(b.Trim > 0, "trim %d, forget %d", b.Trim, b.Forget)
}

func (n *node) carryOut(e replica.Effect) {
	w := n.w
	if w.trace != nil {
		n.tell(e)
	}
	w.check.sent(e)
	switch e := e.(type) {
	case replica.Send:
		to := w.node(e.To.Node)
		m := replica.Receive{Chain: theChain, Epoch: e.Epoch, From: n.self, Body: e.Body}
		w.travel(n.at, to.at, func() { to.now(to.run, func() { to.step(m) }) })
	case replica.Reply:
		w.check.replied(n, e)
		w.travel(n.at, -2, func() { w.deliver(n, e) })
	case replica.Write:
		w.check.wrote(n, &e.Batch)
		n.write(e.Batch)
	case replica.Report:
		if e.Kind == replica.Silent && (w.weak.noSilence || !w.connected(n, w.node(e.Member.Node))) {
			return
		}
		w.check.reported(n, e)
		n.call(func() any { w.coord.report(e); return nil }, func(any) {})
	case replica.WantRow:
		n.fetch(e.Epoch)
	case replica.Halt:
		w.fail("%v halts: %s", n.self, e.Reason)
	}
}

// fetch gets the row until it is new enough.
func (n *node) fetch(epoch chain.Epoch) {
	if n.rep == nil || n.seen.Row.Epoch >= epoch {
		return
	}
	n.call(func() any { return n.w.coord.row }, func(answer any) { n.step(replica.Configure{Row: answer.(chain.Row)}) })
	n.later(n.in(30*time.Millisecond), func() { n.fetch(epoch) })
}

// write takes a batch to the disk. One sync at a time brings all batches that
// were there when it began.
func (n *node) write(b replica.Batch) {
	// A process numbers its batches from 1, the disk goes on.
	n.disk.journal = append(n.disk.journal, b)
	if n.w.prof.early || n.w.weak.noFsync {
		n.disk.show(len(n.disk.journal))
	}
	if n.w.weak.noFsync {
		n.later(0, func() { n.step(replica.Written{Seq: b.Seq}) })
	}
	if b.Sync {
		n.sync()
		return
	}
	n.later(n.w.spread(5*time.Millisecond), n.sync)
}

func (n *node) sync() {
	if n.syncing || n.disk.synced == len(n.disk.journal) {
		return
	}
	n.syncing = true
	upTo := len(n.disk.journal)
	slow := n.slow
	if n.w.weak.noFsync {
		slow *= 10
	}
	n.later(slow/2+n.w.spread(slow/2), func() {
		n.syncing = false
		n.disk.synced = upTo
		n.disk.show(upTo)
		n.step(replica.Written{Seq: n.disk.journal[upTo-1].Seq})
		n.sync()
	})
}

// node finds a node by name.
func (w *world) node(name string) *node { return w.nodes[name[0]-'A'] }
