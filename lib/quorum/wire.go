package quorum

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"namecast/lib/key"
)

// What a datagram begins with: a magic, a version and a kind.
const (
	heartbeatMagic = "nq\x01h"
	voteMagic      = "nq\x01v"
)

const flagWell = 1

var be = binary.BigEndian

// appendHead writes what both kinds begin with.
func appendHead(b []byte, magic, from string, boot, seq uint64, at time.Time) ([]byte, error) {
	if at.Before(time.Unix(0, 0)) || at.After(time.Unix(0, math.MaxInt64)) {
		return nil, fmt.Errorf("%w: the time %v", ErrMalformed, at)
	}
	b = append(b, magic...)
	b, err := appendName(b, from)
	b = be.AppendUint64(b, boot)
	b = be.AppendUint64(b, seq)
	return be.AppendUint64(b, uint64(at.UnixNano())), err
}

func appendName(b []byte, name string) ([]byte, error) {
	if !isName(name) {
		return nil, fmt.Errorf("%w: the name %q", ErrMalformed, name)
	}
	return append(append(b, byte(len(name))), name...), nil
}

// appendPrefix writes a prefix and, of a heartbeat, its state.
func appendPrefix(b []byte, p netip.Prefix, s State) ([]byte, error) {
	if !isPrefix(p) {
		return nil, fmt.Errorf("%w: the prefix %v", ErrMalformed, p)
	}
	family := byte(4)
	if p.Addr().Is6() {
		family = 6
	}
	b = append(b, byte(s)<<4|family, byte(p.Bits()))
	return append(b, p.Addr().AsSlice()...), nil
}

// isPrefix tells whether a prefix has its one form.
func isPrefix(p netip.Prefix) bool {
	return p.IsValid() && p == p.Masked() && !p.Addr().Is4In6()
}

func appendFlags(b []byte, well bool) []byte {
	if well {
		return append(b, flagWell)
	}
	return append(b, 0)
}

// appendHeartbeat writes all but the signature.
func (ns Nodes) appendHeartbeat(b []byte, h Heartbeat) ([]byte, error) {
	b, err := appendHead(b, heartbeatMagic, h.From, h.Boot, h.Seq, h.Time)
	if err != nil {
		return nil, err
	}
	b = appendFlags(append(b, h.Config[:]...), h.Well)
	if len(h.Prefixes) > MaxPrefixes {
		return nil, fmt.Errorf("%w: %d prefixes, at most %d", ErrMalformed, len(h.Prefixes), MaxPrefixes)
	}
	b = append(b, byte(len(h.Prefixes)))
	for _, p := range h.Prefixes {
		if p.State < Announced || p.State > Failing {
			return nil, fmt.Errorf("%w: prefix %v in %v", ErrMalformed, p.Prefix, p.State)
		}
		if b, err = appendPrefix(b, p.Prefix, p.State); err != nil {
			return nil, err
		}
	}
	ids, err := ns.ids(h.Sees, h.From)
	b = append(b, byte(len(ids)))
	for _, i := range ids {
		b = append(b, i[:]...)
	}
	return b, err
}

// appendVote writes all but the signature.
func appendVote(b []byte, v Vote) ([]byte, error) {
	b, err := appendHead(b, voteMagic, v.From, v.Boot, v.Seq, v.Time)
	if err != nil {
		return nil, err
	}
	if b, err = appendName(b, v.Victim); err != nil {
		return nil, err
	}
	if b, err = appendPrefix(b, v.Prefix, 0); err != nil {
		return nil, err
	}
	if err := checkLease(v.Lease); err != nil {
		return nil, err
	}
	b = be.AppendUint32(b, uint32(v.Lease.Milliseconds()))
	return appendFlags(b, v.Well), nil
}

// checkLease refuses a lease that no vote may have.
func checkLease(d time.Duration) error {
	if d < time.Millisecond || d > MaxLease {
		return fmt.Errorf("%w of %v, at most %v", ErrLease, d, MaxLease)
	}
	return nil
}

