package bfd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// What a Session has where it says nothing.
const (
	DefaultInterval   = 300 * time.Millisecond
	DefaultMultiplier = 3
)

// MinInterval is the shortest interval: below it the scheduler's delays would be
// taken for failures.
const MinInterval = 10 * time.Millisecond

// ErrConfig: the sessions cannot be as they were asked for.
var ErrConfig = errors.New("bad BFD session")

// A Session is one neighbour, as it is configured.
type Session struct {
	// Peer is the neighbour's address; a link-local one has the name of its network
	// device as its zone.
	Peer netip.Addr
	// Local is the address that packets are sent from and received at. The zero
	// Addr leaves it to the routes. It need not be there yet.
	Local netip.Addr
	// Multihop is for a neighbour behind other routers.
	Multihop bool
	// Tx is the interval at which packets are sent once the session is up, Rx the
	// shortest at which the neighbour may send; from MinInterval to an hour.
	Tx, Rx time.Duration
	// Multiplier is how many intervals the neighbour waits for a packet before it
	// takes us for dead, 1 to 255.
	Multiplier int
	// TTL is the least that packets of a multihop neighbour have to come with, 0
	// to 255. On the same network it is 255 and nothing else.
	TTL int
}

// A Config is all sessions of a process.
type Config struct {
	Sessions []Session // at most one for each peer
	// Changed, if it is not nil, is told that a session has come up or gone down,
	// and why, in words. It is called by one goroutine, which it must not hold up.
	Changed func(peer netip.Addr, up bool, why string)
}

// complete fills in what was left out and checks the rest.
func (s *Session) complete() error {
	for _, d := range []*time.Duration{&s.Tx, &s.Rx} {
		if *d == 0 {
			*d = DefaultInterval
		}
		if *d < MinInterval || *d > time.Hour {
			return fmt.Errorf("%w: an interval of %v, from %v to 1h", ErrConfig, *d, MinInterval)
		}
	}
	if s.Multiplier == 0 {
		s.Multiplier = DefaultMultiplier
	}
	switch {
	case s.Multiplier < 1 || s.Multiplier > 255:
		return fmt.Errorf("%w: a multiplier of %d, from 1 to 255", ErrConfig, s.Multiplier)
	case s.TTL < 0 || s.TTL > 255:
		return fmt.Errorf("%w: a TTL of %d, from 0 to 255", ErrConfig, s.TTL)
	case !s.Peer.IsValid() || s.Peer.Is4In6() || s.Peer.IsUnspecified() || s.Peer.IsMulticast():
		return fmt.Errorf("%w: the peer %v", ErrConfig, s.Peer)
	case s.Peer.IsLinkLocalUnicast() && s.Peer.Is6() && s.Peer.Zone() == "":
		return fmt.Errorf("%w: the link-local peer %v has no zone", ErrConfig, s.Peer)
	case s.Local.IsValid() && s.Local.Is4() != s.Peer.Is4():
		return fmt.Errorf("%w: from %v to %v", ErrConfig, s.Local, s.Peer)
	}
	if !s.Multihop {
		s.TTL = 255
	}
	return nil
}

// Run keeps the sessions until ctx ends, then says so to the neighbours, such that
// they take no failure from it, and returns nil. An error is ErrConfig or that a
// socket could not be opened; nothing was sent then.
func Run(ctx context.Context, config Config) error {
	l := &loop{changed: config.Changed, in: make(chan datagram), bySource: make(map[source]*conversation)}
	if l.changed == nil {
		l.changed = func(netip.Addr, bool, string) {}
	}
	defer l.close()
	sessions, err := complete(config.Sessions)
	if err != nil {
		return err
	}
	for _, s := range sessions {
		if err := l.open(s, sessions); err != nil {
			return fmt.Errorf("open BFD with %v: %w", s.Peer, err)
		}
	}
	l.listen()
	l.run(ctx)
	l.stop()
	return nil
}

