package link

import (
	"context"
	"errors"
	"sync"

	"namecast/lib/ca"
	"namecast/lib/chain/frame"
)

// A Mesh is the connections of class chain with all other nodes of a cluster.
type Mesh struct {
	net *Net
	ctx context.Context

	mu    sync.Mutex
	nodes map[string]dialed
	keeps sync.WaitGroup
}

// dialed is a node that is dialled from here.
type dialed struct {
	addr string
	stop context.CancelFunc
}

// NewMesh makes a mesh without nodes, which lasts as long as the context.
func (n *Net) NewMesh(ctx context.Context) *Mesh {
	return &Mesh{net: n, ctx: ctx, nodes: map[string]dialed{}}
}

// Set says which nodes there are and where, "host:port" by ID; this node may be
// among them. Those that are to be dialled from here are dialled; connections with
// nodes that are not there, or at another address, end.
func (m *Mesh) Set(nodes map[string]string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, d := range m.nodes {
		if nodes[id] != d.addr {
			d.stop()
			delete(m.nodes, id)
		}
	}
	for _, c := range m.net.Conns() {
		if _, ok := nodes[c.Peer.Name.ID]; !ok && c.Peer.Class == frame.ClassChain {
			c.Close(frame.ByeRefused, "the node is not of the cluster any more")
		}
	}
	me := m.net.config.Credentials.current.Load().Name.ID
	for id, addr := range nodes {
		if _, ok := m.nodes[id]; ok || !DialsChain(me, id) {
			continue
		}
		ctx, stop := context.WithCancel(m.ctx)
		m.nodes[id] = dialed{addr, stop}
		m.keeps.Go(func() { m.keep(ctx, id, addr) })
	}
}

// keep keeps a connection, once the one with the node's address before has ended.
func (m *Mesh) keep(ctx context.Context, id, addr string) {
	for errors.Is(m.net.Keep(ctx, frame.ClassChain, id, addr), ErrKept) {
		select {
		case <-m.net.unkept(place{frame.ClassChain, ca.Node, id, true}):
		case <-ctx.Done():
			return
		}
	}
}

// Wait returns when the mesh's context has ended and all that it dialled with it.
func (m *Mesh) Wait() {
	<-m.ctx.Done()
	m.keeps.Wait()
}
