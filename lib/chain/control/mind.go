package control

import (
	"maps"
	"slices"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/plan"
)

// A mind is what an elected controller has in mind: from a picture and the
// clock it decides what is to be done now, and it is told what came of that. It is
// pure, and made anew for each term.
type mind struct {
	cfg   *Config
	since time.Duration // of the term
	now   time.Duration
	pic   *Picture
	grace time.Duration // until then nobody who is registered counts as silent; see ears

	cluster plan.Cluster // as of the last look
	named   map[string]*Node
	stale   bool // the plans are to be made again
	planned time.Duration

	founding bool                   // the first table is being written
	foundAt  time.Duration          // it is not written again before
	orphaned bool                   // there is data, and no table
	rows     map[chain.ID]chain.Row // published, and not in the picture yet
	works    map[chain.ID]*work
	ousted   map[string]*ouster
	missed   map[chain.Member]time.Duration // since when those are not registered
	apart    map[[2]string]time.Duration    // since when those nodes do not hear each other
	left     map[chain.ID]map[string]chain.Incarnation
	refused  map[chain.ID]map[string]refusal
}

// An ouster is a node whose registration is deleted, or is to be.
type ouster struct {
	inc   chain.Incarnation
	wait  bool          // an answer is waited for
	done  bool          // it was deleted
	until time.Duration // when its last lease is over, if it was deleted
	again time.Duration // it is not tried again before
}

// A refusal is that a node made no progress as a recruit of a chain.
type refusal struct{ pause, until time.Duration }

// The shortest and the longest time for which a recruit that made no progress
// is not recruited again for the chain.
const (
	minPause = time.Second
	maxPause = time.Minute
)

func newMind(cfg *Config, now time.Duration) *mind {
	return &mind{
		cfg: cfg, since: now, stale: true, rows: map[chain.ID]chain.Row{}, works: map[chain.ID]*work{},
		ousted: map[string]*ouster{}, missed: map[chain.Member]time.Duration{},
		apart: map[[2]string]time.Duration{},
		left:  map[chain.ID]map[string]chain.Incarnation{}, refused: map[chain.ID]map[string]refusal{},
	}
}

// An action is a question to the coordinator or to a node. The fields that its
// kind does not need are zero.
type action struct {
	kind    actionKind
	node    string       // expel
	renewal int64        // expel
	member  chain.Member // expel, fence
	was     chain.Row    // fence, publish
	step    plan.Step    // publish
	gone    []chain.Member
	rows    []chain.Row // create
	began   time.Duration
	silent  time.Duration // expel: since the last renewal was seen
}

type actionKind uint8

const (
	create actionKind = iota + 1
	expel
	fence
	publish
)

// look takes in how things are, and says what is to be done.
func (m *mind) look(now time.Duration, pic *Picture, grace time.Duration, changed bool) []action {
	m.now, m.pic, m.grace = now, pic, grace
	m.stale = m.stale || changed
	if pic.Lease <= 0 || pic.Replicas <= 0 {
		return nil // nothing is known yet
	}
	m.see()
	if len(pic.Rows) == 0 {
		return m.found()
	}
	m.orphaned = false
	for id, row := range m.rows {
		if int(id) < len(pic.Rows) && pic.Rows[id].Epoch >= row.Epoch {
			delete(m.rows, id)
		}
	}
	acts := m.oust()
	if m.stale || now-m.planned >= time.Second {
		m.stale, m.planned = false, now
		m.adopt(plan.All(m.table(), m.facts, &m.cluster))
	}
	for _, id := range slices.Sorted(maps.Keys(m.works)) {
		acts = append(acts, m.advance(m.works[id])...)
	}
	return acts
}

// see works out who is heard of.
func (m *mind) see() {
	c := plan.Cluster{Replicas: m.pic.Replicas, By: m.cfg.Name, Copies: m.cfg.Copies, Moves: m.cfg.Moves}
	m.named = make(map[string]*Node, len(m.pic.Nodes))
	for i := range m.pic.Nodes {
		n := &m.pic.Nodes[i]
		m.named[n.Name] = n
		o := m.ousted[n.Name]
		if o != nil && n.Inc > o.inc {
			delete(m.ousted, n.Name)
			o = nil
		}
		silent := m.now - n.Renewed
		heard := silent < m.cfg.Suspect || m.now < m.grace
		live := n.Live && heard && n.Ended < n.Inc && (o == nil || !o.done)
		c.Nodes = append(c.Nodes, plan.Node{
			Name: n.Name, Zone: n.Zone, Inc: n.Inc, Ended: n.Ended, Live: live, Drain: n.Drain,
			Expected: !live && n.Renewed > 0 && silent < m.cfg.RecruitAfter,
		})
	}
	m.listen(c.Nodes)
	m.stale = m.stale || !slices.EqualFunc(c.Nodes, m.cluster.Nodes, sameNode)
	m.cluster = c
}

// sameNode reports whether there is nothing new about a node.
func sameNode(a, b plan.Node) bool {
	return a.Name == b.Name && a.Zone == b.Zone && a.Inc == b.Inc && a.Live == b.Live && a.Ended == b.Ended &&
		a.Expected == b.Expected && a.Drain == b.Drain && slices.Equal(a.Silent, b.Silent)
}

