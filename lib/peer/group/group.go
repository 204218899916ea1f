package group

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/netip"
	"time"

	"namecast/lib/peer/packet"
)

// Options of a Group.
type Options struct {
	Keys *packet.Keys
	Key  ed25519.PrivateKey // the node's own; its NodeID is made of it
	Boot uint64             // random for each start of the program
	// Started is when the program was started, on the clock that now is of.
	Started time.Duration
	Rand    io.Reader // never fails, as crypto/rand.Reader
	Port    uint16    // UDP port of all members; 0 is DefaultPort
	// Weight is the node's share of ownership, 1 to 16; 0 is DefaultWeight, and one
	// below 0 owns nothing.
	Weight int
	// Static are addresses of members that are asked all the time, Remembered those of
	// an earlier run. Those of one link only have that link's name as their zone.
	Static     []netip.AddrPort
	Remembered []netip.AddrPort
	Version    uint16 // of the program, for the group's picture
}

// Defaults.
const (
	DefaultPort   = 5390
	DefaultWeight = 8
	maxWeight     = 16
)

func (o *Options) weight() uint8 {
	switch {
	case o.Weight < 0:
		return 0
	case o.Weight == 0:
		return DefaultWeight
	}
	return uint8(min(o.Weight, maxWeight))
}

// A Status is what a node tells the others of itself in its Hello.
type Status struct {
	Upstream    packet.UpstreamState
	UpstreamFor time.Duration // how long so, when it is told
	Counters    packet.Counters
	Entries     uint32
	Net         uint64
}

// A Datagram has come in.
type Datagram struct {
	Link int            // index of the interface
	From netip.AddrPort // without a zone, or with any
	To   netip.AddrPort // an address of the link, a multicast group or the link's broadcast address
	TTL  int            // or hop limit, as it came; one that is not known is refused
	Data []byte         // not kept
}

// A Send is a datagram to go out. It has a TTL of 255, but of 1 if it goes to a
// multicast group of IPv4.
type Send struct {
	Link int
	To   netip.AddrPort // without a zone
	Data []byte
}

// Joined says that a node has become a member, or is one again.
type Joined struct {
	ID   packet.NodeID
	Addr netip.AddrPort // without a zone
}

// Left says that a member has gone, and why in a few words.
type Left struct {
	ID  packet.NodeID
	Why string
}

// Turned says that a member's name servers are in another state now.
type Turned struct {
	ID       packet.NodeID
	Upstream packet.UpstreamState
}

// CloneSeen says that another machine runs with the same key, as machines do that
// were made from one image. If Self is set, this one was started later and needs a
// new key: see [Group.Rekey].
type CloneSeen struct {
	Addr netip.AddrPort
	Self bool
}

const forever = time.Duration(math.MaxInt64)

// A Group is what a node knows of its group. It implements peer.Ring.
type Group struct {
	o       Options
	rng     *rand.Rand // for delays only
	self    packet.NodeID
	greeted []packet.NodeID // for those who look on
	groups  []netip.Addr    // multicast groups of all keys
	v6, v4  netip.Addr      // those that are sent to

	now, wake time.Duration
	seq       uint64
	links     []*link // by index
	nodes     map[packet.NodeID]*node
	list      []*node // the same, in the order in which they were met
	members   int
	digest    uint64
	change    uint64
	seats     []seat // nil: to be made

	status     Status
	said       time.Duration
	hints      []hint
	remembered []netip.AddrPort
	pull       pull
	twinSince  time.Duration // since when another has this node's key
	twin       bool

	talk, data, calls bucket
	fragments         *packet.Assembler
	stats             Stats
	out               []Send
	events            []any
}

// New makes a group of one. Nothing is sent before Links has been called.
func New(now time.Duration, o Options) *Group {
	if o.Port == 0 {
		o.Port = DefaultPort
	}
	if len(o.Remembered) > maxRemembered {
		o.Remembered = o.Remembered[:maxRemembered]
	}
	g := &Group{o: o, now: now, wake: forever, nodes: make(map[packet.NodeID]*node), fragments: new(packet.Assembler)}
	g.remembered = append(g.remembered, o.Remembered...)
	g.rng = rand.New(rand.NewChaCha8([32]byte(g.random(32))))
	g.identify()
	g.SetKeys(o.Keys)
	return g
}

