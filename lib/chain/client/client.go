package client

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/clock"
	"namecast/lib/link"
)

// A Client is one program's way to the storage. New makes it, and Run has to run for
// all of it to work. All methods are for any goroutine.
type Client struct {
	config Config
	net    *link.Net
	view   atomic.Pointer[view]
	known  [chain.Chains]atomic.Uint64 // LSNs that are known to be committed
	fresh  freshness
	counts counts

	calls  calls
	lastID atomic.Uint64
	pool   sync.Pool

	wanted  chan struct{} // the table is to be asked for
	adopted chan struct{} // there is another

	mu      sync.Mutex
	peers   map[string]*peer
	told    bool          // a table has come since it was set to false
	vouched time.Duration // when a node had this table, or a newer one
	feed    *feed         // of Follow, or nil
}

// New makes a client.
func New(config Config) *Client {
	config.fill()
	c := &Client{
		config: config, peers: map[string]*peer{},
		wanted: make(chan struct{}, 1), adopted: make(chan struct{}, 1),
	}
	c.init()
	c.fresh.init()
	c.view.Store(&view{next: make(chan struct{})})
	c.net = link.New(link.Config{
		Credentials: config.Credentials,
		Incarnation: 1, // clients are not told apart by their lives
		Limits:      config.Limits,
		Handle:      c.received, Up: c.up, Down: c.down, Failed: c.failed,
	})
	return c
}

// received takes a frame of any connection.
func (c *Client) received(conn *link.Conn, f frame.Frame) {
	if conn.Peer.Class == frame.ClassFeed {
		c.feedOf().received(conn, f)
		return
	}
	c.handle(conn, f)
}

func (c *Client) feedOf() *feed {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.feed
}

// up takes a new connection into use.
func (c *Client) up(conn *link.Conn) {
	if conn.Peer.Class == frame.ClassFeed {
		c.feedOf().event(feedEvent{conn: conn, up: true})
		return
	}
	c.mu.Lock()
	p := c.peer(conn.Peer.Name.ID)
	p.conn.Store(conn)
	c.mu.Unlock()
	p.shunned.Store(0)
	p.failing.Store(false)
	c.config.Log.Info("node connected", "node", p.name, "addr", conn.Peer.Addr)
	c.refresh()
}

// down tells all who wait on a connection that it has ended.
func (c *Client) down(conn *link.Conn, err error) {
	if conn.Peer.Class == frame.ClassFeed {
		c.feedOf().event(feedEvent{conn: conn})
		return
	}
	c.mu.Lock()
	p := c.peer(conn.Peer.Name.ID)
	p.conn.CompareAndSwap(conn, nil)
	c.mu.Unlock()
	c.lost(conn)
	c.config.Log.Info("node disconnected", "node", p.name, "err", err)
	c.refresh()
}

// failed logs the first of a row of failures. Two addresses of one node are none.
func (c *Client) failed(node, addr string, err error) {
	if errors.Is(err, link.ErrKept) {
		return
	}
	if node == "" {
		node = addr
	}
	c.mu.Lock()
	p := c.peer(node)
	c.mu.Unlock()
	if !p.failing.Swap(true) {
		c.config.Log.Warn("node not reached", "node", node, "addr", addr, "err", err)
	}
}

// Table is the chain table as the client knows it, with the sites of the nodes; it
// is not to be changed. Revision 0 if the client has none yet.
func (c *Client) Table() chain.Table { return c.view.Load().table }

// Connected counts the nodes that are connected.
func (c *Client) Connected() int {
	n := 0
	for _, conn := range c.net.Conns() {
		if conn.Peer.Class == frame.ClassClient {
			n++
		}
	}
	return n
}

// Committed is an LSN of a chain that the client knows to be committed; 0 if it knows
// of none.
func (c *Client) Committed(id chain.ID) chain.LSN { return chain.LSN(c.known[id].Load()) }

// learn takes in that an LSN is committed.
func (c *Client) learn(id chain.ID, lsn chain.LSN) {
	for {
		old := c.known[id].Load()
		if old >= uint64(lsn) || c.known[id].CompareAndSwap(old, uint64(lsn)) {
			return
		}
	}
}

// Stats count what the client has done since it was made.
type Stats struct {
	Writes, WriteRepeats uint64 // calls of Propose, and requests beyond one for each
	Reads, ReadRepeats   uint64
	Tables               uint64 // times that nodes were asked for the table
	Records, Copies      uint64 // taken by Follow
	Subscriptions        uint64
}

type counts struct {
	writes, writeRepeats, reads, readRepeats, tables, records, copies, subscriptions atomic.Uint64
}

