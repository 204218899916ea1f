package host

import (
	"context"
	"time"

	"namecast/lib/peer"
	"namecast/lib/resolve/system"
	"namecast/lib/resolve/upstream"
	"namecast/lib/rr"
)

// splitTime is how long each server of a split domain may take.
const splitTime = 2 * time.Second

// A splitter asks the servers of domains that belong to one link, such as those of a
// company behind a private network. Their names do not go to the Node at all, so
// they are neither kept nor told to anybody. It belongs to the loop.
type splitter struct {
	workers *workers
	domains []splitDomain
}

type splitDomain struct {
	name    rr.Name
	servers []*upstream.Client
}

// set puts domains in force, and returns the clients that are needed no more.
func (s *splitter) set(list []system.Split) (old []*upstream.Client) {
	for _, d := range s.domains {
		old = append(old, d.servers...)
	}
	s.domains = nil
	for _, x := range list {
		d := splitDomain{name: x.Domain.Lower()}
		for _, server := range x.Servers {
			d.servers = append(d.servers, upstream.New(server, upstream.Options{}))
		}
		s.domains = append(s.domains, d)
	}
	return old
}

// take asks for a name of a split domain, and is false for other names.
func (s *splitter) take(q *query) bool {
	var best *splitDomain
	for i, d := range s.domains {
		if q.q.Name.Under(d.name) && (best == nil || len(d.name) > len(best.name)) {
			best = &s.domains[i]
		}
	}
	if best == nil {
		return false
	}
	servers := best.servers
	if !s.workers.work(s.workers.fetches, func() peer.Event { return s.ask(q, servers) }) {
		q.fail(rcodeServFail)
	}
	return true
}

// A splitAnswer is what a server of a split domain says.
type splitAnswer struct {
	q   *query
	msg []byte // nil: none answered
}

// ask asks the servers one after the other.
func (s *splitter) ask(q *query, servers []*upstream.Client) peer.Event {
	for _, c := range servers {
		ctx, cancel := context.WithTimeout(s.workers.ctx, splitTime)
		msg, err := c.Exchange(ctx, question(q.q, false))
		cancel()
		if err == nil {
			return splitAnswer{q, optLast(msg)}
		}
	}
	return splitAnswer{q, nil}
}

// done answers the client.
func (a splitAnswer) done() {
	r := &peer.Reply{Msg: a.msg, EDE: -1, By: peer.ByUpstream}
	if a.msg == nil {
		r.Rcode, r.EDE, r.By = rcodeServFail, edeUnreachable, peer.ByNobody
		r.Text = "no server of the split domain answers"
	}
	a.q.reply(a.q.answer(r, a.q.limit))
}

// edeUnreachable is the extended error that no server could be reached, RFC 8914
// section 4.23.
const edeUnreachable = 22
