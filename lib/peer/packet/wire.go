package packet

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

// maxTime is the longest time that a message tells; with more, sums of times could turn
// negative, and old data young.
const maxTime = 10 * 365 * 24 * time.Hour

var be = binary.BigEndian

// A wired body can be written.
type wired interface {
	Body
	flags() uint8
	append([]byte) ([]byte, error)
}

// appendMessage writes a message as it is sealed.
func appendMessage(b []byte, m *Message) ([]byte, error) {
	body, ok := m.Body.(wired)
	if !ok {
		return nil, fmt.Errorf("%w: body %T", ErrMalformed, m.Body)
	}
	kind := body.kind()
	if !addressed(kind, m.From, m.To) {
		return nil, fmt.Errorf("%w: kind %d from %v to %v", ErrMalformed, kind, m.From, m.To)
	}
	b = append(b, byte(kind), body.flags())
	b = append(b, m.From[:]...)
	b = append(b, m.To[:]...)
	b = be.AppendUint64(b, m.Boot)
	b = be.AppendUint64(b, m.Seq)
	b = be.AppendUint64(b, m.ID)
	return body.append(b)
}

// addressed tells whether a message may have this sender and receiver.
func addressed(kind Kind, from, to NodeID) bool {
	all := to == NodeID{}
	switch kind {
	case KindAsk, KindAnswer, KindPut, KindPong, KindFragment:
		return from != NodeID{} && !all
	case KindAskAny:
		return from != NodeID{} && all
	}
	return from != NodeID{}
}

// parseMessage reads an opened message.
func parseMessage(plain []byte) (*Message, error) {
	r := &reader{b: plain}
	kind := Kind(r.uint8())
	r.flags = r.uint8()
	m := &Message{From: r.nodeID(), To: r.nodeID(), Boot: r.uint64(), Seq: r.uint64(), ID: r.uint64()}
	m.Body = readBody(r, kind)
	if r.bad || len(r.b) > 0 || r.flags != 0 || m.Body == nil || !addressed(kind, m.From, m.To) {
		return nil, fmt.Errorf("%w: kind %d from %v", ErrMalformed, kind, m.From)
	}
	return m, nil
}

// readBody reads what a kind of message has; nil if there is no such kind.
func readBody(r *reader, kind Kind) Body {
	switch kind {
	case KindHello:
		return readHello(r)
	case KindBye:
		return readBye(r)
	case KindPing:
		return &Ping{Challenge: r.uint64Bytes()}
	case KindPong:
		return &Pong{Echo: r.uint64Bytes(), Seen: r.uint64()}
	case KindAsk, KindAskAny:
		return readAsk(r, kind == KindAskAny)
	case KindAnswer:
		return readAnswer(r)
	case KindPut:
		return readPut(r)
	case KindKnown:
		return readKnown(r)
	case KindFragment:
		return readFragment(r)
	}
	return nil
}

// appendTime writes a time in whole milliseconds, rounded down.
func appendTime(b []byte, d time.Duration) ([]byte, error) {
	if d < 0 || d > maxTime {
		return b, fmt.Errorf("%w: the time %v", ErrMalformed, d)
	}
	ms := uint64(d.Milliseconds())
	return be.AppendUint32(be.AppendUint16(b, uint16(ms>>32)), uint32(ms)), nil
}

// appendAddrs writes addresses, at most limit.
func appendAddrs(b []byte, addrs []netip.AddrPort, limit int) ([]byte, error) {
	if len(addrs) > limit {
		return b, fmt.Errorf("%w: %d addresses, at most %d", ErrMalformed, len(addrs), limit)
	}
	b = append(b, byte(len(addrs)))
	for _, a := range addrs {
		addr := a.Addr().Unmap().WithZone("")
		if !isHost(addr) || a.Port() == 0 {
			return b, fmt.Errorf("%w: the address %v", ErrMalformed, a)
		}
		family := byte(4)
		if addr.Is6() {
			family = 6
		}
		b = append(append(b, family), addr.AsSlice()...)
		b = be.AppendUint16(b, a.Port())
	}
	return b, nil
}

// isHost tells whether an address, in its one form, can be that of a machine.
func isHost(a netip.Addr) bool {
	return a.IsValid() && !a.Is4In6() && !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// A reader takes a message apart. After the first thing that is wrong it gives zeros.
type reader struct {
	b     []byte
	flags uint8 // those that nothing has taken yet
	bad   bool
}

// take gives the next n octets, or nil.
func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || len(r.b) < n {
		r.bad = true
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

// flag takes one bit of the flags.
func (r *reader) flag(bit uint8) bool {
	set := r.flags&bit != 0
	r.flags &^= bit
	return set
}

func (r *reader) uint8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return be.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return be.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return be.Uint64(b)
	}
	return 0
}

func (r *reader) uint64Bytes() (b [8]byte) {
	copy(b[:], r.take(len(b)))
	return b
}

func (r *reader) nodeID() NodeID { return NodeID(r.uint64Bytes()) }

// upTo reads an octet that is at most limit.
func (r *reader) upTo(limit uint8) uint8 {
	n := r.uint8()
	if n > limit {
		r.bad = true
		return 0
	}
	return n
}

// time reads six octets of milliseconds.
func (r *reader) time() time.Duration {
	ms := uint64(r.uint16())<<32 | uint64(r.uint32())
	if ms > uint64(maxTime.Milliseconds()) {
		r.bad = true
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// addrs reads addresses, at most limit; nil if there is none.
func (r *reader) addrs(limit uint8) []netip.AddrPort {
	n := r.upTo(limit)
	var list []netip.AddrPort
	for range n {
		var addr netip.Addr
		switch r.uint8() {
		case 4:
			addr, _ = netip.AddrFromSlice(r.take(4))
		case 6:
			addr, _ = netip.AddrFromSlice(r.take(16))
		}
		port := r.uint16()
		if r.bad || !isHost(addr) || port == 0 {
			r.bad = true
			return nil
		}
		list = append(list, netip.AddrPortFrom(addr, port))
	}
	return list
}
