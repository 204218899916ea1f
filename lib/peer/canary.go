package peer

import (
	"fmt"
	"time"

	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// Times of canaries.
const (
	canaryFirst = time.Second
	canaryMost  = 30 * time.Second
)

// A canary tells whether a network leads to the Internet, or to a portal that answers
// everything with its own address: the servers of the root must be known, and a name
// that does not exist must not. Until then nothing is kept and nothing shared.
//
// Servers that are silent are no portal: when they are down, what was kept in this network
// before and what its members have may be given as in any other.
type canary struct {
	every time.Duration
	tries int
	left  int // answers to wait for
	bad   bool
}

// Captive reports whether no canary has passed in this network yet.
func (n *Node) Captive() bool { return n.captive }

// behind reports whether a portal may be what answers.
func (n *Node) behind() bool { return n.captive && n.best() != packet.Down }

// sing asks the two questions, of one server after the other.
func (n *Node) sing() {
	if !n.captive || len(n.servers) == 0 {
		return
	}
	c := canary{every: min(2*n.canary.every, canaryMost), tries: n.canary.tries + 1, left: 2}
	n.canary = c
	i := c.tries % len(n.servers)
	for _, q := range []Question{{Type: typeNS}, {Name: n.nobody(), Type: typeA}} {
		n.stats.Probes++
		n.fetch(&fetch{server: i, q: q, probe: true, canary: c.tries}, probeLimit)
	}
	epoch := n.epoch
	n.after(c.every, func() {
		if n.epoch == epoch && n.canary.tries == c.tries {
			n.sing()
		}
	})
}

// singAnew does it at once, since a server has come back, and often at first.
func (n *Node) singAnew() {
	n.canary.every = canaryFirst / 2
	n.sing()
}

// nobody is a name that does not exist. It has two labels: some forwarders say of names
// with one that they do not exist, and ask the portal for all others.
func (n *Node) nobody() rr.Name {
	const label = 10
	b := make([]byte, 2*(1+label))
	for k := range b {
		b[k] = 'a' + byte(n.rng.IntN(26))
	}
	b[0], b[1+label] = label, label
	return rr.Name(b)
}

// heardCanary takes the answer to one of the questions.
func (n *Node) heardCanary(f *fetch, info keep.Info, err error) {
	if f.canary != n.canary.tries {
		return // of an earlier try
	}
	good := err == nil && info.Name == f.q.Name && info.Type == f.q.Type
	if f.q.Type == typeNS {
		good = good && info.Rcode == rcodeNone && !info.Negative
	} else {
		good = good && info.Rcode == rcodeName
	}
	n.canary.left--
	n.canary.bad = n.canary.bad || !good
	if n.canary.left > 0 || n.canary.bad || !n.captive {
		return
	}
	n.captive = false
	n.failed = newMemory[Question, failure](maxMemory) // what the portal refused
	n.emit(Trace{Kind: TraceNetwork, Text: "no portal before it"})
	before := n.best()
	for i, s := range n.servers {
		if s.state == packet.Captive {
			s.state, s.since = packet.Healthy, n.now
			n.emit(Trace{Kind: TraceServer, Text: fmt.Sprintf("server %d: healthy, was captive", i)})
		}
	}
	n.shift(before)
}

// networkText is an event in words.
func networkText(ev Network) string {
	word := "known"
	if ev.New {
		word = "new"
	}
	return fmt.Sprintf("%s network %016x with %d servers", word, ev.Net, ev.Servers)
}
