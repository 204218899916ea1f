package client

import (
	"sync"

	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/link"
)

// maxInbox is how many octets of frames may wait for Follow; then the connections
// they come from are not read further.
const maxInbox = 8 << 20

// A feedEvent is what happens to a feed: a message, or a connection that begins or,
// with neither, ends.
type feedEvent struct {
	conn  *link.Conn
	chain chain.ID
	body  chain.Message
	up    bool
}

// An inbox holds events until Follow takes them, all at once.
type inbox struct {
	wake chan struct{} // has an element when there is something

	mu     sync.Mutex
	room   sync.Cond
	events []feedEvent
	octets int
	closed bool
}

func (b *inbox) init() {
	b.wake = make(chan struct{}, 1)
	b.room.L = &b.mu
}

// put waits until there is room, or nobody takes any more.
func (b *inbox) put(e feedEvent, octets int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.octets >= maxInbox && octets > 0 && !b.closed {
		b.room.Wait()
	}
	if b.closed {
		return
	}
	b.events = append(b.events, e)
	b.octets += octets
	signal(b.wake)
}

// take gives all there is; done is the memory of what was taken before.
func (b *inbox) take(done []feedEvent) []feedEvent {
	clear(done)
	b.mu.Lock()
	defer b.mu.Unlock()
	events := b.events
	b.events, b.octets = done[:0], 0
	b.room.Broadcast()
	return events
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.room.Broadcast()
}

// received takes a frame of class feed.
func (f *feed) received(conn *link.Conn, fr frame.Frame) {
	e, err := frame.ParseMessage(fr, chain.Member{})
	if err != nil {
		conn.Close(frame.ByeBroken, err.Error())
		return
	}
	f.in.put(feedEvent{conn: conn, chain: e.Chain, body: e.Body}, frame.Overhead+len(fr.Body))
}

// event takes the beginning or the end of a connection.
func (f *feed) event(e feedEvent) { f.in.put(e, 0) }
