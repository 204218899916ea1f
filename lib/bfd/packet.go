package bfd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// packetSize is the length of a control packet without authentication, in octets.
const packetSize = 24

// version is the protocol's.
const version = 1

// A state is bfd.SessionState (RFC 5880 section 4.1).
type state uint8

const (
	adminDown state = iota
	down
	initial
	up
)

func (s state) String() string {
	return [...]string{"AdminDown", "Down", "Init", "Up"}[s]
}

// A diagnostic says why a session left Up last.
type diagnostic uint8

const (
	diagNone    diagnostic = 0
	diagExpired diagnostic = 1 // nothing heard for the detection time
	diagPeer    diagnostic = 3 // the neighbour said that it is down
	diagAdmin   diagnostic = 7 // an operator's wish
)

// Flags in the second octet. The one left out says that the sender outlives its
// control plane, which this one does not.
const (
	flagPoll       = 0x20
	flagFinal      = 0x10
	flagAuth       = 0x04
	flagDemand     = 0x02
	flagMultipoint = 0x01
)

// A packet is a control packet (RFC 5880 section 4.1).
type packet struct {
	diag                diagnostic
	state               state
	poll, final, demand bool
	multiplier          uint8
	mine, yours         uint32        // discriminators
	minTx, minRx        time.Duration // in whole microseconds
}

// errPacket: octets are no control packet that may be looked at.
var errPacket = errors.New("bad BFD packet")

// append writes the packet, which asks for no echo.
func (p packet) append(b []byte) []byte {
	flags := byte(p.state) << 6
	if p.poll {
		flags |= flagPoll
	}
	if p.final {
		flags |= flagFinal
	}
	if p.demand {
		flags |= flagDemand
	}
	b = append(b, version<<5|byte(p.diag), flags, p.multiplier, packetSize)
	b = binary.BigEndian.AppendUint32(b, p.mine)
	b = binary.BigEndian.AppendUint32(b, p.yours)
	b = binary.BigEndian.AppendUint32(b, uint32(p.minTx.Microseconds()))
	b = binary.BigEndian.AppendUint32(b, uint32(p.minRx.Microseconds()))
	return binary.BigEndian.AppendUint32(b, 0)
}

// parse reads a packet and does the checks of RFC 5880 section 6.8.6 that need no
// session. Octets after the packet's length are ignored, as it says.
func parse(b []byte) (p packet, err error) {
	if len(b) < packetSize {
		return p, fmt.Errorf("%w: %d octets", errPacket, len(b))
	}
	p = packet{
		diag: diagnostic(b[0] & 0x1f), state: state(b[1] >> 6),
		poll: b[1]&flagPoll != 0, final: b[1]&flagFinal != 0, demand: b[1]&flagDemand != 0,
		multiplier: b[2], mine: binary.BigEndian.Uint32(b[4:]), yours: binary.BigEndian.Uint32(b[8:]),
		minTx: microseconds(b[12:]), minRx: microseconds(b[16:]),
	}
	switch length := int(b[3]); {
	case b[0]>>5 != version:
		err = fmt.Errorf("%w: version %d", errPacket, b[0]>>5)
	case length < packetSize || length > len(b):
		err = fmt.Errorf("%w: a length of %d in %d octets", errPacket, length, len(b))
	case p.multiplier == 0:
		err = fmt.Errorf("%w: multiplier 0", errPacket)
	case b[1]&flagMultipoint != 0:
		err = fmt.Errorf("%w: the multipoint bit is set", errPacket)
	case p.mine == 0:
		err = fmt.Errorf("%w: no discriminator", errPacket)
	case p.yours == 0 && p.state != down && p.state != adminDown:
		err = fmt.Errorf("%w: %v without our discriminator", errPacket, p.state)
	case b[1]&flagAuth != 0:
		err = fmt.Errorf("%w: authenticated, which is not in use", errPacket)
	}
	return p, err
}

func microseconds(b []byte) time.Duration {
	return time.Duration(binary.BigEndian.Uint32(b)) * time.Microsecond
}
