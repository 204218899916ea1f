package control

import (
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/plan"
)

// Waits before something is tried again.
const (
	foundAgain   = time.Second
	expelAgain   = 100 * time.Millisecond
	fenceAgain   = 100 * time.Millisecond
	publishAgain = 50 * time.Millisecond
)

// A work is a step that is carried out.
type work struct {
	step  plan.Step
	was   chain.Row
	began time.Duration
	// asked are members that were sent a Fence, and when; fenced those that
	// have answered.
	asked      map[chain.Member]time.Duration
	fenced     map[chain.Member]bool
	deaf       map[chain.Member]bool // they have not answered a Fence
	publishing bool
	notBefore  time.Duration // it is not published again before
}

// adopt takes steps into work. A step that has begun to be carried out goes on,
// unless another one of the chain is about a member that does not serve, or for
// which the chain stands still.
func (m *mind) adopt(steps []plan.Step) {
	wanted := make(map[chain.ID]bool, len(steps))
	for _, s := range steps {
		id := s.Row.Chain
		w := m.works[id]
		urgent := m.urgent(s) || s.Force && w != nil && !w.step.Force
		if _, ok := m.rows[id]; ok || w != nil && w.publishing {
			continue // a row is published only after one that is in the picture
		}
		wanted[id] = true
		switch {
		case w != nil && w.step.Row.Epoch == s.Row.Epoch && w.step.Kind == s.Kind && w.step.Member == s.Member:
			w.step = s // whom to fence may be fewer by now
		case w != nil && w.step.Row.Epoch == s.Row.Epoch && len(w.asked) > 0 && !urgent:
		default:
			m.works[id] = m.begin(s, w)
		}
	}
	for id, w := range m.works {
		if !w.publishing && !wanted[id] {
			delete(m.works, id)
		}
	}
}

// begin makes a step work. What was proved for another step of the same row
// holds for this one too.
func (m *mind) begin(s plan.Step, old *work) *work {
	w := &work{step: s, began: m.now, asked: map[chain.Member]time.Duration{}, fenced: map[chain.Member]bool{}, deaf: map[chain.Member]bool{}}
	w.was = m.pic.Rows[s.Row.Chain]
	if old != nil && old.was.Epoch == w.was.Epoch {
		w.asked, w.fenced, w.deaf = old.asked, old.fenced, old.deaf
	}
	return w
}

// urgent reports whether a step is about a member that does not serve.
func (m *mind) urgent(s plan.Step) bool {
	n := m.named[s.Member.Node]
	fenced := m.pic.Reports[s.Row.Chain].Fenced == plan.Report{Epoch: s.Row.Epoch - 1, Member: s.Member}
	return s.Kind == plan.Restart || s.Kind == plan.Remove && (fenced || n == nil || n.Inc != s.Member.Inc || !m.heard(n.Name))
}

// heard reports whether a node is heard of.
func (m *mind) heard(name string) bool {
	for _, n := range m.cluster.Nodes {
		if n.Name == name {
			return n.Live
		}
	}
	return false
}

// advance brings a step further: whom it fences is asked to stop or waited for,
// and when all are proved to serve no more, its row is published.
func (m *mind) advance(w *work) (acts []action) {
	if w.publishing || m.now < w.notBefore {
		return nil
	}
	proved := true
	var gone []chain.Member
	for _, who := range w.step.Fence {
		n := m.named[who.Node]
		switch {
		case w.fenced[who]:
		case n != nil && n.Inc == who.Inc && m.heard(n.Name):
			proved = false
			if at, ok := w.asked[who]; !ok || at >= 0 && m.now-at >= fenceAgain {
				w.asked[who] = -1 // no answer yet
				acts = append(acts, action{kind: fence, member: who, was: w.was, began: m.now})
			}
			if w.step.Force && w.deaf[who] && m.mayExpel(n) {
				acts = append(acts, m.expel(n))
			}
		case m.gone(who, n):
			if n != nil && n.Inc == who.Inc {
				gone = append(gone, who)
			}
		default:
			proved = false
		}
	}
	if proved {
		w.publishing = true
		acts = append(acts, action{kind: publish, was: w.was, step: w.step, gone: gone, began: w.began})
	}
	return acts
}

// mayExpel reports whether a node that is heard of can be tried to be expelled.
func (m *mind) mayExpel(n *Node) bool {
	o := m.ousted[n.Name]
	return n.Live && n.Renewed > 0 && (o == nil || !o.wait && !o.done && m.now >= o.again)
}

// gone reports whether the leases are over of a member that has no registration
// any more.
func (m *mind) gone(who chain.Member, n *Node) bool {
	switch o := m.ousted[who.Node]; {
	case n != nil && (n.Inc > who.Inc || n.Ended >= who.Inc):
		return true
	case o != nil && o.done && o.inc == who.Inc:
		return m.now >= o.until
	case n != nil && n.Inc == who.Inc && n.Live:
		return false
	case n != nil && n.Inc == who.Inc && n.Renewed > 0:
		return m.now >= n.Renewed+plan.LeaseWait(m.pic.Lease)
	}
	// The coordinator has no record of it: it may have renewed until just now.
	at, ok := m.missed[who]
	if !ok {
		m.missed[who] = m.now
		return false
	}
	return m.now >= at+plan.LeaseWait(m.pic.Lease)
}

// answered takes in that a member has answered a Fence, or has not.
func (m *mind) answered(a action, ok bool) {
	w := m.works[a.was.Chain]
	if w == nil || w.was.Epoch != a.was.Epoch {
		return
	}
	w.asked[a.member] = m.now
	if ok {
		w.fenced[a.member] = true
	} else {
		w.deaf[a.member] = true
	}
}

// published takes in that a row was published, or why not: retry is how long
// nothing is tried about the chain.
func (m *mind) published(a action, ok bool, retry time.Duration) {
	id := a.was.Chain
	w := m.works[id]
	if w == nil || w.was.Epoch != a.was.Epoch {
		return
	}
	if !ok {
		w.publishing, w.notBefore = false, m.now+retry
		return
	}
	m.stale = true
	delete(m.works, id)
	m.rows[id] = a.step.Row
	m.remember(id, a.step)
}

// remember keeps what no later picture tells of a step: who left with the
// chain's data, and who is not to be recruited for a while, since it did not do its part.
func (m *mind) remember(id chain.ID, s plan.Step) {
	name := s.Member.Node
	stalled := m.pic.Reports[id].Stalled == plan.Report{Epoch: s.Row.Epoch - 1, Member: s.Member}
	if s.Force || s.Kind == plan.Drop && stalled {
		m.refuse(id, name)
	}
	switch {
	case s.Kind == plan.Remove && !m.heard(name):
		if m.left[id] == nil {
			m.left[id] = map[string]chain.Incarnation{}
		}
		m.left[id][name] = s.Member.Inc
	case s.Kind == plan.Promote:
		if m.now-m.refused[id][name].until > maxPause {
			delete(m.refused[id], name)
		}
	}
}

// refuse has a node not recruited for a chain for a while, which is longer each time.
func (m *mind) refuse(id chain.ID, name string) {
	if m.refused[id] == nil {
		m.refused[id] = map[string]refusal{}
	}
	pause := min(max(2*m.refused[id][name].pause, minPause), maxPause)
	m.refused[id][name] = refusal{pause: pause, until: m.now + pause}
}
