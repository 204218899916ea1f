package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"namecast/lib/cli"
	"namecast/lib/control"
	"namecast/lib/private"
	"namecast/lib/status"
	"namecast/lib/watch"
)

// A daemon is nc-watch at work.
type daemon struct {
	Config
	notes    *notes
	link     *link
	loop     *loop
	peers    *peers // nil if the node is alone
	lock     *os.File
	operator *control.Listener
	http     net.Listener
	started  time.Time
	restarts sync.WaitGroup
	plan     atomic.Pointer[Plan]
}

// Run watches until ctx ends, which is no error, or until it cannot go on.
func Run(ctx context.Context, c Config) error {
	// A reader that went away is an error of writing and not the end. (Commands
	// would inherit a signal that is ignored.)
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	defer signal.Stop(broken)
	d := &daemon{Config: c, notes: newNotes(c.Log), started: time.Now()}
	plan, err := Read(c.File)
	if err == nil && plan.bgp && c.Route == "" {
		err = fmt.Errorf("%s: probe=bgp needs -route: nothing comes back on standard output", c.File)
	}
	if err != nil {
		return fmt.Errorf("%w%w", ErrConfig, err)
	}
	d.plan.Store(plan)
	err = d.open(plan)
	if err == nil {
		err = d.serve(ctx)
	}
	d.close()
	return err
}

// clockBase keeps readings of the clock off zero, which means never.
const clockBase = time.Hour

func (d *daemon) now() time.Duration { return time.Since(d.started) + clockBase }

// open binds and locks what the daemon needs.
func (d *daemon) open(p *Plan) (err error) {
	if d.lock, err = private.Lock(d.Dir); err != nil {
		return err
	}
	if d.operator, err = control.Listen(d.Dir); err != nil {
		return err
	}
	if d.HTTP != "" {
		if d.http, err = net.Listen("tcp", d.HTTP); err != nil {
			return fmt.Errorf("-http: %w", err)
		}
	}
	if p.Nodes.Len() > 0 {
		if d.peers, err = newPeers(p, d.notes); err != nil {
			return err
		}
	}
	return d.newLoop(p)
}

// newLoop makes the loop.
func (d *daemon) newLoop(p *Plan) error {
	w, err := watch.New(p.Watch, d.now())
	if err != nil {
		return fmt.Errorf("%w%s: %w", ErrConfig, d.File, err)
	}
	d.link = newLink(d.notes, beatOf(p))
	d.loop = &loop{
		watch: w, plan: p, now: d.now, notes: d.notes, link: d.link,
		events: make(chan watch.Event), calls: make(chan func()),
		beat: func(watch.Beat) {}, vote: func(watch.Vote) {},
	}
	if d.peers != nil {
		d.loop.beat, d.loop.vote = d.peers.beat, d.peers.vote
	}
	if why, err := os.ReadFile(d.drainFile()); err == nil {
		d.loop.do(w.Step(d.now(), watch.Drained{Why: printable(string(why))}))
	}
	return nil
}

// beatOf is after which silence nc-bgp withdraws: three wishes were not repeated.
func beatOf(p *Plan) time.Duration {
	repeat := p.Watch.Timing.Repeat
	if repeat == 0 {
		repeat = 500 * time.Millisecond
	}
	return 3 * repeat
}

