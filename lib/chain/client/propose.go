package client

import (
	"context"
	"crypto/rand"
	"fmt"

	"namecast/lib/chain"
	"namecast/lib/clock"
)

// NewRequest draws a request's name.
func NewRequest() (q chain.RequestID) {
	rand.Read(q[:])
	return q
}

// Propose has a write done, and returns what has come of it, once it is committed.
// It is sent again, as the same request, until there is an outcome or the context
// ends. The outcome's verdict is never Duplicate as long as the chain remembers the
// request: it is that of the record that counts.
//
// The ID and Forwarded of the request are not looked at. A Base of 0 stands for what
// the client knows to be committed. Who repeats a request in another call gives both
// the same Base, see [Client.Base].
//
// Errors are ErrUnknown, ErrUnavailable and ErrBadRequest.
func (c *Client) Propose(ctx context.Context, id chain.ID, m chain.Propose) (chain.Outcome, error) {
	if id >= chain.Chains || chain.Check(m.Conds, m.Ops) != nil {
		return chain.Outcome{}, fmt.Errorf("%w: a write to chain %d: %w", ErrBadRequest, id, chain.Check(m.Conds, m.Ops))
	}
	c.counts.writes.Add(1)
	p := proposing{call: c.begin(), id: id, m: m, rebase: m.Base == 0}
	defer p.end()
	p.m.Forwarded = false
	return p.run(ctx)
}

// Base gives an LSN of a chain for the Base of a request: the last that a member
// knows to be committed.
func (c *Client) Base(ctx context.Context, id chain.ID) (chain.LSN, error) {
	r, err := c.Read(ctx, id, chain.Read{Mode: chain.Eventual})
	return r.LSN, err
}

// base chooses the Base: what the client knows, but where the chain knows less.
func (p *proposing) base(ctx context.Context) (chain.LSN, error) {
	if lsn := p.c.Committed(p.id); lsn > 0 && !p.unserved {
		return lsn, nil
	}
	return p.c.Base(ctx, p.id)
}

// A proposing is one call of Propose.
type proposing struct {
	*call
	id     chain.ID
	m      chain.Propose
	rebase bool // the Base is the client's to choose

	sent   int   // attempts that went out
	denied int   // of them, those of which it is sure that they have no effect
	head   *peer // that a node has named, or nil
	again  int   // answers that the request is in the log already
	paused pause
	// unserved: a member does not serve the request, perhaps since the operator has
	// rebuilt the chain from a disk that does not reach up to the Base.
	unserved bool
}

// run repeats the request until there is an outcome.
func (p *proposing) run(ctx context.Context) (chain.Outcome, error) {
	for {
		if p.rebase && p.sent == p.denied { // nobody has the request with another Base
			base, err := p.base(ctx)
			if err != nil {
				return chain.Outcome{}, err
			}
			p.m.Base = base
		}
		v := p.c.view.Load()
		to := p.target(v)
		if to == nil || !p.ask(to) {
			p.c.refresh()
			if err := p.sleep(ctx, p.paused.next(), v); err != nil {
				return chain.Outcome{}, p.failed(err)
			}
			continue
		}
		o, done, err := p.hear(ctx, v)
		if err != nil {
			return chain.Outcome{}, err
		}
		if done {
			return o, nil
		}
	}
}

// failed is the error at the end of the context.
func (p *proposing) failed(err error) error {
	if p.sent > p.denied {
		return fmt.Errorf("%w: to chain %d: %w", ErrUnknown, p.id, err)
	}
	return fmt.Errorf("%w: chain %d: %w", ErrUnavailable, p.id, err)
}

// target is the node to ask: the head, or when it does not answer another member, and
// then any node, which pass the request on. Each is asked once in a round.
func (p *proposing) target(v *view) *peer {
	for range 2 {
		if p.head != nil && p.head.good() && !p.wasAsked(p.head) {
			return p.head
		}
		p.head = nil
		if h := v.head(p.id); h != nil && h.good() && !p.wasAsked(h) {
			return h
		}
		if to := v.pick(p.id, p.asked); to != nil {
			return to
		}
		p.asked = p.asked[:0] // the next round
	}
	return nil
}

