package peer

import (
	"fmt"
	"slices"
	"time"

	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// Times of name servers.
const (
	minHedge    = 30 * time.Millisecond
	maxHedge    = 150 * time.Millisecond
	minPatience = 40 * time.Millisecond  // with the first probe of a healthy server
	maxPatience = 200 * time.Millisecond // the same
	patience    = 300 * time.Millisecond // with a probe of a suspect one
	askPatience = 400 * time.Millisecond // with a client's question, while nothing else is answered

	probeBusy  = time.Second            // between probes of a server that is down, while clients ask
	probeIdle  = 5 * time.Second        // the longest between them
	probeTrial = 100 * time.Millisecond // between probes on probation
	probeLimit = time.Second            // then a probe has timed out
	goodProbes = 3                      // end a probation

	lameZones  = 5                // of so many zones questions must fail
	lameWithin = 30 * time.Second // in this time
)

// A server is a name server as a Node sees it.
type server struct {
	state   packet.UpstreamState
	since   time.Duration
	replies uint64        // of any kind
	strikes int           // silences in a row
	struck  time.Duration // when the last silence was noticed
	good    int           // answers on probation
	back    time.Duration // when it last came off probation
	every   time.Duration // between probes while it is down
	probed  time.Duration // when it was last asked whether it lives, since a question was not answered
	lame    bool          // it is down since it answers with errors
	blind   *Question     // it is down since the answer to this has no signatures; nil: it gives them
	times   [64]time.Duration
	timed   int               // answers timed, modulo 64 the next place
	sorted  [64]time.Duration // the times, as they were when so many had been timed
	upTo    int
	ends    [16]ending
	ended   int
}

// An ending is how a question of a client ended at a server.
type ending struct {
	q   Question
	at  time.Duration
	bad bool // an error, or nothing in a long time
}

// heard tells, later on, whether the server has said anything since now.
func (s *server) heard() func() bool {
	had := s.replies
	return func() bool { return s.replies != had }
}

// took notes how long an answer took.
func (s *server) took(d time.Duration) {
	s.times[s.timed%len(s.times)] = d
	s.timed++
}

// quantile gives the time within which a share of the last answers came.
func (s *server) quantile(share float64) (time.Duration, bool) {
	k := min(s.timed, len(s.times))
	if k == 0 {
		return 0, false
	}
	if s.upTo != s.timed {
		s.sorted, s.upTo = s.times, s.timed
		slices.Sort(s.sorted[:k])
	}
	return s.sorted[min(k-1, int(share*float64(k)))], true
}

// hedge is how long the server may take before others are asked beside it.
func (s *server) hedge() time.Duration {
	p95, ok := s.quantile(0.95)
	if !ok {
		return maxHedge
	}
	return min(max(3*p95, minHedge), maxHedge)
}

// quick is how long it may take to answer what it has at hand.
func (s *server) quick() time.Duration {
	p10, ok := s.quantile(0.10)
	if !ok {
		return maxPatience
	}
	return min(max(8*p10, minPatience), max(maxPatience, 4*p10))
}

// end notes how a client's question ended, and reports whether the server is lame: it
// answers, but 80 % of the questions about lameZones zones or more with an error.
func (s *server) end(e ending) bool {
	s.ends[s.ended%len(s.ends)] = e
	s.ended++
	bad, all := 0, 0
	var zones []rr.Name
	for _, x := range s.ends[:min(s.ended, len(s.ends))] {
		if e.at-x.at > lameWithin {
			continue
		}
		all++
		if !x.bad {
			continue
		}
		bad++
		if z := zoneOf(x.q.Name); !slices.Contains(zones, z) {
			zones = append(zones, z)
		}
	}
	return bad*5 >= all*4 && len(zones) >= lameZones
}

// zoneOf is where a name's zone probably begins: its last two labels.
func zoneOf(name rr.Name) rr.Name {
	for name.Count() > 2 {
		name = name.Parent()
	}
	return name
}

// probeQuestion is what a server is asked to see whether it lives: what each has at
// hand, or if it answered with errors or without signatures, a question it did so for.
func (s *server) probeQuestion() Question {
	if s.blind != nil {
		return *s.blind
	}
	if s.lame {
		for k := range min(s.ended, len(s.ends)) {
			if e := s.ends[(s.good+k)%len(s.ends)]; e.bad {
				return e.q
			}
		}
	}
	return Question{Type: typeNS}
}

// usable reports whether clients' questions go to the server.
func (s *server) usable() bool { return s.state != packet.Down }

// rank orders the states, the best first.
func rank(s packet.UpstreamState) int {
	return [...]int{packet.Healthy: 0, packet.Captive: 1, packet.Probation: 2, packet.Suspect: 3, packet.Down: 4}[s]
}

// best is the state of the best server. Without servers it is Down.
func (n *Node) best() packet.UpstreamState {
	state := packet.Down
	for _, s := range n.servers {
		if rank(s.state) < rank(state) {
			state = s.state
		}
	}
	return state
}

// usable reports whether any server is there to be asked.
func (n *Node) usable() bool { return n.best() != packet.Down }

// turn puts a server into a state, and tells those who wait for it.
func (n *Node) turn(i int, to packet.UpstreamState, why string) {
	s, before := n.servers[i], n.best()
	if s.state == to {
		return
	}
	n.emit(Trace{Kind: TraceServer, Text: fmt.Sprintf("server %d: %s, was %s: %s", i, to, s.state, why)})
	s.state, s.since = to, n.now
	switch to {
	case packet.Healthy:
		s.strikes, s.lame = 0, false
	case packet.Down:
		s.good, s.every = 0, probeBusy
		n.probeLater(i, s.every)
	}
	n.shift(before)
}

// shift does what follows when the best state of the servers changes.
func (n *Node) shift(before packet.UpstreamState) {
	best := n.best()
	if best == before {
		return
	}
	n.since = n.now
	switch best {
	case packet.Down:
		n.gone()
	case packet.Suspect:
		if before != packet.Down {
			n.doubt()
		}
	case packet.Healthy:
		n.recover()
	}
}

// pulse watches that a server is not silent for a while. A silence that began before
// the last one was noticed, or while this node itself was stopped, does not count.
func (n *Node) pulse(i int, d time.Duration) {
	s, had, begun := n.servers[i], n.servers[i].replies, n.now
	n.unless(s.heard(), d, func() {
		if i < len(n.servers) && n.servers[i] == s && s.replies == had && begun >= s.struck && begun >= n.late {
			n.strike(i, "it was silent")
		}
	})
}

// strike counts a silence or a refusal: one makes a server suspect, the next down.
func (n *Node) strike(i int, why string) {
	s := n.servers[i]
	s.struck = n.now
	s.strikes++
	switch {
	case s.state == packet.Down:
	case s.strikes >= 2 || s.state == packet.Probation:
		n.turn(i, packet.Down, why)
	default:
		if s.state == packet.Healthy {
			n.turn(i, packet.Suspect, why)
		}
		n.probe(i, max(patience, 2*s.quick()))
	}
}

// probe asks a server whether it lives.
func (n *Node) probe(i int, d time.Duration) {
	if n.o.NoProbes {
		return
	}
	n.stats.Probes++
	q := n.servers[i].probeQuestion()
	n.fetch(&fetch{server: i, q: q, probe: true}, probeLimit)
	n.pulse(i, d)
}

// hint has the servers probed that are thought to live.
func (n *Node) hint() {
	for i, s := range n.servers {
		if s.state == packet.Healthy && n.now-s.probed >= time.Second {
			s.probed = n.now
			n.probe(i, max(minPatience, s.quick()))
		}
	}
}

// probeLater probes a server that is down, and goes on with it: each second while
// clients ask, else less often.
func (n *Node) probeLater(i int, d time.Duration) {
	s := n.servers[i]
	n.after(d, func() {
		if n.o.NoProbes || i >= len(n.servers) || n.servers[i] != s || s.state != packet.Down {
			return
		}
		n.probe(i, probeLimit)
		s.every = min(s.every*5/4, probeIdle)
		if n.now-n.asked < 10*time.Second {
			s.every = probeBusy
		}
		n.probeLater(i, s.every)
	})
}

// answered notes that a server has said something, and whether it was an error.
func (n *Node) answered(i int, f *fetch, bad bool) {
	s := n.servers[i]
	s.replies++
	if s.state != packet.Down && s.state != packet.Probation {
		s.strikes = 0
		// Replies to what was sent while it was away say for how long it was, and come late.
		if f.sent >= s.back {
			s.took(n.now - f.sent - f.judged)
		}
	}
	lame := false
	if !f.probe {
		lame = s.end(ending{f.q, n.now, bad})
	}
	switch {
	case s.blind != nil:
		if s.state != packet.Down {
			n.turn(i, packet.Down, "it still gives no signatures")
		}
	case lame && s.state != packet.Down:
		s.lame = true
		n.turn(i, packet.Down, "it answers with errors")
	case s.lame && bad:
		if !f.probe {
			s.good = 0
		}
		if s.state == packet.Probation {
			n.turn(i, packet.Down, "it still answers with errors")
		}
	case s.state == packet.Suspect:
		n.turn(i, n.living(), "it answered")
	case s.state == packet.Down || s.state == packet.Probation:
		n.trial(i)
	}
}

// sees takes note of whether a server gives signatures. Without them the own validation
// refuses all that it says, so that it is as good as down.
func (n *Node) sees(f *fetch, unsigned, signed bool) {
	s := n.servers[f.server]
	switch {
	case s.blind != nil:
		if signed && f.q == *s.blind {
			s.blind = nil
		}
	case unsigned && !n.captive:
		q := f.q
		s.blind = &q
		n.turn(f.server, packet.Down, "it gives no signatures (DNSSEC)")
	}
}

// living is the state of a server that answers.
func (n *Node) living() packet.UpstreamState {
	if n.captive {
		return packet.Captive
	}
	return packet.Healthy
}

// trial counts an answer of a server on probation.
func (n *Node) trial(i int) {
	s := n.servers[i]
	s.good++
	if s.good >= goodProbes || n.o.NoProbes {
		s.ended, s.struck, s.back = 0, n.now, n.now
		n.turn(i, n.living(), fmt.Sprintf("it answered %d times", s.good))
		n.singAnew()
		return
	}
	if s.state == packet.Down {
		s.strikes = 0
		n.turn(i, packet.Probation, "it answers again")
	}
	n.after(probeTrial, func() {
		if i < len(n.servers) && n.servers[i] == s && s.state == packet.Probation {
			n.probe(i, patience)
		}
	})
}

// hedgeAfter is how long the servers may take before others are asked.
func (n *Node) hedgeAfter() time.Duration {
	if n.o.Hedge > 0 {
		return n.o.Hedge
	}
	h := maxHedge
	for _, s := range n.servers {
		if s.usable() {
			h = min(h, s.hedge())
		}
	}
	return h
}