// serve runs all parts until ctx ends or one of them cannot go on.
func (d *daemon) serve(ctx context.Context) error {
	if err := d.openLink(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The way to nc-bgp lasts until the loop has withdrawn everything.
	rest, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var last sync.WaitGroup
	if d.Route != "" {
		last.Go(func() { d.keepLink(rest) })
	}
	d.loop.restart = func(r watch.Restart) {
		part := d.loop.plan.Parts[r.Component]
		d.restarts.Go(func() { d.restart(ctx, part, r.Component) })
	}
	all := &cli.Parts{End: cancel}
	all.Run(func() error { return d.loop.run(ctx) })
	all.Run(func() error { return d.keepLooking(ctx) })
	all.Run(func() error { return d.operator.Serve(ctx, d.answers()) })
	if d.peers != nil {
		all.Run(func() error { return d.peers.hear(ctx, d.loop.send) })
	}
	if d.http != nil {
		all.Run(func() error { return d.page().Serve(ctx, d.http) })
	}
	d.ready()
	<-ctx.Done()
	cli.Stopping()
	all.Wait()
	d.restarts.Wait()
	stop()
	last.Wait()
	return all.Err()
}

// openLink begins to write to standard output, if there is no socket of nc-bgp.
func (d *daemon) openLink() error {
	if d.Route != "" {
		return nil
	}
	to, err := openOutput(d.Out)
	if err != nil {
		return err
	}
	d.link.once = true
	d.link.open(to, d.loop.wishes)
	return nil
}

// ready says that the node is watched, in the log and to the supervisor.
func (d *daemon) ready() {
	words := []string{"node=" + d.plan.Load().Watch.Name}
	args := []any{"node", d.plan.Load().Watch.Name, "dir", d.Dir, "pid", os.Getpid()}
	if d.http != nil {
		words = append(words, "http="+d.http.Addr().String())
		args = append(args, "http", d.http.Addr())
	}
	d.Log.Info("ready", args...)
	if err := cli.Ready(words...); err != nil {
		d.Log.Warn("supervisor", "err", err)
	}
}

// keepLooking looks by the configuration, which it reads anew at each SIGHUP.
func (d *daemon) keepLooking(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	g := d.loop.look(ctx, d.plan.Load())
	defer func() { g.end() }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
		}
		plan, err := d.reread()
		if err != nil {
			d.notes.add(note{Alarm: true, About: "configuration", Text: "what was read before stays in force: " + err.Error()})
			continue
		}
		g.end()
		if err := d.replan(ctx, plan); err != nil {
			d.notes.add(note{Alarm: true, About: "configuration", Text: "what was read before stays in force: " + err.Error()})
		}
		g = d.loop.look(ctx, d.plan.Load())
	}
}

// reread reads the configuration, and refuses what cannot or should not be put in
// force in a process that runs.
func (d *daemon) reread() (*Plan, error) {
	plan, err := Read(d.File)
	if err != nil {
		return nil, err
	}
	old := d.plan.Load()
	switch {
	case plan.Watch.Name != old.Watch.Name || plan.Listen != old.Listen:
		return nil, errors.New("the node's name and its address among the others change only with a restart")
	case (plan.Nodes.Len() > 0) != (d.peers != nil):
		return nil, errors.New("a list of nodes comes and goes only with a restart")
	case beatOf(plan) != beatOf(old):
		return nil, errors.New("timing repeat= changes only with a restart")
	case plan.bgp && d.Route == "":
		return nil, errors.New("probe=bgp needs -route")
	case !d.Force:
		return plan, watch.CheckPrefixes(old.Watch.Prefixes, plan.Watch.Prefixes)
	}
	return plan, nil
}

// replan puts a plan in force.
func (d *daemon) replan(ctx context.Context, p *Plan) (err error) {
	callErr := d.loop.call(ctx, func() {
		var actions []watch.Action
		if actions, err = d.loop.watch.Reconfigure(d.now(), p.Watch); err != nil {
			return
		}
		d.plan.Store(p)
		d.loop.plan = p
		if d.peers != nil {
			d.peers.use(p)
		}
		d.loop.do(actions)
		d.notes.add(note{About: "configuration", Text: "read anew"})
	})
	return errors.Join(callErr, err)
}

// page is what the daemon shows of itself over HTTP.
func (d *daemon) page() status.Page {
	return status.Page{
		Title: "nc-watch", Started: d.started, More: d.metrics, Pprof: d.Pprof,
		Health: d.health, Own: d.showPage,
	}
}

// close gives back what open took.
func (d *daemon) close() {
	if d.http != nil {
		d.http.Close()
	}
	if d.operator != nil {
		d.operator.Close()
	}
	if d.peers != nil {
		d.peers.conn.Close()
	}
	if d.lock != nil {
		d.lock.Close()
	}
	if d.link != nil && d.link.to != nil {
		d.link.to.Close()
	}
}
