package host

import (
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// carryOut does what a replica wants.
func (l *loop) carryOut(s *seat, e replica.Effect) {
	switch e := e.(type) {
	case replica.Send:
		l.send(s, e)
	case replica.Reply:
		l.reply(s, e)
	case replica.Write:
		l.life.host.config.Disk.Write(s.id, e.Batch)
	case replica.Report:
		l.report(s, e)
	case replica.WantRow:
		s.count.wanted.Add(1) // the picture is watched: the row is on its way
	case replica.Halt:
		l.halted(s, e.Reason)
	}
}

// send sends a message to a member. To another incarnation of its node there is
// nothing to say.
func (l *loop) send(s *seat, e replica.Send) {
	p := l.life.nodes.get(e.To.Node)
	if p == nil || p.conn.Peer.Incarnation != e.To.Inc {
		s.count.unsent.Add(1)
		return
	}
	if p.send(chain.Envelope{Chain: s.id, Epoch: e.Epoch, Body: e.Body}) != nil {
		s.count.unsent.Add(1)
	}
}

// reply sends a client an answer, if it is still there.
func (l *loop) reply(s *seat, e replica.Reply) {
	c, ok := l.clients[e.Client]
	if !ok {
		return
	}
	switch m := e.Body.(type) {
	case chain.ProposeReply:
		s.count.answered(m)
	case chain.ReadReply:
		l.answered = true
		s.count.statuses[min(int(m.Status), statuses-1)].Add(1)
	case chain.FeedEnd:
		s.subs.left(c.name, l.now)
	}
	c.answer(chain.Envelope{Chain: s.id, Epoch: s.epoch, Body: e.Body})
}

// patience is how many leases a member stays fenced before the node comes back as
// another incarnation; the controller may have died in between.
const patience = 4

// report passes on what the controller is to know, and looks for a replica that
// has been fenced for long: that repeats its report as long as it is.
func (l *loop) report(s *seat, r replica.Report) {
	if r.Kind == replica.Silent && !l.hangs(s, r) {
		return
	}
	l.life.reports.put(s.id, r)
	if r.Kind != replica.Fenced {
		return
	}
	if s.barred == 0 || l.now-s.told > 10*time.Second {
		s.barred = l.now
	}
	s.told = l.now
	if l.now-s.barred > patience*l.life.lease {
		l.life.fail(renewed{why: "a replica has been fenced for long", chain: s.id})
	}
}

// halted takes in that a replica has stopped for good. The controller is told that
// it serves no more, and the node comes back as another incarnation.
func (l *loop) halted(s *seat, reason string) {
	s.halt = reason
	s.role = replica.Stopped
	l.life.roles[s.id].Store(uint32(replica.Stopped))
	l.life.reports.put(s.id, replica.Report{Epoch: s.rep.Status().Row.Epoch, Kind: replica.Fenced, Member: l.life.self})
	l.life.halted(s.id, reason)
}
