package storage

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/client"
	"namecast/lib/chain/control"
	"namecast/lib/chain/disk"
	"namecast/lib/chain/host"
	"namecast/lib/chain/replica"
	"namecast/lib/cli"
	"namecast/lib/clock"
	socket "namecast/lib/control"
	"namecast/lib/coord"
	"namecast/lib/link"
	"namecast/lib/status"
)

// Transient reports whether an error may pass by itself, so that the same start
// may succeed later.
func Transient(err error) bool {
	for _, e := range []error{
		disk.ErrLocked, coord.ErrUnavailable, ca.ErrLater, socket.ErrNotRunning, errLater,
		syscall.EADDRINUSE, syscall.EADDRNOTAVAIL, syscall.ECONNREFUSED, syscall.ENOSPC, syscall.EMFILE,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return errors.Is(err, context.DeadlineExceeded)
}

// A daemon is nc-chain at work.
type daemon struct {
	Config
	credentials *link.Credentials
	disk        *disk.Disk
	host        atomic.Pointer[host.Host] // once it is there
	member      *coord.Member             // nil if this node has none
	coord       *coord.Coord
	nodes       *client.Client // to ask the others
	counters    control.Counters
	links, http net.Listener
	operator    *socket.Listener
	started     time.Time
}

// Run runs a node until ctx ends, which is no error, or until it cannot go on.
func Run(ctx context.Context, c Config) error {
	if err := c.check(); err != nil {
		return fmt.Errorf("%w%w", ErrConfig, err)
	}
	d := &daemon{Config: c, started: time.Now()}
	err := d.open(ctx)
	if err == nil {
		err = d.serve(ctx)
	}
	return errors.Join(err, d.close())
}

// open takes what the node needs: its folder, its identity, its ports and a way to
// the coordinator.
func (d *daemon) open(ctx context.Context) (err error) {
	if err := os.MkdirAll(d.DB, 0o700); err != nil {
		return err
	}
	if d.disk, err = disk.Open(d.path(chainsFolder), disk.Options{Memory: d.Memory, Written: d.written}); err != nil {
		return err
	}
	for _, doubt := range d.disk.Doubts() {
		d.Log.Error("a chain on the disk does not hold together, and is copied from others", "chain", doubt.Chain, "why", doubt.Reason)
	}
	file, founded, err := d.identify(ctx)
	if err != nil {
		return err
	}
	if d.credentials, err = link.Load(file, d.refusedIdentity); err != nil {
		return err
	}
	if name := d.credentials.Identity().Name; name.Role != ca.Node || name.ID != d.Name {
		return fmt.Errorf("identity %q is that of %s, not of node %s", file, name, d.Name)
	}
	if d.links, err = net.Listen("tcp", d.Listen); err != nil {
		return err
	}
	if d.HTTP != "" {
		if d.http, err = net.Listen("tcp", d.HTTP); err != nil {
			return fmt.Errorf("-http: %w", err)
		}
	}
	if d.operator, err = socket.Listen(d.DB); err != nil {
		return err
	}
	return d.coordinate(ctx, founded)
}

func (d *daemon) refusedIdentity(err error) {
	d.Log.Error("the identity's file has changed and is refused; the one before stays in force", "err", err)
}

// written tells the host what the disk has written.
func (d *daemon) written(id chain.ID, seq uint64) { d.host.Load().Written(id, seq) }

// hostDisk is the disk as the host needs it.
type hostDisk struct{ *disk.Disk }

// Storage implements host.Disk.
func (d hostDisk) Storage(id chain.ID) host.Storage { return d.Disk.Storage(id) }

// newHost makes the part that runs the replicas.
func (d *daemon) newHost() (*host.Host, error) {
	issuer, err := d.issuer(d.coord, d.admitRenewal)
	if err != nil {
		return nil, err
	}
	c := host.Config{
		Name: d.Name, Addr: d.Advertise, Zone: d.Zone,
		Disk: hostDisk{d.disk}, Coordinator: &hosted{Coord: d.coord}, Listener: d.links,
		Credentials: d.credentials, Log: d.Log, Answer: d.answer, MinReplicas: d.MinReplicas,
		Replica: replica.Options{AlwaysConfirm: d.Confirm},
	}
	if issuer != nil {
		c.Issue = func(ctx context.Context, conn net.Conn, peer *x509.Certificate) {
			if err := issuer.Serve(ctx, conn, peer); err != nil {
				d.Log.Debug("issue", "from", conn.RemoteAddr(), "err", err)
			}
		}
	}
	return host.New(c)
}

// admitRenewal refuses members that the operator has removed.
func (d *daemon) admitRenewal(_ context.Context, name ca.Name, pin ca.Pin) error {
	if name.Role != ca.Node {
		return nil
	}
	n, ok := d.coord.Picture().Node(name.ID)
	if ok && n.Pin != "" && n.Pin != pin.String() {
		return fmt.Errorf("node %s has another key in this cluster: -remove it first", name.ID)
	}
	return nil
}

// serve runs all parts until ctx ends or one of them cannot go on.
func (d *daemon) serve(ctx context.Context) error {
	h, err := d.newHost()
	if err != nil {
		return err
	}
	d.host.Store(h)
	d.nodes = client.New(client.Config{Credentials: d.credentials, Addrs: []string{d.Advertise}, Zone: d.Zone, Log: slog.New(slog.DiscardHandler)})
	asked := ctx
	ctx, cancel := context.WithCancel(context.WithoutCancel(asked))
	defer cancel()
	// The coordinator is needed until the host has said that it ends.
	rest, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var parts, last sync.WaitGroup
	errs := make(chan error, 10)
	run := func(group *sync.WaitGroup, part func() error) {
		group.Go(func() {
			if err := part(); err != nil && !errors.Is(err, context.Canceled) {
				errs <- err
			}
			cancel()
		})
	}
	run(&last, func() error { return d.coord.Run(rest) })
	run(&parts, func() error { return h.Run(ctx) })
	run(&parts, func() error { return d.nodes.Run(ctx) })
	run(&parts, func() error { return control.Run(ctx, d.controller(h)) })
	run(&parts, func() error { return d.operator.Serve(ctx, d.answers()) })
	run(&parts, func() error { return d.keepEndpoints(ctx) })
	run(&parts, func() error { d.renewal(ctx).Run(ctx, d.credentials.Identity()); return nil })
	run(&parts, func() error { return d.tellReady(ctx) })
	run(&parts, func() error { return d.watchdog(ctx) })
	if d.http != nil {
		run(&parts, func() error { return d.page().Serve(ctx, d.http) })
	}
	select {
	case <-asked.Done():
	case <-ctx.Done():
	}
	d.Log.Info("stopping")
	cli.Stopping()
	d.handOver()
	cancel()
	parts.Wait()
	stop()
	last.Wait()
	close(errs)
	var all error
	for err := range errs {
		all = errors.Join(all, err)
	}
	return all
}

func (d *daemon) controller(h *host.Host) control.Config {
	c := control.Config{
		Name: d.Name, Table: &table{Coord: d.coord}, Fence: h.Fence,
		RecruitAfter: d.RecruitAfter, Log: d.Log, Count: &d.counters,
	}
	if d.Peers == "" && d.Etcd == "" {
		c.Settle = time.Millisecond // the founder is alone: nobody else is about to come
	}
	return c
}

// readyEvery is how often it is looked at whether the node takes its part.
const readyEvery = 20 * time.Millisecond

// tellReady says that the node serves, in the log and to the supervisor, once it
// takes its part in the cluster.
func (d *daemon) tellReady(ctx context.Context) error {
	// The host's incarnation is not a part of the picture, so it is looked at again.
	for !d.takesPart(d.coord.Picture()) {
		if !clock.Sleep(ctx, readyEvery) {
			return nil
		}
	}
	words := []string{"links=" + d.links.Addr().String()}
	args := []any{"node", d.Name, "links", d.links.Addr(), "db", d.DB}
	if d.http != nil {
		words = append(words, "http="+d.http.Addr().String())
		args = append(args, "http", d.http.Addr())
	}
	d.Log.Info("ready", args...)
	if err := cli.Ready(words...); err != nil {
		d.Log.Warn("supervisor", "err", err)
	}
	<-ctx.Done()
	return nil
}

// takesPart tells whether the node is registered, and the chain table does not count
// on an earlier run of it any more. Where the table is lost, it takes its part by
// waiting for the operator.
func (d *daemon) takesPart(p *coord.Picture) bool {
	n, ok := p.Node(d.Name)
	if !ok || !n.Live || n.Inc != d.host.Load().Status().Incarnation {
		return false
	}
	if len(p.Rows) == 0 {
		return slices.ContainsFunc(p.Nodes, func(n coord.Node) bool { return len(n.Held) > 0 })
	}
	return !slices.ContainsFunc(p.Rows, func(row chain.Row) bool {
		m := row.Node(d.Name)
		return !m.IsZero() && m.Inc != n.Inc
	})
}

// page is what the node shows of itself.
func (d *daemon) page() status.Page {
	return status.Page{
		Title:   "Namecast chain node " + d.Name + " of " + d.credentials.Identity().Name.Cluster,
		Started: d.started,
		Metrics: d.metrics(),
		More:    d.present,
		Pprof:   d.Pprof,
		Health:  d.health,
	}
}

// health tells why the node does not do its part; nil if it does.
func (d *daemon) health() error {
	if err := d.disk.Err(); err != nil {
		return err
	}
	h := d.host.Load()
	switch {
	case h != nil && h.Hangs():
		return errors.New("a loop of the node hangs")
	case h == nil || h.Status().Incarnation == 0:
		return errors.New("not registered at the coordinator")
	}
	return nil
}

// close gives back what open took.
func (d *daemon) close() error {
	var errs []error
	for _, l := range []net.Listener{d.links, d.http} {
		if l != nil {
			l.Close() // most have ended with those that they served
		}
	}
	if d.operator != nil {
		d.operator.Close()
	}
	if d.coord != nil {
		errs = append(errs, d.coord.Close())
	}
	if d.member != nil {
		errs = append(errs, d.member.Close())
	}
	if d.disk != nil {
		errs = append(errs, d.disk.Close())
	}
	return errors.Join(errs...)
}
