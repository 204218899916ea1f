package host

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/clock"
	"namecast/lib/link"
)

// What is large waits here while a connection has much to write, so that what is
// urgent is not behind it.
const (
	lowWater = 512 << 10 // octets in the connection's queue, up to which more is put there
	maxHeld  = 64 << 20  // octets that may wait for one connection
	again    = time.Millisecond
)

// An outbox is what waits before the queue of a connection.
type outbox struct {
	any  atomic.Bool // there is something
	mu   sync.Mutex
	held []chain.Envelope
	size int
	over bool // the connection has ended
}

// close drops what waits, since the connection has ended.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held, o.size, o.over = nil, 0, true
	o.any.Store(false)
}

// bulkSize is the size of a message that may wait, octets; 0 for others.
func bulkSize(m chain.Message) int {
	n := 0
	switch m := m.(type) {
	case chain.SnapChunk:
		for i := range m.Items {
			n += len(m.Items[i].Key) + len(m.Items[i].Value) + 8
		}
		n += 48 * len(m.Requests)
	case chain.FeedBatch:
		for i := range m.Records {
			n += m.Records[i].Size() + 32
		}
	default:
		return 0
	}
	return n + frame.Overhead
}

// send puts a message into the connection's queue, or has it wait. Between members
// only what is large waits; to a client all that follows does too, since a feed has
// an order.
func (p *peer) send(e chain.Envelope) error {
	size := bulkSize(e.Body)
	if size == 0 && (p.conn.Peer.Class == frame.ClassChain || !p.any.Load()) {
		return p.conn.Send(e)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return link.ErrDown
	}
	if len(p.held) == 0 && (size == 0 || p.conn.Stats().Queued < lowWater) {
		return p.conn.Send(e)
	}
	if p.size >= maxHeld {
		return link.ErrOverflow
	}
	p.held = append(p.held, e)
	p.size += size
	p.any.Store(true)
	p.life.bulk.add(p)
	return nil
}

// move puts what waits into the connection's queue, as far as there is room; true
// if something is left. What the queue does not take is lost, as with Conn.Send.
func (p *peer) move() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for n < len(p.held) && p.conn.Stats().Queued < lowWater {
		e := p.held[n]
		p.size -= bulkSize(e.Body)
		p.held[n] = chain.Envelope{}
		n++
		if p.conn.Send(e) != nil {
			n, p.size = len(p.held), 0 // it has ended
		}
	}
	p.held = p.held[n:]
	if len(p.held) == 0 {
		p.held = nil
	}
	p.any.Store(p.held != nil)
	return p.held != nil
}

// bulk are the peers with something in their outboxes.
type bulk struct {
	wake  chan struct{}
	mu    sync.Mutex
	peers map[*peer]struct{}
}

func (b *bulk) init() {
	b.wake, b.peers = make(chan struct{}, 1), map[*peer]struct{}{}
}

// add has a peer's outbox looked after.
func (b *bulk) add(p *peer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.peers[p] = struct{}{}
	select {
	case b.wake <- struct{}{}:
	default: // it is awake
	}
}

func (b *bulk) drop(p *peer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.peers, p)
}

// run moves what waits until the context ends. A queue does not tell when it has
// room, so it is looked at again and again while anything waits.
func (b *bulk) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.wake:
		}
		for b.move() && clock.Sleep(ctx, again) {
		}
	}
}

// move moves what there is room for, and tells whether something is left.
func (b *bulk) move() bool {
	b.mu.Lock()
	peers := make([]*peer, 0, len(b.peers))
	for p := range b.peers {
		peers = append(peers, p)
	}
	clear(b.peers)
	b.mu.Unlock()
	left := false
	for _, p := range peers {
		if p.move() {
			left = true
			b.add(p)
		}
	}
	return left
}
