package sim

import (
	"maps"
	"slices"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/plan"
	"namecast/lib/chain/replica"
)

// A coordinator is what etcd is to the nodes: one truth, which it takes time to
// ask. What is done here is done at once and for good, whether or not the answer
// arrives.
type coordinator struct {
	w       *world
	away    time.Duration // until when it cannot be reached
	row     chain.Row
	incs    map[string]chain.Incarnation
	live    map[string]chain.Incarnation // registrations in force
	heard   map[string]time.Duration     // when they were renewed
	renewal map[string]int               // names the last renewal
	held    map[string]chain.Incarnation
	silent  map[string]word // with whom nodes have no connection
	reports [5]plan.Report
	term    int // of the elected controller
}

// A registration is what a node is told.
type registration struct {
	inc chain.Incarnation // 0 if it has none any more
	row chain.Row
}

// A picture is what a controller is told.
type picture struct {
	term    int
	row     chain.Row
	cluster plan.Cluster
	facts   plan.Facts
	renewal map[string]int
	silent  map[string]word
}

func (c *coordinator) init(w *world) {
	c.w = w
	c.incs, c.live = map[string]chain.Incarnation{}, map[string]chain.Incarnation{}
	c.heard, c.held = map[string]time.Duration{}, map[string]chain.Incarnation{}
	c.renewal, c.silent = map[string]int{}, map[string]word{}
}

func (c *coordinator) register(name string, last, held, old chain.Incarnation) registration {
	if c.incs[name] != last {
		return registration{}
	}
	c.incs[name]++
	c.live[name], c.heard[name], c.held[name] = c.incs[name], c.w.now, held
	c.renewal[name]++
	delete(c.silent, name)
	if c.w.weak.noProof {
		c.held[name] = c.row.Node(name).Inc
		if c.held[name] == 0 {
			c.held[name] = old
		}
	}
	return registration{c.incs[name], c.row}
}

func (c *coordinator) renew(m chain.Member) registration {
	if c.live[m.Node] != m.Inc {
		return registration{0, c.row}
	}
	c.heard[m.Node] = c.w.now
	c.renewal[m.Node]++
	return registration{m.Inc, c.row}
}

func (c *coordinator) report(r replica.Report) {
	c.reports[r.Kind] = plan.Report{Epoch: r.Epoch, Member: r.Member}
}

// look tells a controller how things are.
func (c *coordinator) look() picture {
	p := picture{term: c.term, row: c.row, renewal: maps.Clone(c.renewal), cluster: plan.Cluster{Replicas: c.w.prof.replicas, Copies: 1, Moves: 1}}
	p.silent = maps.Clone(c.silent)
	p.facts = plan.Facts{
		Held:  map[string]chain.Incarnation{},
		Ready: c.reports[replica.Ready], Stalled: c.reports[replica.Stalled], Fenced: c.reports[replica.Fenced],
		Silent: c.reports[replica.Silent],
	}
	for _, n := range c.w.nodes {
		_, registered := c.live[n.name]
		doubt := !c.w.calm && c.w.chance(c.w.prof.doubts)
		p.cluster.Nodes = append(p.cluster.Nodes, plan.Node{
			Name: n.name, Zone: n.name, Inc: c.incs[n.name],
			Live: registered && c.w.now-c.heard[n.name] < heardOf && !doubt,
		})
		p.facts.Held[n.name] = c.held[n.name]
	}
	return p
}

// elect makes a controller the elected one.
func (c *coordinator) elect() int {
	c.term++
	return c.term
}

// expel deletes a node's registration, if its last renewal is the one given.
func (c *coordinator) expel(term int, m chain.Member, renewal int) bool {
	guarded := !c.w.weak.noRenewalGuard
	if term != c.term || guarded && c.renewal[m.Node] != renewal {
		return false
	}
	if c.live[m.Node] == m.Inc {
		delete(c.live, m.Node)
	}
	return true
}

// publish makes a row the chain's, if all that it was planned on still holds.
func (c *coordinator) publish(term int, row chain.Row, expelled []chain.Member) bool {
	guarded := !c.w.weak.noRowGuard
	if guarded && (term != c.term || row.Epoch != c.row.Epoch+1) {
		return false
	}
	for _, m := range expelled {
		if c.live[m.Node] == m.Inc {
			return false
		}
	}
	c.w.check.published(c.row, row)
	c.row = row
	c.w.logf("row %d: %v, recruit %v, restored %d", row.Epoch, row.Members, row.Recruit, row.Restored)
	for _, n := range c.w.nodes {
		n := n
		c.w.travel(-1, n.at, func() { n.now(n.run, func() { n.step(replica.Configure{Row: row}) }) })
	}
	return true
}

// A controller carries out plans as long as it believes to be elected.
type controller struct {
	w     *world
	at    int
	rate  float64
	term  int // 0 if it is not elected
	job   *job
	load  map[string]int
	saw   map[string]sighting         // of nodes
	apart map[[2]string]time.Duration // since when two have not heard each other
}

