package sim

import (
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// A checker knows what was committed, and asserts the invariants I1 to I10 at
// every step.
type checker struct {
	w         *world
	committed []commit
	floor     chain.LSN // the newest that anybody was told or shown
	floors    []floorAt
	values    map[string][]value // of keys, in the order of LSNs
	requests  map[chain.RequestID]chain.Outcome
	numbered  map[numbered]chain.Hash
	fed       map[uint64]chain.LSN // what a subscription was sent last
	fences    []func()
	counts    map[string]int // of what has happened
}

// A commit is a committed record and what has to come of it.
type commit struct {
	rec     chain.Record
	outcome chain.Outcome
}

// A value is what a key has from an LSN on.
type value struct {
	from  chain.LSN
	found bool
	data  []byte
}

type floorAt struct {
	at    time.Duration
	floor chain.LSN
}

type numbered struct {
	epoch chain.Epoch
	lsn   chain.LSN
}

func (c *checker) init(w *world) {
	*c = checker{
		w: w, values: map[string][]value{}, requests: map[chain.RequestID]chain.Outcome{},
		numbered: map[numbered]chain.Hash{}, fed: map[uint64]chain.LSN{},
		counts: map[string]int{},
	}
}

func (c *checker) last() chain.LSN { return chain.LSN(len(c.committed)) }

// stepped looks at a replica after a step.
func (c *checker) stepped(n *node) {
	st, was := n.rep.Status(), n.seen
	n.seen = seen{Status: st, on: true}
	if was.on && st.Row.Epoch < was.Row.Epoch {
		c.w.fail("I1: %v goes back from epoch %d to %d", n.self, was.Row.Epoch, st.Row.Epoch)
	}
	if st.Committed < was.Committed && st.Role == replica.Serving {
		c.w.fail("I4: %v goes back from commit %d to %d", n.self, was.Committed, st.Committed)
	}
	if st.Committed > st.Durable {
		c.w.fail("I4: %v has committed %d, but only %d is durable", n.self, st.Committed, st.Durable)
	}
	for lsn := was.Committed + 1; lsn <= st.Committed && c.w.failure == ""; lsn++ {
		c.commit(n, was, lsn)
	}
	if st.Durable > was.Durable {
		c.prefix(n, was.Durable)
	}
	if st.Active && !was.Active {
		c.activated(n)
	}
}

// commit takes in that a replica has committed an LSN.
func (c *checker) commit(n *node, was seen, lsn chain.LSN) {
	rec, ok := n.disk.find(lsn)
	if lsn <= c.last() {
		if was := c.committed[lsn-1].rec; ok && was.Hash != rec.Hash {
			c.w.fail("I5: %v commits another record at LSN %d: request %x, was %x", n.self, lsn, rec.Request, was.Request)
		}
		return
	}
	if !ok {
		c.w.fail("I4: %v commits LSN %d, which its disk does not have", n.self, lsn)
		return
	}
	c.w.logf("LSN %d is committed by %v", lsn, n.self)
	o := c.judge(&rec)
	c.counts["records "+o.Verdict.String()]++
	c.committed = append(c.committed, commit{rec, o})
	for _, row := range []chain.Row{n.seen.Row, c.w.coord.row} {
		for _, m := range row.Members {
			p := c.w.node(m.Node)
			left := p.rep != nil && p.seen.Role != replica.Serving
			if p.disk.inc() == m.Inc && !left && !p.disk.durable(lsn, rec.Hash) {
				c.w.fail("I4: LSN %d is committed, but not durable at %v", lsn, m)
			}
		}
	}
	if was.Gated && was.Row.Epoch == n.seen.Row.Epoch {
		c.gated(n, lsn)
	}
	if rec.Epoch == n.seen.Row.Epoch {
		c.leases(n, lsn)
	}
}

// gated asserts that what the tail commits with gating on is durable at the
// recruit, as long as that is in the same epoch.
func (c *checker) gated(n *node, lsn chain.LSN) {
	m := n.seen.Row.Recruit
	o := c.w.node(m.Node)
	if o.self == m && o.seen.Row.Epoch == n.seen.Row.Epoch && lsn > 0 && !o.disk.durable(lsn, c.committed[lsn-1].rec.Hash) {
		c.w.fail("I8: %v has committed LSN %d, which is not durable at the recruit %v", n.self, lsn, m)
	}
}

// reported looks at what a tail says of its recruit.
func (c *checker) reported(n *node, r replica.Report) {
	if r.Kind == replica.Ready {
		c.gated(n, n.seen.Committed)
	}
}

// leases asserts that at a commit of a new record nobody in an older epoch has a lease.
func (c *checker) leases(n *node, lsn chain.LSN) {
	for _, o := range c.w.nodes {
		if o.rep != nil && o.seen.Role == replica.Serving && o.seen.Row.Epoch < n.seen.Row.Epoch && o.clock() < o.until {
			c.w.fail("I6: LSN %d is committed in epoch %d, while %v has a lease and is in epoch %d",
				lsn, n.seen.Row.Epoch, o.self, o.seen.Row.Epoch)
		}
	}
}

// prefix asserts that what a member made durable is in its predecessor's log,
// if that is in the same epoch.
func (c *checker) prefix(n *node, from chain.LSN) {
	i := n.seen.Place
	if n.seen.Role != replica.Serving || i <= 0 {
		return
	}
	pred := n.seen.Row.Members[i-1]
	p := c.w.node(pred.Node)
	if p.self != pred || p.rep == nil || p.seen.Row.Epoch != n.seen.Row.Epoch {
		return
	}
	for lsn := from + 1; lsn <= n.seen.Durable; lsn++ {
		if rec, ok := n.disk.find(lsn); ok && !p.disk.durable(lsn, rec.Hash) {
			c.w.fail("I3: LSN %d is durable at %v, but not at its predecessor %v", lsn, n.self, pred)
		}
	}
}

// activated asserts that of two tails the one in the older epoch cannot answer
// any more.
func (c *checker) activated(n *node) {
	for _, o := range c.w.nodes {
		if o == n || o.rep == nil || !o.seen.Active {
			continue
		}
		old, young := o, n
		if old.seen.Row.Epoch > young.seen.Row.Epoch {
			old, young = young, old
		}
		if old.clock() < old.until {
			c.w.fail("I7: %v is an active tail in epoch %d, while %v is one in epoch %d and has a lease",
				young.self, young.seen.Row.Epoch, old.self, old.seen.Row.Epoch)
		}
	}
}

// published asserts that who serves from now on has all that was committed.
func (c *checker) published(old, row chain.Row) {
	switch {
	case row.Restored != old.Restored && row.Restored != 0:
		c.counts["restarts"]++
	case len(row.Members) > len(old.Members) && old.Epoch > 0:
		c.counts["promotions"]++
	case len(row.Members) < len(old.Members):
		c.counts["removals"]++
	}
	if row.Epoch <= old.Epoch {
		c.w.fail("I1: row %d is followed by row %d", old.Epoch, row.Epoch)
	}
	if c.last() == 0 {
		return
	}
	hash := c.committed[c.last()-1].rec.Hash
	for i, m := range row.Members {
		d := c.w.node(m.Node).disk
		owned := d.inc() == m.Inc || i == 0 && row.Restored != 0 && d.inc() == row.Restored
		if owned && !d.durable(c.last(), hash) {
			c.w.fail("I5: row %d has %v serve, whose disk does not have LSN %d", row.Epoch, m, c.last())
		}
	}
}

// wrote looks at what a replica wants written.
func (c *checker) wrote(n *node, b *replica.Batch) {
	for i := range b.Records {
		rec := &b.Records[i]
		k := numbered{rec.Epoch, rec.LSN}
		if hash, ok := c.numbered[k]; ok && hash != rec.Hash {
			c.w.fail("I2: two records have LSN %d and epoch %d", rec.LSN, rec.Epoch)
		}
		c.numbered[k] = rec.Hash
	}
	for _, ch := range b.Changes {
		if ch.Delete {
			continue
		}
		if !c.puts(ch.Item) {
			c.w.fail("I9: record %d takes effect at %v, and should not", ch.Item.Version, n.self)
		}
	}
}

// acked looks at what a writer was told.
func (c *checker) acked(m chain.Propose, o chain.Outcome) {
	if o.LSN == 0 || o.LSN > c.last() {
		c.w.fail("I5: a write is acknowledged with LSN %d, which is not committed", o.LSN)
		return
	}
	was := c.committed[o.LSN-1]
	switch {
	case was.rec.Request != m.Request:
		c.w.fail("I5: a write is acknowledged with LSN %d, which is another's", o.LSN)
	case o.Verdict != was.outcome.Verdict && o.Verdict != chain.Duplicate:
		c.w.fail("I9: a write is told %+v, but what came of it is %+v", o, was.outcome)
	}
	c.raise(o.LSN)
}

// read looks at what a reader was told. What it read must be the state after
// some LSN: the one it was told, and with a strong read one that is not older
// than what anybody had been told or shown when it asked.
func (c *checker) read(r *reader, m chain.ReadReply) {
	if m.LSN > c.last() {
		c.w.fail("a read shows LSN %d, which is not committed", m.LSN)
		return
	}
	if !c.shows(r.request.Keys, m.Values, m.LSN) {
		c.w.fail("a read does not show what was there after LSN %d", m.LSN)
	}
	floor := chain.LSN(0)
	switch r.request.Mode {
	case chain.Strong:
		floor = r.floor
	case chain.Bounded:
		floor = c.floorBefore(r.began - r.request.MaxAge*112/100)
	}
	for lsn := floor; lsn <= c.last(); lsn++ {
		if c.shows(r.request.Keys, m.Values, lsn) {
			if r.request.Mode == chain.Strong {
				c.raise(lsn)
			}
			return
		}
	}
	c.w.fail("stale read: what is shown was there after LSN %d, but not after %d, which was known before", m.LSN, floor)
}

// same asserts that a copy of the state is what was there after an LSN.
func (c *checker) same(who string, lsn chain.LSN, items map[string]chain.Item) {
	want := map[string]chain.Item{}
	for _, k := range keys {
		if found, version, data := c.at(k, lsn); found {
			want[string(k)] = chain.Item{Key: k, Version: version, Value: data}
		}
	}
	if lsn > c.last() || !sameItems(want, items) {
		c.w.fail("I10: %s at LSN %d has %v, want %v", who, lsn, items, want)
	}
}

// asked takes in that a subscription begins, or begins again.
func (c *checker) asked(q replica.Request) {
	if _, ok := q.Body.(chain.Subscribe); ok {
		delete(c.fed, q.Client)
	}
}

// replied looks at what a member sends a subscriber: committed records, each
// after the one before it.
func (c *checker) replied(n *node, e replica.Reply) {
	switch m := e.Body.(type) {
	case chain.SnapBegin:
		c.fed[e.Client] = m.LSN
	case chain.FeedBatch:
		for i := range m.Records {
			rec := &m.Records[i]
			last, ok := c.fed[e.Client]
			switch {
			case ok && rec.LSN != last+1:
				c.w.fail("I10: %v feeds LSN %d after %d", n.self, rec.LSN, last)
			case rec.LSN > c.last() || c.committed[rec.LSN-1].rec.Hash != rec.Hash:
				c.w.fail("I10: %v feeds LSN %d, which is not committed so", n.self, rec.LSN)
			case m.Outcomes[i] != c.committed[rec.LSN-1].outcome:
				c.w.fail("I10: %v feeds LSN %d with %+v, want %+v", n.self, rec.LSN, m.Outcomes[i], c.committed[rec.LSN-1].outcome)
			}
			c.fed[e.Client] = rec.LSN
		}
	case chain.FeedHeartbeat:
		if m.LSN > c.last() {
			c.w.fail("I10: a heartbeat of %v names LSN %d, which is not committed", n.self, m.LSN)
		}
	}
}

// fenceClient gives a client's number for a controller's question.
func (c *checker) fenceClient(_ *controller, then func()) uint64 {
	c.fences = append(c.fences, then)
	return uint64(firstFence + len(c.fences) - 1)
}
