package client

import (
	"context"
	"fmt"

	"namecast/lib/chain"
)

// Read reads keys of one chain, all as of one LSN; with no keys it reads only that.
// The request's ID is not looked at. Another member is asked when one does not
// answer, or cannot as it is asked to, until the context ends. Errors are
// ErrUnavailable and ErrBadRequest.
func (c *Client) Read(ctx context.Context, id chain.ID, m chain.Read) (chain.ReadReply, error) {
	if id >= chain.Chains {
		return chain.ReadReply{}, fmt.Errorf("%w: there is no chain %d", ErrBadRequest, id)
	}
	c.counts.reads.Add(1)
	k := c.begin()
	defer k.end()
	var paused pause
	for sent := 0; ; {
		v := c.view.Load()
		if !k.askToRead(v, id, m) {
			k.asked = k.asked[:0] // the next round
			c.refresh()
			if len(k.attempts) == 0 {
				if err := k.sleep(ctx, paused.next(), v); err != nil {
					return chain.ReadReply{}, fmt.Errorf("%w: chain %d: %w", ErrUnavailable, id, err)
				}
				continue
			}
		} else if sent++; sent > 1 {
			c.counts.readRepeats.Add(1)
		}
		r, done, err := k.hearRead(ctx, id, m)
		if done || err != nil {
			return r, err
		}
	}
}

// askToRead sends a read to the next member; false if there is none left.
func (k *call) askToRead(v *view, id chain.ID, m chain.Read) bool {
	for {
		to := v.pick(id, k.asked)
		if to == nil {
			return false
		}
		k.asked = append(k.asked, to)
		m.ID = k.newID()
		if k.send(to, m.ID, chain.Envelope{Chain: id, Body: m}) {
			return true
		}
	}
}

// hearRead waits for an answer of any member, until it is time to ask another one.
func (k *call) hearRead(ctx context.Context, id chain.ID, m chain.Read) (r chain.ReadReply, done bool, err error) {
	a, ok, err := k.wait(ctx, hedgeAfter, nil)
	if err != nil {
		return r, false, fmt.Errorf("%w: chain %d: %w", ErrUnavailable, id, err)
	}
	if !ok {
		k.attempts[len(k.attempts)-1].to.shun()
		k.c.refresh()
		return r, false, nil
	}
	r, _ = a.body.(chain.ReadReply) // with no status if the connection has ended
	switch {
	case r.Status == chain.Done && len(r.Values) == len(m.Keys):
		a.from.praise()
		k.c.learn(id, r.LSN)
		return r, true, nil
	case r.Status == chain.BadRequest:
		return r, false, fmt.Errorf("%w: chain %d refuses to read %d keys", ErrBadRequest, id, len(m.Keys))
	}
	k.c.refresh()
	return r, false, nil
}
