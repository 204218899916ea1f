package host

import (
	"math"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
	"namecast/lib/clock"
)

// never is a reading of the clock that does not come.
const never = time.Duration(math.MaxInt64)

// An answerer is who gets the answers to a client's requests.
type answerer interface {
	answer(chain.Envelope)
}

// A seat is a chain's replica in its loop.
type seat struct {
	id      chain.ID
	rep     *replica.Replica
	store   Storage
	count   *counts
	stepped bool          // in this batch
	wakeAt  time.Duration // when it wants a Tick
	role    replica.Role
	epoch   chain.Epoch   // installed
	halt    string        // why it has stopped for good
	barred  time.Duration // since when it has been fenced; 0 if it is not
	told    time.Duration // when it reported that last
	mute    mute
	subs    roster
}

// A loop steps the replicas of some chains, one input after the other, and
// carries out what they want.
type loop struct {
	*queue
	life    *life
	seats   []*seat // that of a chain is at its number divided by the number of loops
	clients map[uint64]client
	now     time.Duration
	dead    error // why it does nothing any more
	// answered is set when a read is answered.
	answered bool

	timer *time.Timer
	armed time.Duration // when the timer fires
}

// A client is one whose requests a loop gets.
type client struct {
	answerer
	name string // of its certificate
}

func newLoop(l *life) *loop {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return &loop{queue: newQueue(), life: l, clients: map[uint64]client{}, timer: timer, armed: never}
}

func (l *loop) seat(id chain.ID) *seat { return l.seats[int(id)/len(l.life.loops)] }

// run takes inputs until the queue is closed.
func (l *loop) run() {
	defer l.timer.Stop()
	var inputs []input
	for open := true; open; {
		inputs, open = l.take(inputs)
		// The clock is read after all these requests have come: a lease that is in
		// force now proves them current.
		l.now = clock.Boot()
		for i := range inputs {
			l.handle(&inputs[i])
		}
		l.tick()
		for i := range inputs {
			if p := inputs[i].from; p != nil {
				p.credit(inputs[i].cost)
			}
		}
		if len(inputs) == 0 && open {
			l.wait()
		}
	}
}

// wait sleeps until there are inputs or a replica wants to be woken.
func (l *loop) wait() {
	next := never
	for _, s := range l.seats {
		next = min(next, s.wakeAt)
	}
	if next < l.armed {
		l.armed = next
		l.timer.Reset(max(0, next-clock.Boot()))
	}
	select {
	case <-l.wake:
	case <-l.timer.C:
		l.armed = never
	}
}

// tick gives a Tick to the replicas that are to have one by now.
func (l *loop) tick() {
	for _, s := range l.seats {
		if s.wakeAt <= l.now {
			l.step(s, replica.Tick{})
		}
		if s.stepped {
			s.stepped = false
			s.wakeAt = never
			if at, ok := s.rep.Wake(); ok && l.dead == nil {
				s.wakeAt = at
			}
		}
	}
}

// handle does what an input says.
func (l *loop) handle(in *input) {
	switch {
	case in.do != nil:
		in.do()
	case in.written != 0:
		s := l.seat(in.env.Chain)
		l.step(s, replica.Written{Seq: in.written})
		if s.role == replica.None && l.dead == nil {
			l.look(s) // it may have waited for that to take its place
		}
	case !in.env.From.IsZero():
		l.step(l.seat(in.env.Chain), replica.Receive(in.env))
	default:
		l.request(in)
	}
}

// request steps a client's request.
func (l *loop) request(in *input) {
	s := l.seat(in.env.Chain)
	q := replica.Request{Client: in.client, Body: in.env.Body}
	switch m := in.env.Body.(type) {
	case chain.Read:
		s.count.reads.Add(1)
		l.answered = false
		l.step(s, q)
		if !l.answered {
			s.count.dirty.Add(1)
		}
		return
	case chain.Propose:
		s.count.proposals.Add(1)
	case chain.Subscribe:
		s.subs.joined(l.clients[in.client].name, m.After, l.now)
	case chain.FeedAck:
		s.subs.acked(l.clients[in.client].name, m.LSN)
	case chain.FeedEnd:
		s.subs.left(l.clients[in.client].name, l.now)
	case chain.Fence:
		l.fence(s, in.client, m)
		return
	}
	l.step(s, q)
}

// fence has a replica stop in the epochs that the controller says. One that has
// stopped for good does so in all.
func (l *loop) fence(s *seat, client uint64, m chain.Fence) {
	if l.dead != nil {
		return
	}
	if s.halt != "" {
		l.reply(s, replica.Reply{Client: client, Body: chain.FenceReply(m)})
		return
	}
	l.step(s, replica.Request{Client: client, Body: m})
	l.look(s)
}

// step gives a replica an input and carries out what it wants, unless its storage
// cannot be read.
func (l *loop) step(s *seat, in replica.Input) {
	if l.dead != nil {
		return
	}
	effects := s.rep.Step(l.now, in)
	if err := s.store.Err(); err != nil {
		l.dead = err
		l.life.fail(fatal{err})
		return
	}
	s.stepped = true
	for _, e := range effects {
		l.carryOut(s, e)
	}
}

// look takes down what a replica is, after something that may have changed it.
func (l *loop) look(s *seat) {
	st := s.rep.Status()
	s.role, s.epoch = st.Role, st.Row.Epoch
	if s.role != replica.Barred {
		s.barred = 0
	}
	l.life.roles[s.id].Store(uint32(s.role))
}

// each has a loop do something with every replica.
func (l *loop) each(in func(*seat) replica.Input) {
	for _, s := range l.seats {
		if q := in(s); q != nil {
			l.step(s, q)
		}
	}
}

// configure gives a replica its chain's row.
func (l *loop) configure(row chain.Row) {
	s := l.seat(row.Chain)
	if row.Epoch <= s.epoch {
		return
	}
	l.step(s, replica.Configure{Row: row})
	if l.dead == nil {
		l.look(s)
	}
}

// gone ends what a client had going.
func (l *loop) gone(p *peer) {
	c := l.clients[p.number]
	delete(l.clients, p.number)
	l.each(func(s *seat) replica.Input {
		s.subs.left(c.name, l.now)
		return replica.Gone{Client: p.number}
	})
}

// stop has every replica stop for good: it tells those who wait, and lets go of
// its snapshots.
func (l *loop) stop() {
	l.each(func(*seat) replica.Input {
		return replica.Request{Body: chain.Fence{Epoch: math.MaxUint64}}
	})
	for _, s := range l.seats {
		if l.dead == nil {
			l.look(s)
		}
		s.subs.allLeft(l.now)
	}
}
