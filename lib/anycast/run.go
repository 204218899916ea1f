package anycast

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"time"

	"namecast/lib/bfd"
	"namecast/lib/cli"
	"namecast/lib/quorum"
	"namecast/lib/speaker"
)

// A Config is what an operator says about nc-bgp. The tool fills it from flags.
type Config struct {
	File   string // the configuration
	Listen string // path of the socket for commands; "" is In and Out
	Owner  int    // user id that may connect to the socket, besides root

	In  io.Reader // commands
	Out io.Writer // states
	Log *slog.Logger
}

// How long the end may take.
const (
	closeWithin = time.Second            // until the neighbours are told
	flushWithin = 200 * time.Millisecond // until the last states are read
)

// A failure is an error of a node that had begun. Whatever it was, the next start may
// go well.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// Transient tells whether an error of Run may not happen later.
func Transient(err error) bool {
	var f failure
	return errors.As(err, &f) || errors.Is(err, errInUse) ||
		errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EADDRNOTAVAIL)
}

// Run announces what it is told until ctx ends or, without a socket, until there are
// no more commands, and then withdraws everything. An error of the configuration is
// ErrConfig.
func Run(ctx context.Context, c Config) error {
	s, err := load(c.File)
	if err != nil {
		return err
	}
	n := newNode(s, c.Log)
	ctx, stop := context.WithCancel(ctx)
	defer n.crew.Wait()
	defer stop()
	if err := n.open(ctx, c); err != nil {
		return err
	}
	s.speaker.Changed = n.wake
	s.speaker.Log = c.Log
	if n.speaker, err = speaker.New(ctx, s.speaker); err != nil {
		return err
	}
	n.ready(c.Listen)
	if err = errors.Join(n.run(ctx), n.close()); err != nil {
		return failure{err}
	}
	return nil
}

// open makes the sockets and starts who waits at them. The speaker comes after
// them, so that nothing is announced by a node that then cannot be told.
func (n *node) open(ctx context.Context, c Config) error {
	var err error
	if n.addresses, err = openAddresses(n.settings.prefixes, n.settings.linger, n.log); err != nil {
		return err
	}
	if n.settings.name != "" {
		if err := n.openVotes(ctx); err != nil {
			return err
		}
	}
	if len(n.settings.bfd) > 0 {
		n.crew.start(func() error {
			return bfd.Run(ctx, bfd.Config{Sessions: n.settings.bfd, Changed: func(peer netip.Addr, up bool, why string) {
				n.log.Info("bfd", "neighbour", peer, "up", up, "why", why)
				n.bfdIs(peer, up)
			}})
		})
	}
	if c.Listen == "" {
		// Who reads the input ends with it, or with the process: to read a terminal
		// or a pipe cannot be interrupted.
		n.owner = newOwner(c.Out, nil)
		n.only = true
		go n.owner.read(c.In, n.lines)
		return nil
	}
	l, err := listen(c.Listen, c.Owner, c.Log)
	if err != nil {
		return err
	}
	n.crew.start(func() error { return l.accept(ctx, n.conns) })
	return nil
}

func (n *node) openVotes(ctx context.Context) error {
	s := n.settings
	var own []netip.Prefix
	for _, p := range s.prefixes {
		own = append(own, p.Prefix)
	}
	var err error
	if n.ballot, err = quorum.NewBallot(s.nodes, s.name, own, s.minLive); err != nil {
		return fmt.Errorf("%wvotes: %w", ErrConfig, err)
	}
	c, err := hearVotes(s.votes)
	if err != nil {
		return err
	}
	if !s.nodes.Allowed() {
		n.log.Warn("no order of other nodes can be in force: there are too few", "nodes", s.nodes.Len())
	}
	n.crew.start(func() error { return takeVotes(ctx, c, s.nodes, n.votes, n.log) })
	return nil
}

// ready tells the supervisor.
func (n *node) ready(socket string) {
	var words []string
	if socket != "" {
		words = append(words, "control="+socket)
	}
	if err := cli.Ready(words...); err != nil {
		n.log.Warn("supervisor not told", "error", err)
	}
}

// close withdraws everything and tells whoever still reads. The addresses stay where
// they are: what is on the way to them is answered, and the next process takes care.
func (n *node) close() error {
	_ = cli.Stopping()
	began := time.Now()
	err := n.speaker.Close(closeWithin)
	n.log.Info("withdrew everything", "took", time.Since(began), "error", err)
	if n.owner != nil {
		n.gone()
		n.owner.leave(flushWithin)
	}
	return err
}

// take makes a connection the owner, if there is none, or if the present one has
// promised a beat and does not keep it.
func (n *node) take(c *net.UnixConn) {
	if n.owner != nil && !n.lost {
		refuse(c, "another commands")
		n.log.Warn("refused a second who would command")
		return
	}
	if n.owner != nil {
		n.dismiss()
	}
	n.owner = newOwner(c, func() { c.Close() })
	o := n.owner
	n.crew.start(func() error { o.read(c, n.lines); return nil })
	n.log.Info("somebody commands")
	n.tellAll()
}
