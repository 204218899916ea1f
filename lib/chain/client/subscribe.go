package client

import (
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/link"
)

// A source is a node that chains are followed at.
type source struct {
	name   string
	addr   string
	keeper *keeper
	since  time.Duration // when it was first dialled, or its connection ended
	conn   *link.Conn    // or nil
	subs   int           // chains that are followed here, or are to be
	bad    time.Duration // until when others are better
}

// A sub is one chain's place in the feed.
type sub struct {
	chain chain.ID
	at    chain.LSN // that the Follower has, and its hash
	hash  chain.Hash
	// Records from at on that were gathered, and what has to come after them.
	records  []chain.Record
	outcomes []chain.Outcome
	next     chain.LSN
	nextHash chain.Hash

	on      *source       // where it is to be followed, or nil
	last    string        // where it was before, in vain
	id      uint64        // of the subscription; 0 if there is none
	since   time.Duration // on is set
	retryAt time.Duration // not before
	tries   int           // in vain, in a row
	pinged  bool          // in this subscription
	started bool          // the member goes on from here
	heard   time.Duration // when it was of use last
	beats   []beat        // heartbeats whose records are to come

	copies bool // it needs a copy, as was found out
	heavy  bool // the subscription brings a copy, or may well do
	copy   Copy // that is under way, or nil
	begin  chain.SnapBegin
	chunks uint64
}

// A beat is a heartbeat's LSN and when its ping was sent.
type beat struct {
	lsn  chain.LSN
	sent time.Duration
}

// stand sets where the Follower is.
func (s *sub) stand(at chain.LSN, hash chain.Hash) {
	s.at, s.hash, s.next, s.nextHash = at, hash, at+1, hash
	s.records, s.outcomes = nil, nil
}

// send sends a message to where the chain is followed, if it is. What is lost shows
// as silence.
func (s *sub) send(m chain.Message) {
	if s.id != 0 && s.on.conn != nil {
		s.on.conn.Send(chain.Envelope{Chain: s.chain, Body: m})
	}
}

// leave ends a subscription, which starts anew after a while, elsewhere if there is
// another member; keep says that nothing is wrong with this one.
func (f *feed) leave(s *sub, keep bool) {
	s.send(chain.FeedEnd{ID: s.id})
	if s.copy != nil {
		f.abort(s)
	}
	s.last = ""
	if !keep {
		s.last = s.on.name
		s.tries++
	}
	s.on.subs--
	s.id, s.on, s.beats = 0, nil, nil
	f.idle++
	s.started, s.heavy = false, false
	s.retryAt = f.now + min(time.Duration(s.tries)*lookEvery, f.c.config.Silence)
}

// heavies counts subscriptions that bring a copy, or may well do.
func (f *feed) heavies() (n int) {
	for i := range f.subs {
		if s := &f.subs[i]; s.id != 0 && s.heavy && !s.started {
			n++
		}
	}
	return n
}

// subscribeAll starts subscriptions that are wanted and have their turn; it tells
// whether there were any.
func (f *feed) subscribeAll(v *view) (any bool) {
	if f.idle == 0 {
		return false
	}
	heavy, starting := f.heavies(), f.starting()
	for i := range f.subs {
		s := &f.subs[i]
		if s.id != 0 || f.now < s.retryAt || !f.assign(s, v) {
			continue
		}
		if s.heavy = s.copies || s.at == 0; s.heavy && heavy < f.c.config.Copies {
			heavy++
		} else if !s.heavy && starting < maxStarting {
			starting++
		} else {
			continue
		}
		f.subscribe(s)
		any = true
	}
	return any
}

// starting counts subscriptions that bring no copy and were not answered yet.
func (f *feed) starting() (n int) {
	for i := range f.subs {
		if s := &f.subs[i]; s.id != 0 && !s.heavy && !s.started {
			n++
		}
	}
	return n
}

func (f *feed) subscribe(s *sub) {
	f.c.counts.subscriptions.Add(1)
	s.id = f.c.lastID.Add(1)
	f.idle--
	s.heard, s.pinged, s.started = f.now, false, false
	s.next, s.nextHash = s.at+1, s.hash
	s.send(chain.Subscribe{ID: s.id, After: s.at, Hash: s.hash})
}

// assign finds a connected member to follow a chain at.
func (f *feed) assign(s *sub, v *view) bool {
	if s.on != nil && s.on.conn == nil && f.now-s.since > awayAfter {
		s.last = s.on.name
		s.on.subs--
		s.on = nil
	}
	if s.on == nil {
		name, _ := f.best(s, v)
		n := f.source(name, v)
		if n == nil {
			return false
		}
		s.on, s.since = n, f.now
		n.subs++
	}
	return s.on.conn != nil
}

