package main

import (
	"encoding/binary"
	"math/bits"
)

// pack appends a state's octets to b: the frontier of a search is kept so.
func (m *model) pack(b []byte, s *state) []byte {
	b = append(b, s.last<<4|s.crashes)
	b = s.seen.pack(b)
	b = append(b, s.asked[:m.writes]...)
	for n := range m.count {
		nd := &s.nodes[n]
		b = append(b, nd.epoch<<4|pack3(nd.lease, nd.gate, nd.active), nd.durable<<4|nd.commit)
		b = nd.log.pack(b)
	}
	for e := uint8(1); e <= s.last; e++ {
		r := &s.rows[e]
		b = append(b, r.size<<4|pack3(r.ready, false, false))
		if r.size == 0 {
			continue
		}
		b = append(append(b, r.members[:r.size]...), r.recruit, r.gone)
		var some byte
		at := len(b)
		b = append(b, some)
		for n := range m.count {
			if t := &s.told[e][n]; *t != (trail{}) {
				some |= 1 << n
				b = append(b, t.durable<<4|t.commit<<1|pack3(t.was, false, false))
				b = t.log.pack(b)
			}
		}
		b[at] = some
	}
	return b
}

// unpack reads what pack wrote.
func (m *model) unpack(b []byte, s *state) {
	*s = state{last: b[0] >> 4, crashes: b[0] & 15}
	b = s.seen.unpack(b[1:])
	b = b[copy(s.asked[:m.writes], b):]
	for n := range m.count {
		nd := &s.nodes[n]
		nd.epoch, nd.durable, nd.commit = b[0]>>4, b[1]>>4, b[1]&15
		nd.lease, nd.gate, nd.active = unpack3(b[0])
		b = nd.log.unpack(b[2:])
	}
	for e := uint8(1); e <= s.last; e++ {
		r := &s.rows[e]
		r.size = b[0] >> 4
		r.ready, _, _ = unpack3(b[0])
		b = b[1:]
		if r.size == 0 {
			continue
		}
		b = b[copy(r.members[:r.size], b):]
		r.recruit, r.gone = b[0], b[1]
		some := b[2]
		b = b[3:]
		for ; some != 0; some &= some - 1 {
			t := &s.told[e][bits.TrailingZeros8(some)]
			t.durable, t.commit = b[0]>>4, b[0]>>1&7
			t.was, _, _ = unpack3(b[0])
			b = t.log.unpack(b[1:])
		}
	}
}

func (h history) pack(b []byte) []byte {
	n := h.size()
	b = append(b, n)
	for i := range n {
		b = append(b, byte(h.at(i)))
	}
	return b
}

func (h *history) unpack(b []byte) []byte {
	n := b[0]
	for i := range n {
		*h |= history(b[1+i]) << (8 * i)
	}
	return b[1+n:]
}

func pack3(x, y, z bool) byte {
	var b byte
	for i, v := range [...]bool{x, y, z} {
		if v {
			b |= 1 << i
		}
	}
	return b
}

func unpack3(b byte) (x, y, z bool) { return b&1 != 0, b&2 != 0, b&4 != 0 }

// fingerprint is 64 bits of a packed state, never 0: each 8 octets are
// multiplied into 128 bits and folded, as in wyhash.
func fingerprint(b []byte) uint64 {
	h := uint64(len(b)) * 0x9e3779b97f4a7c15
	mix := func(x uint64) {
		hi, lo := bits.Mul64(h^x^0xa0761d6478bd642f, 0xe7037ed1a0b428db)
		h = hi ^ lo ^ bits.RotateLeft64(x, 31)
	}
	for ; len(b) >= 8; b = b[8:] {
		mix(binary.LittleEndian.Uint64(b))
	}
	var last [8]byte
	copy(last[:], b)
	mix(binary.LittleEndian.Uint64(last[:]))
	mix(0)
	return max(h, 1)
}
