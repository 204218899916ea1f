package host

import (
	"testing"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/link"
)

// TestCredit: who has too many frames in the loops waits.
func TestCredit(t *testing.T) {
	p := &peer{room: make(chan struct{}, 1)}
	for range maxCredit / 2 {
		p.charge(2)
	}
	passed := make(chan struct{})
	go func() {
		for range 1000 {
			p.charge(3)
			passed <- struct{}{}
		}
	}()
	select {
	case <-passed:
		t.Error("there was room")
	case <-time.After(10 * time.Millisecond):
	}
	for range 1000 {
		p.credit(3)
		await(t, "room", passed)
	}
}

// A holder is a client that reads nothing until it is let go.
type holder struct {
	*user
	first chan struct{} // has an element when a frame has come
	hold  chan struct{} // closed to let it go
	got   chan uint64   // the streams of frames
}

func (c *cluster) holder(id string, to *node) *holder {
	h := &holder{c.user(id), make(chan struct{}, 1), make(chan struct{}), make(chan uint64, 1000)}
	n := link.New(link.Config{
		Credentials: c.credentials(ca.Client, id), Incarnation: 1,
		Handle: func(_ *link.Conn, f frame.Frame) {
			select {
			case h.first <- struct{}{}:
			default: // it has one
			}
			<-h.hold
			h.got <- f.Stream
		},
		Up: func(c *link.Conn) { h.ups <- c }, Down: func(*link.Conn, error) {}, Failed: func(string, string, error) {},
	})
	h.all.Go(func() { n.Keep(h.ctx, frame.ClassFeed, to.name, to.addr) })
	await(c.t, "connection", h.ups)
	return h
}

// TestSlowSubscriber: what a subscriber does not read waits outside of its
// connection's queue, in its order, and is bounded.
func TestSlowSubscriber(t *testing.T) {
	c := newCluster(t, 1, "n1")
	c.coord.create()
	n1 := c.nodes["n1"]
	h := c.holder("serve1", n1)
	var p *peer
	c.until("peer", func() bool {
		n1.life.Load().peers.Range(func(_, at any) bool { p = at.(*peer); return true })
		return p != nil
	})
	chunk := chain.SnapChunk{Items: []chain.Item{{Key: []byte("key"), Value: make([]byte, 200<<10)}}}
	const chunks = 60
	for chunk.ID = range uint64(chunks) {
		if err := p.send(chain.Envelope{Body: chunk}); err != nil {
			t.Fatal(err)
		}
	}
	p.send(chain.Envelope{Body: chain.FeedEnd{ID: chunks}})
	await(t, "a frame", h.first)
	if st := p.status(); st.Held == 0 || st.Stats.Queued > lowWater+(1<<20) {
		t.Errorf("held %d, in the queue %d", st.Held, st.Stats.Queued)
	}
	close(h.hold)
	for i := range uint64(chunks + 1) {
		if id := await(t, "frame", h.got); id != i {
			t.Fatalf("frame %d in place of %d", id, i)
		}
	}
	p.outbox.mu.Lock()
	p.size, p.held = maxHeld, make([]chain.Envelope, 1)
	p.outbox.mu.Unlock()
	if err := p.send(chain.Envelope{Body: chunk}); err != link.ErrOverflow {
		t.Errorf("with the outbox full: %v", err)
	}
	h.stop()
}