// listen works out who has not heard whom for long enough to count. It counts from
// when both were heard of here, and goes on when one comes back as another
// incarnation: else it would be recruited, and expelled, again and again.
func (m *mind) listen(nodes []plan.Node) {
	apart := map[[2]string]time.Duration{}
	for i := range nodes {
		n := &nodes[i]
		for _, name := range m.named[n.Name].Silent {
			j := slices.IndexFunc(nodes, func(o plan.Node) bool { return o.Name == name })
			if j < 0 {
				continue
			}
			both := n.Live && nodes[j].Live
			pair := [2]string{min(n.Name, name), max(n.Name, name)}
			since, ok := m.apart[pair]
			if !ok && !both {
				continue
			}
			if !ok {
				since = m.now
			}
			apart[pair] = since
			if both && m.now-since >= m.cfg.Silence {
				n.Silent = append(n.Silent, name)
			}
		}
	}
	m.apart = apart
}

// found makes the first table, when there are nodes enough for it or no more
// have come for a while. Where a disk has data of a chain there was a table once:
// a new one would not know it, so that is for the operator to decide.
func (m *mind) found() []action {
	live := 0
	for i, n := range m.pic.Nodes {
		if len(n.Held) > 0 {
			m.orphaned = true
			return nil
		}
		if m.cluster.Nodes[i].Live && !n.Drain {
			live++
		}
	}
	m.orphaned = false
	if m.founding || m.now < m.foundAt || live == 0 || live < m.pic.Replicas && m.now-m.since < m.cfg.Settle {
		return nil
	}
	rows, ok := plan.Create(&m.cluster, chain.Chains)
	if !ok {
		return nil
	}
	m.founding = true
	return []action{{kind: create, rows: rows, began: m.now}}
}

// table is the rows, with those that were published and are not in the picture
// yet, or are being published, in place of theirs.
func (m *mind) table() []chain.Row {
	rows := slices.Clone(m.pic.Rows)
	for i, row := range rows {
		if newer, ok := m.rows[row.Chain]; ok {
			rows[i] = newer
		}
		if w := m.works[row.Chain]; w != nil && w.publishing {
			rows[i] = w.step.Row
		}
	}
	return rows
}

// facts are those of one chain.
func (m *mind) facts(id chain.ID) plan.Facts {
	r := m.pic.Reports[id]
	f := plan.Facts{Held: map[string]chain.Incarnation{}, Ready: r.Ready, Stalled: r.Stalled, Fenced: r.Fenced, Silent: r.Silent}
	for i := range m.pic.Nodes {
		n := &m.pic.Nodes[i]
		if h, ok := n.Held[id]; ok {
			f.Held[n.Name] = h.Inc
		}
		// What a member that is away had when it left, it has not yet registered.
		if inc := m.left[id][n.Name]; inc != 0 && inc == n.Inc {
			f.Held[n.Name] = inc
		}
	}
	for name, r := range m.refused[id] {
		if m.now < r.until {
			if f.Avoid == nil {
				f.Avoid = map[string]bool{}
			}
			f.Avoid[name] = true
		}
	}
	return f
}

// oust has the registrations deleted of members that are not heard of, each once.
func (m *mind) oust() (acts []action) {
	var serve map[chain.Member]bool
	for i, n := range m.cluster.Nodes {
		o, reg := m.ousted[n.Name], &m.pic.Nodes[i]
		if n.Live || !reg.Live || reg.Ended >= reg.Inc || o != nil && (o.wait || o.done || m.now < o.again) {
			continue
		}
		if serve == nil {
			serve = m.members()
		}
		if serve[chain.Member{Node: n.Name, Inc: n.Inc}] {
			acts = append(acts, m.expel(reg))
		}
	}
	return acts
}

// expel has a registration deleted. Its leases are over when that of the last renewal
// that was seen is.
func (m *mind) expel(n *Node) action {
	m.ousted[n.Name] = &ouster{inc: n.Inc, wait: true, until: n.Renewed + plan.LeaseWait(m.pic.Lease)}
	return action{
		kind: expel, node: n.Name, renewal: n.Renewal, member: chain.Member{Node: n.Name, Inc: n.Inc}, began: m.now,
		silent: m.now - n.Renewed,
	}
}

// members are all that serve in the table.
func (m *mind) members() map[chain.Member]bool {
	serve := map[chain.Member]bool{}
	for _, row := range m.table() {
		for _, who := range row.Members {
			serve[who] = true
		}
	}
	return serve
}

// expelled takes in whether a registration was deleted.
func (m *mind) expelled(a action, ok bool) {
	o := m.ousted[a.node]
	if o == nil || o.inc != a.member.Inc {
		return
	}
	o.wait, o.done = false, ok
	o.again = m.now + expelAgain
}

// created takes in that the first table was written, or was not. When it was, it
// will be in a picture soon.
func (m *mind) created() {
	m.founding, m.foundAt = false, m.now+foundAgain
}
