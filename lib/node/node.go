// Package node composes the daemon nc-serve from the rooms: a store, the
// answers over it, the update server, and what an operator sees of them.
package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"namecast/lib/claim"
	"namecast/lib/cli"
	"namecast/lib/control"
	"namecast/lib/cookie"
	"namecast/lib/rr"
	"namecast/lib/serve"
	"namecast/lib/sock"
	"namecast/lib/status"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
	"namecast/lib/update"
	"namecast/lib/zone"
)

// ErrConfig marks an error of the operator's words.
var ErrConfig = errors.New("")

// Transient reports whether an error may pass by itself, so that the same
// start may succeed later.
func Transient(err error) bool {
	for _, e := range []error{store.ErrLocked, store.ErrUnavailable, syscall.EADDRINUSE, syscall.EADDRNOTAVAIL, syscall.ENOSPC, syscall.EMFILE} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// A node is the daemon at work.
type node struct {
	Config
	base    rr.Name
	db      database
	service *zone.Service
	dns     *serve.DNS
	updates *update.Server
	random  cookie.Secret // of cookies, without a file of them
	granted atomic.Pointer[map[rr.Name]string]
	tooOld  atomic.Pointer[error] // why questions are refused, if the replica is too old

	udp, nup []*net.UDPConn
	tcp, dot []net.Listener
	http     net.Listener
	control  *control.Listener
}

// Run runs a node until ctx ends, which is no error, or until it cannot go on.
func Run(ctx context.Context, c Config) error {
	n := &node{Config: c}
	if err := n.configure(); err != nil {
		return fmt.Errorf("%w%w", ErrConfig, err)
	}
	n.collect()
	db, err := c.openDatabase(n.changed)
	if err != nil {
		return err
	}
	n.db, n.dns.Store, n.dns.Directory, n.updates.Store = db, db, db, db
	err = n.awaitCopy(ctx)
	if err != nil && ctx.Err() != nil {
		return db.Close()
	}
	if err == nil {
		err = n.openSigner()
	}
	if err == nil {
		err = n.dns.SetMemory(n.memory() / shareOfAnswers)
	}
	if err == nil {
		err = n.listen()
	}
	if err == nil {
		err = n.serve(ctx)
	}
	n.closeSockets()
	return errors.Join(err, db.Close())
}

// changed tells the DNS side of a change that was committed.
func (n *node) changed(t leveldb.Touched) {
	n.dns.Changed(t.Account, t.Domain, t.Position)
}

// configure reads everything that the operator wrote.
func (n *node) configure() (err error) {
	if n.base, err = n.Config.base(); err != nil {
		return err
	}
	if n.service, err = n.zoneService(n.base); err != nil {
		return err
	}
	if n.ID == "" {
		n.ID, _ = os.Hostname()
	}
	n.service.ID, n.service.Version = n.ID, "Namecast "+Version()
	n.dns = &serve.DNS{Service: n.service, Log: n.Log}
	if err := n.configureWire(); err != nil {
		return err
	}
	admission, err := n.admission()
	if err != nil {
		return err
	}
	grants, err := n.grants()
	if err != nil {
		return err
	}
	n.granted.Store(&grants)
	prover, err := n.prover()
	if err != nil {
		return err
	}
	n.updates = update.New(update.Config{
		Base: n.base, Log: n.Log, Now: time.Now,
		Quota: n.Quota, MaxElements: n.MaxElements, Budgets: n.Budgets, Admission: admission,
		Prover: prover,
		Granted: func(domain rr.Name, account string) bool {
			return (*n.granted.Load())[domain] == account
		},
	})
	return nil
}

// prover makes the room that looks for proofs of ownership.
func (n *node) prover() (*claim.Prover, error) {
	if n.ProofPort < 1 || n.ProofPort > 65535 {
		return nil, fmt.Errorf("-proof-port %d: not a port", n.ProofPort)
	}
	p := &claim.Prover{Base: n.base, AllowPrivate: n.ProofPrivate, Port: uint16(n.ProofPort)}
	if n.Resolver != "" {
		a, err := netip.ParseAddrPort(n.Resolver)
		if err != nil {
			host, err := netip.ParseAddr(n.Resolver)
			if err != nil {
				return nil, fmt.Errorf("-resolver %q: not an address", n.Resolver)
			}
			a = netip.AddrPortFrom(host, 53)
		}
		p.Resolvers = []netip.AddrPort{a}
	}
	return p, nil
}

// listen binds every socket, or fails.
func (n *node) listen() error {
	for _, addr := range strings.Split(n.DNS, ",") {
		udp, tcp, err := sock.Listen(strings.TrimSpace(addr))
		if err != nil {
			return err
		}
		n.udp, n.tcp = append(n.udp, udp...), append(n.tcp, tcp...)
	}
	if err := n.listenTLS(); err != nil {
		return err
	}
	for _, addr := range strings.Split(n.NUP, ",") {
		c, err := sock.ListenUDP(strings.TrimSpace(addr))
		if err != nil {
			return err
		}
		n.nup = append(n.nup, c...)
	}
	var err error
	if n.HTTP != "" {
		if n.http, err = net.Listen("tcp", n.HTTP); err != nil {
			return fmt.Errorf("listen on %q: %w", n.HTTP, err)
		}
	}
	n.control, err = control.Listen(n.DB)
	return err
}

// serve runs all parts until ctx ends or one of them fails.
func (n *node) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var parts sync.WaitGroup
	errs := make(chan error, 9)
	run := func(part func() error) {
		parts.Go(func() {
			if err := part(); err != nil {
				errs <- err
			}
			cancel()
		})
	}
	run(func() error { return n.dns.Serve(ctx, serve.Sockets{UDP: n.udp, TCP: n.tcp, TLS: n.dot}) })
	run(func() error { return n.changeCookies(ctx) })
	run(func() error { return n.updates.Serve(ctx, n.nup...) })
	run(func() error { return n.control.Serve(ctx, operator(n.db)) })
	run(func() error { return n.watchStore(ctx) })
	run(func() error { return n.reload(ctx) })
	run(func() error { return n.watchdog(ctx) })
	if s, ok := n.db.(storage); ok {
		run(func() error { return n.watchStale(ctx, s) })
	}
	if n.http != nil {
		run(func() error { return n.page().Serve(ctx, n.http) })
	}
	if err := n.ready(); err != nil {
		n.Log.Warn("supervisor", "err", err)
	}
	<-ctx.Done()
	n.Log.Info("stopping")
	cli.Stopping()
	parts.Wait()
	close(errs)
	var all error
	for err := range errs {
		all = errors.Join(all, err)
	}
	return all
}

