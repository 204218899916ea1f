package host

import (
	"bytes"
	"context"
	"crypto/ed25519"
	crand "crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"namecast/lib/cli"
	"namecast/lib/clock"
	"namecast/lib/control"
	"namecast/lib/peer"
	"namecast/lib/peer/group"
	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
	"namecast/lib/private"
	"namecast/lib/resolve/iterate"
	"namecast/lib/resolve/system"
	"namecast/lib/resolve/upstream"
	"namecast/lib/resolve/validate"
	"namecast/lib/rr"
)

// version is that of the program, which members tell each other.
const version = 1

// A daemon is nc-peer at work.
type daemon struct {
	Config
	plan     *plan
	notes    *notes
	loop     *loop
	stub     *stub
	machine  system.Machine
	lock     *os.File
	events   *os.File
	operator *control.Listener
	http     net.Listener
	keys     atomic.Pointer[packet.Keys]
	started  time.Time
	trusted  []validate.Anchor // of the file, as it was last read; of who keeps the keys
	wake     chan struct{}     // has the network looked at
	rewire   chan struct{}     // has the sockets join their groups again
	settled  chan struct{}     // is closed when the loop knows the name servers

	overwritten bool // others have written what leads programs here; of who keeps the network

	mu    sync.Mutex
	loops map[upstream.Server]bool // name servers that lead back here
}

// garbage is how much of it there may be for 100 octets in use: a quarter of what Go allows
// by itself. Most of a full cache lies there for days, on machines that have other things to
// do with their memory, and little is thrown away at the pace of a machine's own questions.
const garbage = 25

// Run serves until ctx ends, which is no error, or until it cannot go on.
func Run(ctx context.Context, c Config) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	p, err := c.check()
	if err != nil {
		return err
	}
	d := &daemon{Config: c, plan: p, notes: newNotes(c.Log), started: time.Now(), wake: make(chan struct{}, 1), rewire: make(chan struct{}, 1), settled: make(chan struct{})}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err = d.open(ctx); err == nil {
		err = d.serve(ctx, cancel)
	}
	d.close()
	return err
}

func (d *daemon) now() time.Duration { return clock.Boot() }