// Stats tells what the client has done until now.
func (c *Client) Stats() Stats {
	n := &c.counts
	return Stats{
		Writes: n.writes.Load(), WriteRepeats: n.writeRepeats.Load(),
		Reads: n.reads.Load(), ReadRepeats: n.readRepeats.Load(),
		Tables: n.tables.Load(), Records: n.records.Load(), Copies: n.copies.Load(),
		Subscriptions: n.subscriptions.Load(),
	}
}

// A keeper keeps one connection in a goroutine.
type keeper struct {
	addr string
	stop context.CancelFunc
}

// keep keeps a connection with a node, once other keepers leave it; with whatever
// node there is if it has no name.
func (c *Client) keep(ctx context.Context, all *sync.WaitGroup, class frame.Class, node, addr string) *keeper {
	ctx, stop := context.WithCancel(ctx)
	all.Go(func() {
		for ctx.Err() == nil {
			if node == "" {
				c.net.KeepAt(ctx, class, addr) // ends with the context
				return
			}
			if err := c.net.Keep(ctx, class, node, addr); errors.Is(err, link.ErrKept) {
				clock.Sleep(ctx, keptPause) // by one that was stopped and is about to end
			}
		}
	})
	return &keeper{addr, stop}
}

// Run keeps the client connected and its table new, until the context ends.
func (c *Client) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	r := runner{c: c, ctx: ctx, nodes: map[string]*keeper{}, first: map[string]*keeper{}}
	defer r.all.Wait()
	defer stop()
	r.seek()
	tick := time.NewTicker(refreshEvery / 4)
	defer tick.Stop()
	floor := time.NewTimer(0)
	defer floor.Stop()
	wanted := c.wanted
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.adopted:
			r.reconcile()
		case <-wanted:
			c.askTable(3)
			wanted = nil // until the floor is over
			floor.Reset(refreshFloor)
		case <-floor.C:
			wanted = c.wanted
		case <-tick.C:
			r.tick()
		}
	}
}

// A runner is the state of Run.
type runner struct {
	c     *Client
	ctx   context.Context
	all   sync.WaitGroup
	nodes map[string]*keeper // of the table, by name
	first map[string]*keeper // of Addrs, while there is no table that helps
	ticks int
	alone time.Duration // since when no node is connected, or 0
}

// seek looks for the storage at the addresses to begin with.
func (r *runner) seek() {
	for node, k := range r.nodes {
		k.stop()
		delete(r.nodes, node)
	}
	r.c.mu.Lock()
	r.c.told = false
	r.c.mu.Unlock()
	for _, addr := range r.c.config.Addrs {
		if r.first[addr] == nil {
			r.first[addr] = r.c.keep(r.ctx, &r.all, frame.ClassClient, "", addr)
		}
	}
}

// tick asks for the table now and then, and seeks anew when the client is alone.
func (r *runner) tick() {
	if r.ticks++; r.ticks%4 == 0 || r.c.view.Load().table.Revision == 0 {
		r.c.askTable(1)
	}
	if len(r.first) > 0 || r.c.Connected() > 0 {
		r.alone = 0
		return
	}
	now := clock.Boot()
	if r.alone == 0 {
		r.alone = now
	}
	if now-r.alone > seekAfter {
		r.alone = 0
		r.seek()
	}
}

// reconcile keeps connections to the sites of the table, once there is one.
func (r *runner) reconcile() {
	sites := r.c.view.Load().table.Sites
	r.c.mu.Lock()
	told := r.c.told
	r.c.mu.Unlock()
	if !told || len(sites) == 0 { // the answer of a node that knows of none is no help
		return
	}
	r.takeOver(sites)
	me := r.c.config.Credentials.Identity().Name.ID
	wanted := nearest(sites, r.c.config.Zone, me, r.c.config.MaxNodes)
	for node, k := range r.nodes {
		if wanted[node] != k.addr {
			k.stop()
			delete(r.nodes, node)
		}
	}
	for node, addr := range wanted {
		if r.nodes[node] == nil {
			r.nodes[node] = r.c.keep(r.ctx, &r.all, frame.ClassClient, node, addr)
		}
	}
}

// takeOver goes on with connections that were made to the first addresses, where the
// table has the same, and ends the others.
func (r *runner) takeOver(sites []chain.Site) {
	for _, s := range sites {
		k, conn := r.first[s.Addr], r.c.net.Conn(frame.ClassClient, s.Node)
		if k != nil && conn != nil && conn.Peer.Addr == s.Addr && r.nodes[s.Node] == nil {
			r.nodes[s.Node] = k
			delete(r.first, s.Addr)
		}
	}
	for addr, k := range r.first {
		k.stop()
		delete(r.first, addr)
	}
}
