package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/link"
)

// links are the load's own connections with nodes, one with each. The client of
// package client chooses whom it asks, and sends again; what is measured here is
// one node, and every request counts.
type links struct {
	net  *link.Net
	stop context.CancelFunc
	kept sync.WaitGroup

	lastID atomic.Uint64
	ports  sync.Map // *link.Conn to *port
	mu     sync.Mutex
	nodes  map[string]*port
}

// A port is a connection and who is to have what comes over it.
type port struct {
	conn *link.Conn
	lane atomic.Pointer[lane]

	mu    sync.Mutex
	asked map[uint64]chan<- answer // by ID
}

// An answer is one to a question that was asked alone.
type answer struct {
	body chain.Message
	at   time.Time
}

// ask sends one question, whose answer comes over the channel. Nothing comes if the
// connection ends.
func (l *links) ask(node string, e func(id uint64) chain.Envelope) (<-chan answer, time.Time, error) {
	p, err := l.port(node)
	if err != nil {
		return nil, time.Time{}, err
	}
	id := l.lastID.Add(1) << 16
	c := make(chan answer, 1)
	p.mu.Lock()
	p.asked[id] = c
	p.mu.Unlock()
	sent := time.Now()
	return c, sent, p.conn.Send(e(id))
}

// told takes in the answer to a question that was asked alone.
func (p *port) told(f frame.Frame) {
	now := time.Now()
	p.mu.Lock()
	c := p.asked[f.Stream]
	delete(p.asked, f.Stream)
	p.mu.Unlock()
	if e, err := frame.ParseMessage(f, chain.Member{}); c != nil && err == nil {
		c <- answer{e.Body, now}
	}
}

// dial makes the connections with nodes at addresses, and keeps them until close.
func dial(ctx context.Context, identity string, addrs []string) (*links, error) {
	creds, err := link.Load(identity, func(error) {})
	if err != nil {
		return nil, err
	}
	l := &links{nodes: map[string]*port{}}
	l.net = link.New(link.Config{
		Credentials: creds, Incarnation: chain.Incarnation(time.Now().UnixNano()),
		Handle: l.handle, Up: l.up, Down: l.down, Failed: func(string, string, error) {},
	})
	ctx, l.stop = context.WithCancel(ctx)
	for _, addr := range addrs {
		l.kept.Go(func() { l.net.KeepAt(ctx, frame.ClassClient, addr) })
	}
	for deadline := time.Now().Add(10 * time.Second); l.count() < len(addrs); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) || ctx.Err() != nil {
			l.close()
			return nil, errors.New("the load cannot connect to all nodes")
		}
	}
	return l, nil
}

func (l *links) close() {
	l.stop()
	l.kept.Wait()
}

func (l *links) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.nodes)
}

// port is the connection with a node.
func (l *links) port(node string) (*port, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.nodes[node]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("no connection with %s", node)
}

func (l *links) up(c *link.Conn) {
	p := &port{conn: c, asked: map[uint64]chan<- answer{}}
	l.ports.Store(c, p)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nodes[c.Peer.Name.ID] = p
}

func (l *links) down(c *link.Conn, err error) {
	at, _ := l.ports.LoadAndDelete(c)
	p := at.(*port)
	l.mu.Lock()
	if l.nodes[c.Peer.Name.ID] == p {
		delete(l.nodes, c.Peer.Name.ID)
	}
	l.mu.Unlock()
	if a := p.lane.Load(); a != nil {
		a.broken(err)
	}
}

func (l *links) handle(c *link.Conn, f frame.Frame) {
	at, _ := l.ports.Load(c)
	p := at.(*port)
	if a := p.lane.Load(); a != nil {
		a.heard(f)
	} else {
		p.told(f)
	}
}
