package sim

import (
	"math"
	"time"

	"namecast/lib/peer"
	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// What an event is of.
const (
	wakeEvent uint8 = iota
	nodeEvent
	deathEvent
	goneEvent
	bornEvent
	helloEvent
	faultEvent
)

// An event is something to happen.
type event struct {
	at    time.Duration
	seq   uint64 // those of one time happen in their order
	what  uint8
	node  int32
	from  int32 // of nodeEvent: who sent it, or -1
	ev    peer.Event
	gone  []int
	fault *Fault
}

// events is a heap of them.
type events []event

func (h events) less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}

func (h *events) push(e event) {
	*h = append(*h, e)
	q := *h
	for i := len(q) - 1; i > 0; {
		up := (i - 1) / 2
		if !q.less(i, up) {
			break
		}
		q[i], q[up] = q[up], q[i]
		i = up
	}
}

func (h *events) pop() event {
	q := *h
	top, last := q[0], len(q)-1
	q[0], q[last] = q[last], event{}
	q = q[:last]
	for i := 0; ; {
		down := 2*i + 1
		if down+1 < last && q.less(down+1, down) {
			down++
		}
		if down >= last || !q.less(down, i) {
			break
		}
		q[i], q[down] = q[down], q[i]
		i = down
	}
	*h = q
	return top
}

// at has an event happen.
func (s *sim) at(at time.Duration, e event) {
	s.seq++
	e.at, e.seq = max(at, s.now), s.seq
	s.events.push(e)
}

// tell has something happen to a node.
func (s *sim) tell(after time.Duration, i, from int, ev peer.Event) {
	s.at(s.now+after, event{what: nodeEvent, node: int32(i), from: int32(from), ev: ev})
}

// around is a time with a median and a long tail.
func (s *sim) around(median time.Duration) time.Duration {
	return time.Duration(float64(median) * math.Exp(s.rng.NormFloat64()*0.6))
}

// fetch is a question to the name server.
func (s *sim) fetch(i int, a peer.Fetch) {
	if !a.Probe {
		s.res.minute(s.now).Fetches++
	}
	median := s.c.Answer
	if median == 0 {
		median = 12 * time.Millisecond
	}
	after := s.around(median)
	ok := peer.Fetched{Req: a.Req, Msg: s.truth(a.Question, s.now+after)}
	if s.dead && !s.nodes[i].served {
		switch s.c.Death {
		case Refused:
			s.tell(200*time.Microsecond, i, -1, peer.Fetched{Req: a.Req, Failure: peer.Unreachable})
			return
		case Lame:
			ok.Msg = refusal(ok.Msg)
		case Slow:
			after += 2 * time.Second
		case Silent:
			after = a.Within
		case Lossy:
			if s.rng.Float64() < 0.9 {
				after = a.Within
			}
		}
	}
	if after >= a.Within {
		s.tell(a.Within, i, -1, peer.Fetched{Req: a.Req, Failure: peer.Timeout})
		return
	}
	s.tell(after, i, -1, ok)
}

// truth is what the name server says.
func (s *sim) truth(q peer.Question, when time.Duration) []byte {
	if q.Name == "" {
		return servers // what is asked to see whether a server lives
	}
	return s.w.at(numberOf(q.Name), when).msg
}

// servers is the answer to the question for the name servers of the root.
var servers = []byte("\x00\x00\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00\x02\x00\x01" +
	"\x00\x00\x02\x00\x01\x00\x07\xe9\x00\x00\x03\x01a\x00")

// refusal is a server's error to the question of an answer.
func refusal(msg []byte) []byte {
	out := append([]byte{}, msg[:len(msg)-16]...)
	out[3], out[7] = 0x82, 0
	return out
}

// iterate asks from the root on: three servers, each as far as the Internet is.
func (s *sim) iterate(i int, a peer.Iterate) {
	after := s.around(25*time.Millisecond) + s.around(25*time.Millisecond) + s.around(15*time.Millisecond)
	s.tell(after, i, -1, peer.Iterated{Req: a.Req, Msg: s.truth(a.Question, s.now+after)})
}

// sealed is what a message has around its body, in octets: the headers of IP and UDP,
// the nonce and the seal, sender, boot, number and exchange.
const sealed = 28 + 5 + 24 + 16 + 42

// size is about how many octets a packet is.
func size(b packet.Body) int {
	switch b := b.(type) {
	case *packet.Ask:
		return sealed + len(b.Name) + 16
	case *packet.Answer:
		if b.Record != nil {
			return sealed + 1 + b.Record.Size()
		}
	case *packet.Put:
		n := sealed + 1
		for _, r := range b.Records {
			n += r.Size()
		}
		return n
	}
	return sealed + 1
}

// send sends a message.
func (s *sim) send(i int, a peer.Send) {
	m := s.res.minute(s.now)
	m.Octets += size(a.Body)
	if !a.All {
		m.Unicast++
		s.deliver(i, s.g.number[a.To], a)
		return
	}
	m.Multicast++
	if s.c.Mute {
		return
	}
	ask, _ := a.Body.(*packet.Ask)
	for j, nd := range s.nodes {
		if j == i || !nd.alive || s.c.Nodes > manyNodes && ask != nil && !s.has(nd, ask.Name) {
			continue
		}
		s.deliver(i, j, a)
	}
}

// has reports whether a node keeps something of a name.
func (s *sim) has(nd *node, name rr.Name) bool {
	return nd.liar || nd.cache.Get(keep.Key{Net: network, Name: name, Type: 1}) != nil
}

// deliver takes a message to a node, unless it is lost on the way.
func (s *sim) deliver(i, j int, a peer.Send) {
	if parts := s.c.Parts; parts > 1 && s.dead && i%parts != j%parts {
		return
	}
	if s.c.Loss > 0 && s.rng.Float64() < s.c.Loss {
		return
	}
	after := 60*time.Microsecond + time.Duration(s.rng.ExpFloat64()*float64(40*time.Microsecond))
	s.tell(after, j, i, peer.Received{From: s.g.ids[i], ID: a.ID, Body: a.Body})
}

// deceive is what a liar does: it answers whatever is asked with a lie, which it has,
// so it says, of the name server since a second.
func (s *sim) deceive(i int, ev peer.Event) {
	r, ok := ev.(peer.Received)
	if !ok {
		return
	}
	ask, ok := r.Body.(*packet.Ask)
	if !ok {
		return
	}
	s.send(i, peer.Send{To: r.From, ID: r.ID, Body: &packet.Answer{Outcome: packet.Have, Record: &packet.Record{
		Origin: s.g.ids[i], Age: time.Second, Net: network, Msg: lie(ask.Name),
	}}})
}