func (p *proposing) wasAsked(x *peer) bool {
	for _, a := range p.asked {
		if a == x {
			return true
		}
	}
	return false
}

// ask sends the request to a node.
func (p *proposing) ask(to *peer) bool {
	p.asked = append(p.asked, to)
	p.m.ID = p.newID()
	if !p.send(to, p.m.ID, chain.Envelope{Chain: p.id, Body: p.m}) {
		return false
	}
	if p.sent++; p.sent > 1 {
		p.c.counts.writeRepeats.Add(1)
	}
	return true
}

// hear waits for an answer to any attempt, until it is time for another one.
func (p *proposing) hear(ctx context.Context, v *view) (o chain.Outcome, done bool, err error) {
	a, ok, err := p.listen(ctx, v)
	if err != nil {
		return o, false, p.failed(err)
	}
	if !ok {
		p.c.refresh()
		return o, false, nil
	}
	m, is := a.body.(chain.ProposeReply)
	if !is { // the connection has ended
		p.c.refresh()
		return o, false, nil
	}
	if m.Status == chain.Done {
		a.from.praise()
		p.c.learn(p.id, m.Outcome.LSN)
		return p.outcome(m.Outcome)
	}
	if m.Status != chain.Unknown {
		p.denied++
	}
	return o, false, p.denial(ctx, m, v)
}

// listen waits for an answer, but not when the chain has another head meanwhile.
func (p *proposing) listen(ctx context.Context, v *view) (a answer, ok bool, err error) {
	began := clock.Boot()
	for next := v; ; {
		left := repeatAfter - (clock.Boot() - began)
		if left <= 0 { // which may be the fault of any member
			return a, false, nil
		}
		if a, ok, err = p.wait(ctx, left, next.next); ok || err != nil {
			return a, ok, err
		}
		if next = p.c.view.Load(); next.head(p.id) != v.head(p.id) {
			p.asked = p.asked[:0]
			return a, false, nil
		}
	}
}

// outcome takes one, but where it is not the last word. When the request is in the
// log already the head remembers what came of it, and is asked for that. A record
// that came too late after its Base has no effect; if it was the only one of the
// request, another can be made.
func (p *proposing) outcome(o chain.Outcome) (chain.Outcome, bool, error) {
	switch {
	case o.Verdict == chain.Duplicate && p.again < 2:
		p.again++
		p.asked = p.asked[:0]
		return o, false, nil
	case o.Verdict == chain.Expired && p.sent > p.denied+1: // another attempt may have been in time
		return o, false, p.failed(fmt.Errorf("the chain has forgotten requests of LSN %d", p.m.Base))
	case o.Verdict == chain.Expired && p.rebase:
		p.denied++
		p.asked = p.asked[:0]
		return o, false, nil // what was learned now is the next Base
	}
	return o, true, nil
}

// denial waits before the next attempt, by what the answer to this one was.
func (p *proposing) denial(ctx context.Context, m chain.ProposeReply, v *view) error {
	switch m.Status {
	case chain.BadRequest:
		return fmt.Errorf("%w: chain %d refuses the write", ErrBadRequest, p.id)
	case chain.NotHead:
		p.c.refresh()
		if h := p.c.find(m.Head.Node); h != nil && !p.wasAsked(h) {
			p.head = h
			return nil
		}
	case chain.NotServing, chain.Unknown:
		p.unserved = m.Status == chain.NotServing
		p.c.refresh()
	case chain.Busy, chain.TooFew:
		p.asked = p.asked[:0] // it is the right one
	}
	if err := p.sleep(ctx, p.paused.next(), v); err != nil {
		return p.failed(err)
	}
	return nil
}

// head is the head of a chain by the table, or nil.
func (v *view) head(id chain.ID) *peer {
	if len(v.rows) == 0 {
		return nil
	}
	node := v.rows[id].Head().Node
	for _, m := range v.members[id] {
		if m.name == node {
			return m.peer
		}
	}
	return nil
}

// find gives what is known of a node, or nil.
func (c *Client) find(node string) *peer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peers[node]
}