// complete completes all sessions.
func complete(sessions []Session) ([]Session, error) {
	sessions = slices.Clone(sessions)
	for i := range sessions {
		if err := sessions[i].complete(); err != nil {
			return nil, err
		}
	}
	return sessions, nil
}

// A conversation is a session, its socket and what is known of it outside.
type conversation struct {
	Session
	*machine
	socket *sender
	up     bool
}

// A loop owns all sessions: one goroutine does their steps.
type loop struct {
	changed   func(netip.Addr, bool, string)
	all       []*conversation
	bySource  map[source]*conversation
	receivers []*receiver
	in        chan datagram
	done      chan struct{}
	readers   sync.WaitGroup
}

// A source is what a packet comes from, and to which port.
type source struct {
	peer     netip.Addr
	multihop bool
}

// open makes one of all sessions and its sockets.
func (l *loop) open(s Session, all []Session) error {
	from := source{s.Peer, s.Multihop}
	if _, twice := l.bySource[from]; twice {
		return fmt.Errorf("%w: twice", ErrConfig)
	}
	if err := l.receiver(s, all); err != nil {
		return err
	}
	socket, err := newSender(s)
	if err != nil {
		return err
	}
	c := &conversation{Session: s, socket: socket}
	c.machine = newMachine(s, l.discriminator(), rand.Float64)
	l.all = append(l.all, c)
	l.bySource[from] = c
	return nil
}

// discriminator draws a number that no session has.
func (l *loop) discriminator() uint32 {
	for {
		n := rand.Uint32()
		taken := n == 0
		for _, c := range l.all {
			taken = taken || c.discr == n
		}
		if !taken {
			return n
		}
	}
}

// grace is by how much the loop may be late before the packets that it has not
// looked at meanwhile are taken into account.
const grace = 10 * time.Millisecond

// run does the steps as they fall due.
func (l *loop) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	due := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case d := <-l.in:
			l.receive(d)
		case <-timer.C:
			late := time.Since(due)
			for _, c := range l.all {
				if late > grace {
					c.excuse(late)
				}
				l.step(c, nil)
			}
		}
		if at := l.wake(); !at.Equal(due) {
			due = at
			timer.Reset(time.Until(due))
		}
	}
}

// receive hands a packet to its session, if all is right with it.
func (l *loop) receive(d datagram) {
	c := l.bySource[d.source]
	if c == nil || d.ttl < c.TTL {
		return
	}
	if p, err := parse(d.octets[:d.size]); err == nil {
		l.step(c, &p)
	}
}

// step moves one session on, sends what it has to say and tells of its changes. A
// packet that cannot be sent is lost like any other.
func (l *loop) step(c *conversation, in *packet) {
	for _, p := range c.step(time.Now(), in) {
		c.socket.send(p)
	}
	if now := c.state == up; now != c.up {
		c.up = now
		l.changed(c.Peer, now, c.why())
	}
}

// why tells in words how a session has come to its state.
func (c *conversation) why() string {
	switch {
	case c.state == up:
		return "both hear each other"
	case c.diag == diagExpired:
		return fmt.Sprintf("nothing heard for %v", time.Since(c.heard).Round(time.Millisecond))
	case c.remote.state == adminDown:
		return "the neighbour's operator has ended it"
	default:
		return fmt.Sprintf("the neighbour says that it is down, diagnostic %d", c.remote.diag)
	}
}

// wake is when the next step is due: in an hour if none is.
func (l *loop) wake() time.Time {
	at := time.Now().Add(time.Hour)
	for _, c := range l.all {
		if w, due := c.wake(); due && w.Before(at) {
			at = w
		}
	}
	return at
}

// farewells is how often the end of a session is said, as one packet may be lost,
// and farewellPause what is waited in between.
const (
	farewells     = 3
	farewellPause = 10 * time.Millisecond
)

// stop ends the sessions for good.
func (l *loop) stop() {
	for i := range farewells {
		if i > 0 {
			time.Sleep(farewellPause)
		}
		for _, c := range l.all {
			c.socket.send(c.stop())
		}
	}
}
