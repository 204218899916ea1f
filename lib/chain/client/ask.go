package client

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"namecast/lib/chain"
)

// Ask asks a node an operator's question, such as "status", and waits until the node
// is connected and answers, or the context ends. ErrNode if it refuses.
func (c *Client) Ask(ctx context.Context, node, what string) ([]byte, error) {
	k := c.begin()
	defer k.end()
	var paused pause
	for {
		v := c.view.Load()
		id := k.newID()
		to := c.find(node)
		if to == nil || !k.send(to, id, chain.Envelope{Body: chain.Ask{ID: id, What: what}}) {
			c.refresh()
			if err := k.sleep(ctx, paused.next(), v); err != nil {
				return nil, fmt.Errorf("%w: %s is not connected: %w", ErrNode, node, err)
			}
			continue
		}
		a, ok, err := k.wait(ctx, repeatAfter, nil)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrNode, node, err)
		}
		m, is := a.body.(chain.Told)
		switch {
		case ok && is && m.OK:
			return m.Text, nil
		case ok && is:
			return nil, fmt.Errorf("%w: %s: %s", ErrNode, node, m.Text)
		}
	}
}

// goneFor is how long after its subscription has ended everywhere a subscriber does
// not count any more.
const goneFor = 30 * time.Second

// Pauses between two looks at how far the subscribers are.
const (
	leastLook = 2 * time.Millisecond
	mostLook  = 50 * time.Millisecond
)

// InSync waits until every subscriber of a chain has all up to an LSN for good; one
// whose subscription ended 30 s ago or longer does not count. ErrBehind, with who is
// behind, when the context ends before.
func (c *Client) InSync(ctx context.Context, id chain.ID, lsn chain.LSN) error {
	if id >= chain.Chains {
		return fmt.Errorf("%w: there is no chain %d", ErrBadRequest, id)
	}
	k := c.begin()
	defer k.end()
	for look := leastLook; ; look = min(2*look, mostLook) {
		v := c.view.Load()
		subs, silent, err := k.subscribers(ctx, v, id)
		late := behind(subs, lsn)
		if err == nil && len(late)+len(silent) == 0 {
			return nil
		}
		if err == nil {
			if look == mostLook {
				c.refresh() // whoever is late may be so at a member that is not known here
			}
			err = k.sleep(ctx, look, v)
		}
		if err != nil {
			return fmt.Errorf("%w: chain %d, LSN %d: %s: %w", ErrBehind, id, lsn, strings.Join(append(late, silent...), ", "), err)
		}
	}
}

// behind tells of those who have not all up to an LSN, in the order of their names.
func behind(subs map[string]chain.Subscriber, lsn chain.LSN) (late []string) {
	for _, name := range slices.Sorted(maps.Keys(subs)) {
		if s := subs[name]; s.LSN < lsn && s.Gone < goneFor {
			late = append(late, fmt.Sprintf("%s has %d", name, s.LSN))
		}
	}
	return late
}

// subscribers asks all members of a chain for its subscribers, and tells of members
// that do not answer. Of a subscriber that several know, what is best counts.
func (k *call) subscribers(ctx context.Context, v *view, id chain.ID) (subs map[string]chain.Subscriber, silent []string, err error) {
	if len(v.members) == 0 {
		return nil, []string{"no chain table"}, ctx.Err()
	}
	subs = map[string]chain.Subscriber{}
	if err := k.formerly(ctx, v, id, subs); err != nil {
		return subs, nil, err
	}
	for group := range slices.Chunk(v.members[id], maxAttempts) {
		waits := map[uint64]string{}
		for _, m := range group {
			q := k.newID()
			if !k.send(m.peer, q, chain.Envelope{Chain: id, Body: chain.SyncQuery{ID: q}}) {
				silent = append(silent, m.name+" is not connected")
				continue
			}
			waits[q] = m.name
		}
		if err := k.gather(ctx, waits, subs); err != nil {
			return subs, silent, err
		}
		for _, name := range waits {
			silent = append(silent, name+" does not answer")
		}
	}
	if len(silent) > 0 {
		slices.Sort(silent)
		k.c.refresh()
	}
	return subs, silent, nil
}

// formerly asks those that were members until not long ago: they know of subscribers
// that are on their way to another. They need not answer.
func (k *call) formerly(ctx context.Context, v *view, id chain.ID, subs map[string]chain.Subscriber) error {
	for group := range slices.Chunk(v.former[id], maxAttempts) {
		for _, m := range group {
			q := k.newID()
			k.send(m.peer, q, chain.Envelope{Chain: id, Body: chain.SyncQuery{ID: q}})
		}
		if err := k.gather(ctx, map[uint64]string{}, subs); err != nil {
			return err
		}
	}
	return nil
}

// gather takes answers to SyncQuery until no more can come, or none has come for a
// while. Whose answer has come is not in waits any more.
func (k *call) gather(ctx context.Context, waits map[uint64]string, subs map[string]chain.Subscriber) error {
	for len(k.attempts) > 0 {
		a, ok, err := k.wait(ctx, hedgeAfter, nil)
		switch {
		case err != nil:
			return err
		case !ok:
			for len(k.attempts) > 0 {
				k.drop()
			}
			return nil
		}
		m, is := a.body.(chain.SyncReply)
		if !is {
			continue // the connection has ended
		}
		delete(waits, a.id)
		for _, s := range m.Subscribers {
			subs[s.Name] = better(subs[s.Name], s)
		}
	}
	return nil
}

// better merges what two members know of a subscriber; the zero one is of none.
func better(a, b chain.Subscriber) chain.Subscriber {
	if a.Name == "" {
		return b
	}
	return chain.Subscriber{Name: cmp.Or(a.Name, b.Name), LSN: max(a.LSN, b.LSN), Gone: min(a.Gone, b.Gone)}
}
