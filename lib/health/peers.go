package health

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"namecast/lib/key"
	"namecast/lib/quorum"
	"namecast/lib/watch"
)

// A circle is who this node talks with, by one configuration.
type circle struct {
	name   string
	key    *key.Secret
	nodes  quorum.Nodes
	config [8]byte
}

// peers are this node's messages to the others, and theirs to it.
type peers struct {
	conn  *net.UDPConn
	boot  uint64
	seq   uint64 // of heartbeats; the loop's own
	votes uint64 // of votes; the loop's own
	notes *notes

	circle atomic.Pointer[circle]

	sent, failed, taken, refused atomic.Uint64 // datagrams
}

// newPeers binds the node's own address of its list of nodes.
func newPeers(p *Plan, n *notes) (*peers, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(p.Listen))
	if err != nil {
		return nil, fmt.Errorf("listen for the other nodes: %w", err)
	}
	ps := &peers{conn: conn, boot: uint64(time.Now().UnixNano()), notes: n}
	ps.use(p)
	return ps, nil
}

// use takes who the others are from a plan.
func (ps *peers) use(p *Plan) {
	ps.circle.Store(&circle{name: p.Watch.Name, key: p.Key, nodes: p.Nodes, config: p.Hash})
}

// beat sends a heartbeat to all others.
func (ps *peers) beat(b watch.Beat) {
	c := ps.circle.Load()
	ps.seq++
	h := quorum.Heartbeat{From: c.name, Boot: ps.boot, Seq: ps.seq, Time: time.Now(), Config: c.config, Well: b.Well, Sees: b.Sees}
	for _, x := range b.Claims {
		h.Prefixes = append(h.Prefixes, quorum.PrefixState{Prefix: x.Prefix, State: quorum.State(x.Standing)})
	}
	datagram, err := c.nodes.SignHeartbeat(c.key, h)
	if err != nil {
		ps.failed.Add(1)
		ps.notes.addOnce(note{Alarm: true, About: "heartbeats", Text: "cannot be sent: " + err.Error()})
		return
	}
	for _, n := range c.nodes.Others(c.name) {
		ps.write(datagram, n.Watch)
	}
}

// vote sends a vote to its victim.
func (ps *peers) vote(v watch.Vote) {
	c := ps.circle.Load()
	victim, ok := c.nodes.Get(v.Victim)
	if !ok || !victim.BGP.IsValid() {
		return
	}
	ps.votes++
	datagram, err := c.nodes.SignVote(c.key, quorum.Vote{From: c.name, Boot: ps.boot, Seq: ps.votes, Time: time.Now(),
		Victim: v.Victim, Prefix: v.Prefix, Lease: v.Lease.Truncate(time.Millisecond), Well: v.Well})
	if err != nil {
		ps.failed.Add(1)
		ps.notes.addOnce(note{Alarm: true, About: "node " + v.Victim, Text: "a vote cannot be sent: " + err.Error()})
		return
	}
	ps.write(datagram, victim.BGP)
}

// write sends a datagram. That a node cannot be reached is no news: it is not heard
// then.
func (ps *peers) write(datagram []byte, to netip.AddrPort) {
	if _, err := ps.conn.WriteToUDPAddrPort(datagram, to); err != nil {
		ps.failed.Add(1)
		return
	}
	ps.sent.Add(1)
}

// hear brings the loop the heartbeats of the others until ctx ends.
func (ps *peers) hear(ctx context.Context, send func(context.Context, watch.Event)) error {
	defer context.AfterFunc(ctx, func() { ps.conn.SetReadDeadline(time.Unix(1, 0)) })()
	var window quorum.Window
	buf := make([]byte, quorum.MaxDatagram+1)
	for {
		n, _, err := ps.conn.ReadFromUDPAddrPort(buf)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("hear the other nodes: %w", err)
		}
		ev, err := ps.open(buf[:n], &window, time.Now())
		if err != nil {
			ps.refused.Add(1)
			continue
		}
		ps.taken.Add(1)
		send(ctx, ev)
	}
}

// open makes an event of a datagram that is signed, new and on time.
func (ps *peers) open(datagram []byte, window *quorum.Window, now time.Time) (watch.Event, error) {
	c := ps.circle.Load()
	h, err := c.nodes.OpenHeartbeat(datagram)
	if err != nil {
		return nil, err
	}
	if h.From == c.name {
		return nil, fmt.Errorf("%w: it is this node's own", quorum.ErrReplay)
	}
	if err := window.Take(h.From, h.Boot, h.Seq, h.Time, now); err != nil {
		ps.notes.addOnce(note{Warn: true, About: "heartbeats of " + h.From, Text: "refused: " + err.Error()})
		return nil, err
	}
	heard := watch.Heard{Peer: h.From, Sees: h.Sees, Config: h.Config}
	for _, p := range h.Prefixes {
		heard.Claims = append(heard.Claims, watch.Claim{Prefix: p.Prefix, Standing: watch.Standing(p.State)})
	}
	return heard, nil
}
