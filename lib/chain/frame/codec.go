package frame

import (
	"encoding/binary"
	"math"

	"namecast/lib/chain"
)

// A writer appends the parts of a body.
type writer struct{ b []byte }

func (w *writer) octet(c byte)    { w.b = append(w.b, c) }
func (w *writer) uint(v uint64)   { w.b = binary.AppendUvarint(w.b, v) }
func (w *writer) int(v int64)     { w.b = binary.AppendVarint(w.b, v) }
func (w *writer) lsn(v chain.LSN) { w.uint(uint64(v)) }
func (w *writer) fixed(b []byte)  { w.b = append(w.b, b...) }

func (w *writer) octets(b []byte) {
	w.uint(uint64(len(b)))
	w.b = append(w.b, b...)
}

func (w *writer) truth(v bool) {
	if v {
		w.octet(1)
	} else {
		w.octet(0)
	}
}

func (w *writer) member(m chain.Member) {
	w.uint(uint64(len(m.Node)))
	w.b = append(w.b, m.Node...)
	w.uint(uint64(m.Inc))
}

// A decoder reads the parts of a body. At the first that is not well formed it
// turns bad, and all that follows is zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) fail() {
	d.b, d.bad = nil, true
}

// take reads so many octets, which are part of the body.
func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) octet() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

// uint reads a number, which must be in its shortest form.
func (d *decoder) uint() uint64 {
	if len(d.b) > 0 && d.b[0] < 0x80 {
		v := d.b[0]
		d.b = d.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(d.b)
	if n <= 0 || d.b[n-1] == 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v := d.uint()
	return int64(v>>1) ^ -int64(v&1)
}

func (d *decoder) uint32() uint32 {
	v := d.uint()
	if v > math.MaxUint32 {
		d.fail()
		return 0
	}
	return uint32(v)
}

func (d *decoder) lsn() chain.LSN { return chain.LSN(d.uint()) }

func (d *decoder) hash() (h chain.Hash) {
	copy(h[:], d.take(uint64(len(h))))
	return h
}

func (d *decoder) request() (r chain.RequestID) {
	copy(r[:], d.take(uint64(len(r))))
	return r
}

// octets reads an octet string, nil if it is empty.
func (d *decoder) octets() []byte {
	if b := d.take(d.uint()); len(b) > 0 {
		return b
	}
	return nil
}

func (d *decoder) truth() bool {
	c := d.octet()
	if c > 1 {
		d.fail()
		return false
	}
	return c == 1
}

// member reads a member; one without a node is nobody.
func (d *decoder) member() chain.Member {
	m := chain.Member{Node: string(d.octets()), Inc: chain.Incarnation(d.uint())}
	if len(m.Node) > maxNode || (m.Node == "") != (m.Inc == 0) {
		d.fail()
		return chain.Member{}
	}
	return m
}

// maxNode is the longest name of a node, in octets.
const maxNode = 63

// room makes a list of as many elements as the next number says, each of which
// takes at least least octets: a foreign number cannot ask for memory that its
// octets do not pay for.
func room[T any](d *decoder, least int) []T {
	n := d.uint()
	if n > uint64(len(d.b)/least) {
		d.fail()
	}
	if n == 0 || d.bad {
		return nil
	}
	return make([]T, n)
}
