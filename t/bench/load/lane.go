package load

import "time"

// A lane is the state of a Stream.
type lane struct {
	Stream
	conns       []*conn
	sent        []time.Duration // by slot, when its packet was sent or, with a rate, was due; 0: none is outstanding
	idle        []int           // slots without a packet, used with a rate: those that wait longest first
	issued      float64         // packets sent with a rate
	outstanding int
	dry         bool // nothing new is to be sent
	swept       time.Duration
	result      Result
}

func newLane(s Stream) (*lane, error) {
	l := &lane{Stream: s, sent: make([]time.Duration, s.Sockets*s.Window)}
	for range s.Sockets {
		c, err := dial(s.Addr)
		if err != nil {
			l.close()
			return nil, err
		}
		l.conns = append(l.conns, c)
	}
	return l, nil
}

func (l *lane) close() {
	for _, c := range l.conns {
		c.close()
	}
}

func (l *lane) conn(slot int) *conn { return l.conns[slot/l.Window] }

// fill sends the first packets, or with a rate makes all slots ready for them.
func (l *lane) fill(now time.Duration) {
	for slot := range l.sent {
		if l.Rate > 0 {
			l.idle = append(l.idle, slot)
		} else {
			l.send(slot, now+1)
		}
	}
	l.flush()
}

func (l *lane) flush() {
	for _, c := range l.conns {
		if c.queued > 0 {
			c.flush()
		}
	}
}

// send puts the slot's next packet into its socket's batch.
func (l *lane) send(slot int, at time.Duration) {
	l.sent[slot] = 0
	if l.dry {
		return
	}
	p := l.Source.Next(slot)
	if p == nil {
		l.dry = true
		return
	}
	l.sent[slot] = at
	l.outstanding++
	l.conn(slot).queue(p)
}

// step reads every socket once and sends what is due; it reports whether
// anything came or went.
func (l *lane) step(now time.Duration) (busy bool) {
	for _, c := range l.conns {
		n := c.receive()
		for i := range n {
			l.take(c.packet(i), now)
		}
		if n > 0 {
			busy = true
		}
	}
	if l.Rate > 0 && l.pace(now) {
		busy = true
	}
	if now-l.swept > sweep {
		l.swept = now
		l.resend(now)
	}
	l.flush()
	return busy
}

// take counts a reply and gives its slot a new packet.
func (l *lane) take(p []byte, now time.Duration) {
	slot, v := l.Source.Judge(p)
	if v == Stale || slot < 0 || slot >= len(l.sent) || l.sent[slot] == 0 {
		return
	}
	if v == Good {
		l.result.Good++
	} else {
		l.result.Wrong++
	}
	l.result.Octets += uint64(len(p))
	l.result.Latency.Add(now - l.sent[slot])
	l.outstanding--
	if l.Rate > 0 {
		l.sent[slot] = 0
		l.idle = append(l.idle, slot)
		return
	}
	l.send(slot, now)
}

// pace sends the packets that the rate makes due. Their time counts from when
// they were due: a server that stands still delays also those not yet sent.
func (l *lane) pace(now time.Duration) (busy bool) {
	for !l.dry && len(l.idle) > 0 {
		due := time.Duration((l.issued + 1) / l.Rate * float64(time.Second))
		if due > now {
			return busy
		}
		slot := l.idle[0]
		l.idle = append(l.idle[:0], l.idle[1:]...) // in place: there are few
		l.issued++
		l.send(slot, due)
		busy = true
	}
	return busy
}

// resend gives up on packets without a reply.
func (l *lane) resend(now time.Duration) {
	for slot, at := range l.sent {
		if at == 0 || now-at < patience {
			continue
		}
		l.result.Lost++
		l.sent[slot] = now
		l.conn(slot).queue(l.Source.Again(slot))
	}
}
