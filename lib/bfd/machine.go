package bfd

import "time"

// slow is the least interval of transmission while a session is not up (RFC 5880
// section 6.8.3).
const slow = time.Second

// A machine is one session: the state variables of RFC 5880 section 6.8.1 and what
// is done with them. It has no clock, no socket and no dice of its own.
type machine struct {
	tx, rx     time.Duration // that we want, once up
	multiplier uint8
	discr      uint32
	random     func() float64 // evenly spread from 0 to 1

	state       state
	diag        diagnostic
	polling     bool // a Poll Sequence is under way
	remoteDiscr uint32
	remote      packet    // the last one; its fields are the bfd.Remote variables
	heard       time.Time // when it came
	sent        time.Time // when we sent last, in turn or not
	part        float64   // of the interval that is waited this time
}

// newMachine starts a session, which sends its first packet at once.
func newMachine(s Session, discr uint32, random func() float64) *machine {
	m := &machine{tx: s.Tx, rx: s.Rx, multiplier: uint8(s.Multiplier), discr: discr, random: random, state: down}
	m.forget()
	return m
}

// forget sets what is known of the neighbour to what it is before it is heard.
func (m *machine) forget() {
	m.remoteDiscr = 0
	m.remote = packet{state: down, multiplier: 1, minRx: time.Microsecond}
}

// step does what is due by now, with the packet that has come, if any: it passed
// parse and came from the neighbour. It gives the packets to be sent at once, in
// their order.
func (m *machine) step(now time.Time, in *packet) (out []packet) {
	if m.state == adminDown {
		return nil
	}
	was, wasDiag := m.state, m.diag
	if in != nil && (in.yours == 0 || in.yours == m.discr) {
		m.receive(now, *in)
		if in.poll {
			out = append(out, m.packet(true))
		}
	} else {
		m.expire(now)
	}
	changed := m.state != was || m.diag != wasDiag
	if due, wanted := m.sendAt(); changed || wanted && !now.Before(due) {
		// What has changed is told at once; the answer to a poll told it.
		if len(out) == 0 {
			out = append(out, m.packet(false))
		}
	}
	if len(out) > 0 {
		m.sent, m.part = now, m.jitter()
	}
	return out
}

// excuse leaves out of the detection time a while in which nobody could look for
// packets, because the process did not run.
func (m *machine) excuse(late time.Duration) { m.heard = m.heard.Add(late) }

// expire ends a session that has not been heard for the detection time (section
// 6.8.4), and forgets a neighbour that has not been heard for as long.
func (m *machine) expire(now time.Time) {
	if m.remoteDiscr == 0 || now.Before(m.expireAt()) {
		return
	}
	if m.state == initial || m.state == up {
		m.leave(diagExpired)
	}
	m.forget()
}

// receive is section 6.8.6 from the point on where the session is known.
func (m *machine) receive(now time.Time, in packet) {
	m.remoteDiscr, m.remote, m.heard = in.mine, in, now
	if in.final {
		m.polling = false
	}
	switch {
	case in.state == adminDown:
		if m.state != down {
			m.leave(diagPeer)
		}
	case m.state == down && in.state == down:
		m.state = initial
	case m.state == down && in.state == initial, m.state == initial && in.state >= initial:
		m.state, m.diag = up, diagNone
		// The interval is another from now on, which the neighbour has to
		// acknowledge (section 6.8.3).
		m.polling = true
	case m.state == up && in.state == down:
		m.leave(diagPeer)
	}
}

// leave goes down.
func (m *machine) leave(why diagnostic) {
	m.state, m.diag, m.polling = down, why, false
}

// stop ends the session by our own wish and gives the packet that says so.
func (m *machine) stop() packet {
	m.state, m.diag, m.polling = adminDown, diagAdmin, false
	return m.packet(false)
}

// packet is what is sent now (section 6.8.7).
func (m *machine) packet(final bool) packet {
	return packet{
		diag: m.diag, state: m.state, poll: m.polling && !final, final: final,
		multiplier: m.multiplier, mine: m.discr, yours: m.remoteDiscr,
		minTx: m.minTx(), minRx: m.rx,
	}
}

// minTx is bfd.DesiredMinTxInterval.
func (m *machine) minTx() time.Duration {
	if m.state != up {
		return max(m.tx, slow)
	}
	return m.tx
}

// jitter draws how much of the interval is waited: 75 to 100 %, and not more than
// 90 % where one lost packet is the end (section 6.8.7).
func (m *machine) jitter() float64 {
	if m.multiplier == 1 {
		return 0.75 + 0.15*m.random()
	}
	return 0.75 + 0.25*m.random()
}

// sendAt is when the next packet is due. None is after the end, and none is wanted
// by a neighbour that says so or, in its demand mode, none but polls.
func (m *machine) sendAt() (at time.Time, wanted bool) {
	demand := m.remote.demand && m.state == up && m.remote.state == up
	if m.state == adminDown || m.remote.minRx == 0 || demand && !m.polling {
		return at, false
	}
	interval := max(m.minTx(), m.remote.minRx)
	return m.sent.Add(time.Duration(m.part * float64(interval))), true
}

// expireAt is when the detection time ends (section 6.8.4).
func (m *machine) expireAt() time.Time {
	return m.heard.Add(time.Duration(m.remote.multiplier) * max(m.rx, m.remote.minTx))
}

// wake is when step has to be called at the latest; not due, only a packet can
// change anything.
func (m *machine) wake() (at time.Time, due bool) {
	at, due = m.sendAt()
	if e := m.expireAt(); m.state != adminDown && m.remoteDiscr != 0 && (!due || e.Before(at)) {
		return e, true
	}
	return at, due
}