// ready says that the node serves: in the log and to the supervisor.
func (n *node) ready() error {
	words := []string{"dns=" + n.tcp[0].Addr().String(), "nup=" + n.nup[0].LocalAddr().String()}
	args := []any{"domain", n.base, "dns", n.tcp[0].Addr(), "nup", n.nup[0].LocalAddr()}
	if len(n.dot) > 0 {
		words = append(words, "dot="+n.dot[0].Addr().String())
		args = append(args, "dot", n.dot[0].Addr())
	}
	if n.http != nil {
		words = append(words, "http="+n.http.Addr().String())
		args = append(args, "http", n.http.Addr())
	}
	n.Log.Info("ready", append(args, "db", n.DB, "version", Version())...)
	return cli.Ready(words...)
}

// watchStore ends the node when the database cannot be written any more: what
// it holds in memory is then no longer what is on the disk.
func (n *node) watchStore(ctx context.Context) error {
	select {
	case <-n.db.Failed():
		return n.db.Err()
	case <-ctx.Done():
		return nil
	}
}

// reload reads the operator's lists again at each SIGHUP; a list with a fault
// leaves the old ones in force.
func (n *node) reload(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
		}
		grants, err := n.grants()
		admission, err2 := n.admission()
		wire, err3 := n.wireSecrets()
		if err = errors.Join(err, err2, err3); err == nil {
			err = n.reloadSecret()
		}
		if err != nil {
			n.Log.Error("reload: what was read before stays in force", "err", err)
			continue
		}
		n.useWire(wire)
		n.granted.Store(&grants)
		n.updates.SetAdmission(admission)
		n.Log.Info("reloaded", "grants", len(grants))
	}
}

// page is what the node shows of itself.
func (n *node) page() status.Page {
	return status.Page{
		Title:   "Namecast node " + n.ID + " of " + n.base.String() + ", version " + Version(),
		Started: time.Now(),
		Metrics: n.metrics(),
		Pprof:   n.Pprof,
		Health: func() error {
			v, err := n.db.View()
			if err != nil {
				return err
			}
			v.Release()
			return errors.Join(n.db.Err(), n.storageHealth())
		},
	}
}

func (n *node) closeSockets() {
	for _, c := range append(n.udp, n.nup...) {
		c.Close()
	}
	for _, l := range append(n.tcp, n.dot...) {
		l.Close()
	}
	if n.http != nil {
		n.http.Close()
	}
	if n.control != nil {
		n.control.Close()
	}
}

// Version is the module's version and commit as far as the build knows them.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return strings.Trim(info.Main.Version, "()")
}