// A sighting is when a controller saw the last renewal that it knows of a node.
type sighting struct {
	renewal int
	at      time.Duration // of the world's clock, of which it measures what has passed
}

// A job is a step that is carried out: who is to be fenced is proved to be.
type job struct {
	step     plan.Step
	proved   map[chain.Member]bool
	expelled []chain.Member
	asks     bool // whom it fences it asks to stop, before it waits for leases
	since    time.Duration
	saw      map[string]sighting // when it was planned
}

func newController(w *world, at int) *controller {
	c := &controller{w: w, at: at, rate: 1 + (2*w.rng.Float64()-1)*w.prof.clocks, load: map[string]int{}, saw: map[string]sighting{}}
	if w.chance(0.5) && w.prof.clocks > 0 {
		c.rate = 1 + w.prof.clocks
	}
	return c
}

// campaign has the controller elected, and the other one deposed, which that one
// is not told.
func (c *controller) campaign() {
	c.w.travel(-2, -1, func() {
		term := c.w.coord.elect()
		c.w.travel(-1, -2, func() {
			c.w.logf("controller %d is elected for term %d", c.at, term)
			c.term, c.job = term, nil
		})
	})
}

// call asks the coordinator, as a node does.
func (c *controller) call(ask func() any, then func(any)) {
	c.w.travel(-2, -1, func() {
		if c.w.now < c.w.coord.away {
			return
		}
		answer := ask()
		c.w.travel(-1, -2, func() { then(answer) })
	})
}

// tick looks at how things are, again and again.
func (c *controller) tick() {
	c.w.after(c.w.between(20*time.Millisecond, 60*time.Millisecond), c.tick)
	if c.term == 0 {
		if c.w.boss[1-c.at].term == 0 && c.w.chance(0.2) {
			c.campaign()
		}
		return
	}
	c.call(func() any { return c.w.coord.look() }, func(answer any) {
		p := answer.(picture)
		for name, renewal := range p.renewal {
			if renewal > c.saw[name].renewal { // answers may overtake each other
				c.saw[name] = sighting{renewal, c.w.now}
			}
		}
		if p.term != c.term && c.w.chance(0.5) {
			c.term, c.job = 0, nil // it finds out, sooner or later
			return
		}
		if c.job != nil && c.job.step.Row.Epoch == p.row.Epoch+1 && c.w.now < c.job.since+5*lease {
			c.prove()
			return
		}
		c.listen(p.cluster.Nodes, p.silent)
		if s, ok := plan.Plan(p.row, p.facts, &p.cluster, c.load); ok {
			c.w.logf("controller %d plans: %v %v, %s; to be fenced: %v", c.at, s.Kind, s.Member, s.Why, s.Fence)
			if s.Force {
				c.w.check.counts["partings"]++
			}
			c.job = &job{step: s, proved: map[chain.Member]bool{}, asks: c.w.chance(0.4), since: c.w.now, saw: maps.Clone(c.saw)}
			c.prove()
		}
	})
}

// prove sees to it that who is to be fenced is, and publishes the row then.
func (c *controller) prove() {
	j := c.job
	for _, m := range j.step.Fence {
		if !j.proved[m] {
			c.fence(j, m)
			return
		}
	}
	c.call(func() any { return c.w.coord.publish(c.term, j.step.Row, j.expelled) }, func(any) {
		if c.job == j {
			c.job = nil
		}
	})
}

// fence asks a member to stop, or deletes its registration and waits for its
// lease to end, which began before the last renewal was seen.
func (c *controller) fence(j *job, m chain.Member) {
	n := c.w.node(m.Node)
	epoch := j.step.Row.Epoch - 1
	if j.asks && c.w.now < j.since+lease {
		client := c.w.check.fenceClient(c, func() { j.proved[m] = true })
		c.w.travel(-2, n.at, func() {
			n.now(n.run, func() {
				if n.rep != nil && n.self == m {
					n.step(replica.Request{Client: client, Body: chain.Fence{ID: 1, Epoch: epoch}})
				}
			})
		})
		return
	}
	saw := c.saw[m.Node]
	if c.w.weak.noRenewalGuard {
		saw = j.saw[m.Node]
	}
	c.call(func() any { return c.w.coord.expel(c.term, m, saw.renewal) }, func(answer any) {
		if !answer.(bool) || slices.Contains(j.expelled, m) {
			return
		}
		j.expelled = append(j.expelled, m)
		wait := plan.LeaseWait(lease)
		if c.w.weak.noWait {
			wait = 0
		} else if c.w.weak.noMargin {
			wait = lease
		}
		over := saw.at + time.Duration(float64(wait)/c.rate)
		c.w.after(max(over-c.w.now, 0), func() { j.proved[m] = true })
	})
}
