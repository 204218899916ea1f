package host

import (
	"cmp"
	"slices"
	"time"

	"namecast/lib/chain"
)

// remembered is how long a subscriber is told of after its subscription has ended.
const remembered = 30 * time.Second

// A roster is who has subscribed to a chain here, and who did so lately. It is its
// loop's, and goes from one life to the next.
type roster map[string]*subscriber // by the names of clients

type subscriber struct {
	lsn  chain.LSN
	left time.Duration // when its subscription ended; 0 if it has one
}

// rosters are those of all chains.
type rosters [chain.Chains]roster

func (r *rosters) init() {
	for i := range r {
		r[i] = roster{}
	}
}

// joined takes in a subscription of one who has the chain up to an LSN.
func (r roster) joined(name string, has chain.LSN, now time.Duration) {
	r.forget(now)
	r[name] = &subscriber{lsn: has}
}

// acked takes in what a subscriber has for good.
func (r roster) acked(name string, has chain.LSN) {
	if s := r[name]; s != nil {
		s.lsn = max(s.lsn, has)
	}
}

// left takes in that a subscription has ended.
func (r roster) left(name string, now time.Duration) {
	if s := r[name]; s != nil && s.left == 0 {
		s.left = now
	}
}

func (r roster) allLeft(now time.Duration) {
	for name := range r {
		r.left(name, now)
	}
}

// forget drops those who are gone for long.
func (r roster) forget(now time.Duration) {
	for name, s := range r {
		if s.left != 0 && now-s.left >= remembered {
			delete(r, name)
		}
	}
}

// subscribers tells how far they are, those whom the replica serves now and those
// who are gone.
func (l *loop) subscribers(s *seat) []chain.Subscriber {
	s.subs.forget(l.now)
	at := map[string]chain.Subscriber{}
	for name, sub := range s.subs {
		at[name] = chain.Subscriber{Name: name, LSN: sub.lsn, Gone: max(1, l.now-sub.left)}
	}
	for _, f := range s.rep.Status().Feeds {
		c, ok := l.clients[f.Client]
		if !ok {
			continue
		}
		now := chain.Subscriber{Name: c.name, LSN: f.Acked}
		if was, ok := at[c.name]; ok && was.Gone == 0 {
			now.LSN = max(now.LSN, was.LSN)
		}
		at[c.name] = now
	}
	out := make([]chain.Subscriber, 0, len(at))
	for _, sub := range at {
		out = append(out, sub)
	}
	slices.SortFunc(out, func(a, b chain.Subscriber) int { return cmp.Compare(a.Name, b.Name) })
	return out
}