// open binds, locks and reads what the daemon needs.
func (d *daemon) open(ctx context.Context) (err error) {
	if err := os.Mkdir(d.Dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if d.lock, err = private.Lock(d.Dir); err != nil {
		return fmt.Errorf("-db %q: %w", d.Dir, err)
	}
	key, err := identity(d.Dir)
	if err != nil {
		return err
	}
	d.newLoop(ctx, key)
	if err := d.judges(ctx); err != nil {
		return err
	}
	d.load()
	if err := d.openStub(); err != nil {
		return err
	}
	d.machine = system.Machine{Root: d.Root, Own: d.stub.own()}.Remember()
	if d.operator, err = control.Listen(d.Dir); err != nil {
		return err
	}
	if d.HTTP != "" {
		if d.http, err = net.Listen("tcp", d.HTTP); err != nil {
			return fmt.Errorf("-http: %w", err)
		}
	}
	if d.Events != "" {
		if d.events, err = os.OpenFile(d.Events, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
			return fmt.Errorf("-events: %w", err)
		}
	}
	return nil
}

// newLoop makes the Node, the Group if there is a key, and the loop that has them.
func (d *daemon) newLoop(ctx context.Context, key ed25519.PrivateKey) {
	self := packet.NodeIDOf(key.Public().(ed25519.PublicKey))
	l := &loop{
		log: d.notes, tracer: newTracer(self, d.Names), pending: map[uint64]*query{},
		calls: make(chan func()), timer: time.NewTimer(0),
	}
	l.workers = newWorkers(ctx, l.finish, d.notes)
	l.split = &splitter{workers: l.workers, stale: d.MaxStale}
	l.looped = d.looped
	l.renew = func() { l.workers.all.Go(func() { d.renew(ctx) }) }
	o := peer.Options{
		Rand: rand.New(rand.NewChaCha8(seed())), Share: d.Mode == Share, Owners: d.Owners, MaxStale: d.MaxStale,
		Stale: d.Stale, Agree: d.Agree, Iterate: d.Iterate, Validate: d.DNSSEC, Secret: d.plan.secret,
	}
	if keys := d.plan.keys; keys != nil {
		d.keys.Store(keys)
		l.group = group.New(d.now(), group.Options{
			Keys: keys, Key: key, Boot: newBoot(), Started: d.now(), Rand: crand.Reader,
			Port: uint16(d.Port), Weight: d.weight(), Static: d.plan.static, Remembered: d.remembered(), Version: version,
		})
		o.Ring = l.group
	}
	l.node = peer.New(d.now(), o)
	d.loop = l
}

// weight is the Group's, for which 0 is the default and less than that none.
func (d *daemon) weight() int {
	if d.Weight == 0 {
		return -1
	}
	return d.Weight
}

// seed is of delays and choices that others should not foresee.
func seed() (b [32]byte) {
	crand.Read(b[:]) // never fails
	return b
}

// judges makes what iterates and validates, as the flags want it.
func (d *daemon) judges(ctx context.Context) (err error) {
	if d.Iterate {
		var o iterate.Options
		if d.Hints != "" {
			text, err := os.ReadFile(d.Hints)
			if err == nil {
				o.Hints, err = iterate.ParseHints(bytes.NewReader(text))
			}
			if err != nil {
				return fmt.Errorf("%w-hints: %w", ErrConfig, err)
			}
		}
		r := iterate.New(o)
		d.loop.workers.iterator = r
		// That it fails now, without a network, means that it is done when it is needed.
		d.loop.workers.all.Go(func() { _ = r.Prime(ctx) })
	}
	if !d.DNSSEC {
		return nil
	}
	o := validate.Options{Fetch: d.loop.chain, Insecure: append(peer.SecretDomains(), d.plan.secret...)}
	if d.Anchors != "" {
		if o.Anchors, err = d.anchors(); err != nil {
			return fmt.Errorf("%w%w", ErrConfig, err)
		}
		d.trusted = o.Anchors
	}
	d.loop.workers.validator = newValidator(o, d.Dir, d.notes)
	return nil
}

// chain asks the Node for a record of the chain of trust, unchecked.
func (l *loop) chain(ctx context.Context, name rr.Name, typ uint16) ([]byte, error) {
	got := make(chan *peer.Reply, 1)
	q := &query{own: func(r *peer.Reply) { got <- r }}
	q.q = peer.Question{Name: name.Lower(), Type: typ, DO: true, CD: true}
	l.enter()
	l.ask(q)
	l.leave()
	select {
	case r := <-got:
		if r.Msg == nil {
			return nil, errors.New("no answer")
		}
		return keep.Aged(nil, r.Msg, 0, r.Age, r.MaxTTL), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve runs all parts until ctx ends or one of them cannot go on.
func (d *daemon) serve(ctx context.Context, cancel context.CancelFunc) error {
	all := &cli.Parts{End: cancel}
	looped := make(chan struct{})
	// The links outlive the loop, which has a last word to say by them.
	outer, done := context.WithCancel(context.WithoutCancel(ctx))
	defer done()
	wires := &cli.Parts{End: cancel}
	wires.Run(func() error { return d.keepLinks(outer) })
	all.Run(func() error { defer close(looped); return d.loop.run(ctx) })
	all.Run(func() error { d.keepNetwork(ctx); return nil })
	all.Run(func() error { d.keepSaving(ctx); return nil })
	all.Run(func() error { return d.keepKeys(ctx) })
	all.Run(func() error { return d.operator.Serve(ctx, d.answers()) })
	if d.http != nil {
		all.Run(func() error { return d.servePage(ctx) })
	}
	if d.events != nil {
		all.Run(func() error { return d.loop.tracer.record(d.events, ctx.Done()) })
	}
	select {
	case <-d.settled: // without name servers the Node could only refuse
		d.serveStub(ctx, all)
	case <-ctx.Done():
	}
	<-ctx.Done()
	cli.Stopping()
	<-looped
	done()
	d.stub.close()
	all.Wait()
	wires.Wait()
	d.loop.workers.all.Wait()
	return errors.Join(all.Err(), wires.Err(), d.last())
}

// serveStub begins to answer clients, and says so.
func (d *daemon) serveStub(ctx context.Context, all *cli.Parts) {
	for _, c := range d.stub.udp {
		all.Run(func() error { return d.stub.serveUDP(c) })
	}
	for _, l := range d.stub.tcp {
		all.Run(func() error { return d.stub.serveTCP(ctx, l) })
	}
	d.ready()
}

// last saves what was learned; the loop has ended.
func (d *daemon) last() error {
	var cache bytes.Buffer
	var peers []netip.AddrPort
	if err := d.write(&cache, &peers); err != nil {
		return err
	}
	return d.put(&cache, peers)
}

// ready says that programs can ask, in the log and to the supervisor.
func (d *daemon) ready() {
	addrs := d.stub.addrs()
	args := []any{"dns", addrs, "mode", d.Mode, "peers", d.loop.group != nil, "self", d.loop.tracer.self, "dir", d.Dir}
	var words []string
	if len(addrs) > 0 {
		words = append(words, "dns="+addrs[0])
	}
	if d.http != nil {
		words = append(words, "http="+d.http.Addr().String())
		args = append(args, "http", d.http.Addr())
	}
	d.Log.Info("ready", args...)
	if err := cli.Ready(words...); err != nil {
		d.Log.Warn("supervisor", "err", err)
	}
}

// renew gives this node another identity.
func (d *daemon) renew(ctx context.Context) {
	key, err := newIdentity(d.Dir)
	if err != nil {
		d.notes.Warn("a new identity", "err", err)
		return
	}
	_ = d.loop.call(ctx, func() { // the error is that the daemon ends
		d.loop.send(d.loop.group.Rekey(d.now(), key, newBoot()))
		d.loop.happened(d.loop.group.Events())
		d.loop.tracer.rename(d.loop.group.Self())
	})
}

// close gives back what open took.
func (d *daemon) close() {
	if d.stub != nil {
		d.stub.close()
	}
	if d.operator != nil {
		d.operator.Close()
	}
	if d.http != nil {
		d.http.Close()
	}
	if d.events != nil {
		d.events.Close()
	}
	if d.loop != nil {
		for _, c := range append(d.loop.workers.servers, d.loop.split.set(0, nil)...) {
			c.Close()
		}
	}
	if d.lock != nil {
		d.lock.Close()
	}
}
