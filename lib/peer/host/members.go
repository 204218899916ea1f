package host

import (
	"namecast/lib/clock"
	"namecast/lib/peer"
	"namecast/lib/peer/group"
	"namecast/lib/peer/packet"
	"namecast/lib/peer/view"
)

// happened takes what the Group has to tell.
func (l *loop) happened(events []any) {
	for _, ev := range events {
		switch ev := ev.(type) {
		case peer.Received:
			l.tracer.heard(ev)
			l.step(ev)
		case group.Joined:
			l.log.Info("member joined", "id", ev.ID, "at", ev.Addr)
			l.recognise(ev.ID)
			l.tracer.add(view.Event{Kind: view.Join, From: ev.ID.String(), Text: ev.Addr.String()})
		case group.Left:
			l.log.Info("member left", "id", ev.ID, "why", ev.Why)
			l.tracer.add(view.Event{Kind: view.Leave, From: ev.ID.String(), Text: ev.Why})
		case group.Turned:
			l.tracer.add(view.Event{Kind: view.Upstream, From: ev.ID.String(), Text: ev.Upstream.String()})
			if ev.Upstream == packet.Down {
				l.step(peer.Hint{})
			}
		case group.CloneSeen:
			l.log.Warn("another machine has this one's identity, as copies of a disk have", "at", ev.Addr, "renewed here", ev.Self)
			if ev.Self {
				l.renew()
			}
		}
	}
}

// status is what the group is told of this node.
func (l *loop) status() group.Status {
	state, since := l.node.Upstream()
	return group.Status{
		Upstream: state, UpstreamFor: since,
		Counters: l.counters(), Entries: uint32(l.node.Kept().Entries), Net: l.site,
	}
}

// counters are those that the group is told.
func (l *loop) counters() packet.Counters { return l.node.Stats().Counters }

// pause stops all talk with members, or begins it again.
func (l *loop) pause(on bool) {
	if l.paused == on {
		return
	}
	now := clock.Boot()
	if l.group != nil && on {
		l.send(l.group.Bye(now, "paused"))
		l.send(l.group.Links(now, nil))
		l.happened(l.group.Events())
	}
	l.paused = on
	if l.group != nil && !on {
		l.send(l.group.Links(now, l.links))
	}
}

// trace tells those who look on of what the Node has said.
func (t *tracer) trace(x peer.Trace) {
	e := view.Event{Kind: x.Kind.String(), Text: x.Text}
	if x.Kind == peer.TraceServer {
		e.Kind = view.Upstream
	}
	if x.Peer != (packet.NodeID{}) {
		e.To = x.Peer.String()
	}
	if x.Type != 0 {
		e.Name = t.name(x.Name, x.Type)
	}
	t.add(e)
}