// best names the node to follow a chain at, and tells how far it is: a member that
// works, another than last time, near, and with few chains. "" if there is none.
func (f *feed) best(s *sub, v *view) (name string, distance int) {
	if len(v.members) == 0 {
		return "", 0
	}
	least := 1 << 30
	for _, m := range v.members[s.chain] {
		rank := m.distance << 20
		if x := f.nodes[m.name]; x != nil {
			rank += x.subs
			if f.now < x.bad || x.conn == nil && f.now-x.since > awayAfter {
				rank += 1 << 25
			}
		}
		if m.name == s.last {
			rank += 1 << 24
		}
		if !m.up() {
			rank += 1 << 25
		}
		if rank < least {
			name, least, distance = m.name, rank, m.distance
		}
	}
	return name, distance
}

// source gives a node of the table to follow chains at, which is dialled, or nil.
func (f *feed) source(name string, v *view) *source {
	if n := f.nodes[name]; n != nil {
		return n
	}
	addr := v.addr(name)
	if addr == "" {
		return nil
	}
	n := &source{name: name, addr: addr, since: f.now}
	n.keeper = f.c.keep(f.ctx, &f.keepers, frame.ClassFeed, name, addr)
	f.nodes[name] = n
	return n
}

// addr is where a node is, or "".
func (v *view) addr(name string) string {
	for i := range v.table.Sites {
		if s := &v.table.Sites[i]; s.Node == name {
			return s.Addr
		}
	}
	return ""
}

// moved takes in a new table: nodes that have gone or are elsewhere.
func (f *feed) moved(v *view) {
	for name, n := range f.nodes {
		addr := v.addr(name)
		if addr == n.addr {
			continue
		}
		n.keeper.stop()
		if addr != "" {
			n.addr, n.since = addr, f.now
			n.keeper = f.c.keep(f.ctx, &f.keepers, frame.ClassFeed, name, addr)
			continue
		}
		f.disconnected(n)
		for i := range f.subs {
			if s := &f.subs[i]; s.on == n {
				s.on = nil
			}
		}
		delete(f.nodes, name)
	}
}

// connection takes the beginning or the end of a connection.
func (f *feed) connection(e feedEvent) {
	n := f.nodes[e.conn.Peer.Name.ID]
	switch {
	case n == nil:
	case e.up:
		n.conn, n.bad = e.conn, 0
	case n.conn == e.conn:
		f.disconnected(n)
	}
}

// disconnected ends the subscriptions at a node.
func (f *feed) disconnected(n *source) {
	n.conn = nil
	n.since, n.bad = f.now, f.now+f.c.config.Silence
	for i := range f.subs {
		if s := &f.subs[i]; s.on == n && s.id != 0 {
			f.leave(s, false)
			s.retryAt = f.now
		}
	}
}

// silence gives up subscriptions that have been of no use for too long.
func (f *feed) silence() {
	for i := range f.subs {
		s := &f.subs[i]
		limit := f.c.config.Silence
		if s.copy != nil {
			limit *= 5 // others' copies come over the same connection
		}
		if s.id != 0 && f.now-s.heard > limit {
			s.on.bad = f.now + f.c.config.Silence
			f.leave(s, false)
		}
	}
}

// improve moves some chains to members that are nearer, or have much less to do.
func (f *feed) improve(v *view) {
	moves := 0
	for i := range f.subs {
		s := &f.subs[i]
		if moves == maxMoves {
			return
		}
		if !s.started || s.copy != nil || len(v.members) == 0 {
			continue
		}
		name, distance := f.best(s, v)
		here := v.distance(s.chain, s.on.name)
		n := f.nodes[name]
		if n == s.on || distance > here || distance == here && n != nil && s.on.subs <= 2*n.subs+maxMoves {
			continue
		}
		if n = f.source(name, v); n != nil && n.conn != nil && f.now >= n.bad {
			f.leave(s, true)
			s.on, s.since = n, f.now
			n.subs++
			moves++
		}
	}
}

// nowhere is farther than any zone.
const nowhere = 3

// distance is how far a member of a chain is; nowhere if it is none.
func (v *view) distance(id chain.ID, node string) int {
	for _, m := range v.members[id] {
		if m.name == node {
			return m.distance
		}
	}
	return nowhere
}