// ids gives what nodes other than the sender are called on the wire.
func (ns Nodes) ids(names []string, from string) ([]id, error) {
	var ids []id
	for _, name := range names {
		n, ok := ns.Get(name)
		if !ok || name == from {
			return nil, fmt.Errorf("seen %q: %w", name, ErrUnknown)
		}
		ids = append(ids, n.id())
	}
	slices.SortFunc(ids, id.compare)
	return slices.Compact(ids), nil
}

// names is the way back; it passes over nodes that are not in this list.
func (ns Nodes) names(ids []id, from string) []string {
	var names []string
	for _, n := range ns.list {
		if _, ok := slices.BinarySearchFunc(ids, n.id(), id.compare); ok && n.Name != from {
			names = append(names, n.Name)
		}
	}
	return names
}

// readHeartbeat reads a datagram without looking at the signature.
func readHeartbeat(b []byte) (h Heartbeat, ids []id, err error) {
	r, err := newReader(b, heartbeatMagic)
	if err != nil {
		return h, nil, err
	}
	h.From, h.Boot, h.Seq, h.Time = r.name(), r.uint64(), r.uint64(), r.time()
	copy(h.Config[:], r.take(len(h.Config)))
	h.Well = r.well()
	n := r.count(MaxPrefixes)
	for range n {
		p, s := r.prefix()
		if s < Announced || s > Failing {
			r.bad = true
		}
		h.Prefixes = append(h.Prefixes, PrefixState{p, s})
	}
	n = r.count(MaxNodes - 1)
	for range n {
		var i id
		copy(i[:], r.take(len(i)))
		if len(ids) > 0 && ids[len(ids)-1].compare(i) >= 0 {
			r.bad = true
		}
		ids = append(ids, i)
	}
	return h, ids, r.end()
}

// readVote reads a datagram without looking at the signature.
func readVote(b []byte) (v Vote, err error) {
	r, err := newReader(b, voteMagic)
	if err != nil {
		return v, err
	}
	v.From, v.Boot, v.Seq, v.Time = r.name(), r.uint64(), r.uint64(), r.time()
	v.Victim = r.name()
	var s State
	if v.Prefix, s = r.prefix(); s != 0 {
		r.bad = true
	}
	v.Lease = time.Duration(r.uint32()) * time.Millisecond
	v.Well = r.well()
	if err := r.end(); err != nil {
		return v, err
	}
	return v, checkLease(v.Lease)
}

// A reader takes a message apart. After the first thing that is wrong it gives
// zeros, and end tells.
type reader struct {
	b   []byte
	bad bool
}

// newReader checks the size of a datagram and what it begins with, and reads from
// there to the signature.
func newReader(b []byte, magic string) (*reader, error) {
	if len(b) > MaxDatagram || len(b) < len(magic)+key.SignatureSize || string(b[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w of %d octets", ErrMalformed, len(b))
	}
	return &reader{b: b[len(magic) : len(b)-key.SignatureSize]}, nil
}

// end tells whether all was read and well formed.
func (r *reader) end() error {
	if r.bad || len(r.b) > 0 {
		return ErrMalformed
	}
	return nil
}

// take gives the next n octets, or nil.
func (r *reader) take(n int) []byte {
	if r.bad || len(r.b) < n {
		r.bad = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) uint8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
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

func (r *reader) name() string {
	s := string(r.take(int(r.uint8())))
	if !isName(s) {
		r.bad = true
	}
	return s
}

func (r *reader) time() time.Time {
	n := r.uint64()
	if n > math.MaxInt64 {
		r.bad = true
	}
	return time.Unix(0, int64(n))
}

func (r *reader) well() bool {
	flags := r.uint8()
	if flags&^flagWell != 0 {
		r.bad = true
	}
	return flags&flagWell != 0
}

// count reads how many of something follow; more than most is malformed.
func (r *reader) count(most int) int {
	n := int(r.uint8())
	if n > most {
		r.bad = true
		return 0
	}
	return n
}

// prefix reads a prefix in its one form and the state before it.
func (r *reader) prefix() (netip.Prefix, State) {
	head, bits := r.uint8(), r.uint8()
	size := map[byte]int{4: 4, 6: 16}[head&0x0f]
	addr, _ := netip.AddrFromSlice(r.take(size))
	p := netip.PrefixFrom(addr, int(bits))
	if !isPrefix(p) {
		r.bad = true
	}
	return p, State(head >> 4)
}
