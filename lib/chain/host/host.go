package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"namecast/lib/chain"
	"namecast/lib/clock"
)

// A Host is a node of the cluster at work.
type Host struct {
	config Config
	door   *door
	counts [chain.Chains]counts
	rosters
	table   tables
	doubles doubleTable

	life atomic.Pointer[life] // the one that there is, or was last

	mu    sync.Mutex
	ended chain.Incarnation // this incarnation, and all before it, serve no more
	halts map[chain.ID]*Halt
}

// A Halt tells of a chain whose replica has stopped for good: what the node has of
// it contradicts itself or another member.
type Halt struct {
	Chain  chain.ID
	Reason string
	Times  int           // since the last hour in which it did not
	Ago    time.Duration // since the last

	at time.Duration
}

// New makes a host, which does nothing before Run.
func New(c Config) (*Host, error) {
	switch {
	case c.Disk == nil, c.Coordinator == nil, c.Listener == nil, c.Credentials == nil, c.Log == nil:
		return nil, errors.New("host: something is not set in its configuration")
	case c.Name == "" || c.Name != c.Credentials.Identity().Name.ID:
		return nil, fmt.Errorf("host: node %q has the certificate of %s", c.Name, c.Credentials.Identity().Name)
	}
	if c.Limits.Queue == 0 {
		c.Limits.Queue = 16 << 20
	}
	h := &Host{config: c, door: newDoor(c.Listener), halts: map[chain.ID]*Halt{}}
	h.rosters.init()
	return h, nil
}

// Run has the node take part in the cluster until the context ends: then it takes
// no more requests, ends its registration, and has everything written. Any other
// end is an error, after which the process has to end: that of the disk, or
// ErrRemoved.
func (h *Host) Run(ctx context.Context) error {
	var door sync.WaitGroup
	defer door.Wait()
	inside, leave := context.WithCancel(ctx)
	defer leave()
	door.Go(func() { h.door.run(inside) })
	var back backoff
	for {
		began := clock.Boot()
		err := h.live(ctx)
		var end fatal
		switch {
		case errors.As(err, &end):
			return fmt.Errorf("node %s: %w", h.config.Name, end.error)
		case ctx.Err() != nil:
			return nil
		}
		after := back.next(clock.Boot()-began, err)
		h.config.Log.Warn("comes back as another incarnation", "node", h.config.Name, "why", err, "after", after.Round(time.Millisecond))
		clock.Sleep(ctx, after)
	}
}

// ErrRemoved: the node was taken out of the cluster. A Coordinator's Register
// returns it where it will never succeed.
var ErrRemoved = errors.New("the node is not of the cluster any more")

// A fatal error ends the process.
type fatal struct{ error }

// errLapsed ends an incarnation whose registration is gone.
var errLapsed = errors.New("its registration has lapsed")

// A renewed ends an incarnation that is of no more use.
type renewed struct {
	why   string
	chain chain.ID
}

func (r renewed) Error() string { return fmt.Sprintf("chain %d: %s", r.chain, r.why) }

// live is one incarnation, from its registration to its end.
func (h *Host) live(ctx context.Context) error {
	if err := h.settled(); err != nil {
		return err
	}
	reg, sent, err := h.register(ctx)
	if err != nil {
		return err
	}
	h.config.Log.Info("registered", "node", h.config.Name, "incarnation", reg.Inc())
	l := newLife(h, reg)
	h.life.Store(l)
	err = l.run(ctx, sent)
	if e := h.settled(); e != nil {
		err = e
	}
	h.mu.Lock()
	h.ended = reg.Inc()
	h.mu.Unlock()
	if !errors.Is(err, errLapsed) {
		h.end(ctx, reg)
	}
	return err
}

// farewell is how long the end of a registration may take. Without it the
// controller waits until the lease has ended.
const farewell = 2 * time.Second

func (h *Host) end(ctx context.Context, reg Registration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := reg.End(ctx); err != nil {
		h.config.Log.Warn("the end of the registration was not told", "node", h.config.Name, "error", err)
	}
}

// register takes the next incarnation, however long that takes. sent is the
// clock's reading before the registration was in force.
func (h *Host) register(ctx context.Context) (reg Registration, sent time.Duration, err error) {
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, mostPause) {
		sent = clock.Boot()
		within, cancel := context.WithTimeout(ctx, mostPause)
		reg, err = h.config.Coordinator.Register(within, h.node())
		cancel()
		switch {
		case err == nil:
			return reg, sent, nil
		case errors.Is(err, ErrRemoved):
			return nil, 0, fatal{err}
		}
		if ctx.Err() == nil {
			h.config.Log.Warn("not registered", "node", h.config.Name, "error", err)
		}
		clock.Sleep(ctx, pause)
	}
	return nil, 0, ctx.Err()
}

// node is what this node registers as.
func (h *Host) node() Node {
	n := Node{
		Name: h.config.Name, Addr: h.config.Addr, Zone: h.config.Zone,
		Pin: h.config.Credentials.Identity().Pin().String(), Held: map[chain.ID]Holding{},
	}
	for id, meta := range h.config.Disk.Held() {
		n.Above = max(n.Above, meta.Inc)
		if inc := meta.Held(); inc != 0 {
			_, last := h.config.Disk.Storage(id).Log()
			n.Held[id] = Holding{Inc: inc, Row: meta.Row, LSN: last}
		}
	}
	return n
}

// Written takes in that a chain's batches up to a number are durable. Who opens
// the disk has it called for every chain in order.
func (h *Host) Written(id chain.ID, seq uint64) {
	if l := h.life.Load(); l != nil {
		l.loop(id).put(input{env: chain.Envelope{Chain: id}, written: seq})
	}
}

// settled waits until all that was to be written is: the next incarnation's
// replicas begin with what is on the disk. A disk that has failed is the end.
func (h *Host) settled() error {
	if err := h.config.Disk.Flush(); err != nil {
		return fatal{err}
	}
	return nil
}
