package host

import (
	"sync"
	"sync/atomic"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/link"
)

// maxCredit is what the frames of one connection that wait in the loops may cost.
// While they cost more, nothing is read from it.
const maxCredit = 4096

// cost is that of a frame: 1, and 1 more for each 1024 octets of its body.
func cost(f frame.Frame) int32 { return 1 + int32(len(f.Body)>>10) }

// A peer is a connection, with what the loops have of it.
type peer struct {
	life   *life
	conn   *link.Conn
	number uint64 // as a client
	outbox

	waiting atomic.Int32
	room    chan struct{} // has an element when there is room again
}

// charge counts a frame that goes to a loop, and waits for room.
func (p *peer) charge(cost int32) {
	if p.waiting.Add(cost) <= maxCredit {
		return
	}
	for p.waiting.Load() > maxCredit {
		<-p.room // the loops last longer than the connections
	}
}

// credit takes a frame off that a loop has done with.
func (p *peer) credit(cost int32) {
	if now := p.waiting.Add(-cost); now <= maxCredit && now+cost > maxCredit {
		select {
		case p.room <- struct{}{}:
		default: // it has one
		}
	}
}

// answer implements answerer. A client that does not read its answers loses its
// connection: it would miss changes otherwise.
func (p *peer) answer(e chain.Envelope) {
	if p.conn.Peer.Class == frame.ClassChain {
		e.Epoch = 0 // it is not for the replica there
	}
	if err := p.send(e); err == link.ErrOverflow {
		p.conn.Close(frame.ByeFull, "the answers are not read")
	}
}

// nodes are the peers of one class by the names of their nodes. A change makes the
// map anew: it is read for every message that is sent.
type nodes struct {
	mu  sync.Mutex
	now atomic.Pointer[map[string]*peer]
}

func (n *nodes) get(name string) *peer {
	if m := n.now.Load(); m != nil {
		return (*m)[name]
	}
	return nil
}

// put makes a peer the one of its node, or with gone takes it out.
func (n *nodes) put(p *peer, gone bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	name := p.conn.Peer.Name.ID
	next := map[string]*peer{}
	if m := n.now.Load(); m != nil {
		for k, v := range *m {
			next[k] = v
		}
	}
	if !gone {
		next[name] = p
	} else if next[name] == p {
		delete(next, name)
	}
	n.now.Store(&next)
}

// up takes in a connection.
func (l *life) up(c *link.Conn) {
	p := &peer{life: l, conn: c, number: l.clients.Add(1), room: make(chan struct{}, 1)}
	l.peers.Store(c, p)
	if c.Peer.Class == frame.ClassChain {
		l.nodes.put(p, false)
	}
	for _, o := range l.loops {
		o.put(input{do: func() { o.clients[p.number] = client{p, c.Peer.Name.ID} }})
	}
}

// down takes in its end.
func (l *life) down(c *link.Conn, err error) {
	at, _ := l.peers.LoadAndDelete(c)
	p := at.(*peer)
	p.close()
	l.bulk.drop(p)
	l.tellDouble(c, err)
	l.host.config.Log.Debug("disconnected", "node", l.self.Node, "peer", c.Peer.Name, "class", c.Peer.Class, "why", err)
	if c.Peer.Class == frame.ClassChain {
		l.nodes.put(p, true)
		l.gateway.lost(p)
	}
	for _, o := range l.loops {
		o.put(input{do: func() { o.gone(p) }})
	}
}

// handle takes in a frame.
func (l *life) handle(c *link.Conn, f frame.Frame) {
	at, _ := l.peers.Load(c)
	p := at.(*peer)
	e, err := frame.ParseMessage(f, c.Peer.Member())
	if err != nil {
		c.Close(frame.ByeBroken, err.Error())
		return
	}
	if c.Peer.Class == frame.ClassChain {
		l.fromNode(p, e, cost(f))
	} else {
		l.fromClient(p, e, cost(f))
	}
}

// fromNode takes in a message of another member; or, with epoch 0, of the
// controller or the gateway there.
func (l *life) fromNode(p *peer, e chain.Envelope, cost int32) {
	switch m := e.Body.(type) {
	case chain.FenceReply:
		l.fences.answered(p, m)
		return
	case chain.Fence:
		e.From = chain.Member{}
	case chain.Propose, chain.Read:
		if e.Epoch == 0 {
			e.From = chain.Member{}
		}
	case chain.ProposeReply, chain.ReadReply:
		if e.Epoch == 0 {
			l.gateway.answered(p, e)
			return
		}
	}
	p.charge(cost)
	l.loop(e.Chain).put(input{env: e, client: p.number, from: p, cost: cost})
}

// mayAsk tells whether a node may ask something as a client: if it has not
// registered, where the cluster is, and no more.
func (l *life) mayAsk(p *peer, m chain.Message) bool {
	switch m.(type) {
	case chain.TableQuery, chain.Ask:
		return true
	}
	known, _ := l.knows(p.conn.Peer)
	return known
}

// fromClient takes in a client's message.
func (l *life) fromClient(p *peer, e chain.Envelope, cost int32) {
	e.From = chain.Member{}
	if p.conn.Peer.Name.Role == ca.Node && !l.mayAsk(p, e.Body) {
		p.conn.Close(frame.ByeRefused, "it is not for a node that has not registered to ask that")
		return
	}
	switch e.Body.(type) {
	case chain.Propose, chain.Read:
		if !l.serves(e.Chain) && l.gateway.pass(p, e) {
			return
		}
	case chain.Subscribe, chain.SnapAck, chain.FeedAck, chain.FeedPing, chain.FeedEnd:
	case chain.TableQuery, chain.SyncQuery, chain.Ask:
		l.answerCluster(p, e)
		return
	default:
		p.conn.Close(frame.ByeBroken, "a message that is not a client's")
		return
	}
	p.charge(cost)
	l.loop(e.Chain).put(input{env: e, client: p.number, from: p, cost: cost})
}