// SetKeys takes other keys of the group; the node's sockets have to join their
// multicast groups.
func (g *Group) SetKeys(keys *packet.Keys) {
	for _, n := range g.list {
		n.key = indexOf(keys, g.o.Keys, n.key)
	}
	g.o.Keys = keys
	g.groups = keys.Groups()
	g.v6, g.v4 = keys.Group()
	for _, n := range g.list {
		n.rank = g.hash("node", n.id[:])
	}
	g.seats = nil
	g.change++ // names may have other owners now
}

// indexOf is the number that a key of before has among the keys, or that of the newest.
func indexOf(keys, before *packet.Keys, old int) int {
	six, four := before.GroupOf(old)
	for i := range keys.Len() {
		if a, b := keys.GroupOf(i); a == six && b == four {
			return i
		}
	}
	return 0
}

// identify makes the NodeID from the key.
func (g *Group) identify() {
	sum := sha256.Sum256(g.o.Key.Public().(ed25519.PublicKey))
	g.self = packet.NodeID(sum[:8])
	g.digest = number(g.self)
	for _, n := range g.list {
		if n.member {
			g.digest ^= number(n.id)
		}
	}
	g.seats = nil
}

// Rekey gives the node another identity, because a clone has the old one. The
// members stay, and learn of the new one.
func (g *Group) Rekey(now time.Duration, key ed25519.PrivateKey, boot uint64) []Send {
	g.advance(now)
	g.bye("another has my key")
	g.forget(g.nodes[g.self])
	g.o.Key, g.o.Boot, g.twin = key, boot, false
	g.identify()
	g.change++
	for _, l := range g.links {
		g.at(&l.due, now+g.within(time.Second))
	}
	return g.flush()
}

// random gives octets that nobody can foresee.
func (g *Group) random(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(g.o.Rand, b); err != nil {
		panic(fmt.Sprintf("group: no random octets: %v", err))
	}
	return b
}

// within gives a delay from 0 to d.
func (g *Group) within(d time.Duration) time.Duration {
	return time.Duration(g.rng.Int64N(int64(d) + 1))
}

// about gives d, up to a fifth less or more.
func (g *Group) about(d time.Duration) time.Duration { return d*4/5 + g.within(d*2/5) }

// at sets a timer.
func (g *Group) at(timer *time.Duration, when time.Duration) {
	*timer = when
	g.wake = min(g.wake, when)
}

// Next is when Step has to be called, on the clock that now is of.
func (g *Group) Next() time.Duration { return g.wake }

// Step does what is due.
func (g *Group) Step(now time.Duration) []Send {
	g.advance(now)
	if now >= g.wake {
		g.work()
	}
	return g.flush()
}

// work does all that is due and finds out when something is again.
func (g *Group) work() {
	g.wake = forever
	for _, l := range g.links {
		if l.due <= g.now {
			g.announce(l)
		}
		g.wake = min(g.wake, l.due)
	}
	for i := len(g.list) - 1; i >= 0; i-- { // from behind: the node may be forgotten
		g.tend(g.list[i])
	}
	g.tendHints()
	g.tendPull()
}

// asleep is by how much Step may come late before the machine is taken to have
// slept.
const asleep = 10 * time.Second

// advance sets the time. After a sleep the members are not blamed for the silence.
func (g *Group) advance(now time.Duration) {
	slept := g.wake < now-asleep
	g.now = max(g.now, now)
	if !slept {
		return
	}
	for _, n := range g.list {
		if n.member {
			n.heard, n.calm = g.now, g.now
			g.at(&n.ping, g.now+g.within(time.Second))
		}
	}
	for _, l := range g.links {
		g.at(&l.due, g.now+g.within(time.Second))
	}
	g.wake = g.now
}

// Events gives what has happened outside of Receive since it was called: Left, of
// members that were silent or whose link is gone.
func (g *Group) Events() []any {
	events := g.events
	g.events = nil
	return events
}

func (g *Group) flush() []Send {
	out := g.out
	g.out = nil
	return out
}

// Say takes what the next Hello is to tell. A change of the name servers' state is
// told soon.
func (g *Group) Say(s Status) {
	changed := s.Upstream != g.status.Upstream || s.Net != g.status.Net
	if s.Net != g.status.Net {
		g.seats = nil
		g.change++
	}
	g.status, g.said = s, g.now
	if !changed {
		return
	}
	for _, l := range g.links {
		g.at(&l.due, min(l.due, g.now+g.within(20*time.Millisecond+time.Millisecond*time.Duration(g.Size()))))
	}
}
