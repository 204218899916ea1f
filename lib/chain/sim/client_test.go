package sim

import (
	"encoding/binary"
	"fmt"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/replica"
)

// window is how many records a chain of these worlds remembers requests for.
const window = 16

// Clients have numbers: of writers from 1, of readers from 101, of subscribers
// from 1001, of controllers' fences from 100001; each with many connections.
const (
	firstWriter, firstReader, firstFeed, firstFence = 1, 101, 1001, 100001
)

// deliver brings a reply to whom it is for.
func (w *world) deliver(n *node, e replica.Reply) {
	switch m := e.Body.(type) {
	case chain.ProposeReply:
		w.writers[e.Client-firstWriter].answered(n, m)
	case chain.ReadReply:
		w.readers[e.Client-firstReader].answered(n, m)
	case chain.FenceReply:
		w.check.fences[e.Client-firstFence]()
	default:
		w.follower.receive(n, e.Client, e.Body)
	}
}

// ask sends a client's request to a node.
func (w *world) ask(n *node, client uint64, body chain.Message) {
	w.travel(-2, n.at, func() {
		n.now(n.run, func() { n.step(replica.Request{Client: client, Body: body}) })
	})
}

// some picks a node.
func (w *world) some() *node { return w.nodes[w.rng.IntN(len(w.nodes))] }

var keys = [][]byte{[]byte("k0"), []byte("k1"), []byte("k2"), []byte("k3")}

// A writer writes, one thing after the other. It sends a request again and
// again, to any node, until it has its outcome.
type writer struct {
	w        *world
	at       int
	count    uint64
	base     chain.LSN
	request  chain.Propose
	began    time.Duration
	waits    bool
	done     int
	versions map[string]chain.LSN
}

func newWriter(w *world, at int) *writer {
	return &writer{w: w, at: at, versions: map[string]chain.LSN{}}
}

// begin starts the next write.
func (c *writer) begin() {
	w := c.w
	c.count++
	c.waits, c.began = true, w.now
	c.request = chain.Propose{ID: c.count, Base: c.base}
	if w.chance(0.1) {
		c.request.Base -= min(c.base, chain.LSN(w.rng.IntN(window)))
	}
	binary.BigEndian.PutUint64(c.request.Request[:], uint64(c.at+1)<<32|c.count)
	for range 1 + w.rng.IntN(2) {
		op := chain.Op{Kind: chain.Put, Key: keys[w.rng.IntN(len(keys))], Value: fmt.Appendf(nil, "%d.%d", c.at, c.count)}
		if w.chance(0.15) {
			op.Kind, op.Value = chain.Delete, nil
		}
		c.request.Ops = append(c.request.Ops, op)
	}
	if w.chance(0.4) {
		key := keys[w.rng.IntN(len(keys))]
		cond := chain.Cond{Kind: chain.AtVersion, Key: key, Version: c.versions[string(key)]}
		if w.chance(0.3) {
			cond = chain.Cond{Kind: chain.Exists, Key: key}
		}
		c.request.Conds = append(c.request.Conds, cond)
	}
	c.send()
}

// send sends the request, and again if no answer comes.
func (c *writer) send() {
	id := c.count
	c.w.ask(c.w.some(), uint64(firstWriter+c.at), c.request)
	c.w.after(c.w.between(20*time.Millisecond, 120*time.Millisecond), func() {
		if c.waits && c.count == id {
			c.send()
		}
	})
}

// answered takes an answer.
func (c *writer) answered(n *node, m chain.ProposeReply) {
	if !c.waits || m.ID != c.count {
		return
	}
	c.w.logf("writer %d: %v answers write %d: %+v", c.at, n.name, m.ID, m)
	switch m.Status {
	case chain.Done:
	case chain.BadRequest:
		c.w.fail("write %d of %d is called a bad request", c.count, c.at)
		return
	default:
		return
	}
	c.waits = false
	c.done++
	c.w.check.acked(c.request, m.Outcome)
	c.base = max(c.base, m.Outcome.LSN)
	for _, op := range c.request.Ops {
		c.versions[string(op.Key)] = m.Outcome.LSN
	}
	if m.Outcome.Verdict == chain.Conflict {
		c.versions[string(c.request.Conds[m.Outcome.Cond].Key)] = m.Outcome.Version
	}
	c.w.after(c.w.spread(8*time.Millisecond), c.begin)
}

// A reader reads, one thing after the other.
type reader struct {
	w        *world
	at       int
	count    uint64
	request  chain.Read
	began    time.Duration
	floor    chain.LSN // what was known to be committed when it began
	waits    bool
	done     int
	eventual map[string]chain.LSN // by incarnation, what it has shown
}

func newReader(w *world, at int) *reader {
	return &reader{w: w, at: at, eventual: map[string]chain.LSN{}}
}

func (c *reader) begin() {
	w := c.w
	c.count++
	c.waits, c.began, c.floor = true, w.now, w.check.floor
	c.request = chain.Read{ID: c.count, Mode: chain.Strong}
	for range 1 + w.rng.IntN(2) {
		c.request.Keys = append(c.request.Keys, keys[w.rng.IntN(len(keys))])
	}
	switch x := w.rng.IntN(10); {
	case x == 0:
		c.request.Mode = chain.Eventual
	case x == 1:
		c.request.Mode, c.request.MaxAge = chain.Bounded, w.between(time.Millisecond, 300*time.Millisecond)
	}
	id := c.count
	w.ask(w.some(), uint64(firstReader+c.at), c.request)
	w.after(200*time.Millisecond, func() {
		if c.waits && c.count == id {
			c.waits = false
			c.begin()
		}
	})
}

func (c *reader) answered(n *node, m chain.ReadReply) {
	if !c.waits || m.ID != c.count {
		return
	}
	c.w.logf("reader %d: %v answers read %d (floor %d): %+v", c.at, n.name, m.ID, c.floor, m)
	c.waits = false
	if m.Status == chain.Done {
		c.done++
		c.w.check.read(c, m)
	}
	c.w.after(c.w.spread(10*time.Millisecond), c.begin)
}
