package replica

import (
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/internal/safeguard"
)

// receive takes a message from another node.
func (r *Replica) receive(m chain.Envelope) {
	if !r.current(m) {
		return
	}
	switch b := m.Body.(type) {
	case chain.Hello:
		r.hello(m.From, b)
	case chain.Append:
		r.take(m.From, b)
	case chain.Ack:
		r.takeAck(m.From, b)
	case chain.Propose:
		r.propose(asker{member: m.From, id: b.ID, deadline: r.now + r.opt.Timeout}, b)
	case chain.ProposeReply:
		r.proposed(b)
	case chain.VersionQuery:
		r.versionQuery(m.From, b)
	case chain.VersionReply:
		r.versionReply(m.From, b)
	case chain.Confirm:
		r.confirm(m.From, b)
	case chain.ConfirmReply:
		r.confirmed(m.From, b)
	case chain.SnapBegin:
		r.snapBegin(m.From, b)
	case chain.SnapChunk:
		r.snapChunk(m.From, b)
	case chain.SnapEnd:
		r.snapEnd(m.From, b)
	case chain.SnapAck:
		r.takeSnapAck(m.From, b)
	}
}

// current reports whether a message is of the installed epoch and from one who
// takes part in it. Of two epochs the newer is right: who is behind is told, or
// asks for its row.
func (r *Replica) current(m chain.Envelope) bool {
	takesPart := r.role == Serving || r.role == Copying
	if r.off(safeguard.Epochs) {
		return takesPart
	}
	switch {
	case m.Epoch > r.row.Epoch:
		if m.Epoch > r.wanted {
			r.wanted = m.Epoch
			r.emit(WantRow{Epoch: m.Epoch})
		}
		return false
	case m.Epoch < r.row.Epoch:
		if _, ok := m.Body.(chain.StaleEpoch); !ok {
			r.send(m.From, chain.StaleEpoch{})
		}
		return false
	}
	return takesPart && (r.row.Index(m.From) >= 0 || m.From == r.row.Recruit)
}

// request takes a message from a client.
func (r *Replica) request(client uint64, m chain.Message) {
	a := asker{client: client, deadline: r.now + r.opt.Timeout}
	switch m := m.(type) {
	case chain.Propose:
		a.id = m.ID
		m.Forwarded = false
		r.propose(a, m)
	case chain.Read:
		a.id = m.ID
		r.read(a, m)
	case chain.Subscribe:
		r.subscribe(client, m)
	case chain.SnapAck:
		r.feedSnapAck(client, m)
	case chain.FeedAck:
		r.feedAck(client, m)
	case chain.FeedPing:
		a.id = m.ID
		r.feedPing(a, m)
	case chain.FeedEnd:
		r.unsubscribe(client, m.ID)
	case chain.Fence:
		r.fence(client, m)
	}
}

// overdue does what is to be done at this time: sends again what was not
// answered, and gives up what waited too long.
func (r *Replica) overdue() {
	r.resend(&r.succ)
	r.resend(&r.recruit)
	if n := &r.reads.round; n.on && r.now >= n.retryAt {
		r.ask()
	}
	if r.sweep != 0 && r.now >= r.sweep {
		r.sweep = 0
		r.sweepReads()
		r.sweepWrites()
		r.sweepFeeds()
		if r.waiting() {
			r.sweepSoon()
		}
	}
}

// sweepSoon has what waits looked at after a while.
func (r *Replica) sweepSoon() {
	if r.sweep == 0 {
		r.sweep = r.now + r.opt.Timeout/2
	}
}

// waiting reports whether anybody waits for an answer.
func (r *Replica) waiting() bool {
	return r.writes.count > 0 || len(r.writes.forwarded) > 0 || len(r.reads.queue) > 0 ||
		r.reads.round.on || len(r.feeds.subs) > 0
}

// Wake gives the reading of the local clock at which the replica wants a Tick
// at the latest, if nothing else happens before. ok is false if it needs none.
func (r *Replica) Wake() (at time.Duration, ok bool) {
	first := func(t time.Duration) {
		if !ok || t < at {
			at, ok = t, true
		}
	}
	if r.halted {
		return 0, false
	}
	for _, d := range []*downstream{&r.succ, &r.recruit} {
		if !d.to.IsZero() && (len(d.underWay) > 0 || d.copy != nil || r.waitsFor(d)) {
			first(d.retryAt)
		}
	}
	if d := &r.recruit; d.behind && !d.to.IsZero() {
		first(max(r.stallsAt(d), r.tended.nextAt))
	}
	if r.tended.kind != 0 || r.role == Barred {
		first(r.tended.nextAt)
	}
	if r.reads.round.on {
		first(r.reads.round.retryAt)
	}
	if r.sweep != 0 {
		first(r.sweep)
	}
	return at, ok
}
