package host

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/link"
)

// A user is a client with connections of one class.
type user struct {
	*link.Net
	t      testing.TB
	ctx    context.Context
	all    sync.WaitGroup
	stop   func()
	ups    chan *link.Conn
	downs  chan error
	failed chan error

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]chan chain.Message
	feed    chan chain.Envelope // what answers nothing
}

func (c *cluster) user(id string) *user { return c.member(ca.Client, id) }

// member makes one of any role.
func (c *cluster) member(role ca.Role, id string) *user {
	u := &user{
		t: c.t, waiting: map[uint64]chan chain.Message{}, feed: make(chan chain.Envelope, 100000),
		ups: make(chan *link.Conn, 100), downs: make(chan error, 100), failed: make(chan error, 100),
	}
	u.Net = link.New(link.Config{
		Credentials: c.credentials(role, id), Incarnation: 1, Handle: u.handle,
		Up:   func(c *link.Conn) { u.ups <- c },
		Down: func(_ *link.Conn, err error) { u.downs <- err },
		Failed: func(_, _ string, err error) {
			select {
			case u.failed <- err:
			default: // nobody counts them
			}
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	u.ctx = ctx
	u.stop = sync.OnceFunc(func() { cancel(); u.all.Wait() })
	c.t.Cleanup(u.stop)
	return u
}

// to keeps a connection with a node, and waits for it.
func (u *user) to(n *node, class frame.Class) *link.Conn {
	u.t.Helper()
	u.all.Go(func() { u.Keep(u.ctx, class, n.name, n.addr) })
	return await(u.t, "connection", u.ups)
}

func (u *user) handle(_ *link.Conn, f frame.Frame) {
	e, err := frame.ParseMessage(f, chain.Member{})
	if err != nil {
		u.t.Error(err)
		return
	}
	u.mu.Lock()
	w := u.waiting[f.Stream]
	delete(u.waiting, f.Stream)
	u.mu.Unlock()
	if w != nil {
		w <- e.Body
		return
	}
	u.feed <- e
}

// ask gives a question a number, and the channel for its answer.
func (u *user) ask() (uint64, chan chain.Message) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last++
	w := make(chan chain.Message, 1)
	u.waiting[u.last] = w
	return u.last, w
}

func (u *user) send(c *link.Conn, id chain.ID, m chain.Message) {
	u.t.Helper()
	if err := c.Send(chain.Envelope{Chain: id, Body: m}); err != nil {
		u.t.Error(err)
	}
}

func request() (q chain.RequestID) {
	rand.Read(q[:])
	return q
}

// put writes a key.
func (u *user) put(c *link.Conn, id chain.ID, base chain.LSN, key, value string) chain.ProposeReply {
	u.t.Helper()
	n, w := u.ask()
	u.send(c, id, chain.Propose{ID: n, Request: request(), Base: base, Ops: []chain.Op{{Kind: chain.Put, Key: []byte(key), Value: []byte(value)}}})
	return await(u.t, "answer to a write", w).(chain.ProposeReply)
}

// read reads a key.
func (u *user) read(c *link.Conn, id chain.ID, mode chain.Mode, key string) chain.ReadReply {
	u.t.Helper()
	n, w := u.ask()
	u.send(c, id, chain.Read{ID: n, Mode: mode, Keys: [][]byte{[]byte(key)}})
	return await(u.t, "answer to a read", w).(chain.ReadReply)
}

// mustPut writes until it is done.
func (u *user) mustPut(c *cluster, to *link.Conn, id chain.ID, key, value string) chain.LSN {
	u.t.Helper()
	var lsn chain.LSN
	var last chain.ProposeReply
	c.until(fmt.Sprintf("write to chain %d", id), func() bool {
		last = u.put(to, id, 0, key, value)
		lsn = last.Outcome.LSN
		return last.Status == chain.Done && last.Outcome.Verdict == chain.Applied
	})
	return lsn
}

// mustRead reads until there is an answer.
func (u *user) mustRead(c *cluster, from *link.Conn, id chain.ID, key string) string {
	u.t.Helper()
	var r chain.ReadReply
	c.until(fmt.Sprintf("read of chain %d", id), func() bool {
		r = u.read(from, id, chain.Strong, key)
		return r.Status == chain.Done
	})
	return string(r.Values[0].Data)
}
