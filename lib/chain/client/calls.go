package client

import (
	"context"
	"sync"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/link"
)

// maxAttempts is how many requests of one call may wait for an answer at a time.
const maxAttempts = 4

// calls are the requests that wait for an answer, in parts so that many can be
// made at once.
type calls [16]struct {
	mu      sync.Mutex
	waiting map[uint64]waiting
}

// waiting is a request that has been sent.
type waiting struct {
	call *call
	conn *link.Conn
}

// A call is one exchange with the storage: one attempt, or several. It belongs to
// one goroutine. Each attempt ends with one answer, or is forgotten.
type call struct {
	c        *Client
	answers  chan answer // has room for one of each attempt
	attempts []attempt
	timer    *time.Timer
	asked    []*peer // in this round
}

type attempt struct {
	id uint64
	to *peer
}

// An answer is what came of an attempt: a message, or nil if the connection ended.
type answer struct {
	id   uint64
	body chain.Message
	from *peer
}

func (c *Client) init() {
	for i := range c.calls {
		c.calls[i].waiting = map[uint64]waiting{}
	}
	c.pool.New = func() any {
		timer := time.NewTimer(time.Hour)
		timer.Stop()
		return &call{
			c: c, answers: make(chan answer, maxAttempts), attempts: make([]attempt, 0, maxAttempts),
			timer: timer, asked: make([]*peer, 0, 8),
		}
	}
}

// begin gives a call, which end takes back.
func (c *Client) begin() *call { return c.pool.Get().(*call) }

func (k *call) end() {
	for len(k.attempts) > 0 {
		k.drop()
	}
	k.timer.Stop()
	k.asked = k.asked[:0]
	k.c.pool.Put(k)
}

// newID numbers a message.
func (k *call) newID() uint64 { return k.c.lastID.Add(1) }

// send sends a message with an ID from newID to a node; false if that is not
// connected. When too many attempts wait, the oldest is forgotten.
func (k *call) send(to *peer, id uint64, e chain.Envelope) bool {
	conn := to.conn.Load()
	if conn == nil {
		return false
	}
	if len(k.attempts) == maxAttempts {
		k.drop()
	}
	part := &k.c.calls[id%uint64(len(k.c.calls))]
	part.mu.Lock()
	part.waiting[id] = waiting{k, conn}
	part.mu.Unlock()
	to.flying.Add(1)
	k.attempts = append(k.attempts, attempt{id, to})
	if conn.Send(e) != nil {
		k.forget(len(k.attempts) - 1)
		return false
	}
	return true
}

// drop forgets the oldest attempt.
func (k *call) drop() { k.forget(0) }

// forget gives an attempt up.
func (k *call) forget(i int) {
	a := k.attempts[i]
	part := &k.c.calls[a.id%uint64(len(k.c.calls))]
	part.mu.Lock()
	_, waits := part.waiting[a.id]
	delete(part.waiting, a.id)
	part.mu.Unlock()
	k.remove(i)
	if waits {
		return
	}
	// Its answer has come, or those of attempts before it: only its own is dropped.
	for range len(k.answers) {
		if got := <-k.answers; got.id != a.id {
			k.answers <- got
		}
	}
}

func (k *call) remove(i int) {
	k.attempts[i].to.flying.Add(-1)
	k.attempts = append(k.attempts[:i], k.attempts[i+1:]...)
}

// wait waits for an answer until the time is over or next is closed: then ok is
// false, and at the end of the context there is its error.
func (k *call) wait(ctx context.Context, d time.Duration, next <-chan struct{}) (a answer, ok bool, err error) {
	k.timer.Reset(d)
	select {
	case a = <-k.answers:
	case <-k.timer.C:
		return answer{}, false, nil
	case <-next:
		return answer{}, false, nil
	case <-ctx.Done():
		return answer{}, false, ctx.Err()
	}
	for i := range k.attempts {
		if k.attempts[i].id == a.id {
			a.from = k.attempts[i].to
			k.remove(i)
			break
		}
	}
	return a, true, nil
}

// sleep waits for the time to be over, or for a new table, or the end of the context.
func (k *call) sleep(ctx context.Context, d time.Duration, v *view) error {
	k.timer.Reset(d)
	select {
	case <-k.timer.C:
	case <-v.next:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// answered brings an answer to who waits for it, if it comes from whom was asked.
func (c *Client) answered(conn *link.Conn, id uint64, body chain.Message) {
	part := &c.calls[id%uint64(len(c.calls))]
	part.mu.Lock()
	defer part.mu.Unlock()
	w, ok := part.waiting[id]
	if !ok || w.conn != conn {
		return
	}
	delete(part.waiting, id)
	w.call.answers <- answer{id: id, body: body} // there is room
}

// lost tells who waits for an answer on a connection that none will come.
func (c *Client) lost(conn *link.Conn) {
	for i := range c.calls {
		part := &c.calls[i]
		part.mu.Lock()
		for id, w := range part.waiting {
			if w.conn == conn {
				delete(part.waiting, id)
				w.call.answers <- answer{id: id}
			}
		}
		part.mu.Unlock()
	}
}

// handle takes a frame of class client.
func (c *Client) handle(conn *link.Conn, f frame.Frame) {
	e, err := frame.ParseMessage(f, chain.Member{})
	if err != nil {
		conn.Close(frame.ByeBroken, err.Error())
		return
	}
	switch m := e.Body.(type) {
	case chain.Table:
		c.adopt(m)
	case chain.ProposeReply:
		c.answered(conn, m.ID, m)
	case chain.ReadReply:
		c.answered(conn, m.ID, m)
	case chain.SyncReply:
		c.answered(conn, m.ID, m)
	case chain.Told:
		c.answered(conn, m.ID, m)
	default:
		conn.Close(frame.ByeBroken, "a message that is not for clients")
	}
}
